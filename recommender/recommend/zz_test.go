package recommend

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestZZ(t *testing.T) {
	from, to := uint64(0), uint64(40)
	if s := os.Getenv("SEED"); s != "" {
		n, _ := strconv.Atoi(s)
		from, to = uint64(n), uint64(n+1)
	}
	for seed := from; seed < to; seed++ {
		w := newRandomWorld(t, seed)
		report := w.analyse(t, w.snapshot)
		list, _ := Build(Input{Snapshot: w.snapshot, Report: report})
		if to == from+1 {
			for i := range list {
				if strings.Contains(list[i].Withheld, "proof") {
					fmt.Println("WITHHELD", list[i].Withheld)
					fmt.Println(debugAfter[list[i].ID])
				}
			}
			fmt.Println(w.text.String()[strings.Index(w.text.String(), "# policy"):])
			fmt.Println(recommendationsText(list))
			for _, e := range report.Edges {
				if e.Teaches {
					fmt.Println(e.Client, e.Server, e.Protocol, e.Port, e.Needs)
				}
			}
		}
		for _, r := range list {
			if strings.Contains(r.Withheld, "proof") {
				fmt.Println(seed, r.Title, ":", r.Withheld)
			}
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/flow"
)

// goodLoss is the share of a node's flows up to which a loss leaves what runs
// there ready: 1 in 1,000. What was lost is as likely as the rest to be of an
// edge that is known.
const goodLoss = 0.001

// losses are what was missed on each node, beside what was recorded there.
type losses struct {
	missed   map[string]NodeCoverage
	recorded map[string]float64 // connections
}

// losses sums up by node, as the nodes tell it. Where they do not, records say
// which workload they are of, not on which node: those of a workload are shared
// out evenly over its pods.
func (x *Index) losses(in Input, f *foldings) losses {
	l := losses{missed: map[string]NodeCoverage{}, recorded: map[string]float64{}}
	told := false
	for _, c := range in.Coverage {
		l.missed[c.Node] = c
		l.recorded[c.Node] = float64(c.Connections)
		told = told || c.Connections > 0
	}
	if len(l.missed) == 0 || told {
		return l
	}
	for i := range f.marks {
		m := &f.marks[i]
		l.record(x, &f.parties[m.from], f.records[m.record].ByClient)
		l.record(x, &f.parties[m.to], f.records[m.record].ByServer)
	}
	return l
}

func (l losses) record(x *Index, p *Party, c flow.Counters) {
	switch p.Kind {
	case PartyNode:
		l.recorded[p.Name] += float64(c.Connections)
	case PartyWorkload:
		pods := x.pods[p.Workload()]
		for _, pod := range pods {
			l.recorded[pod.Node] += float64(c.Connections) / float64(len(pods))
		}
	case PartyOutside: // nobody counts there
	}
}

// lose notes what was missed on the nodes of a workload's pods. Its coverage is
// lowered by the share: what was lost may have been anything.
func (l losses) lose(x *Index, r *Readiness, w flow.Workload) {
	seen := map[string]bool{}
	var recorded float64
	for _, pod := range x.pods[w] {
		c, ok := l.missed[pod.Node]
		if !ok || seen[pod.Node] {
			continue
		}
		seen[pod.Node] = true
		r.Lost += c.Lost
		recorded += l.recorded[pod.Node]
		if c.Share < 1 {
			r.Reasons = append(r.Reasons, fmt.Sprintf("node %s was watched for %s of the time", pod.Node, Percent(c.Share)))
		}
	}
	slices.Sort(r.Reasons)
	if r.Lost > 0 {
		r.LostShare = float64(r.Lost) / (float64(r.Lost) + recorded)
		r.Coverage *= 1 - r.LostShare
	}
}

func lostText(n uint64) string {
	if n == 1 {
		return "1 flow was"
	}
	return fmt.Sprintf("%d flows were", n)
}

// Percent writes a share as people do. What is not all is never "100 %", and
// what is not nothing never "0 %".
func Percent(share float64) string {
	for digits := range 4 {
		text := fmt.Sprintf("%.*f", digits, 100*share)
		rounded := strings.Trim(text, "0.") == "" || strings.HasPrefix(text, "100")
		if share <= 0 || share >= 1 || !rounded {
			return text + " %"
		}
	}
	if share < 0.5 {
		return "less than 0.001 %"
	}
	return "more than 99.999 %"
}

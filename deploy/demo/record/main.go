// SPDX-License-Identifier: Apache-2.0

// Command record turns the data of a demo that has ended into the sample flow
// file: workload-level records, one an edge and window.
//
//	bin/netcinch-demo --for 100s --window 10s --keep kept
//	go run ./deploy/demo/record -data kept/data/flows -output deploy/demo/sample/flows.jsonl
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/sqlite"
)

func main() {
	data := flag.String("data", "", "`folder` of the store")
	output := flag.String("output", "", "flow `file` to write")
	flag.Parse()
	if err := record(*data, *output); err != nil {
		fmt.Fprintf(os.Stderr, "record: %v\n", err)
		os.Exit(2)
	}
}

func record(data, output string) error {
	s, err := sqlite.Open(sqlite.Options{Dir: data, Clock: time.Now}) //nolint:forbidigo // the program's own clock
	if err != nil {
		return err
	}
	records, err := s.Pods(context.Background(), store.Query{})
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	if len(records) == 0 {
		return fmt.Errorf("no flows in %s: want the folder data/flows of what --keep kept", data)
	}
	file, err := os.Create(output)
	if err != nil {
		return fmt.Errorf("writing the sample: %w", err)
	}
	buffered := bufio.NewWriter(file)
	writer := jsonl.NewWriter(buffered)
	for _, r := range fold(records) {
		if err = writer.Write(r); err != nil {
			break
		}
	}
	return errors.Join(err, buffered.Flush(), file.Close())
}

// fold brings the records to workload level, window by window: the pods of a
// demo that is gone mean nothing to a reader.
func fold(records []flow.Record) []flow.Record {
	type key struct {
		window flow.Window
		edge   flow.Edge
	}
	sums := map[key]*flow.Record{}
	for _, r := range records {
		k := key{r.Window, store.Key(r.Edge)}
		sum, ok := sums[k]
		if !ok {
			sum = &flow.Record{Window: r.Window, Edge: store.Fold(r.Edge)}
			sums[k] = sum
		}
		sum.Edge = store.Describe(sum.Edge, store.Fold(r.Edge))
		sum.ByClient = sum.ByClient.Add(r.ByClient)
		sum.ByServer = sum.ByServer.Add(r.ByServer)
	}
	folded := make([]flow.Record, 0, len(sums))
	for _, r := range sums {
		folded = append(folded, *r)
	}
	slices.SortFunc(folded, func(a, b flow.Record) int {
		return cmp.Or(a.Window.Start.Compare(b.Window.Start), store.Compare(a.Edge, b.Edge))
	})
	return folded
}

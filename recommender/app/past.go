// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// past is what was seen: a store that agents fill, or records from files.
type past interface {
	// Records gives the traffic of a time in bins: several windows rather than
	// one folded over all of it.
	Records(ctx context.Context, q store.Query) ([]flow.Record, error)
	Catalogue(ctx context.Context, q store.Query) ([]store.Catalogued, error)
	Coverage(ctx context.Context, q store.Query) ([]store.NodeCoverage, error)
	Close() error
}

// Where the store's finest rows are read as they came, and how many bins
// stand in for them otherwise.
const (
	fineSpan  = 2 * time.Hour
	fineNodes = 50
	maxBins   = 48
)

// stored is the past in a store.
type stored struct {
	store.Store
	store.Register
}

// Records reads windows as they came where that is not too much, else the
// store's roll-up, cut into bins.
func (s stored) Records(ctx context.Context, q store.Query) ([]flow.Record, error) {
	nodes, err := s.Coverage(ctx, q)
	if err != nil || len(nodes) == 0 {
		return nil, err
	}
	from, to := nodes[0].FirstSeen, nodes[0].LastSeen
	for i := range nodes {
		if nodes[i].FirstSeen.Before(from) {
			from = nodes[i].FirstSeen
		}
		if nodes[i].LastSeen.After(to) {
			to = nodes[i].LastSeen
		}
	}
	if to.Sub(from) <= fineSpan && len(nodes) <= fineNodes {
		return s.Pods(ctx, q)
	}
	var all []flow.Record
	for _, bin := range binsOf(from, to) {
		one := q
		one.From, one.To = bin.Start, bin.End
		records, err := s.Edges(ctx, one)
		if err != nil {
			return nil, err
		}
		for i := range records {
			records[i].Window = bin
		}
		all = append(all, records...)
	}
	return all, nil
}

// binsOf cuts a time into at most maxBins windows of whole five minutes, the
// store's resolution.
func binsOf(from, to time.Time) []flow.Window {
	const step = 5 * time.Minute
	size := max(step, (to.Sub(from)/maxBins).Truncate(step)+step)
	var bins []flow.Window
	for at := from.Truncate(step); at.Before(to); at = at.Add(size) {
		bins = append(bins, flow.Window{Start: at, End: at.Add(size)})
	}
	return bins
}

// recorded is the past as flow files tell it.
type recorded []flow.Record

// end is the end of the last window; zero without records.
func (r recorded) end() (at time.Time) {
	for i := range r {
		if r[i].Window.End.After(at) {
			at = r[i].Window.End
		}
	}
	return at
}

func inQuery(w flow.Window, q store.Query) bool {
	return (q.From.IsZero() || w.End.After(q.From)) && (q.To.IsZero() || w.Start.Before(q.To))
}

// Records gives the records whose windows touch the time.
func (r recorded) Records(_ context.Context, q store.Query) ([]flow.Record, error) {
	var out []flow.Record
	for i := range r {
		if inQuery(r[i].Window, q) {
			out = append(out, r[i])
		}
	}
	return out, nil
}

// Catalogue says when each edge was first and last seen.
func (r recorded) Catalogue(_ context.Context, q store.Query) ([]store.Catalogued, error) {
	at := map[flow.Edge]int{}
	var out []store.Catalogued
	for i := range r {
		w := r[i].Window
		if !inQuery(w, q) {
			continue
		}
		key := store.Key(r[i].Edge)
		k, ok := at[key]
		if !ok {
			at[key] = len(out)
			out = append(out, store.Catalogued{Edge: key, FirstSeen: w.Start, LastSeen: w.End})
			continue
		}
		if w.Start.Before(out[k].FirstSeen) {
			out[k].FirstSeen = w.Start
		}
		if w.End.After(out[k].LastSeen) {
			out[k].LastSeen = w.End
		}
	}
	slices.SortFunc(out, func(a, b store.Catalogued) int { return store.Compare(a.Edge, b.Edge) })
	return out, nil
}

// Coverage is not known: a flow file does not say what was watched.
func (recorded) Coverage(context.Context, store.Query) ([]store.NodeCoverage, error) { return nil, nil }

// Close has nothing to give back.
func (recorded) Close() error { return nil }

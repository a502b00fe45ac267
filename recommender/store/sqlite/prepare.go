// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"fmt"

	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/sqlite/rows"
)

// prepared is a batch made ready by the goroutine that brings it, so that the
// one that writes has little left to do.
type prepared struct {
	*store.Batch
	folded      []sight // one an edge, without buckets
	counts      []both  // of each
	rows        []byte  // as they came, for the journal; nil where there are none
	connections uint64  // as the node counted them, at its own ends
}

func prepare(b *store.Batch) (*prepared, error) {
	if err := checkBatch(b); err != nil {
		return nil, err
	}
	p := fold(b)
	if len(b.Records) > 0 {
		var err error
		if p.rows, err = rows.Encode(b.Records); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// fold gives a batch's edges at workload level.
func fold(b *store.Batch) *prepared {
	p := &prepared{Batch: b}
	d := dayOf(b.Window.Start)
	first, last := d.floor(b.Window.Start), d.ceil(b.Window.End)
	place := make(map[key]int, len(b.Records))
	for i := range b.Records {
		r := &b.Records[i]
		e := store.Fold(r.Edge)
		k := keyOf(b.Cluster, e)
		counts := both{r.ByClient, r.ByServer}
		p.connections += r.ByClient.Connections + r.ByServer.Connections
		programs := programsOf(e, first, last)
		if at, ok := place[k]; ok {
			p.folded[at].edge = store.Describe(p.folded[at].edge, e)
			p.folded[at].programs = addPrograms(p.folded[at].programs, programs)
			p.counts[at] = p.counts[at].add(counts)
			continue
		}
		place[k] = len(p.folded)
		p.folded = append(p.folded, sight{key: k, cluster: b.Cluster, edge: e, first: first, last: last, programs: programs})
		p.counts = append(p.counts, counts)
	}
	return p
}

func checkBatch(b *store.Batch) error {
	switch {
	case b.Cluster == "" || b.Node == "" || b.Epoch == "" || b.Sequence == 0 || b.Sequence > 1<<62:
		return fmt.Errorf("%w: batch without a whole name: cluster %q node %q epoch %q sequence %d", store.ErrInvalid, b.Cluster, b.Node, b.Epoch, b.Sequence)
	case !b.Window.End.After(b.Window.Start):
		return fmt.Errorf("%w: window from %v to %v", store.ErrInvalid, b.Window.Start, b.Window.End)
	case b.Window.End.Sub(b.Window.Start) > dayLength:
		return fmt.Errorf("%w: window of %v", store.ErrInvalid, b.Window.End.Sub(b.Window.Start))
	case b.Window.Start.Year() < 1970 || b.Window.Start.Year() > 9998:
		return fmt.Errorf("%w: window in the year %d", store.ErrInvalid, b.Window.Start.Year())
	}
	return nil
}

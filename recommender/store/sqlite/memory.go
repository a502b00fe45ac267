// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"sync"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// shards is how many parts a day's counts are written in, so that writing one
// never holds batches up for long. It is part of the file: see mark.
const shards = 64

// memory is what the journal of a day has and its counts have not yet. It is
// folded here, once, and written shard by shard; with each shard goes the mark
// up to which the file has it. A crash loses it, and the journal gives it back.
type memory struct {
	resolution int64 // milliseconds

	// The writing goroutine alone changes what follows, with the lock; it reads
	// without. The lock also holds a shard's commit and its clearing together.
	mu     sync.RWMutex
	shard  [shards]map[key]*sight
	mark   [shards]int64 // journal entry up to which the file has the shard
	latest int64         // last entry of the journal
	sights int           // in all shards
}

func newMemory(resolution int64) *memory {
	m := &memory{resolution: resolution}
	for i := range m.shard {
		m.shard[i] = map[key]*sight{}
	}
	return m
}

func shardOf(k key) int { return int(k[0]) % shards }

// take folds a batch, which is the journal's entry of that number. Shards that
// have it already pass it over.
func (m *memory) take(entry int64, b *prepared) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latest = max(m.latest, entry)
	for i := range b.folded {
		one := &b.folded[i]
		at := shardOf(one.key)
		if entry <= m.mark[at] {
			continue
		}
		s := m.shard[at][one.key]
		if s == nil {
			s = &sight{key: one.key, cluster: one.cluster, edge: one.edge, first: one.first, last: one.last}
			m.shard[at][one.key] = s
			m.sights++
		}
		s.add(one, one.first/m.resolution, b.counts[i])
	}
}

// written forgets shards that a transaction has written; it is committed with
// the lock held, so that a reader sees it either here or in the file.
func (m *memory) written(from, to int, latest int64, commit func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := commit(); err != nil {
		return err
	}
	for i := from; i < to; i++ {
		m.sights -= len(m.shard[i])
		clear(m.shard[i])
		m.mark[i] = latest
	}
	return nil
}

// settled says whether the file has everything.
func (m *memory) settled() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.lowest() == m.latest
}

// lowest is the mark of the shard that is most behind. The caller holds the
// lock, or is the writing goroutine.
func (m *memory) lowest() int64 {
	low := m.mark[0]
	for _, mark := range m.mark[1:] {
		low = min(low, mark)
	}
	return low
}

// waiting is one edge of what the query selects, as far as it is not written.
type waiting struct {
	key      key
	cluster  string
	edge     flow.Edge
	first    int64 // milliseconds of the day, over all buckets
	last     int64
	programs []program
	buckets  []bucket // those of the query's time, copied
}

// frozen copies what the query selects of what waits, in buckets first to
// last, of the keys that are wanted. The caller holds the lock.
func (m *memory) frozen(q store.Query, first, last int64, wanted func(key) bool) []waiting {
	var all []waiting
	for i := range m.shard {
		for _, s := range m.shard[i] {
			if !wanted(s.key) || !selects(q, s.cluster, s.edge) {
				continue
			}
			w := waiting{key: s.key, cluster: s.cluster, edge: s.edge, first: s.first, last: s.last, programs: s.programs}
			for _, b := range s.buckets {
				if b.index >= first && b.index <= last {
					w.buckets = append(w.buckets, b)
				}
			}
			if len(w.buckets) > 0 {
				w.programs = append([]program(nil), s.programs...)
				all = append(all, w)
			}
		}
	}
	return all
}

// sum adds up the buckets.
func (w *waiting) sum() bucket {
	total := w.buckets[0]
	for _, b := range w.buckets[1:] {
		total = bucket{first: min(total.first, b.first), last: max(total.last, b.last), counts: total.counts.add(b.counts)}
	}
	return total
}

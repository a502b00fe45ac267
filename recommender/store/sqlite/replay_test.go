// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/storetest"
)

// TestReplayKnowsEachShardsMark ends after some shards were written and others
// not, each up to another batch: the next start folds of each what it lacks.
func TestReplayKnowsEachShardsMark(t *testing.T) {
	dir := t.TempDir()
	w, err := openWriter(dir, dayOf(storetest.Day), storetest.Resolution)
	if err != nil {
		t.Fatal(err)
	}
	w.memory = newMemory(w.resolution.Milliseconds())
	next := uint64(1)
	commit := func(batches int) {
		t.Helper()
		for range batches {
			b := crashBatch(0, next)
			b.Window = storetest.Window(time.Duration(next) * time.Minute)
			p, err := prepare(&b)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.commit([]*prepared{p}); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	settle := func(from, to int) {
		t.Helper()
		if _, err := w.settle(from, to, func([]*sight) {}); err != nil {
			t.Fatal(err)
		}
	}
	commit(5)
	settle(0, 20)
	commit(5)
	settle(10, 40)
	settle(0, 3)
	commit(5)
	if err := w.conn.Close(); err != nil { // with what waits in memory
		t.Fatal(err)
	}
	if got := wholeBatches(t, mustWithCatalogue(t, dir)); got != 15 {
		t.Errorf("%d batches, want 15", got)
	}
}

// mustWithCatalogue opens a folder that has days only, and checks it.
func mustWithCatalogue(t *testing.T, dir string) *Store {
	t.Helper()
	s := openTest(t, dir)
	if wrong := s.Check(t.Context()); len(wrong) > 0 {
		t.Errorf("damage: %v", wrong)
	}
	return s
}

// TestRowsThatAreNotCountedStay lets rows of pods grow old before their counts
// are written.
func TestRowsThatAreNotCountedStay(t *testing.T) {
	for name, retention := range map[string]time.Duration{"kept for an hour": time.Hour, "never kept": -1} {
		t.Run(name, func(t *testing.T) {
			var later atomic.Int64
			dir := t.TempDir()
			s, err := Open(Options{
				Dir: dir, PodRetention: retention, FoldEvery: 1000 * time.Hour, Clock: func() time.Time { return noon().Add(time.Duration(later.Load())) },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for i := range uint64(3) { // after each the old rows are looked after
				if _, err = s.Append(t.Context(), storetest.Batch(i+1, 12*time.Hour, record(1))); err != nil {
					t.Fatal(err)
				}
				later.Add(int64(2 * time.Hour))
			}
			// Another process knows only what is in the file.
			records, err := mustRead(t, dir).Edges(t.Context(), store.Query{})
			if err != nil || len(records) != 1 || records[0].ByClient != storetest.Count(3) {
				t.Errorf("counted: %+v, %v; want 3 batches", records, err)
			}
		})
	}
}

// TestEachShardHasItsTurn lets the clock run through the time in which every
// shard is to be written once, in uneven steps.
func TestEachShardHasItsTurn(t *testing.T) {
	var later atomic.Int64
	s, err := Open(Options{Dir: t.TempDir(), FoldEvery: shards * time.Second, Clock: func() time.Time { return noon().Add(time.Duration(later.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sequence := uint64(0)
	appendOne := func(b store.Batch) {
		t.Helper()
		sequence++
		b.Sequence = sequence
		if _, err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	full := crashBatch(0, 1)
	full.Node, full.Window = "n1", storetest.Window(12*time.Hour)
	appendOne(full)
	appendOne(storetest.Batch(0, 12*time.Hour)) // when it is taken, what the first brought about is done
	m := s.memories.of(dayOf(noon()))
	if m == nil || m.settled() {
		t.Fatal("the counts do not wait")
	}
	passed := time.Duration(0)
	for step := time.Second; passed < shards*time.Second; step = step%(3*time.Second) + time.Second {
		if m.settled() {
			t.Fatalf("all is written after %v", passed)
		}
		later.Add(int64(step))
		passed += step
		appendOne(storetest.Batch(0, 12*time.Hour))
		appendOne(storetest.Batch(0, 12*time.Hour))
	}
	if !m.settled() {
		t.Errorf("after %v there is something left", passed)
	}
	if wrong := s.Check(t.Context()); len(wrong) > 0 {
		t.Errorf("damage: %v", wrong)
	}
}

// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/wire"
)

// restart gives the exporter that comes after one that was killed.
func restart(t *testing.T, e *Exporter, o Options) *Exporter {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return newExporter(t, o)
}

// reported sums what the batches that arrived report.
func (r *recommender) reported() (sum Losses) {
	for _, b := range r.batches {
		sum = sum.Plus(lossesOf(b.GetLosses()))
	}
	return sum
}

// TestLossesSurviveARestart has batches refused and thrown away, and the
// process killed before another batch could tell of it.
func TestLossesSurviveARestart(t *testing.T) {
	r := newRecommender(t)
	r.answer = func(_ int, b *wire.Batch) (int, wire.Reason) {
		if b.GetSequence() <= 2 {
			return http.StatusUnprocessableEntity, wire.ReasonImplausible
		}
		return http.StatusOK, ""
	}
	var log bytes.Buffer
	o := r.options(t, &log)
	o.Commits = true
	e := newExporter(t, o)
	commit := func() {
		t.Helper()
		if err := e.Commit([]byte("state")); err != nil {
			t.Fatal(err)
		}
	}
	e.Put(windowWith(1, Losses{Unparsed: 1}))
	e.Put(windowWith(1, Losses{RingFull: 1}))
	commit()
	for range 2 {
		e.sendOldest(t.Context(), time.Millisecond)
	}
	want := Losses{Unparsed: 1, RingFull: 1, SpoolOverflow: 2}
	e = restart(t, e, o)
	e.Put(windowWith(1, Losses{})) // tells of it, and is taken back by the next restart
	e = restart(t, e, o)
	e.spool.limit = 1
	for range 2 {
		e.Put(windowWith(1, Losses{MapFull: 1}))
		commit() // what is not safe is not thrown away
	}
	want.MapFull, want.SpoolOverflow = 2, 3
	e = restart(t, e, o)
	e.Put(windowWith(1, Losses{}))
	commit()
	finish(t, e)
	if got := r.reported(); got != want {
		t.Errorf("reported %+v, want %+v", got, want)
	}
	if left, err := os.Stat(filepath.Join(o.SpoolDir, carriedFile)); err == nil {
		t.Errorf("%s is left, though all is reported", left.Name())
	}
}

// TestInvalidEdgeIsALoss: an edge that no batch may carry, and a batch that
// cannot be made.
func TestInvalidEdgeIsALoss(t *testing.T) {
	r := newRecommender(t)
	var log bytes.Buffer
	e := newExporter(t, r.options(t, &log))
	w := windowWith(2, Losses{})
	w.Edges[0].Remote = netip.Addr{}
	e.Put(w)
	w = windowWith(1, Losses{MapFull: 5})
	w.End = w.Start.Add(-time.Hour) // no batch may have such a window
	e.Put(w)
	e.Put(windowWith(1, Losses{}))
	finish(t, e)
	if got, want := r.reported(), (Losses{Unparsed: 1, MapFull: 5, SpoolOverflow: 1}); got != want {
		t.Errorf("reported %+v, want %+v", got, want)
	}
	if c := e.Counts(); c.InvalidEdges != 1 || c.Refused["not_encodable"] != 1 {
		t.Errorf("counts %+v", c)
	}
}

// TestDamagedLossesAreALoss: what cannot be read is set aside and counted, in
// its own counter and in the next batch.
func TestDamagedLossesAreALoss(t *testing.T) {
	for name, text := range map[string][]byte{"cut": encodeFile([]byte("{}"))[:10], "no losses": encodeFile([]byte("[1]"))} {
		t.Run(name, func(t *testing.T) {
			r := newRecommender(t)
			var log bytes.Buffer
			o := r.options(t, &log)
			if err := os.MkdirAll(o.SpoolDir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(o.SpoolDir, carriedFile), text, 0o600); err != nil {
				t.Fatal(err)
			}
			e := newExporter(t, o)
			e.Put(windowWith(1, Losses{}))
			finish(t, e)
			if got := r.reported(); got != (Losses{SpoolOverflow: 1}) || e.Counts().SpoolDamaged != 1 || !strings.Contains(log.String(), carriedFile) {
				t.Errorf("reported %+v, counts %+v: %s", got, e.Counts(), &log)
			}
		})
	}
}

// TestDamagedStateIsALoss: the state of the process before cannot be read.
func TestDamagedStateIsALoss(t *testing.T) {
	r := newRecommender(t)
	var log bytes.Buffer
	o := r.options(t, &log)
	o.Commits = true
	if err := os.MkdirAll(o.SpoolDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.SpoolDir, stateFile), []byte("cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := newExporter(t, o)
	e.Put(windowWith(1, Losses{}))
	if err := e.Commit(nil); err != nil {
		t.Fatal(err)
	}
	finish(t, e)
	if got := r.reported(); got != (Losses{SpoolOverflow: 1}) || e.Counts().SpoolDamaged != 1 {
		t.Errorf("reported %+v, counts %+v", got, e.Counts())
	}
}

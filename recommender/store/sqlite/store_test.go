// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/storetest"
)

const today = "edges-2026-11-01.db"

// filled makes a folder with so many batches, a day apart, the newest today.
func filled(t *testing.T, days int) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Clock: noon})
	if err != nil {
		t.Fatal(err)
	}
	for i := range days {
		if _, err := s.Append(t.Context(), storetest.Batch(uint64(i+1), -24*time.Hour*time.Duration(i), record(uint16(i+1)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func record(port uint16) flow.Record {
	return flow.Record{ByClient: storetest.Count(1), Edge: flow.Edge{
		Client: storetest.Pod("shop", "front", "a", "10.0.0.1"), Server: storetest.Pod("shop", "cart", "x", "10.0.0.2"), Protocol: flow.TCP, Port: port,
	}}
}

func alter(path, script string) error {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return err
	}
	return errors.Join(sqlitex.ExecuteScript(conn, script, nil), conn.Close())
}

func ports(t *testing.T, s *Store) (ports []uint16) {
	t.Helper()
	records, err := s.Edges(t.Context(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		ports = append(ports, r.Edge.Port)
	}
	return ports
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		kind  error
		want  string
	}{
		{
			"a newer day", func(dir string) error { return alter(filepath.Join(dir, today), "PRAGMA user_version = 7") },
			store.ErrNewer, today + ": store file of a newer version: it is of version 7, this program knows up to 2",
		},
		{
			"a newer catalogue", func(dir string) error { return alter(filepath.Join(dir, catalogueFile), "PRAGMA user_version = 3") },
			store.ErrNewer, catalogueFile + ": store file of a newer version: it is of version 3",
		},
		{"a damaged catalogue", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, catalogueFile), []byte(strings.Repeat("damaged ", 1000)), 0o600)
		}, store.ErrDamaged, "move it away"},
		{"another program's file", func(dir string) error {
			path := filepath.Join(dir, catalogueFile)
			return errors.Join(os.Remove(path), alter(path, "CREATE TABLE theirs (x)"))
		}, store.ErrDamaged, catalogueFile + ": store file damaged: it is another program's database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filled(t, 2)
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, err := Open(Options{Dir: dir, Clock: noon})
			if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v\nwant %v: …%s…", err, c.kind, c.want)
			}
		})
	}
}

func TestSecondProcessIsKeptOut(t *testing.T) {
	dir := t.TempDir()
	openTest(t, dir)
	if _, err := Open(Options{Dir: dir, Clock: noon}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{
		"dir":        {Clock: noon},
		"clock":      {Dir: "x"},
		"resolution": {Dir: "x", Clock: noon, Resolution: 7 * time.Minute},
		"retention":  {Dir: "x", Clock: noon, Retention: time.Hour},
		"size":       {Dir: "x", Clock: noon, MaxBytes: -1},
	} {
		if _, err := Open(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestDamagedDayIsLeftOut damages a day in several ways; the others answer, it
// is named, and batches of its day find a new file.
func TestDamagedDayIsLeftOut(t *testing.T) {
	for name, spoil := range map[string]func(raw []byte) []byte{
		"header": func(raw []byte) []byte { copy(raw, "no SQLite at all"); return raw },
		"cut":    func(raw []byte) []byte { return raw[:len(raw)/2] },
		"pages": func(raw []byte) []byte {
			for i := 4096; i < len(raw); i++ {
				raw[i] = byte(i)
			}
			return raw
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t, 3)
			path := filepath.Join(dir, today)
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, spoil(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			s := openTest(t, dir)
			if got := ports(t, s); !slices.Equal(got, []uint16{2, 3}) {
				t.Errorf("ports %v, want those of the other days", got)
			}
			if err := s.Damage()[today]; !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), today) {
				t.Errorf("damage of %s: %v", today, err)
			}
			if _, err := s.Append(t.Context(), storetest.Batch(9, 0, record(9))); err != nil {
				t.Fatal(err)
			}
			if got := ports(t, s); !slices.Equal(got, []uint16{2, 3, 9}) {
				t.Errorf("ports %v, want 2, 3 and the new one", got)
			}
			if _, err := os.Stat(path + ".damaged"); err != nil {
				t.Errorf("the damaged file is not kept: %v", err)
			}
			if entries, err := s.Catalogue(t.Context(), store.Query{}); err != nil || len(entries) != 4 {
				t.Errorf("catalogue: %d entries, error %v; want all 4", len(entries), err)
			}
		})
	}
}

// TestCatalogueCatchesUp opens a store whose catalogue was lost, or is behind.
func TestCatalogueCatchesUp(t *testing.T) {
	dir := filled(t, 3)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(filepath.Join(dir, catalogueFile+suffix))
	}
	var log bytes.Buffer
	reopen := func() *Store {
		t.Helper()
		log.Reset()
		s, err := Open(Options{Dir: dir, Clock: noon, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if err := reopen().Close(); err != nil || !strings.Contains(log.String(), "day=2026-10-31") {
		t.Errorf("closing: %v; log:\n%s", err, &log)
	}
	s := reopen()
	defer s.Close()
	if log.Len() > 0 { // once is enough
		t.Errorf("opened again, it logs:\n%s", &log)
	}
	entries, err := s.Catalogue(t.Context(), store.Query{})
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d entries, error %v; want 3", len(entries), err)
	}
	oldest := entries[2]
	if want := storetest.Window(-48 * time.Hour); oldest.Edge.Port != 3 || !oldest.FirstSeen.Equal(want.Start) || !oldest.LastSeen.Equal(want.End) {
		t.Errorf("the oldest is %+v", oldest)
	}
}

// TestRetention drops days by age; the catalogue remembers their edges.
func TestRetention(t *testing.T) {
	dir := filled(t, 6)
	s, err := Open(Options{Dir: dir, Retention: 72 * time.Hour, Clock: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := ports(t, s); !slices.Equal(got, []uint16{1, 2, 3, 4}) {
		t.Errorf("ports %v, want those of today and three days before", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, "edges-*"))
	if err != nil || len(left) != 4 {
		t.Errorf("files left: %v", left)
	}
	if entries, err := s.Catalogue(t.Context(), store.Query{}); err != nil || len(entries) != 6 {
		t.Errorf("catalogue: %d entries, error %v; want 6", len(entries), err)
	}
	if _, err := s.Append(t.Context(), storetest.Batch(6, -5*24*time.Hour, record(6))); !errors.Is(err, store.ErrTooOld) {
		t.Errorf("a batch of a day that was dropped: %v, want ErrTooOld", err)
	}
}

// TestRetentionBySize drops the oldest days while all take too much, down to
// the newest one.
func TestRetentionBySize(t *testing.T) {
	dir := filled(t, 4)
	s, err := Open(Options{Dir: dir, MaxBytes: 1, Clock: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := ports(t, s); !slices.Equal(got, []uint16{1}) {
		t.Errorf("ports %v, want today's alone", got)
	}
}

func TestPodRowsAreDroppedByAge(t *testing.T) {
	var later atomic.Int64
	clock := func() time.Time { return noon().Add(time.Duration(later.Load())) }
	s, err := Open(Options{Dir: t.TempDir(), PodRetention: time.Hour, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustAppend := func(b store.Batch) {
		t.Helper()
		if _, err = s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(storetest.Batch(1, 12*time.Hour, record(1)))
	later.Store(int64(2 * time.Hour))
	// After a batch the old rows are looked after; when the next one is taken, that is done.
	mustAppend(storetest.Batch(2, 14*time.Hour))
	mustAppend(storetest.Batch(3, 14*time.Hour))
	rows, err := s.Pods(t.Context(), store.Query{})
	if err != nil || len(rows) != 0 {
		t.Errorf("%d rows, error %v; want none after two hours", len(rows), err)
	}
	if got := ports(t, s); !slices.Equal(got, []uint16{1}) {
		t.Errorf("ports %v, want the edge itself to stay", got)
	}
}

// TestDayKeepsItsResolution opens a day with another resolution than it was
// begun with; its counts stay where they are.
func TestDayKeepsItsResolution(t *testing.T) {
	dir := filled(t, 1)
	s, err := Open(Options{Dir: dir, Resolution: 10 * time.Second, Clock: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := storetest.Batch(2, 4*time.Minute, record(1))
	if _, err = s.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	got, err := s.Series(t.Context(), store.Query{}, record(1).Edge)
	if err != nil || len(got) != 1 || got[0].ByClient != storetest.Count(2) {
		t.Errorf("series %+v, error %v; want one bucket of five minutes", got, err)
	}
}

// TestSumsStopAtTheLargest holds that absurd counts never make a batch of
// others fail.
func TestSumsStopAtTheLargest(t *testing.T) {
	s := openTest(t, t.TempDir())
	huge := record(1)
	huge.ByClient.BytesSent = 1<<64 - 1
	for i := range uint64(3) {
		if _, err := s.Append(t.Context(), storetest.Batch(i+1, 0, huge)); err != nil {
			t.Fatal(err)
		}
	}
	records, err := s.Edges(t.Context(), store.Query{})
	if err != nil || len(records) != 1 || records[0].ByClient.BytesSent != 1<<63-1 || records[0].ByClient.Connections != 3 {
		t.Errorf("%+v, error %v", records, err)
	}
}

// TestKeysDiffer holds that no two edges share a key because their texts,
// written one after the other, are the same.
func TestKeysDiffer(t *testing.T) {
	edge := func(namespace, kind, name, node, dns string) flow.Edge {
		return flow.Edge{Client: flow.Endpoint{Workload: flow.Workload{Namespace: namespace, Kind: kind, Name: name}, Node: node, DNS: dns}}
	}
	swapped := flow.Edge{Server: edge("a", "b", "c", "", "").Client}
	seen := map[key]int{}
	for i, e := range []flow.Edge{
		edge("a", "b", "c", "", ""), edge("ab", "", "c", "", ""), edge("", "ab", "c", "", ""), edge("a", "bc", "", "", ""),
		edge("", "", "", "abc", ""), edge("", "", "", "", "abc"), swapped,
		{Client: flow.Endpoint{IP: netip.MustParseAddr("10.0.0.1")}},
		{Client: flow.Endpoint{IP: netip.MustParseAddr("::ffff:10.0.0.1")}},
	} {
		for _, cluster := range []string{"", "a", "c"} {
			k := keyOf(cluster, e)
			if before, ok := seen[k]; ok {
				t.Errorf("edges %d and %d of cluster %q share a key", before, i, cluster)
			}
			seen[k] = i
		}
	}
}

func TestSpansCoverEveryBucketOnce(t *testing.T) {
	d := dayOf(noon())
	for _, resolution := range []time.Duration{time.Minute, 5 * time.Minute, 20 * time.Minute, time.Hour} {
		for from := -time.Hour; from < 25*time.Hour; from += 73 * time.Minute {
			for to := from + time.Second; to < 26*time.Hour; to += 37 * time.Minute {
				checkSpans(t, d, from, to, resolution)
			}
		}
	}
}

func checkSpans(t *testing.T, d day, from, to, resolution time.Duration) {
	t.Helper()
	perHour := int64(time.Hour / resolution)
	seen := map[int64]int{}
	for _, sp := range d.spans(d.start.Add(from), d.start.Add(to), resolution) {
		width := []int64{levelFine: 1, levelHour: perHour, levelDay: 24 * perHour}[sp.level]
		for i := sp.first * width; i < (sp.last+1)*width; i++ {
			seen[i]++
		}
	}
	for i := range 24 * perHour {
		start := time.Duration(i) * resolution
		want := 0
		if start < to && start+resolution > from {
			want = 1
		}
		if seen[i] != want {
			t.Fatalf("resolution %v, from %v to %v: bucket %d is read %d times, want %d", resolution, from, to, i, seen[i], want)
		}
	}
}

// TestCheckFindsWhatOpeningDoesNot alters a file behind the store's back, in
// ways that every query would believe.
func TestCheckFindsWhatOpeningDoesNot(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"nothing", "", ""},
		{"a count", "UPDATE count SET s_bytes_sent = s_bytes_sent + 1 WHERE level = 1", "the counts of the hours"},
		{"a lost row", "DELETE FROM count WHERE level = 2", "the counts of the day"},
		{"an index", "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'pods_first'", "never used"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filled(t, 3)
			if err := alter(filepath.Join(dir, today), c.script); err != nil {
				t.Fatal(err)
			}
			s := openTest(t, dir)
			wrong := s.Check(t.Context())
			err := wrong[today]
			switch {
			case c.want == "" && len(wrong) > 0:
				t.Errorf("got %v, want nothing wrong", wrong)
			case c.want != "" && (len(wrong) != 1 || !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), today)):
				t.Errorf("got %v, want %s: …%s…", wrong, today, c.want)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)

func openTest(t *testing.T, path string) *Queue {
	t.Helper()
	q, err := Open(path, noon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func entry(alert string, revision int, sinks ...string) Entry {
	return Entry{Alert: alert, Revision: revision, Payload: fmt.Appendf(nil, `"%s %d"`, alert, revision), Sinks: sinks}
}

func put(t *testing.T, q *Queue, limit map[string]int, entries ...Entry) map[string]int {
	t.Helper()
	dropped, err := q.Put(t.Context(), noon, entries, limit)
	if err != nil {
		t.Fatal(err)
	}
	return dropped
}

// waiting gives what waits, as "alert revision".
func waiting(t *testing.T, q *Queue, sink string, most int) (all []string, items []Item) {
	t.Helper()
	items, err := q.Next(sink, most)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		all = append(all, fmt.Sprint(i.Alert, i.Revision))
	}
	return all, items
}

func TestOrderAndRepetition(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.db")
	q := openTest(t, path)
	put(t, q, nil, entry("a", 1, "x", "y"), entry("b", 1, "x"))
	put(t, q, nil, entry("a", 1, "x", "y")) // a repetition
	put(t, q, nil, entry("a", 2, "x"), entry("c", 1, "x"))
	put(t, q, nil, entry("b", 0, "x")) // older than what was taken
	// No two of the same alert at once.
	got, items := waiting(t, q, "x", 10)
	if diff := cmp.Diff([]string{"a1", "b1"}, got); diff != "" {
		t.Error(diff)
	}
	if err := q.Done("x", noon, Outcome{Items: items[:1]}); err != nil {
		t.Fatal(err)
	}
	got, _ = waiting(t, q, "x", 10)
	if diff := cmp.Diff([]string{"b1", "a2", "c1"}, got); diff != "" {
		t.Error(diff)
	}
	if got, _ = waiting(t, q, "x", 2); len(got) != 2 {
		t.Errorf("two were asked for: %v", got)
	}
	// All of it is there after the file was closed and opened, repetitions too.
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = openTest(t, path)
	put(t, q, nil, entry("a", 2, "x"))
	got, _ = waiting(t, q, "x", 10)
	if diff := cmp.Diff([]string{"b1", "a2", "c1"}, got); diff != "" {
		t.Error(diff)
	}
	if got, _ = waiting(t, q, "y", 10); len(got) != 1 {
		t.Errorf("y: %v", got)
	}
	depths, err := q.Depths()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]Depth{"x": {3, noon}, "y": {1, noon}}, depths); diff != "" {
		t.Error(diff)
	}
}

func TestOverflowDropsTheOldest(t *testing.T) {
	q := openTest(t, filepath.Join(t.TempDir(), "q.db"))
	limit := map[string]int{"x": 3, "y": 100}
	for i := range 5 {
		put(t, q, limit, entry(fmt.Sprint("a", i, "-"), 1, "x", "y"))
	}
	dropped := put(t, q, limit, entry("b", 1, "x"), entry("c", 1, "x"))
	if dropped["x"] != 2 || dropped["y"] != 0 {
		t.Errorf("dropped: %v", dropped)
	}
	got, _ := waiting(t, q, "x", 10)
	if diff := cmp.Diff([]string{"a4-1", "b1", "c1"}, got); diff != "" {
		t.Error(diff)
	}
	if got, _ = waiting(t, q, "y", 10); len(got) != 5 {
		t.Errorf("y: %v", got)
	}
	records, err := q.Records()
	if err != nil || records["x"].Overflowed != 4 || records["y"].Overflowed != 0 {
		t.Errorf("%+v, %v", records, err)
	}
}

func TestActiveAndRecords(t *testing.T) {
	q := openTest(t, filepath.Join(t.TempDir(), "q.db"))
	put(t, q, nil, entry("a", 1, "x"), entry("b", 1, "x"), entry("c", 1, "x"))
	_, items := waiting(t, q, "x", 10)
	if err := q.Done("x", noon, Outcome{Items: items[:2], Activate: map[int64]bool{items[0].ID: true, items[1].ID: true}}); err != nil {
		t.Fatal(err)
	}
	if err := q.Done("x", noon, Outcome{Items: items[2:], Refused: true}); err != nil {
		t.Fatal(err)
	}
	put(t, q, nil, entry("a", 2, "x"), entry("b", 2, "x"))
	_, items = waiting(t, q, "x", 10)
	if err := q.Done("x", noon.Add(time.Minute), Outcome{Items: items, Activate: map[int64]bool{items[1].ID: true}}); err != nil {
		t.Fatal(err)
	}
	active, err := q.Active("x")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]byte{"b": []byte(`"b 2"`)}, active); diff != "" {
		t.Error(diff)
	}
	if err = q.Fares("x", noon, time.Time{}, true); err != nil {
		t.Fatal(err)
	}
	records, err := q.Records()
	if err != nil {
		t.Fatal(err)
	}
	want := Record{Failing: noon, Success: noon.Add(time.Minute), Dead: true, Delivered: 4, Refused: 1}
	if diff := cmp.Diff(map[string]Record{"x": want}, records); diff != "" {
		t.Error(diff)
	}
	put(t, q, nil, entry("d", 1, "x", "y"))
	removed, err := q.Keep([]string{"y"})
	if err != nil || removed["x"] != 1 || len(removed) != 1 {
		t.Errorf("removed %v, %v", removed, err)
	}
	if records, err = q.Records(); err != nil || len(records) != 0 {
		t.Errorf("%v, %v", records, err)
	}
	if got, _ := waiting(t, q, "y", 10); len(got) != 1 {
		t.Errorf("y: %v", got)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "q.db")
	q := openTest(t, path)
	t.Run("a second process", func(t *testing.T) {
		if _, err := Open(path, noon); err == nil || !strings.Contains(err.Error(), "another process uses it") {
			t.Errorf("%v", err)
		}
	})
	t.Run("an ended context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := q.Put(ctx, noon, []Entry{entry("z", 1, "x")}, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Put(t.Context(), noon, nil, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("%v", err)
		}
		if _, err := q.Next("x", 1); !errors.Is(err, ErrClosed) {
			t.Errorf("%v", err)
		}
		if err := q.Close(); err != nil {
			t.Errorf("closing twice: %v", err)
		}
	})
	t.Run("damage", func(t *testing.T) {
		bad := filepath.Join(dir, "bad.db")
		if err := os.WriteFile(bad, []byte(strings.Repeat("nonsense", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(bad, noon); err == nil || !strings.Contains(err.Error(), "is damaged: move it away") {
			t.Errorf("%v", err)
		}
	})
	t.Run("newer", func(t *testing.T) {
		newer := filepath.Join(dir, "newer.db")
		q := openTest(t, newer)
		if err := q.run("PRAGMA user_version = 9"); err != nil {
			t.Fatal(err)
		}
		q.Close()
		if _, err := Open(newer, noon); err == nil || !strings.Contains(err.Error(), "of version 9, this program knows version 1") {
			t.Errorf("%v", err)
		}
	})
}

// What was taken long ago is no longer held against repetitions.
func TestForgetting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.db")
	q := openTest(t, path)
	put(t, q, nil, entry("a", 5, "x"))
	q.Close()
	q, err := Open(path, noon.Add(toldFor+time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	put(t, q, nil, entry("a", 1, "x"))
	if got, _ := waiting(t, q, "x", 1); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if n, err := q.number("SELECT count(*) FROM item"); err != nil || n != 2 {
		t.Errorf("%d items, %v", n, err)
	}
}

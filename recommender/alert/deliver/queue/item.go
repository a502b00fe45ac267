// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"
)

// Entry is one revision of an alert that is to be told.
type Entry struct {
	Alert    string
	Revision int
	Payload  []byte
	Sinks    []string
	// Always says that it is not held against the revisions that were taken
	// before.
	Always bool
}

// Item is what waits for a sink.
type Item struct {
	ID       int64 // grows; names the item for ever
	Alert    string
	Revision int
	At       time.Time // when it was taken
	Payload  []byte
}

// Put takes entries, all or none. An entry whose revision is not newer than
// what was taken of its alert is a repetition, and passed over. Where a sink's
// queue holds more than its limit after it, the oldest are dropped; how many is
// the result, by sink. A sink without a limit has none.
func (q *Queue) Put(ctx context.Context, at time.Time, entries []Entry, limit map[string]int) (dropped map[string]int, err error) {
	const what = "queueing alerts"
	if err = ctxErr(ctx, what); err != nil {
		return nil, err
	}
	err = q.change(what, func() (err error) {
		dropped, err = q.take(at, entries, limit)
		return err
	})
	return dropped, err
}

func (q *Queue) take(at time.Time, entries []Entry, limit map[string]int) (dropped map[string]int, err error) {
	touched := map[string]bool{}
	for i := range entries {
		if err = q.put(at, &entries[i], touched); err != nil {
			return nil, err
		}
	}
	dropped = map[string]int{}
	for sink := range touched {
		n, err := q.shorten(sink, limit[sink])
		if err != nil {
			return nil, err
		}
		if n > 0 {
			dropped[sink] = n
		}
	}
	return dropped, nil
}

func (q *Queue) put(at time.Time, e *Entry, touched map[string]bool) error {
	if !e.Always {
		known, err := q.number("SELECT revision FROM told WHERE alert = ? AND revision >= ?", e.Alert, e.Revision)
		if err != nil {
			return err
		}
		if known > 0 {
			return nil
		}
		err = q.run("INSERT INTO told VALUES (?, ?, ?) ON CONFLICT (alert) DO UPDATE SET revision = excluded.revision, at = excluded.at",
			e.Alert, e.Revision, millis(at))
		if err != nil {
			return err
		}
	}
	for _, sink := range e.Sinks {
		touched[sink] = true
		err := q.run("INSERT INTO item (sink, alert, revision, at, payload) VALUES (?, ?, ?, ?, ?)", sink, e.Alert, e.Revision, millis(at), e.Payload)
		if err != nil {
			return err
		}
	}
	return nil
}

// shorten drops the oldest items above a limit.
func (q *Queue) shorten(sink string, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
	n, err := q.number("SELECT count(*) FROM item WHERE sink = ?", sink)
	if err != nil || n <= int64(limit) {
		return 0, err
	}
	over := int(n) - limit
	if err := q.run("DELETE FROM item WHERE id IN (SELECT id FROM item WHERE sink = ? ORDER BY id LIMIT ?)", sink, over); err != nil {
		return 0, err
	}
	return over, q.add(sink, Record{Overflowed: uint64(over)})
}

// Next gives the oldest items of a sink, at most so many, and no two of the
// same alert: what follows upon each other is told one after the other.
func (q *Queue) Next(sink string, most int) (items []Item, err error) {
	err = q.look("reading the queue", func() error {
		return q.rows("SELECT id, alert, revision, at, payload FROM item WHERE sink = ? ORDER BY id LIMIT ?", func(s *sqlite.Stmt) {
			items = append(items, Item{
				ID: s.ColumnInt64(0), Alert: s.ColumnText(1), Revision: s.ColumnInt(2), At: timeOf(s.ColumnInt64(3)), Payload: bytesOf(s, 4),
			})
		}, sink, most)
	})
	seen := map[string]bool{}
	for i := range items {
		if seen[items[i].Alert] {
			return items[:i], err
		}
		seen[items[i].Alert] = true
	}
	return items, err
}

// Outcome says what became of items.
type Outcome struct {
	Items []Item
	// Activate says which of them are to be told again until they are over: their
	// payload is kept. Those of Items that are not among them are no longer active.
	Activate map[int64]bool
	// Refused says that the sink will never take them.
	Refused bool
}

// Done removes items that were told, or that are given up.
func (q *Queue) Done(sink string, at time.Time, o Outcome) error {
	return q.change("marking alerts as told", func() error {
		for i := range o.Items {
			item := &o.Items[i]
			if err := q.run("DELETE FROM item WHERE id = ?", item.ID); err != nil {
				return err
			}
			if o.Refused {
				continue
			}
			if err := q.activate(sink, item, o.Activate[item.ID]); err != nil {
				return err
			}
		}
		n := uint64(len(o.Items))
		if o.Refused {
			return q.add(sink, Record{Refused: n})
		}
		return q.add(sink, Record{Delivered: n, Success: at})
	})
}

func (q *Queue) activate(sink string, item *Item, active bool) error {
	if !active {
		return q.run("DELETE FROM active WHERE sink = ? AND alert = ?", sink, item.Alert)
	}
	return q.run("INSERT INTO active VALUES (?, ?, ?) ON CONFLICT (sink, alert) DO UPDATE SET payload = excluded.payload",
		sink, item.Alert, item.Payload)
}

// Active gives what is to be told again to a sink, by alert.
func (q *Queue) Active(sink string) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := q.look("reading the active alerts", func() error {
		return q.rows("SELECT alert, payload FROM active WHERE sink = ?", func(s *sqlite.Stmt) {
			all[s.ColumnText(0)] = bytesOf(s, 1)
		}, sink)
	})
	return all, err
}

// Depth is how much waits for a sink.
type Depth struct {
	Items  int
	Oldest time.Time // zero where nothing waits
}

// Depths gives how much waits, for each sink for which anything does.
func (q *Queue) Depths() (map[string]Depth, error) {
	all := map[string]Depth{}
	err := q.look("reading the queue", func() error {
		return q.rows("SELECT sink, count(*), min(at) FROM item GROUP BY sink", func(s *sqlite.Stmt) {
			all[s.ColumnText(0)] = Depth{s.ColumnInt(1), timeOf(s.ColumnInt64(2))}
		})
	})
	return all, err
}

// Keep removes everything of sinks that are not among those named, and gives
// how many items that were, by sink.
func (q *Queue) Keep(sinks []string) (removed map[string]int, err error) {
	known := map[string]bool{}
	for _, s := range sinks {
		known[s] = true
	}
	removed = map[string]int{}
	return removed, q.change("removing what waits for sinks that are gone", func() error {
		clear(removed)
		for _, table := range []string{"item", "active", "record"} {
			if err := q.keep(table, known, removed); err != nil {
				return err
			}
		}
		return nil
	})
}

// keep removes the rows of a table that are of other sinks; those of items are
// counted.
func (q *Queue) keep(table string, known map[string]bool, removed map[string]int) error {
	gone := map[string]int{}
	err := q.rows("SELECT sink, count(*) FROM "+table+" GROUP BY sink", func(s *sqlite.Stmt) {
		if name := s.ColumnText(0); !known[name] {
			gone[name] = s.ColumnInt(1)
		}
	})
	if err != nil {
		return err
	}
	for name, n := range gone {
		if table == "item" {
			removed[name] = n
		}
		if err := q.run("DELETE FROM "+table+" WHERE sink = ?", name); err != nil {
			return err
		}
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"time"

	"zombiezen.com/go/sqlite"
)

// Record is what is known of a sink from the beginning on.
type Record struct {
	Failing    time.Time // since when it fails; zero while it does not
	Success    time.Time // the last one; zero where there was none
	Dead       bool      // the others were told that it is dead
	Delivered  uint64    // items that it took
	Overflowed uint64    // items that were dropped because its queue was full
	Refused    uint64    // items that it will never take
}

// add adds counts to a record, and the time of a success.
func (q *Queue) add(sink string, r Record) error {
	const counts = "delivered = delivered + ?5, overflowed = overflowed + ?6, refused = refused + ?7"
	return q.run(`INSERT INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
		ON CONFLICT (sink) DO UPDATE SET success = max(success, ?3), `+counts,
		sink, 0, millis(r.Success), 0, int64(r.Delivered), int64(r.Overflowed), int64(r.Refused)) //nolint:gosec // counts of things that were queued
}

// Fares notes how a sink fares: since when it fails (zero: it does not), when
// it last took something (zero: nothing new), and whether it is dead.
func (q *Queue) Fares(sink string, failing, success time.Time, dead bool) error {
	return q.change("noting how a sink fares", func() error {
		if err := q.add(sink, Record{Success: success}); err != nil {
			return err
		}
		return q.run("UPDATE record SET failing = ?, dead = ? WHERE sink = ?", millis(failing), dead, sink)
	})
}

// Records gives what is known of each sink of which anything is.
func (q *Queue) Records() (map[string]Record, error) {
	all := map[string]Record{}
	count := func(s *sqlite.Stmt, column int) uint64 { return uint64(max(0, s.ColumnInt64(column))) }
	err := q.look("reading how the sinks fare", func() error {
		return q.rows("SELECT sink, failing, success, dead, delivered, overflowed, refused FROM record", func(s *sqlite.Stmt) {
			all[s.ColumnText(0)] = Record{
				Failing: timeOf(s.ColumnInt64(1)), Success: timeOf(s.ColumnInt64(2)), Dead: s.ColumnBool(3),
				Delivered: count(s, 4), Overflowed: count(s, 5), Refused: count(s, 6),
			}
		})
	})
	return all, err
}

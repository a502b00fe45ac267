// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/store"
)

// Check reads every file from end to end and gives what is wrong, by file
// name; empty where all is well. It asks SQLite for the structure of a file,
// and holds the levels of a day's counts against each other: what the fine
// buckets add up to, the hours and the day must say too. It takes about a
// second for each 100 MB, and stops nobody.
func (s *Store) Check(ctx context.Context) map[string]error {
	wrong := s.Damage()
	for _, d := range s.days.all() {
		err := s.readDay(ctx, d, store.Query{}, false, func(r *reader) error { return errors.Join(integrity(r.conn), r.levels()) })
		if err != nil {
			wrong[d.file()] = err
		}
	}
	conn, err := open(filepath.Join(s.options.Dir, catalogueFile), catalogueSchema, false)
	if err == nil {
		err = errors.Join(describe("checking", catalogueFile, integrity(conn)), conn.Close())
	}
	if err != nil {
		wrong[catalogueFile] = err
	}
	return wrong
}

// integrity gives the first of the faults that SQLite finds.
func integrity(conn *sqlite.Conn) (err error) {
	return sqlitex.ExecuteTransient(conn, "PRAGMA integrity_check(1)", &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error {
			if said := row.ColumnText(0); said != "ok" {
				return fmt.Errorf("%w: %s", store.ErrDamaged, said)
			}
			return nil
		},
	})
}

// levels compares the sums of the three levels, edge by edge.
func (r *reader) levels() error {
	var sums [3]map[int64]bucket
	for level := range sums {
		var err error
		if sums[level], err = r.sum([]span{{level, 0, int64(dayLength / r.resolution)}}); err != nil {
			return err
		}
	}
	for level, name := range []string{levelHour: "hours", levelDay: "day"} {
		if level != levelFine && !maps.Equal(sums[levelFine], sums[level]) {
			return fmt.Errorf("%w: the counts of the %s are not the sum of the buckets", store.ErrDamaged, name)
		}
	}
	return nil
}

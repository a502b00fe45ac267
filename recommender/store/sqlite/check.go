// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// Check reads every file from end to end and gives what is wrong, by file
// name; empty where all is well. It asks SQLite for the structure of a file,
// and holds what a file says against its sums:
//
//   - each edge against its key, the SHA-256 of what makes it
//   - each row of the journal against the checksum that it is compressed with
//   - what the fine buckets add up to against the hours and the day
//   - each entry of the audit trail against the chain
//
// It takes a few seconds for each 100 MB, and stops nobody.
func (s *Store) Check(ctx context.Context) map[string]error {
	wrong := s.Damage()
	for _, d := range s.days.all() {
		err := s.readDay(ctx, d, store.Query{}, false, func(r *reader) error {
			return errors.Join(integrity(r.conn), r.levels(), checkKeys(r.conn), r.journal())
		})
		if err != nil {
			wrong[d.file()] = err
		}
	}
	for name, check := range map[string]struct {
		path string
		of   schema
		work func(*sqlite.Conn) error
	}{
		catalogueFile: {s.cat.path, catalogueSchema, checkKeys},
		registerFile:  {s.register.path, registerSchema, checkTrail},
	} {
		conn, err := open(check.path, check.of, false)
		if err == nil {
			conn.SetInterrupt(ctx.Done())
			err = describe("checking", name, errors.Join(integrity(conn), check.work(conn)))
			conn.SetInterrupt(nil)
			err = errors.Join(err, conn.Close())
		}
		if err != nil {
			wrong[name] = err
		}
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

// checkKeys holds edges against their keys.
func checkKeys(conn *sqlite.Conn) error {
	return sqlitex.Execute(conn, "SELECT key, "+edgeNames+" FROM edge", &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		var k key
		row.ColumnBytes(0, k[:])
		if cluster, e := scanEdge(row, 1); row.ColumnLen(0) != len(k) || keyOf(cluster, e) != k {
			return fmt.Errorf("%w: the edge from %s to %s is not the one that was written", store.ErrDamaged, name(e.Client), name(e.Server))
		}
		return nil
	}})
}

func name(e flow.Endpoint) string {
	switch e.Kind() {
	case flow.KindPod:
		return e.Workload.String()
	case flow.KindNode:
		return e.Node
	case flow.KindOutside:
	}
	return e.IP.String()
}

// journal unpacks every row of the journal.
func (r *reader) journal() error {
	return sqlitex.Execute(r.conn, "SELECT rows FROM pods", &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		_, err := decode(row, 0, flow.Window{})
		return err
	}})
}

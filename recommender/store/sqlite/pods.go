// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/sqlite/rows"
)

// pods enters a batch's rows into the journal and gives the entry's number; 0
// where there are none.
func (w *writer) pods(b *prepared) (entry int64, err error) {
	if b.rows == nil {
		return 0, nil
	}
	err = run(w.conn, "INSERT INTO pods (first, last, cluster, rows) VALUES (?, ?, ?, ?)", func(p *binder) {
		p.number(w.day.floor(b.Window.Start), w.day.ceil(b.Window.End))
		p.text(b.Cluster)
		p.blob(b.rows)
	})
	return w.conn.LastInsertRowID(), err
}

// replay reads the marks of a day, and folds what the journal has beyond them.
func replay(conn *sqlite.Conn, d day, m *memory) error {
	err := sqlitex.Execute(conn, "SELECT shard, folded FROM mark", &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		at, mark := row.ColumnInt64(0), row.ColumnInt64(1)
		if at < 0 || at >= shards || mark < 0 {
			return fmt.Errorf("%w: mark %d of shard %d", store.ErrDamaged, mark, at)
		}
		m.mark[at], m.latest = mark, max(m.latest, mark)
		return nil
	}})
	if err != nil {
		return err
	}
	return sqlitex.Execute(conn, "SELECT id, first, last, cluster, rows FROM pods WHERE id > ? ORDER BY id", &sqlitex.ExecOptions{
		Args: []any{m.lowest()},
		ResultFunc: func(row *sqlite.Stmt) error {
			b := store.Batch{Cluster: row.ColumnText(3), Window: flow.Window{Start: d.at(row.ColumnInt64(1)), End: d.at(row.ColumnInt64(2))}}
			var err error
			if b.Records, err = decode(row, 4, b.Window); err != nil {
				return err
			}
			m.take(row.ColumnInt64(0), fold(&b))
			return nil
		},
	})
}

func decode(row *sqlite.Stmt, column int, w flow.Window) ([]flow.Record, error) {
	blob := make([]byte, row.ColumnLen(column))
	row.ColumnBytes(column, blob)
	records, err := rows.Decode(blob, w)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return records, nil
}

// Pods implements store.Store.
func (s *Store) Pods(ctx context.Context, q store.Query) ([]flow.Record, error) {
	if s.options.PodRetention < 0 {
		return nil, nil // what is there is but the journal
	}
	var records []flow.Record
	err := s.each(ctx, q, func(r *reader) error {
		from, to := within(q, r.day)
		return sqlitex.Execute(r.conn, "SELECT first, last, cluster, rows FROM pods WHERE first < ? AND last > ?", &sqlitex.ExecOptions{
			Args: []any{r.day.ceil(to), r.day.floor(from)},
			ResultFunc: func(row *sqlite.Stmt) error {
				if q.Cluster != "" && row.ColumnText(2) != q.Cluster {
					return nil
				}
				batch, err := decode(row, 3, flow.Window{Start: r.day.at(row.ColumnInt64(0)), End: r.day.at(row.ColumnInt64(1))})
				if err != nil {
					return err
				}
				records = append(records, slices.DeleteFunc(batch, func(one flow.Record) bool { return !q.Matches(one.Edge) })...)
				return nil
			},
		})
	})
	slices.SortStableFunc(records, func(a, b flow.Record) int { return a.Window.Start.Compare(b.Window.Start) })
	return records, err
}

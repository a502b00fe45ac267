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

// pods keeps a batch's rows as they came.
func (w *writer) pods(b *prepared) error {
	if b.rows == nil {
		return nil
	}
	return run(w.conn, "INSERT INTO pods VALUES (?, ?, ?, ?)", func(p *binder) {
		p.number(w.day.floor(b.Window.Start), w.day.ceil(b.Window.End))
		p.text(b.Cluster)
		p.blob(b.rows)
	})
}

// Pods implements store.Store.
func (s *Store) Pods(ctx context.Context, q store.Query) ([]flow.Record, error) {
	var records []flow.Record
	err := s.each(ctx, q, func(r *reader) error {
		from, to := within(q, r.day)
		return sqlitex.Execute(r.conn, "SELECT first, last, cluster, rows FROM pods WHERE first < ? AND last > ?", &sqlitex.ExecOptions{
			Args: []any{r.day.ceil(to), r.day.floor(from)},
			ResultFunc: func(row *sqlite.Stmt) error {
				if q.Cluster != "" && row.ColumnText(2) != q.Cluster {
					return nil
				}
				blob := make([]byte, row.ColumnLen(3))
				row.ColumnBytes(3, blob)
				batch, err := rows.Decode(blob, flow.Window{Start: r.day.at(row.ColumnInt64(0)), End: r.day.at(row.ColumnInt64(1))})
				if err != nil {
					return fmt.Errorf("%w: %w", store.ErrDamaged, err)
				}
				records = append(records, slices.DeleteFunc(batch, func(one flow.Record) bool { return !store.Matches(q.Namespace, one.Edge) })...)
				return nil
			},
		})
	})
	slices.SortStableFunc(records, func(a, b flow.Record) int { return a.Window.Start.Compare(b.Window.Start) })
	return records, err
}

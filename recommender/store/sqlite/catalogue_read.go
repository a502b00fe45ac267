// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// Catalogue implements store.Store.
func (s *Store) Catalogue(ctx context.Context, q store.Query) ([]store.Catalogued, error) {
	entries, err := s.cat.read(ctx, q)
	if err != nil {
		return nil, err
	}
	folded := map[flow.Edge]entry{} // over clusters, where the query names none
	order := slices.SortedFunc(maps.Keys(entries), func(a, b key) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range order {
		e := entries[id]
		k := store.Key(e.edge)
		if have, ok := folded[k]; ok {
			e = have.merge(e)
		}
		folded[k] = e
	}
	list := make([]store.Catalogued, 0, len(folded))
	for _, e := range folded {
		list = append(list, store.Catalogued{Edge: e.edge, FirstSeen: time.UnixMilli(e.first).UTC(), LastSeen: time.UnixMilli(e.last).UTC()})
	}
	slices.SortFunc(list, func(a, b store.Catalogued) int { return store.Compare(a.Edge, b.Edge) })
	return list, nil
}

const selectEntry = "SELECT key, first, last, " + edgeNames + " FROM edge "

// read gives the entries that were seen within the query's time: the file's,
// with what waits laid over them. What waits is copied first; if it is written
// meanwhile, it is met twice, which changes nothing.
func (c *catalogue) read(ctx context.Context, q store.Query) (_ map[key]entry, err error) {
	waiting := c.waiting(q)
	conn, err := open(c.path, catalogueSchema, false)
	if err != nil {
		return nil, err
	}
	defer func() {
		conn.SetInterrupt(nil)
		err = errors.Join(describe("reading", catalogueFile, err), conn.Close())
	}()
	conn.SetInterrupt(ctx.Done())
	from, to := millis(q)
	found := map[key]entry{}
	collect := func(row *sqlite.Stmt) error {
		var k key
		row.ColumnBytes(0, k[:])
		e := entry{first: row.ColumnInt64(1), last: row.ColumnInt64(2)}
		e.cluster, e.edge = scanEdge(row, 3)
		if selects(q, e.cluster, e.edge) {
			found[k] = e
		}
		return nil
	}
	err = sqlitex.Execute(conn, selectEntry+"WHERE last > ? AND first < ?", &sqlitex.ExecOptions{Args: []any{from, to}, ResultFunc: collect})
	if err != nil {
		return nil, err
	}
	for k, e := range waiting {
		if _, ok := found[k]; !ok { // new, or last seen before the query's time as far as the file knows
			if err := sqlitex.Execute(conn, selectEntry+"WHERE key = ?", &sqlitex.ExecOptions{Args: []any{k[:]}, ResultFunc: collect}); err != nil {
				return nil, err
			}
		}
		if have, ok := found[k]; ok {
			e = have.merge(e)
		}
		found[k] = e
		if e.last <= from || e.first >= to {
			delete(found, k)
		}
	}
	return found, nil
}

// waiting copies what the query selects of the entries that wait.
func (c *catalogue) waiting(q store.Query) map[key]entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	copied := map[key]entry{}
	for k, e := range c.pending {
		if selects(q, e.cluster, e.edge) {
			copied[k] = *e
		}
	}
	return copied
}

func selects(q store.Query, cluster string, e flow.Edge) bool {
	return (q.Cluster == "" || q.Cluster == cluster) && store.Matches(q.Namespace, e)
}

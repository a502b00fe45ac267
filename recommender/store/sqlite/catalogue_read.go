// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// Catalogue implements store.Store.
func (s *Store) Catalogue(ctx context.Context, q store.Query) ([]store.Catalogued, error) {
	if err := checkQuery(q); err != nil {
		return nil, err
	}
	unwritten, err := s.unwritten(ctx, q)
	if err != nil {
		return nil, err
	}
	entries, err := s.cat.read(ctx, q, unwritten)
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
		one := store.Catalogued{Edge: e.edge, FirstSeen: time.UnixMilli(e.first).UTC(), LastSeen: time.UnixMilli(e.last).UTC()}
		one.Client, one.Server = ends(e.programs)
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b store.Catalogued) int { return store.Compare(a.Edge, b.Edge) })
	return list, nil
}

const selectEntry = "SELECT key, first, last, " + edgeNames + " FROM edge "

func scanEntry(row *sqlite.Stmt) (k key, e entry) {
	row.ColumnBytes(0, k[:])
	e.first, e.last = row.ColumnInt64(1), row.ColumnInt64(2)
	e.cluster, e.edge = scanEdge(row, 3)
	return k, e
}

// lookUp gives one entry of the file.
func lookUp(conn *sqlite.Conn, k key) (e entry, found bool, err error) {
	err = sqlitex.Execute(conn, selectEntry+"WHERE key = ?", &sqlitex.ExecOptions{
		Args:       []any{k[:]},
		ResultFunc: func(row *sqlite.Stmt) error { _, e = scanEntry(row); found = true; return nil },
	})
	if err == nil && found {
		e.programs, err = readPrograms(conn, k[:])
	}
	return e, found, err
}

// unwritten gives what waits in the memories of days, and so is not in the
// catalogue.
func (s *Store) unwritten(ctx context.Context, q store.Query) (map[key]entry, error) {
	all := map[key]entry{}
	q.From, q.To = time.Time{}, time.Time{} // first and last are of all time
	collect := func(d day, list []waiting) {
		for _, w := range list {
			e := entryOf(d, w.cluster, w.edge, w.first, w.last, w.programs)
			if have, ok := all[w.key]; ok {
				e = have.merge(e)
			}
			all[w.key] = e
		}
	}
	if s.live() {
		s.cat.mu.Lock() // before a memory's; nobody takes them the other way round
		defer s.cat.mu.Unlock()
		for _, d := range s.memories.days() {
			if m := s.memories.of(d); m != nil {
				m.mu.RLock()
				list := m.frozen(q, 0, math.MaxInt64, func(k key) bool { return s.cat.mayBeNew(k, q) })
				m.mu.RUnlock()
				collect(d, list)
			}
		}
		return all, nil
	}
	upTo, err := s.cat.foldedInFile()
	if err != nil {
		return nil, err
	}
	err = s.eachCounted(ctx, q, func(r *reader) error {
		collect(r.day, r.waiting)
		generation, wrong := number(r.conn, "SELECT value FROM meta WHERE name = 'generation'")
		if wrong != nil || generation == upTo[r.day] {
			return wrong
		}
		return eachOfDay(r.day, r.conn, func(k key, e entry) error {
			if !selects(q, e.cluster, e.edge) {
				return nil
			}
			if have, ok := all[k]; ok {
				e = have.merge(e)
			}
			all[k] = e
			return nil
		})
	})
	return all, err
}

// mayBeNew says whether an edge that is seen may be among those that the query
// calls new. The caller holds the lock.
func (c *catalogue) mayBeNew(k key, q store.Query) bool {
	have := c.resident[shardOf(k)][k]
	return have == nil || q.NewSince.IsZero() || have.first >= q.NewSince.UnixMilli()
}

// foldedInFile gives the generations that the file has, from another process.
func (c *catalogue) foldedInFile() (map[day]int64, error) {
	conn, err := open(c.path, catalogueSchema, false)
	if err != nil {
		return nil, err
	}
	upTo, err := readFolded(conn)
	return upTo, errors.Join(describe("reading", catalogueFile, err), conn.Close())
}

func readFolded(conn *sqlite.Conn) (map[day]int64, error) {
	upTo := map[day]int64{}
	err := sqlitex.Execute(conn, "SELECT day, generation FROM folded", &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error {
			start, wrong := time.Parse(dayLayout, row.ColumnText(0))
			upTo[day{start}] = row.ColumnInt64(1)
			return wrong
		},
	})
	return upTo, err
}

// eachOfDay gives a day's edges as the catalogue keeps them.
func eachOfDay(d day, conn *sqlite.Conn, visit func(key, entry) error) error {
	query := "SELECT edge.id, edge.key, count.first, count.last, " + edgeNames + " FROM count JOIN edge ON edge.id = count.edge WHERE level = 2"
	return sqlitex.Execute(conn, query, &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		var k key
		row.ColumnBytes(1, k[:])
		programs, err := readPrograms(conn, row.ColumnInt64(0))
		if err != nil {
			return err
		}
		cluster, e := scanEdge(row, 4)
		return visit(k, entryOf(d, cluster, e, row.ColumnInt64(2), row.ColumnInt64(3), programs))
	}})
}

// read gives the entries that the query selects: the file's, with memory's in
// their place, and what no entry has yet. That is copied before memory, and
// memory before the file: what is written meanwhile is met twice, which changes
// nothing.
func (c *catalogue) read(ctx context.Context, q store.Query, unwritten map[key]entry) (_ map[key]entry, err error) {
	matches := inTime(q)
	found := c.inMemory(q, unwritten, matches)
	conn, err := open(c.path, catalogueSchema, false)
	if err != nil {
		return nil, err
	}
	defer func() {
		conn.SetInterrupt(nil)
		err = errors.Join(describe("reading", catalogueFile, err), conn.Close())
	}()
	conn.SetInterrupt(ctx.Done())
	fromFile := map[key]bool{}
	err = c.fromIndex(conn, q, func(k key, e entry) {
		if _, ok := found[k]; !ok && selects(q, e.cluster, e.edge) {
			found[k], fromFile[k] = e, true
		}
	})
	if err != nil {
		return nil, err
	}
	if err = addFilePrograms(conn, found, fromFile); err != nil {
		return nil, err
	}
	for k, e := range unwritten {
		have, ok := found[k]
		if !ok {
			if have, ok, err = lookUp(conn, k); err != nil {
				return nil, err
			}
		}
		if ok {
			e = have.merge(e)
		}
		found[k] = e
	}
	maps.DeleteFunc(found, func(_ key, e entry) bool { return !matches(e) })
	return found, nil
}

// manyEntries is from where on the whole table is read rather than row by row.
const manyEntries = 2_000

// addFilePrograms completes the entries that come from the file.
func addFilePrograms(conn *sqlite.Conn, found map[key]entry, fromFile map[key]bool) error {
	if len(fromFile) > manyEntries {
		return sqlitex.Execute(conn, "SELECT edge, server, path, first, last FROM program", &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
			var k key
			if row.ColumnBytes(0, k[:]); fromFile[k] {
				e := found[k]
				e.programs = append(e.programs, scanProgram(row, 1))
				found[k] = e
			}
			return nil
		}})
	}
	for k := range fromFile {
		e := found[k]
		var err error
		if e.programs, err = readPrograms(conn, k[:]); err != nil {
			return err
		}
		found[k] = e
	}
	return nil
}

// fromIndex reads the file by the index that leaves least.
func (c *catalogue) fromIndex(conn *sqlite.Conn, q store.Query, visit func(key, entry)) error {
	from, to := millis(q)
	where, args := "WHERE last > ? AND first < ?", []any{from, to}
	if few, named := fewEdges(q); few != "" {
		where, args = few+" AND last > ? AND first < ?", slices.Concat(named, []any{from, to})
	} else if !q.NewSince.IsZero() {
		where, args = "INDEXED BY edge_first WHERE first >= ? AND last > ? AND first < ?", []any{q.NewSince.UnixMilli(), from, to}
	}
	return sqlitex.Execute(conn, selectEntry+where, &sqlitex.ExecOptions{Args: args, ResultFunc: func(row *sqlite.Stmt) error {
		visit(scanEntry(row))
		return nil
	}})
}

func inTime(q store.Query) func(entry) bool {
	from, to := millis(q)
	return func(e entry) bool {
		return e.last > from && e.first < to && (q.NewSince.IsZero() || e.first >= q.NewSince.UnixMilli())
	}
}

// inMemory copies the entries of memory that the query selects, and those of
// which something is not written.
func (c *catalogue) inMemory(q store.Query, unwritten map[key]entry, matches func(entry) bool) map[key]entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	copied := map[key]entry{}
	for i := range c.resident {
		for k, e := range c.resident[i] {
			_, more := unwritten[k]
			if more || matches(*e) && selects(q, e.cluster, e.edge) {
				one := *e
				one.programs = slices.Clone(e.programs)
				copied[k] = one
			}
		}
	}
	return copied
}

func selects(q store.Query, cluster string, e flow.Edge) bool {
	return (q.Cluster == "" || q.Cluster == cluster) && q.Matches(e)
}

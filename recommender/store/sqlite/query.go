// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// millis gives the query's time in Unix milliseconds, rounded outward.
func millis(q store.Query) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !q.From.IsZero() {
		from = q.From.UnixMilli()
	}
	if !q.To.IsZero() {
		to = q.To.UnixMilli() + 1
	}
	return from, to
}

// within cuts the query's time to a day.
func within(q store.Query, d day) (from, to time.Time) {
	from, to = d.start, d.end()
	if q.From.After(from) {
		from = q.From
	}
	if !q.To.IsZero() && q.To.Before(to) {
		to = q.To
	}
	return from, to
}

func checkQuery(q store.Query) error {
	if !q.From.IsZero() && !q.To.IsZero() && !q.To.After(q.From) {
		return fmt.Errorf("%w: from %s to %s", store.ErrInvalid, q.From.Format(time.RFC3339), q.To.Format(time.RFC3339))
	}
	return nil
}

// reader reads one day on a connection of its own.
type reader struct {
	day        day
	conn       *sqlite.Conn
	resolution time.Duration
	waiting    []waiting // of what the query selects; see memory
}

// openReader opens a day that is there: one that was dropped must not come
// back as an empty file.
func openReader(dir string, d day) (*reader, error) {
	path := filepath.Join(dir, d.file())
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("opening %s: %w", d.file(), err)
	}
	conn, err := open(path, daySchema, false)
	if noRoom(err) {
		conn, err = openStill(path, err)
	}
	if err != nil {
		return nil, err
	}
	r := &reader{day: d, conn: conn}
	if r.resolution, err = resolutionOf(conn); err != nil {
		return nil, errors.Join(describe("opening", d.file(), err), conn.Close())
	}
	return r, nil
}

func (r *reader) close() error { return r.conn.Close() }

// each reads the days of the query, newest first. A day that is dropped
// meanwhile is passed over; one that turns out to be damaged is taken out of
// use, and named by Damage.
func (s *Store) each(ctx context.Context, q store.Query, read func(*reader) error) error {
	return s.eachWith(ctx, q, false, read)
}

// eachCounted is each, with what waits of the query's counts.
func (s *Store) eachCounted(ctx context.Context, q store.Query, read func(*reader) error) error {
	return s.eachWith(ctx, q, true, read)
}

func (s *Store) eachWith(ctx context.Context, q store.Query, counted bool, read func(*reader) error) error {
	if err := checkQuery(q); err != nil {
		return err
	}
	for _, d := range slices.Backward(s.days.within(q.From, q.To)) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reading the store: %w", err)
		}
		err := s.readDay(ctx, d, q, counted, read)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, store.ErrDamaged):
			s.days.damage(d, err)
		case err != nil:
			return err
		}
	}
	return nil
}

func (s *Store) readDay(ctx context.Context, d day, q store.Query, counted bool, read func(*reader) error) (err error) {
	r, err := openReader(s.options.Dir, d)
	if err != nil {
		return err
	}
	defer func() {
		r.conn.SetInterrupt(nil)
		err = errors.Join(describe("reading", d.file(), err), r.close())
	}()
	r.conn.SetInterrupt(ctx.Done())
	// One transaction: what is read of a day is of one moment.
	end := sqlitex.Transaction(r.conn)
	defer end(&err)
	if counted {
		if err := s.freeze(r, q); err != nil {
			return err
		}
	}
	return read(r)
}

// freeze takes the file's moment and what waits of it together: no shard is
// written between them.
func (s *Store) freeze(r *reader, q store.Query) error {
	m := s.memories.of(r.day)
	from, to := within(q, r.day)
	first, last := int64(from.Sub(r.day.start)/r.resolution), int64((to.Sub(r.day.start)-1)/r.resolution)
	if m == nil && s.live() {
		return nil
	}
	if m != nil {
		m.mu.RLock()
		defer m.mu.RUnlock()
	}
	if _, err := number(r.conn, "SELECT max(folded) FROM mark"); err != nil { // the moment begins with the first read
		return err
	}
	if m == nil { // another process writes, or nobody
		m = newMemory(r.resolution.Milliseconds())
		if err := replay(r.conn, r.day, m); err != nil {
			return err
		}
	}
	r.waiting = m.frozen(q, first, last, func(key) bool { return true })
	return nil
}

// Edges implements store.Store.
func (s *Store) Edges(ctx context.Context, q store.Query) ([]flow.Record, error) {
	folded := map[flow.Edge]int{}
	var records []flow.Record
	err := s.eachCounted(ctx, q, func(r *reader) error {
		add := func(e flow.Edge, b bucket) {
			one := r.record(e, b)
			k := store.Key(e)
			if i, ok := folded[k]; ok {
				records[i] = merge(records[i], one)
				return
			}
			folded[k] = len(records)
			records = append(records, one)
		}
		if err := r.counted(q, add); err != nil {
			return err
		}
		for i := range r.waiting {
			add(r.waiting[i].edge, r.waiting[i].sum())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(records, func(a, b flow.Record) int { return store.Compare(a.Edge, b.Edge) })
	return records, nil
}

func merge(a, b flow.Record) flow.Record {
	a.Edge = store.Describe(a.Edge, b.Edge)
	if b.Window.Start.Before(a.Window.Start) {
		a.Window.Start = b.Window.Start
	}
	if b.Window.End.After(a.Window.End) {
		a.Window.End = b.Window.End
	}
	a.ByClient, a.ByServer = a.ByClient.Add(b.ByClient), a.ByServer.Add(b.ByServer)
	return a
}

func (r *reader) record(e flow.Edge, b bucket) flow.Record {
	return flow.Record{
		Window: flow.Window{Start: r.day.at(b.first), End: r.day.at(b.last)},
		Edge:   e, ByClient: b.counts.client, ByServer: b.counts.server,
	}
}

const selectCounts = `SELECT edge, first, last, c_connections, c_bytes_sent, c_bytes_received, c_packets_sent, c_packets_received,
	s_connections, s_bytes_sent, s_bytes_received, s_packets_sent, s_packets_received FROM count `

// sum adds up the spans by edge. Adding here takes a fifth of the time that
// GROUP BY takes.
func (r *reader) sum(spans []span) (map[int64]bucket, error) {
	sums := map[int64]bucket{}
	for _, sp := range spans {
		err := sqlitex.Execute(r.conn, selectCounts+"WHERE level = ? AND bucket BETWEEN ? AND ?", &sqlitex.ExecOptions{
			Args: []any{sp.level, sp.first, sp.last},
			ResultFunc: func(row *sqlite.Stmt) error {
				id, b := row.ColumnInt64(0), bucket{first: row.ColumnInt64(1), last: row.ColumnInt64(2), counts: scanCounts(row, 3)}
				if have, ok := sums[id]; ok {
					b = bucket{first: min(have.first, b.first), last: max(have.last, b.last), counts: have.counts.add(b.counts)}
				}
				sums[id] = b
				return nil
			},
		})
		if err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// counted gives the sums of the edges that the query selects.
func (r *reader) counted(q store.Query, visit func(flow.Edge, bucket)) error {
	from, to := within(q, r.day)
	spans := r.day.spans(from, to, r.resolution)
	if where, args := fewEdges(q); where != "" {
		done, err := r.sumsOf(q, where, args, spans, visit)
		if done || err != nil {
			return err
		}
	}
	sums, err := r.sum(spans)
	if err != nil {
		return err
	}
	return r.resolve(q, sums, visit)
}

// fewEdges selects edges by the indexes of their ends, where the query names a
// workload or a namespace; else it is empty.
func fewEdges(q store.Query) (where string, args []any) {
	switch w := q.Workload; {
	case !w.IsZero():
		return `WHERE (client_namespace = ? AND client_name = ? AND client_kind = ? OR server_namespace = ? AND server_name = ? AND server_kind = ?)`,
			[]any{w.Namespace, w.Name, w.Kind, w.Namespace, w.Name, w.Kind}
	case q.Namespace != "":
		return "WHERE (client_namespace = ? OR server_namespace = ?)", []any{q.Namespace, q.Namespace}
	default:
		return "", nil
	}
}

// manyEdges is the share of a day's edges from which on reading the whole of
// its counts is faster than row by row: one in so many.
const manyEdges = 8

// sumsOf adds up the spans of few edges, each by its primary key. It does
// nothing where they are not few.
func (r *reader) sumsOf(q store.Query, where string, args []any, spans []span, visit func(flow.Edge, bucket)) (done bool, err error) {
	total, err := number(r.conn, "SELECT max(id) FROM edge")
	if err != nil {
		return false, err
	}
	edges := map[int64]flow.Edge{}
	errMany := errors.New("too many")
	err = sqlitex.Execute(r.conn, "SELECT id, "+edgeNames+" FROM edge "+where, &sqlitex.ExecOptions{
		Args: args,
		ResultFunc: func(row *sqlite.Stmt) error {
			if int64(len(edges)) > total/manyEdges+1000 {
				return errMany
			}
			if cluster, e := scanEdge(row, 1); selects(q, cluster, e) {
				edges[row.ColumnInt64(0)] = e
			}
			return nil
		},
	})
	if errors.Is(err, errMany) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, id := range slices.Sorted(maps.Keys(edges)) {
		var sum bucket
		for _, sp := range spans {
			err := r.points(sp.level, id, sp.first, sp.last, func(b bucket) { sum = addSpan(sum, b) })
			if err != nil {
				return false, err
			}
		}
		if sum.last > 0 {
			visit(edges[id], sum)
		}
	}
	return true, nil
}

// addSpan sums two buckets; one that ends at 0 is none.
func addSpan(a, b bucket) bucket {
	if a.last == 0 {
		return b
	}
	return bucket{first: min(a.first, b.first), last: max(a.last, b.last), counts: a.counts.add(b.counts)}
}

// resolve gives each sum with its edge, where the query selects it. Rows are
// looked up one by one, unless most of the table is wanted.
func (r *reader) resolve(q store.Query, sums map[int64]bucket, visit func(flow.Edge, bucket)) error {
	collect := func(row *sqlite.Stmt) error {
		b, ok := sums[row.ColumnInt64(0)]
		if !ok {
			return nil
		}
		if cluster, e := scanEdge(row, 1); selects(q, cluster, e) {
			visit(e, b)
		}
		return nil
	}
	total, err := number(r.conn, "SELECT max(id) FROM edge")
	if err != nil {
		return err
	}
	if int64(len(sums)) > total/4 {
		return sqlitex.Execute(r.conn, "SELECT id, "+edgeNames+" FROM edge", &sqlitex.ExecOptions{ResultFunc: collect})
	}
	for _, id := range slices.Sorted(maps.Keys(sums)) {
		err := sqlitex.Execute(r.conn, "SELECT id, "+edgeNames+" FROM edge WHERE id = ?", &sqlitex.ExecOptions{Args: []any{id}, ResultFunc: collect})
		if err != nil {
			return err
		}
	}
	return nil
}

// Series implements store.Store.
func (s *Store) Series(ctx context.Context, q store.Query, e flow.Edge) ([]flow.Record, error) {
	e = store.Key(e)
	for _, end := range []flow.Endpoint{e.Client, e.Server} {
		if q.Workload.IsZero() && end.Kind() == flow.KindPod {
			q.Workload = end.Workload // so that little of what waits is copied
		}
	}
	var records []flow.Record
	err := s.eachCounted(ctx, q, func(r *reader) error {
		points, err := r.series(q, e)
		records = append(records, points...)
		return err
	})
	slices.SortFunc(records, func(a, b flow.Record) int { return a.Window.Start.Compare(b.Window.Start) })
	return records, err
}

// series gives an edge's records of the day, one a bucket.
func (r *reader) series(q store.Query, e flow.Edge) ([]flow.Record, error) {
	of := map[int64]flow.Record{}
	add := func(edge flow.Edge, b bucket) {
		one := r.record(edge, b)
		if have, ok := of[b.index]; ok {
			one = merge(have, one)
		}
		of[b.index] = one
	}
	from, to := within(q, r.day)
	first, last := int64(from.Sub(r.day.start)/r.resolution), int64((to.Sub(r.day.start)-1)/r.resolution)
	ids, err := r.find(q, e)
	if err != nil {
		return nil, err
	}
	for id, edge := range ids {
		if err := r.points(levelFine, id, first, last, func(b bucket) { add(edge, b) }); err != nil {
			return nil, err
		}
	}
	for i := range r.waiting {
		if w := &r.waiting[i]; store.Key(w.edge) == e {
			for _, b := range w.buckets {
				add(w.edge, b)
			}
		}
	}
	return slices.Collect(maps.Values(of)), nil
}

// find gives the rows of an edge: one in a cluster.
func (r *reader) find(q store.Query, e flow.Edge) (map[int64]flow.Edge, error) {
	clusters := []string{q.Cluster}
	if q.Cluster == "" {
		clusters = clusters[:0]
		err := sqlitex.Execute(r.conn, "SELECT DISTINCT cluster FROM node", &sqlitex.ExecOptions{
			ResultFunc: func(row *sqlite.Stmt) error { clusters = append(clusters, row.ColumnText(0)); return nil },
		})
		if err != nil {
			return nil, err
		}
	}
	found := map[int64]flow.Edge{}
	for _, cluster := range clusters {
		k := keyOf(cluster, e)
		err := sqlitex.Execute(r.conn, "SELECT id, "+edgeNames+" FROM edge WHERE key = ?", &sqlitex.ExecOptions{
			Args: []any{k[:]},
			ResultFunc: func(row *sqlite.Stmt) error {
				_, found[row.ColumnInt64(0)] = scanEdge(row, 1)
				return nil
			},
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// points gives an edge's buckets of a level, each by its primary key: a day has few
// hundred of them, and hundreds of thousands of rows of other edges.
func (r *reader) points(level int, id, first, last int64, visit func(bucket)) error {
	for index := first; index <= last; index++ {
		err := sqlitex.Execute(r.conn, selectCounts+"WHERE level = ? AND bucket = ? AND edge = ?", &sqlitex.ExecOptions{
			Args: []any{level, index, id},
			ResultFunc: func(row *sqlite.Stmt) error {
				visit(bucket{index: index, first: row.ColumnInt64(1), last: row.ColumnInt64(2), counts: scanCounts(row, 3)})
				return nil
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

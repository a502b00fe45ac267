// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"path/filepath"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

const catalogueFile = "catalogue" + dbSuffix

// maxPending bounds the entries that wait in memory to be written.
const maxPending = 50_000

// catalogue is the file of first and last sights. What days have committed and
// it has not waits in memory; a reader lays that over the file.
type catalogue struct {
	path string
	last time.Time // of the last flush; the writing goroutine's own

	mu      sync.Mutex // guards all below, and the connection
	conn    *sqlite.Conn
	pending map[key]*entry
	upTo    map[day]int64 // generation to which each day is folded, with pending
	dirty   map[day]bool  // upTo is not in the file yet
}

// entry is one edge of the catalogue; times are Unix milliseconds.
type entry struct {
	cluster     string
	edge        flow.Edge
	first, last int64
}

// merge gives the entry with another sight of the same edge.
func (e entry) merge(o entry) entry {
	e.first, e.last = min(e.first, o.first), max(e.last, o.last)
	e.edge = store.Describe(e.edge, o.edge)
	return e
}

func openCatalogue(dir string, now time.Time) (*catalogue, error) {
	c := &catalogue{
		path: filepath.Join(dir, catalogueFile), last: now,
		pending: map[key]*entry{}, upTo: map[day]int64{}, dirty: map[day]bool{},
	}
	var err error
	if c.conn, err = open(c.path, catalogueSchema, true); err != nil {
		return nil, err
	}
	err = sqlitex.Execute(c.conn, "SELECT day, generation FROM folded", &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error {
			start, wrong := time.Parse(dayLayout, row.ColumnText(0))
			c.upTo[day{start}] = row.ColumnInt64(1)
			return wrong
		},
	})
	if err != nil {
		return nil, errors.Join(describe("reading", catalogueFile, err), c.conn.Close())
	}
	return c, nil
}

func (c *catalogue) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return describe("closing", catalogueFile, c.conn.Close())
}

// folded gives the generation to which a day is in the catalogue.
func (c *catalogue) folded(d day) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.upTo[d]
}

// note takes over what a transaction saw.
func (c *catalogue) note(d day, sights []*sight, generation int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range sights {
		c.merge(s.key, entry{s.cluster, s.edge, d.at(s.first).UnixMilli(), d.at(s.last).UnixMilli()})
	}
	c.upTo[d], c.dirty[d] = generation, true
}

func (c *catalogue) merge(k key, e entry) {
	if have := c.pending[k]; have != nil {
		e = have.merge(e)
	}
	c.pending[k] = &e
}

// refold takes over a whole day.
func (c *catalogue) refold(d day, conn *sqlite.Conn, generation int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	query := "SELECT edge.key, count.first, count.last, " + edgeNames + " FROM count JOIN edge ON edge.id = count.edge WHERE level = 2"
	err := sqlitex.Execute(conn, query, &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		var k key
		row.ColumnBytes(0, k[:])
		cluster, e := scanEdge(row, 3)
		c.merge(k, entry{cluster, e, d.at(row.ColumnInt64(1)).UnixMilli(), d.at(row.ColumnInt64(2)).UnixMilli()})
		return nil
	}})
	if err == nil {
		c.upTo[d], c.dirty[d] = generation, true
	}
	return err
}

// due says whether it is time to flush.
func (c *catalogue) due(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending) > maxPending || (len(c.dirty) > 0 && now.Sub(c.last) >= flushEvery)
}

func (c *catalogue) flushed(now time.Time) { c.last = now }

const addEntry = "INSERT INTO edge (key, " + edgeNames + ", first, last) VALUES (?, " + edgeMarks + `, ?, ?) ON CONFLICT DO UPDATE SET
	first = min(first, excluded.first), last = max(last, excluded.last),
	client_process = iif(client_process = '', excluded.client_process, client_process),
	server_process = iif(server_process = '', excluded.server_process, server_process),
	service = iif(service = '', excluded.service, service), reason = iif(reason = '', excluded.reason, reason),
	guessed = min(guessed, excluded.guessed)`

// flush writes what waits, in one transaction with the generations.
func (c *catalogue) flush() (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 && len(c.dirty) == 0 {
		return nil
	}
	if err := c.writePending(); err != nil {
		return describe("writing", catalogueFile, err)
	}
	clear(c.pending)
	clear(c.dirty)
	return nil
}

func (c *catalogue) writePending() (err error) {
	end, err := sqlitex.ImmediateTransaction(c.conn)
	if err != nil {
		return err
	}
	defer end(&err)
	for k, e := range c.pending {
		err := run(c.conn, addEntry, func(p *binder) {
			p.blob(k[:])
			bindEdge(p, e.cluster, e.edge)
			p.number(e.first, e.last)
		})
		if err != nil {
			return err
		}
	}
	for d := range c.dirty {
		err := run(c.conn, "INSERT INTO folded VALUES (?, ?) ON CONFLICT DO UPDATE SET generation = excluded.generation", func(p *binder) {
			p.text(d.String())
			p.number(c.upTo[d])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

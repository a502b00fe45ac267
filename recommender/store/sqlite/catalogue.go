// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

const catalogueFile = "catalogue" + dbSuffix

// How long an entry stays in memory after its edge was seen last, and how long
// it takes until every entry that changed is in the file.
const (
	residentFor    = 2 * time.Hour
	catalogueEvery = 10 * time.Minute
)

// catalogue is the file of first and last sights. Entries of edges that were
// seen lately are in memory, whole; those that changed are written shard by
// shard, so that nobody waits for it long. The file says up to which generation
// it has each day only when nothing waits: after a crash the newest days are
// folded again, which changes nothing that is there.
type catalogue struct {
	path string
	last time.Time // of the last flush; the writing goroutine's own
	next int       // shard to flush next; the writing goroutine's own

	mu       sync.Mutex // guards all below, and the connection
	conn     *sqlite.Conn
	resident [shards]map[key]*entry
	upTo     map[day]int64 // generation to which each day is folded, with what waits
	dirty    map[day]bool  // upTo is not in the file yet
	behind   map[day]bool  // a sight is missing: the day is folded again at the next start
}

// entry is one edge of the catalogue; times are Unix milliseconds.
type entry struct {
	cluster     string
	edge        flow.Edge
	first, last int64
	programs    []program
	changed     bool // it is not in the file as it stands here
}

// merge gives the entry with another sight of the same edge.
func (e entry) merge(o entry) entry {
	e.first, e.last = min(e.first, o.first), max(e.last, o.last)
	e.edge = store.Describe(e.edge, o.edge)
	e.programs = addPrograms(slices.Clone(e.programs), o.programs)
	return e
}

// entryOf gives a sight of a day as the catalogue keeps it.
func entryOf(d day, cluster string, edge flow.Edge, first, last int64, programs []program) entry {
	e := entry{cluster: cluster, edge: edge, first: d.at(first).UnixMilli(), last: d.at(last).UnixMilli()}
	for _, p := range programs {
		p.first, p.last = d.at(p.first).UnixMilli(), d.at(p.last).UnixMilli()
		e.programs = append(e.programs, p)
	}
	return e
}

func openCatalogue(dir string, now time.Time) (*catalogue, error) {
	c := &catalogue{
		path: filepath.Join(dir, catalogueFile), last: now, upTo: map[day]int64{}, dirty: map[day]bool{}, behind: map[day]bool{},
	}
	for i := range c.resident {
		c.resident[i] = map[key]*entry{}
	}
	var err error
	if c.conn, err = open(c.path, catalogueSchema, true); err != nil {
		return nil, err
	}
	c.upTo, err = readFolded(c.conn)
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

// note takes over what a transaction is about to commit. What it cannot look up
// waits for the next start.
func (c *catalogue) note(d day, sights []*sight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range sights {
		if err := c.merge(s.key, entryOf(d, s.cluster, s.edge, s.first, s.last, s.programs)); err != nil {
			c.behind[d] = true
		}
	}
}

// reached says that a transaction of which everything is noted is committed.
func (c *catalogue) reached(d day, generation int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.upTo[d], c.dirty[d] = generation, true
}

// merge adds a sight to the entry, which it fetches from the file where it is
// not in memory.
func (c *catalogue) merge(k key, e entry) error {
	at := c.resident[shardOf(k)]
	have := at[k]
	if have == nil {
		old, found, err := lookUp(c.conn, k)
		if err != nil {
			return err
		}
		if !found {
			e.programs = addPrograms(nil, e.programs)
			e.changed = true
			at[k] = &e
			return nil
		}
		have = &old
		at[k] = have
	}
	have.first, have.last = min(have.first, e.first), max(have.last, e.last)
	have.edge = store.Describe(have.edge, e.edge)
	have.programs = addPrograms(have.programs, e.programs)
	have.changed = true
	return nil
}

// refold takes over a whole day.
func (c *catalogue) refold(d day, conn *sqlite.Conn, generation int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := eachOfDay(d, conn, c.merge)
	if err == nil {
		c.upTo[d], c.dirty[d] = generation, true
	}
	return err
}

// due says which shards' turn it is: each comes once in catalogueEvery.
func (c *catalogue) due(now time.Time) (from, to int) {
	n := int(min(now.Sub(c.last)*shards/catalogueEvery, shards))
	if n <= 0 {
		return 0, 0
	}
	from = c.next
	to = min(from+n, shards)
	c.last, c.next = now, to%shards
	return from, to
}

const addEntry = "INSERT INTO edge (key, " + edgeNames + ", first, last) VALUES (?, " + edgeMarks + `, ?, ?) ON CONFLICT DO UPDATE SET
	first = min(first, excluded.first), last = max(last, excluded.last),
	client_process = iif(client_process = '', excluded.client_process, client_process),
	server_process = iif(server_process = '', excluded.server_process, server_process),
	service = iif(service = '', excluded.service, service), reason = iif(reason = '', excluded.reason, reason),
	guessed = min(guessed, excluded.guessed),
	client_elsewhere = iif(client_elsewhere = '', excluded.client_elsewhere, client_elsewhere),
	server_elsewhere = iif(server_elsewhere = '', excluded.server_elsewhere, server_elsewhere)`

// flush writes all that waits, in one transaction with the generations.
func (c *catalogue) flush(now time.Time) error { return c.flushShards(0, shards, now) }

// flushShards writes what waits of some shards, and forgets what was not seen
// for long; the generations go with the last of them.
func (c *catalogue) flushShards(from, to int, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var changed []*entry
	var keys []key
	for i := from; i < to; i++ {
		for k, e := range c.resident[i] {
			if e.changed {
				changed, keys = append(changed, e), append(keys, k)
			}
		}
	}
	whole := from == 0 && to == shards
	if len(changed) > 0 || whole && len(c.dirty) > 0 {
		if err := c.write(keys, changed, whole); err != nil {
			return describe("writing", catalogueFile, err)
		}
	}
	for _, e := range changed {
		e.changed = false
	}
	if whole {
		clear(c.dirty)
	}
	before := now.Add(-residentFor).UnixMilli()
	for i := from; i < to; i++ {
		maps.DeleteFunc(c.resident[i], func(_ key, e *entry) bool { return e.last < before })
	}
	return nil
}

func (c *catalogue) write(keys []key, entries []*entry, generations bool) (err error) {
	end, err := sqlitex.ImmediateTransaction(c.conn)
	if err != nil {
		return err
	}
	defer end(&err)
	for i, e := range entries {
		if err := c.writeEntry(keys[i], e); err != nil {
			return err
		}
	}
	if !generations {
		return nil
	}
	for d := range c.dirty {
		if c.behind[d] {
			continue
		}
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

func (c *catalogue) writeEntry(k key, e *entry) error {
	err := run(c.conn, addEntry, func(p *binder) {
		p.blob(k[:])
		bindEdge(p, e.cluster, e.edge)
		p.number(e.first, e.last)
	})
	if err != nil {
		return err
	}
	for _, one := range e.programs {
		err := run(c.conn, "INSERT INTO program VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)", func(p *binder) {
			p.blob(k[:])
			p.number(boolean(one.server))
			p.text(one.path)
			p.number(one.first, one.last)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

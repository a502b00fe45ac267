// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// maxKnown bounds the edges that a writer remembers the row of; above it the
// memory is emptied and filled again from the file.
const maxKnown = 500_000

// known is what a writer remembers of an edge's row.
type known struct {
	id   int64
	bits uint8 // see described
}

// writer writes one day. Only the store's one writing goroutine uses it.
type writer struct {
	day        day
	conn       *sqlite.Conn
	resolution time.Duration
	known      map[key]known
}

func openWriter(dir string, d day, resolution time.Duration) (*writer, error) {
	conn, err := open(filepath.Join(dir, d.file()), daySchema, true)
	if err != nil {
		return nil, err
	}
	w := &writer{day: d, conn: conn, known: map[key]known{}}
	if w.resolution, err = settle(conn, resolution); err != nil {
		return nil, errors.Join(describe("opening", d.file(), err), conn.Close())
	}
	return w, nil
}

// settle gives the resolution that the day was begun with.
func settle(conn *sqlite.Conn, resolution time.Duration) (time.Duration, error) {
	err := sqlitex.Execute(conn, "INSERT INTO meta VALUES ('resolution', ?), ('generation', 0) ON CONFLICT DO NOTHING",
		&sqlitex.ExecOptions{Args: []any{int64(resolution)}})
	if err != nil {
		return 0, err
	}
	return resolutionOf(conn)
}

func resolutionOf(conn *sqlite.Conn) (time.Duration, error) {
	n, err := number(conn, "SELECT value FROM meta WHERE name = 'resolution'")
	if err == nil && (n < int64(time.Second) || int64(time.Hour)%n != 0) {
		err = fmt.Errorf("%w: a resolution of %v", store.ErrDamaged, time.Duration(n))
	}
	return time.Duration(n), err
}

// commit keeps the batches in one transaction and says which are duplicates.
// On an error nothing is kept. The sights are for the catalogue.
func (w *writer) commit(batches []*prepared) (duplicate []bool, sights []*sight, generation int64, err error) {
	defer func() {
		if err != nil {
			clear(w.known) // may hold rows that were rolled back
			err = describe("writing", w.day.file(), err)
		}
	}()
	end, err := sqlitex.ImmediateTransaction(w.conn)
	if err != nil {
		return nil, nil, 0, err
	}
	defer end(&err)
	duplicate = make([]bool, len(batches))
	seen := map[key]*sight{}
	for i, b := range batches {
		if duplicate[i], err = w.ledger(b); err != nil {
			return nil, nil, 0, err
		}
		if duplicate[i] {
			continue
		}
		w.fold(seen, b)
		if err = errors.Join(w.node(b.Batch), w.pods(b)); err != nil {
			return nil, nil, 0, err
		}
	}
	if sights, err = w.identify(seen); err != nil {
		return nil, nil, 0, err
	}
	if err = w.count(sights); err != nil {
		return nil, nil, 0, err
	}
	generation, err = w.advance()
	return duplicate, sights, generation, err
}

// ledger enters a batch's name; it is a duplicate where the name is there.
func (w *writer) ledger(b *prepared) (duplicate bool, err error) {
	err = run(w.conn, "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", func(p *binder) {
		p.text(b.Cluster, b.Node, b.Epoch)
		p.number(int64(b.Sequence), w.day.floor(b.Window.Start), w.day.ceil(b.Window.End))
	})
	return err == nil && w.conn.Changes() == 0, err
}

// fold adds a batch to what the transaction has seen.
func (w *writer) fold(seen map[key]*sight, b *prepared) {
	for i := range b.folded {
		one := &b.folded[i]
		s := seen[one.key]
		if s == nil {
			s = one
			seen[one.key] = s
		}
		s.add(one.edge, one.first/w.resolution.Milliseconds(), one.first, one.last, b.counts[i])
	}
}

// identify finds or makes the row of each edge, and sorts by row: neighbours
// in the file are written together.
func (w *writer) identify(seen map[key]*sight) ([]*sight, error) {
	if len(w.known) > maxKnown {
		clear(w.known)
	}
	sights := make([]*sight, 0, len(seen))
	for k, s := range seen {
		row, ok := w.known[k]
		if !ok {
			var err error
			if row, err = w.row(s); err != nil {
				return nil, err
			}
		}
		if bits := described(s.edge); bits&^row.bits != 0 {
			if err := w.describe(row.id, s.edge); err != nil {
				return nil, err
			}
			row.bits |= bits
		}
		w.known[k] = row
		s.id = row.id
		sights = append(sights, s)
	}
	slices.SortFunc(sights, func(a, b *sight) int { return int(a.id - b.id) })
	return sights, nil
}

// row looks an edge up, and enters it where it is new.
func (w *writer) row(s *sight) (row known, err error) {
	err = sqlitex.Execute(w.conn, "SELECT id, "+edgeNames+" FROM edge WHERE key = ?", &sqlitex.ExecOptions{
		Args: []any{s.key[:]},
		ResultFunc: func(r *sqlite.Stmt) error {
			_, e := scanEdge(r, 1)
			row = known{r.ColumnInt64(0), described(e)}
			return nil
		},
	})
	if err != nil || row.id != 0 {
		return row, err
	}
	err = run(w.conn, "INSERT INTO edge (key, "+edgeNames+") VALUES (?, "+edgeMarks+")", func(p *binder) {
		p.blob(s.key[:])
		bindEdge(p, s.cluster, s.edge)
	})
	return known{w.conn.LastInsertRowID(), described(s.edge)}, err
}

// describe fills in what the row does not know yet.
func (w *writer) describe(id int64, e flow.Edge) error {
	return run(w.conn, `UPDATE edge SET
		client_process = iif(client_process = '', ?, client_process), server_process = iif(server_process = '', ?, server_process),
		service = iif(service = '', ?, service), reason = iif(reason = '', ?, reason), guessed = min(guessed, ?) WHERE id = ?`,
		func(p *binder) {
			p.text(e.Client.Process, e.Server.Process, e.Service, e.Reason)
			p.number(boolean(e.Guessed), id)
		})
}

// addCount adds to a bucket; the casts make a sum that would overflow stop at the
// largest integer instead of failing.
const addCount = `INSERT INTO count VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
	first = min(first, excluded.first), last = max(last, excluded.last),
	c_connections = CAST(c_connections + excluded.c_connections AS INTEGER),
	c_bytes_sent = CAST(c_bytes_sent + excluded.c_bytes_sent AS INTEGER), c_bytes_received = CAST(c_bytes_received + excluded.c_bytes_received AS INTEGER),
	c_packets_sent = CAST(c_packets_sent + excluded.c_packets_sent AS INTEGER), c_packets_received = CAST(c_packets_received + excluded.c_packets_received AS INTEGER),
	s_connections = CAST(s_connections + excluded.s_connections AS INTEGER),
	s_bytes_sent = CAST(s_bytes_sent + excluded.s_bytes_sent AS INTEGER), s_bytes_received = CAST(s_bytes_received + excluded.s_bytes_received AS INTEGER),
	s_packets_sent = CAST(s_packets_sent + excluded.s_packets_sent AS INTEGER), s_packets_received = CAST(s_packets_received + excluded.s_packets_received AS INTEGER)`

// count adds what was seen at all levels.
func (w *writer) count(sights []*sight) error {
	perHour := int64(time.Hour / w.resolution)
	for level, divisor := range []int64{levelFine: 1, levelHour: perHour, levelDay: 24 * perHour} {
		for _, s := range sights {
			var buckets []bucket
			for _, b := range s.buckets {
				b.index /= divisor
				buckets = addBucket(buckets, b)
			}
			for _, b := range buckets {
				err := run(w.conn, addCount, func(p *binder) {
					p.number(int64(level), b.index, s.id, b.first, b.last)
					p.counts(b.counts)
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// advance counts the transaction.
func (w *writer) advance() (generation int64, err error) {
	err = run(w.conn, "UPDATE meta SET value = value + 1 WHERE name = 'generation'", func(*binder) {})
	if err != nil {
		return 0, err
	}
	return number(w.conn, "SELECT value FROM meta WHERE name = 'generation'")
}

// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"cmp"
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
	id       int64
	bits     uint8     // see described
	programs []program // as the file has them
}

// writer writes one day. Only the store's one writing goroutine uses it.
type writer struct {
	day        day
	conn       *sqlite.Conn
	resolution time.Duration
	known      map[key]known
	memory     *memory
}

func openWriter(dir string, d day, resolution time.Duration) (*writer, error) {
	conn, err := open(filepath.Join(dir, d.file()), daySchema, true)
	if err != nil {
		return nil, err
	}
	w := &writer{day: d, conn: conn, known: map[key]known{}}
	if w.resolution, err = agree(conn, resolution); err != nil {
		return nil, errors.Join(describe("opening", d.file(), err), conn.Close())
	}
	return w, nil
}

// agree gives the resolution that the day was begun with.
func agree(conn *sqlite.Conn, resolution time.Duration) (time.Duration, error) {
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

// commit enters the batches into the journal, in one transaction, and says
// which are duplicates. On an error nothing is kept.
func (w *writer) commit(batches []*prepared) (duplicate []bool, err error) {
	duplicate = make([]bool, len(batches))
	entries := make([]int64, len(batches))
	if err := w.enter(batches, duplicate, entries); err != nil {
		return nil, describe("writing", w.day.file(), err)
	}
	for i, b := range batches {
		if entries[i] > 0 {
			w.memory.take(entries[i], b)
		}
	}
	return duplicate, nil
}

func (w *writer) enter(batches []*prepared, duplicate []bool, entries []int64) (err error) {
	end, err := sqlitex.ImmediateTransaction(w.conn)
	if err != nil {
		return err
	}
	defer end(&err)
	for i, b := range batches {
		if duplicate[i], err = w.ledger(b); err != nil {
			return err
		}
		if duplicate[i] {
			continue
		}
		if err = w.node(b); err != nil {
			return err
		}
		if entries[i], err = w.pods(b); err != nil {
			return err
		}
	}
	return nil
}

// ledger enters a batch's name; it is a duplicate where the name is there.
func (w *writer) ledger(b *prepared) (duplicate bool, err error) {
	err = run(w.conn, "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", func(p *binder) {
		p.text(b.Cluster, b.Node, b.Epoch)
		p.number(int64(b.Sequence), w.day.floor(b.Window.Start), w.day.ceil(b.Window.End))
	})
	return err == nil && w.conn.Changes() == 0, err
}

// settle writes shards from to to of what waits, in one transaction, and gives
// the day's generation then. The sights are handed to note before they leave
// memory, so that a reader meets them at every moment.
func (w *writer) settle(from, to int, note func([]*sight)) (generation int64, err error) {
	defer func() {
		if err != nil {
			clear(w.known) // may hold rows that were rolled back
			err = describe("writing", w.day.file(), err)
		}
	}()
	if err = sqlitex.ExecuteTransient(w.conn, "BEGIN IMMEDIATE", nil); err != nil {
		return 0, err
	}
	latest := w.memory.latest
	sights, generation, err := w.write(from, to, latest)
	if err == nil {
		note(sights)
		err = w.memory.written(from, to, latest, func() error { return sqlitex.ExecuteTransient(w.conn, "COMMIT", nil) })
	}
	if err != nil && !w.conn.AutocommitEnabled() {
		err = errors.Join(err, sqlitex.ExecuteTransient(w.conn, "ROLLBACK", nil))
	}
	return generation, err
}

func (w *writer) write(from, to int, latest int64) (sights []*sight, generation int64, err error) {
	for i := from; i < to; i++ {
		for _, s := range w.memory.shard[i] {
			sights = append(sights, s)
		}
	}
	rows, err := w.identify(sights)
	if err != nil {
		return nil, 0, err
	}
	if err = w.count(rows); err != nil {
		return nil, 0, err
	}
	for i := from; i < to; i++ {
		err = run(w.conn, "INSERT INTO mark VALUES (?, ?) ON CONFLICT DO UPDATE SET folded = excluded.folded", func(p *binder) {
			p.number(int64(i), latest)
		})
		if err != nil {
			return nil, 0, err
		}
	}
	generation, err = w.advance()
	return sights, generation, err
}

// identified is a sight with the row of its edge.
type identified struct {
	id int64
	*sight
}

// identify finds or makes the row of each edge, and sorts by row: neighbours
// in the file are written together.
func (w *writer) identify(sights []*sight) ([]identified, error) {
	if len(w.known) > maxKnown {
		clear(w.known)
	}
	all := make([]identified, 0, len(sights))
	for _, s := range sights {
		row, ok := w.known[s.key]
		if !ok {
			var err error
			if row, err = w.row(s); err != nil {
				return nil, err
			}
		}
		changed := !ok
		if bits := described(s.edge); bits&^row.bits != 0 {
			if err := w.describe(row.id, s.edge); err != nil {
				return nil, err
			}
			row.bits |= bits
			changed = true
		}
		news, err := w.programs(&row, s.programs)
		if err != nil {
			return nil, err
		}
		if changed || news {
			w.known[s.key] = row
		}
		all = append(all, identified{row.id, s})
	}
	slices.SortFunc(all, func(a, b identified) int { return cmp.Compare(a.id, b.id) })
	return all, nil
}

// staleProgram is how far the file's last sight of a program may be behind.
const staleProgram = int64(time.Hour / time.Millisecond)

// programs writes what the file does not have of an edge's programs.
func (w *writer) programs(row *known, seen []program) (news bool, err error) {
	if len(seen) == 0 {
		return false, nil
	}
	merged := addPrograms(slices.Clone(row.programs), seen)
	for i, p := range merged {
		if i < len(row.programs) && p.first >= row.programs[i].first && p.last < row.programs[i].last+staleProgram {
			merged[i] = row.programs[i]
			continue
		}
		news = true
		err := run(w.conn, "INSERT INTO program VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET first = excluded.first, last = excluded.last", func(b *binder) {
			b.number(row.id, boolean(p.server))
			b.text(p.path)
			b.number(p.first, p.last)
		})
		if err != nil {
			return false, err
		}
	}
	if news {
		row.programs = merged
	}
	return news, nil
}

// row looks an edge up, and enters it where it is new.
func (w *writer) row(s *sight) (row known, err error) {
	err = sqlitex.Execute(w.conn, "SELECT id, "+edgeNames+" FROM edge WHERE key = ?", &sqlitex.ExecOptions{
		Args: []any{s.key[:]},
		ResultFunc: func(r *sqlite.Stmt) error {
			_, e := scanEdge(r, 1)
			row = known{id: r.ColumnInt64(0), bits: described(e)}
			return nil
		},
	})
	if err != nil {
		return row, err
	}
	if row.id != 0 {
		row.programs, err = readPrograms(w.conn, row.id)
		return row, err
	}
	err = run(w.conn, "INSERT INTO edge (key, "+edgeNames+") VALUES (?, "+edgeMarks+")", func(p *binder) {
		p.blob(s.key[:])
		bindEdge(p, s.cluster, s.edge)
	})
	return known{id: w.conn.LastInsertRowID(), bits: described(s.edge)}, err
}

// readPrograms gives the programs of an edge's row, or of its key in the catalogue.
func readPrograms(conn *sqlite.Conn, edge any) (list []program, err error) {
	err = sqlitex.Execute(conn, "SELECT server, path, first, last FROM program WHERE edge = ?", &sqlitex.ExecOptions{
		Args:       []any{edge},
		ResultFunc: func(row *sqlite.Stmt) error { list = append(list, scanProgram(row, 0)); return nil },
	})
	return list, err
}

func scanProgram(row *sqlite.Stmt, column int) program {
	return program{row.ColumnInt64(column) != 0, row.ColumnText(column + 1), row.ColumnInt64(column + 2), row.ColumnInt64(column + 3)}
}

// describe fills in what the row does not know yet.
func (w *writer) describe(id int64, e flow.Edge) error {
	return run(w.conn, `UPDATE edge SET
		client_process = iif(client_process = '', ?, client_process), server_process = iif(server_process = '', ?, server_process),
		service = iif(service = '', ?, service), reason = iif(reason = '', ?, reason), guessed = min(guessed, ?),
		client_elsewhere = iif(client_elsewhere = '', ?, client_elsewhere), server_elsewhere = iif(server_elsewhere = '', ?, server_elsewhere) WHERE id = ?`,
		func(p *binder) {
			p.text(e.Client.Process, e.Server.Process, e.Service, e.Reason)
			p.number(boolean(e.Guessed))
			p.text(e.Client.Elsewhere, e.Server.Elsewhere)
			p.number(id)
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
func (w *writer) count(sights []identified) error {
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

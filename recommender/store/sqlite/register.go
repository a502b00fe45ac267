// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/store"
)

const registerFile = "register" + dbSuffix

// register is the file of findings and decisions. Each entry of the trail
// carries the SHA-256 of itself and of the one before, so that a change behind
// the program's back shows.
type register struct {
	path string

	mu   sync.Mutex
	conn *sqlite.Conn // nil once closed
}

func openRegister(dir string) (*register, error) {
	path := filepath.Join(dir, registerFile)
	conn, err := open(path, registerSchema, true)
	if noRoom(err) {
		if conn, err = open(path, registerSchema, false); err != nil {
			conn, err = openStill(path, err)
		}
	}
	if errors.Is(err, store.ErrDamaged) {
		err = fmt.Errorf("%w; it holds what people have decided: restore it from a backup, or move it away to begin without", err)
	}
	return &register{path: path, conn: conn}, err
}

func (g *register) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conn == nil {
		return nil
	}
	conn := g.conn
	g.conn = nil
	return describe("closing", registerFile, conn.Close())
}

// with works on the file, one after the other, in one transaction.
func (g *register) with(ctx context.Context, work func(*sqlite.Conn) error) (err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conn == nil {
		return store.ErrClosed
	}
	if err = ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrBusy, err)
	}
	defer func() { err = describe("writing", registerFile, err) }()
	end, err := sqlitex.ImmediateTransaction(g.conn)
	if err != nil {
		return err
	}
	defer end(&err)
	return work(g.conn)
}

// read reads on a connection of its own.
func (g *register) read(ctx context.Context, work func(*sqlite.Conn) error) error {
	conn, err := open(g.path, registerSchema, false)
	if noRoom(err) {
		conn, err = openStill(g.path, err)
	}
	if err != nil {
		return err
	}
	conn.SetInterrupt(ctx.Done())
	err = work(conn)
	conn.SetInterrupt(nil)
	return errors.Join(describe("reading", registerFile, err), conn.Close())
}

// Note implements store.Register.
func (s *Store) Note(ctx context.Context, findings []store.Finding) (fresh []string, err error) {
	for i := range findings {
		if err = findings[i].Validate(); err != nil {
			return nil, err
		}
	}
	if len(findings) == 0 {
		return nil, nil
	}
	err = s.register.with(ctx, func(conn *sqlite.Conn) error {
		for i := range findings {
			isNew, wrong := note(conn, &findings[i])
			if wrong != nil {
				return wrong
			}
			if isNew {
				fresh = append(fresh, findings[i].ID)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return fresh, nil
}

func note(conn *sqlite.Conn, f *store.Finding) (fresh bool, err error) {
	err = run(conn, "INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", func(b *binder) {
		b.text(f.Cluster, f.ID, f.Kind, f.Subject)
		b.number(f.FirstSeen.UnixMilli(), f.LastSeen.UnixMilli())
		b.blob(slices.Concat([]byte{}, f.Detail))
	})
	if err != nil || conn.Changes() > 0 {
		return err == nil, err
	}
	return false, run(conn, `UPDATE finding SET first = min(first, ?), last = max(last, ?), kind = ?, subject = ?, detail = ?
		WHERE cluster = ? AND id = ?`, func(b *binder) {
		b.number(f.FirstSeen.UnixMilli(), f.LastSeen.UnixMilli())
		b.text(f.Kind, f.Subject)
		b.blob(slices.Concat([]byte{}, f.Detail))
		b.text(f.Cluster, f.ID)
	})
}

// Findings implements store.Register.
func (s *Store) Findings(ctx context.Context, q store.FindingQuery) (found []store.Finding, err error) {
	wanted := map[string]bool{}
	for _, id := range q.IDs {
		wanted[id] = true
	}
	since := int64(-1 << 62)
	if !q.Since.IsZero() {
		since = q.Since.UnixMilli()
	}
	err = s.register.read(ctx, func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, `SELECT cluster, id, kind, subject, first, last, detail FROM finding
			WHERE (?1 = '' OR cluster = ?1) AND last >= ?2 ORDER BY cluster, id`, &sqlitex.ExecOptions{
			Args: []any{q.Cluster, since},
			ResultFunc: func(row *sqlite.Stmt) error {
				if id := row.ColumnText(1); len(wanted) > 0 && !wanted[id] {
					return nil
				}
				found = append(found, store.Finding{
					Cluster: row.ColumnText(0), ID: row.ColumnText(1), Kind: row.ColumnText(2), Subject: row.ColumnText(3),
					FirstSeen: time.UnixMilli(row.ColumnInt64(4)).UTC(), LastSeen: time.UnixMilli(row.ColumnInt64(5)).UTC(), Detail: blobOf(row, 6),
				})
				return nil
			},
		})
	})
	return found, err
}

// blobOf gives nil for an empty blob.
func blobOf(row *sqlite.Stmt, column int) []byte {
	if row.ColumnLen(column) == 0 {
		return nil
	}
	blob := make([]byte, row.ColumnLen(column))
	row.ColumnBytes(column, blob)
	return blob
}

// Decide implements store.Register.
func (s *Store) Decide(ctx context.Context, d store.Decision) error {
	if err := d.Validate(); err != nil {
		return err
	}
	return s.register.with(ctx, func(conn *sqlite.Conn) error {
		var same, there bool
		var before []byte
		err := trail(conn, "WHERE id = ?", []any{d.ID}, func(_ int64, have store.Decision, _ []byte) error {
			there, same = true, bytes.Equal(chain(nil, have), chain(nil, d))
			return nil
		})
		switch {
		case err != nil || same:
			return err
		case there:
			return fmt.Errorf("%w: decision %q is in the trail with another content", store.ErrInvalid, d.ID)
		}
		if err := trail(conn, "ORDER BY number DESC LIMIT 1", nil, func(_ int64, _ store.Decision, sum []byte) error { before = sum; return nil }); err != nil {
			return err
		}
		return run(conn, "INSERT INTO decision (id, cluster, finding, verdict, who, at, until, reason, detail, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			func(b *binder) {
				b.text(d.ID, d.Cluster, d.Finding, string(d.Verdict), d.By)
				b.number(d.At.UnixMilli(), untilMillis(d.Until))
				b.text(d.Reason)
				b.blob(slices.Concat([]byte{}, d.Detail))
				b.blob(chain(before, d))
			})
	})
}

// Decisions implements store.Register.
func (s *Store) Decisions(ctx context.Context, q store.DecisionQuery) (found []store.Decision, err error) {
	err = s.register.read(ctx, func(conn *sqlite.Conn) error {
		return trail(conn, "WHERE (?1 = '' OR cluster = ?1) AND (?2 = '' OR finding = ?2) ORDER BY number", []any{q.Cluster, q.Finding},
			func(_ int64, d store.Decision, _ []byte) error {
				found = append(found, d)
				return nil
			})
	})
	return found, err
}

func untilMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// trail reads entries of the trail.
func trail(conn *sqlite.Conn, where string, args []any, visit func(number int64, d store.Decision, sum []byte) error) error {
	query := "SELECT number, id, cluster, finding, verdict, who, at, until, reason, detail, sum FROM decision " + where
	return sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(row *sqlite.Stmt) error {
		d := store.Decision{
			ID: row.ColumnText(1), Cluster: row.ColumnText(2), Finding: row.ColumnText(3), Verdict: store.Verdict(row.ColumnText(4)),
			By: row.ColumnText(5), At: time.UnixMilli(row.ColumnInt64(6)).UTC(), Reason: row.ColumnText(8), Detail: blobOf(row, 9),
		}
		if until := row.ColumnInt64(7); until != 0 {
			d.Until = time.UnixMilli(until).UTC()
		}
		return visit(row.ColumnInt64(0), d, blobOf(row, 10))
	}})
}

// chain gives the sum of an entry that follows the one of the sum before.
func chain(before []byte, d store.Decision) []byte {
	text := binary.AppendUvarint(nil, uint64(len(before)))
	text = append(text, before...)
	for _, part := range []string{d.ID, d.Cluster, d.Finding, string(d.Verdict), d.By, d.Reason, string(d.Detail)} {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	text = binary.AppendVarint(text, d.At.UnixMilli())
	text = binary.AppendVarint(text, untilMillis(d.Until))
	sum := sha256.Sum256(text)
	return sum[:]
}

// checkTrail follows the chain from end to end.
func checkTrail(conn *sqlite.Conn) error {
	var before []byte
	var last int64
	err := trail(conn, "ORDER BY number", nil, func(number int64, d store.Decision, sum []byte) error {
		if want := chain(before, d); number != last+1 || !bytes.Equal(sum, want) {
			return fmt.Errorf("%w: %w: entry %d (%s), or the one before it", store.ErrDamaged, store.ErrTampered, number, d.ID)
		}
		before, last = sum, number
		return nil
	})
	if err != nil {
		return err
	}
	ever, err := number(conn, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'decision'")
	if err == nil && ever != last {
		err = fmt.Errorf("%w: %w: it ends at entry %d of %d", store.ErrDamaged, store.ErrTampered, last, ever)
	}
	return err
}

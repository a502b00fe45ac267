// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// The errors that callers branch on, with errors.Is.
var (
	ErrClosed = errors.New("queue of alerts closed")
	ErrFull   = errors.New("no space left for the queue of alerts") // nothing was kept; a retry may succeed
)

// applicationID marks our file ("NtCq"), version its form.
const (
	applicationID = 0x4e744371
	version       = 1
)

// Times are Unix milliseconds; 0 is none. Table told has the newest revision of
// each alert that was taken, so that a repetition is known.
const schema = `
CREATE TABLE item (
	id INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, alert TEXT NOT NULL, revision INTEGER NOT NULL,
	at INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
CREATE INDEX item_sink ON item (sink, id);
CREATE TABLE told (alert TEXT PRIMARY KEY, revision INTEGER NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE active (
	sink TEXT NOT NULL, alert TEXT NOT NULL, payload BLOB NOT NULL,
	PRIMARY KEY (sink, alert)) STRICT, WITHOUT ROWID;
CREATE TABLE record (
	sink TEXT PRIMARY KEY, failing INTEGER NOT NULL, success INTEGER NOT NULL, dead INTEGER NOT NULL,
	delivered INTEGER NOT NULL, overflowed INTEGER NOT NULL, refused INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`

// busyTimeout is how long another process is waited for, which may be about to
// end.
const busyTimeout = 500 * time.Millisecond

// toldFor is how long a revision is remembered. A repetition comes within
// seconds, after a crash.
const toldFor = 30 * 24 * time.Hour

// Queue is the file. It is safe for concurrent use, by one process.
type Queue struct {
	path string

	mu   sync.Mutex
	conn *sqlite.Conn // nil once closed
}

// Open opens the file, and makes it where it is missing. The folder must exist.
func Open(path string, now time.Time) (*Queue, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, describe(path, err)
	}
	conn.SetBusyTimeout(busyTimeout)
	q := &Queue{path: path, conn: conn}
	if err := q.begin(now); err != nil {
		return nil, errors.Join(describe(path, err), conn.Close())
	}
	return q, nil
}

// describe says of which file an error is and what can be done.
func describe(path string, err error) error {
	what := fmt.Sprintf("opening the queue of alerts %s: %v", filepath.Base(path), err)
	switch sqlite.ErrCode(err).ToPrimary() { //nolint:exhaustive // the others say enough for themselves
	case sqlite.ResultBusy:
		return fmt.Errorf("%s; another process uses it: stop that first", what)
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return fmt.Errorf("%s; the file %s is damaged: move it away, and what had not been told is lost", what, path)
	case sqlite.ResultFull:
		return fmt.Errorf("%s: %w", what, ErrFull)
	default:
		return fmt.Errorf("opening the queue of alerts %s: %w", path, err)
	}
}

func (q *Queue) begin(now time.Time) (err error) {
	// Exclusive: a second process is refused, and no shared memory is needed.
	// FULL makes a commit durable when it returns.
	for _, pragma := range []string{
		"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
		"PRAGMA cell_size_check = ON", "PRAGMA cache_size = -2000", "PRAGMA journal_size_limit = 4194304",
	} {
		if err = sqlitex.ExecuteTransient(q.conn, pragma, nil); err != nil {
			return err
		}
	}
	tables, err := q.number("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	end, err := sqlitex.ImmediateTransaction(q.conn)
	if err != nil {
		return err
	}
	defer end(&err)
	if tables == 0 {
		script := fmt.Sprintf("%s PRAGMA application_id = %d; PRAGMA user_version = %d;", schema, applicationID, version)
		return sqlitex.ExecuteScript(q.conn, script, nil)
	}
	if err := q.known(); err != nil {
		return err
	}
	return q.run("DELETE FROM told WHERE at < ?", now.Add(-toldFor).UnixMilli())
}

// known refuses files that are not ours, or of a newer program.
func (q *Queue) known() error {
	application, err := q.number("PRAGMA application_id")
	if err != nil {
		return err
	}
	of, err := q.number("PRAGMA user_version")
	switch {
	case err != nil:
		return err
	case application != applicationID:
		return errors.New("it is another program's database; move it away")
	case of != version:
		return fmt.Errorf("it is of version %d, this program knows version %d: start the newer program again, or move it away", of, version)
	}
	return nil
}

// Close gives the file back.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.conn == nil {
		return nil
	}
	conn := q.conn
	q.conn = nil
	return conn.Close()
}

// change works in one transaction: all of it or nothing.
func (q *Queue) change(what string, work func() error) (err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.conn == nil {
		return ErrClosed
	}
	defer func() {
		switch {
		case err == nil:
		case sqlite.ErrCode(err).ToPrimary() == sqlite.ResultFull:
			err = fmt.Errorf("%s: %w", what, ErrFull)
		default:
			err = fmt.Errorf("%s: %w", what, err)
		}
	}()
	end, err := sqlitex.ImmediateTransaction(q.conn)
	if err != nil {
		return err
	}
	defer end(&err)
	return work()
}

func (q *Queue) look(what string, work func() error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.conn == nil {
		return ErrClosed
	}
	if err := work(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (q *Queue) run(query string, args ...any) error {
	return sqlitex.Execute(q.conn, query, &sqlitex.ExecOptions{Args: args})
}

func (q *Queue) rows(query string, row func(*sqlite.Stmt), args ...any) error {
	return sqlitex.Execute(q.conn, query, &sqlitex.ExecOptions{
		Args: args, ResultFunc: func(s *sqlite.Stmt) error { row(s); return nil },
	})
}

func (q *Queue) number(query string, args ...any) (n int64, err error) {
	err = q.rows(query, func(s *sqlite.Stmt) { n = s.ColumnInt64(0) }, args...)
	return n, err
}

func bytesOf(s *sqlite.Stmt, column int) []byte {
	out := make([]byte, s.ColumnLen(column))
	s.ColumnBytes(column, out)
	return out
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// ctxErr ends work that nobody waits for any more.
func ctxErr(ctx context.Context, what string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

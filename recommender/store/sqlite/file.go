// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/store"
)

// busyTimeout is how long a connection waits for another one of this process,
// which holds a file only for the moment of a commit or a checkpoint.
const busyTimeout = 10 * time.Second

// open opens one of our files. Where create is set, a fresh one is made with the
// schema, and an older one brought to it; else a missing file is an error.
func open(path string, of schema, create bool) (*sqlite.Conn, error) {
	flags := sqlite.OpenReadWrite
	if create {
		flags |= sqlite.OpenCreate
	}
	conn, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, describe("opening", filepath.Base(path), err)
	}
	if err := set(conn, of, create); err != nil {
		return nil, errors.Join(describe("opening", filepath.Base(path), err), conn.Close())
	}
	return conn, nil
}

// openStill opens a file that nobody writes, without the files beside it: on a
// full disk they cannot be made. It gives the first error where there is a
// log beside the file, without which the file is not whole.
func openStill(path string, first error) (*sqlite.Conn, error) {
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return nil, first
	}
	uri := url.URL{Scheme: "file", Path: path, RawQuery: "immutable=1"}
	conn, err := sqlite.OpenConn(uri.String(), sqlite.OpenReadOnly|sqlite.OpenURI)
	if err != nil {
		return nil, errors.Join(first, err)
	}
	if err := checkVersion(conn); err != nil {
		return nil, errors.Join(describe("opening", filepath.Base(path), err), conn.Close())
	}
	return conn, nil
}

// set brings a connection into the state that all of ours are in.
func set(conn *sqlite.Conn, of schema, create bool) error {
	conn.SetBusyTimeout(busyTimeout)
	// The WAL keeps readers and the writer out of each other's way; FULL makes a
	// commit durable when it returns.
	for _, pragma := range []string{
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA cell_size_check = ON",
		"PRAGMA cache_size = -8000", "PRAGMA journal_size_limit = 16777216", "PRAGMA temp_store = MEMORY",
	} {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return err
		}
	}
	fresh, err := isFresh(conn)
	if err != nil {
		return err
	}
	if fresh && create {
		return begin(conn, of.fresh)
	}
	if err = checkVersion(conn); err != nil {
		return err
	}
	version, err := number(conn, "PRAGMA user_version")
	switch {
	case err != nil || version == schemaVersion:
		return err
	case !create:
		return fmt.Errorf("it is of version %d: start the recommender on it once, which brings it to version %d", version, schemaVersion)
	}
	return begin(conn, of.from1)
}

// isFresh says whether nothing was ever written to the file.
func isFresh(conn *sqlite.Conn) (bool, error) {
	tables, err := number(conn, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return false, err
	}
	application, err := number(conn, "PRAGMA application_id")
	return tables == 0 && application == 0, err
}

func checkVersion(conn *sqlite.Conn) error {
	application, err := number(conn, "PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := number(conn, "PRAGMA user_version")
	switch {
	case err != nil:
		return err
	case application != applicationID:
		return fmt.Errorf("%w: it is another program's database", store.ErrDamaged)
	case version < 1:
		return fmt.Errorf("%w: it says it is of version %d", store.ErrDamaged, version)
	case version > schemaVersion:
		return fmt.Errorf("%w: it is of version %d, this program knows up to %d; start the newer program again, or give it another folder",
			store.ErrNewer, version, schemaVersion)
	default:
		return nil
	}
}

// begin runs a script that brings a file to the present version, all or nothing.
func begin(conn *sqlite.Conn, script string) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	script = fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d;", script, applicationID, schemaVersion)
	return sqlitex.ExecuteScript(conn, script, nil)
}

// number runs a query that gives one number; 0 where it gives no row.
func number(conn *sqlite.Conn, query string) (n int64, err error) {
	err = sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error { n = row.ColumnInt64(0); return nil },
	})
	return n, err
}

// run executes a statement that the connection keeps prepared.
func run(conn *sqlite.Conn, query string, bind func(*binder)) error {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	b := binder{stmt: stmt}
	bind(&b)
	if _, err := stmt.Step(); err != nil {
		return errors.Join(err, stmt.Reset())
	}
	return stmt.Reset()
}

// binder binds parameters in order.
type binder struct {
	stmt *sqlite.Stmt
	next int
}

func (b *binder) number(values ...int64) {
	for _, v := range values {
		b.next++
		b.stmt.BindInt64(b.next, v)
	}
}

func (b *binder) text(values ...string) {
	for _, v := range values {
		b.next++
		b.stmt.BindText(b.next, v)
	}
}

func (b *binder) blob(v []byte) {
	b.next++
	b.stmt.BindBytes(b.next, v)
}

// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Info is what there is of a store.
type Info struct {
	Dir     string    `json:"dir"`
	InUse   bool      `json:"inUse"` // a recommender has it open
	Version int       `json:"version"`
	Bytes   int64     `json:"bytes"` // of all files
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	Files   []File    `json:"files"`
}

// File is one file of a store, with the counts that make sense for its kind.
type File struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"` // day, catalogue, register
	Bytes     int64     `json:"bytes"`
	Version   int       `json:"version,omitempty"`
	From      time.Time `json:"from,omitzero"`
	To        time.Time `json:"to,omitzero"`
	Clusters  []string  `json:"clusters,omitempty"`
	Nodes     int64     `json:"nodes,omitempty"`
	Batches   int64     `json:"batches,omitempty"`
	Edges     int64     `json:"edges,omitempty"`     // at workload level
	Journal   int64     `json:"journal,omitempty"`   // batches of which the rows are kept as they came
	Findings  int64     `json:"findings,omitempty"`  // ever found
	Decisions int64     `json:"decisions,omitempty"` // entries of the audit trail
	Wrong     string    `json:"wrong,omitempty"`     // why it cannot be read
}

// Describe looks at a store that OpenRead has opened. A file that cannot be
// read says so in Wrong.
func (s *Store) Describe(ctx context.Context) (Info, error) {
	i := Info{Dir: s.options.Dir, Version: schemaVersion, InUse: inUse(s.options.Dir)}
	type kind struct {
		name, kind string
		of         schema
		look       func(*sqlite.Conn, *File) error
	}
	kinds := []kind{
		{catalogueFile, "catalogue", catalogueSchema, lookAtCatalogue},
		{registerFile, "register", registerSchema, lookAtRegister},
	}
	for _, d := range s.days.all() {
		kinds = append(kinds, kind{d.file(), "day", daySchema, func(conn *sqlite.Conn, f *File) error { return lookAtDay(conn, d, f) }})
	}
	for _, k := range kinds {
		if err := ctx.Err(); err != nil {
			return i, err
		}
		f := File{Name: k.name, Kind: k.kind, Bytes: sizeOf(s.options.Dir, k.name)}
		if err := lookAt(filepath.Join(s.options.Dir, k.name), k.of, &f, k.look); err != nil {
			f.Wrong = err.Error()
		}
		i.add(f)
	}
	return i, nil
}

func (i *Info) add(f File) {
	i.Files = append(i.Files, f)
	i.Bytes += f.Bytes
	if f.Kind != "day" {
		return
	}
	if !f.From.IsZero() && (i.From.IsZero() || f.From.Before(i.From)) {
		i.From = f.From
	}
	if f.To.After(i.To) {
		i.To = f.To
	}
}

// sizeOf counts the log beside the file in.
func sizeOf(dir, name string) (bytes int64) {
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name+suffix)); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}

// inUse says whether a process holds the folder's lock.
func inUse(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

func lookAt(path string, of schema, f *File, look func(*sqlite.Conn, *File) error) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return &fileError{"opening", f.Name, errors.New("it is not there")}
	}
	conn, err := open(path, of, false)
	if noRoom(err) {
		conn, err = openStill(path, err)
	}
	if err != nil {
		return err
	}
	version, err := number(conn, "PRAGMA user_version")
	f.Version = int(version)
	if err == nil {
		err = look(conn, f)
	}
	return errors.Join(describe("reading", f.Name, err), conn.Close())
}

func counts(conn *sqlite.Conn, into map[string]*int64) error {
	for query, n := range into {
		var err error
		if *n, err = number(conn, query); err != nil {
			return err
		}
	}
	return nil
}

func lookAtDay(conn *sqlite.Conn, d day, f *File) error {
	err := counts(conn, map[string]*int64{
		"SELECT count(*) FROM batch":                                     &f.Batches,
		"SELECT count(*) FROM edge":                                      &f.Edges,
		"SELECT count(*) FROM pods":                                      &f.Journal,
		"SELECT count(*) FROM (SELECT DISTINCT cluster, node FROM node)": &f.Nodes,
	})
	if err != nil {
		return err
	}
	return sqlitex.Execute(conn, "SELECT cluster, min(first), max(last) FROM node GROUP BY cluster ORDER BY cluster", &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error {
			f.Clusters = append(f.Clusters, row.ColumnText(0))
			from, to := d.at(row.ColumnInt64(1)), d.at(row.ColumnInt64(2))
			if f.From.IsZero() || from.Before(f.From) {
				f.From = from
			}
			if to.After(f.To) {
				f.To = to
			}
			return nil
		},
	})
}

func lookAtCatalogue(conn *sqlite.Conn, f *File) error {
	if err := counts(conn, map[string]*int64{"SELECT count(*) FROM edge": &f.Edges}); err != nil || f.Edges == 0 {
		return err
	}
	return sqlitex.Execute(conn, "SELECT min(first), max(last) FROM edge", &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		f.From, f.To = time.UnixMilli(row.ColumnInt64(0)).UTC(), time.UnixMilli(row.ColumnInt64(1)).UTC()
		return nil
	}})
}

func lookAtRegister(conn *sqlite.Conn, f *File) error {
	return counts(conn, map[string]*int64{"SELECT count(*) FROM finding": &f.Findings, "SELECT count(*) FROM decision": &f.Decisions})
}

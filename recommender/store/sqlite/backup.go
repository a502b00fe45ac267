// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/store"
)

// manifestFile says what is in a backup; it is written last.
const manifestFile = "backup.json"

// backupPrefix and backupVersion make the schema of the manifest.
const (
	backupPrefix  = "netcinch.backup/v"
	backupVersion = 1
)

// Manifest is what a backup says of itself.
type Manifest struct {
	Schema  string       `json:"schema"` // netcinch.backup/v1
	Made    time.Time    `json:"made"`
	Version int          `json:"version"` // of the files
	Bytes   int64        `json:"bytes"`
	Files   []BackupFile `json:"files"`
	LeftOut []string     `json:"leftOut,omitempty"` // damaged days that are not in it
}

// BackupFile is one file of a backup.
type BackupFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// pagesAtOnce is how many pages are copied before a look at the context.
const pagesAtOnce = 4096

// Backup copies a store that OpenRead has opened to a new folder, also while a
// recommender writes to it: each file as of one moment, the catalogue's before
// the days', so that it is never ahead of them. The copy is checked as Check
// does, and only then gets its name: what is there is whole. A damaged day is
// an error, or left out and named where leaveOut is set.
func (s *Store) Backup(ctx context.Context, target string, made time.Time, leaveOut bool) (Manifest, error) {
	m := Manifest{Schema: fmt.Sprint(backupPrefix, backupVersion), Made: made.UTC(), Version: schemaVersion}
	building, err := beside(target)
	if err != nil {
		return m, fmt.Errorf("backing up to %s: %w", target, err)
	}
	if err := s.fill(ctx, building, leaveOut, &m); err != nil {
		return m, errors.Join(fmt.Errorf("backing up to %s: nothing is kept: %w", target, err), os.RemoveAll(building))
	}
	if err := moveInto(building, target); err != nil {
		return m, errors.Join(fmt.Errorf("backing up to %s: %w", target, err), os.RemoveAll(building))
	}
	return m, nil
}

// beside makes a folder next to the target, which must not be there or be empty.
func beside(target string) (string, error) {
	entries, err := os.ReadDir(target)
	switch {
	case err == nil && len(entries) > 0:
		return "", fmt.Errorf("the folder is not empty (%s is in it); give one that is not there", entries[0].Name())
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return "", plainly(err)
	}
	parent := filepath.Dir(filepath.Clean(target))
	if err = os.MkdirAll(parent, 0o700); err != nil {
		return "", plainly(err)
	}
	building, err := os.MkdirTemp(parent, "."+filepath.Base(target)+".new-")
	return building, plainly(err)
}

// moveInto gives a folder its name, all at once.
func moveInto(building, target string) error {
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return plainly(err)
	}
	if err := os.Rename(building, target); err != nil {
		return plainly(err)
	}
	return syncFolder(filepath.Dir(filepath.Clean(target)))
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return plainly(err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// fill copies the files, checks the copies, and writes the manifest.
func (s *Store) fill(ctx context.Context, dir string, leaveOut bool, m *Manifest) error {
	type source struct {
		name string
		of   schema
		day  bool
	}
	files := []source{{catalogueFile, catalogueSchema, false}, {registerFile, registerSchema, false}}
	for _, d := range s.days.all() {
		files = append(files, source{d.file(), daySchema, true})
	}
	skip := func(f source, err error) error {
		if !f.day || !leaveOut || !errors.Is(err, store.ErrDamaged) {
			return err
		}
		m.LeftOut = append(m.LeftOut, f.name)
		return os.Remove(filepath.Join(dir, f.name))
	}
	for _, f := range files {
		from := filepath.Join(s.options.Dir, f.name)
		if err := copyDatabase(ctx, from, filepath.Join(dir, f.name), f.of); err != nil {
			if err = skip(f, err); err != nil {
				return err
			}
		}
	}
	wrong, err := checkFolder(ctx, dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if slices.Contains(m.LeftOut, f.name) {
			continue
		}
		if err := wrong[f.name]; err != nil {
			if err = skip(f, fmt.Errorf("the copy is not sound, so the store's own file is not either: %w", err)); err != nil {
				return err
			}
			continue
		}
		one, err := sum(dir, f.name)
		if err != nil {
			return err
		}
		m.Files = append(m.Files, one)
		m.Bytes += one.Bytes
	}
	return writeManifest(dir, *m)
}

func checkFolder(ctx context.Context, dir string) (map[string]error, error) {
	r, err := OpenRead(dir)
	if err != nil {
		return nil, err
	}
	wrong := r.Check(ctx)
	return wrong, ctx.Err()
}

// copyDatabase copies one file as of one moment.
func copyDatabase(ctx context.Context, from, to string, of schema) (err error) {
	name := filepath.Base(from)
	src, err := open(from, of, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := sqlite.OpenConn(to, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return describe("writing", name, err)
	}
	defer func() { err = errors.Join(err, describe("writing", name, dst.Close())) }()
	// Within a transaction the copy begins once, and sees no later change.
	end := sqlitex.Transaction(src)
	defer func() { rollback := errDone; end(&rollback) }()
	if _, err = number(src, "SELECT count(*) FROM sqlite_schema"); err != nil {
		return describe("reading", name, err)
	}
	b, err := sqlite.NewBackup(dst, "main", src, "main")
	if err != nil {
		return describe("copying", name, err)
	}
	for more := true; more && err == nil; {
		if err = ctx.Err(); err == nil {
			more, err = b.Step(pagesAtOnce)
		}
	}
	if err = errors.Join(err, b.Close()); err != nil {
		return describe("copying", name, err)
	}
	// As our files are, so that opening the copy never changes it.
	return describe("writing", name, sqlitex.ExecuteTransient(dst, "PRAGMA journal_mode = WAL", nil))
}

// errDone ends a transaction that changed nothing.
var errDone = errors.New("done")

// sum gives what the manifest says of a file, which it brings to the disk.
func sum(dir, name string) (BackupFile, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return BackupFile{}, plainly(err)
	}
	defer f.Close()
	one, err := sumOf(name, f)
	return one, errors.Join(plainly(err), plainly(f.Sync()))
}

func writeManifest(dir string, m Manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, manifestFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return plainly(err)
	}
	_, err = f.Write(append(text, '\n'))
	return plainly(errors.Join(err, f.Sync(), f.Close(), syncFolder(dir)))
}

// readManifest reads and judges the manifest of a backup.
func readManifest(dir string) (m Manifest, err error) {
	f, err := os.Open(filepath.Join(dir, manifestFile))
	if errors.Is(err, os.ErrNotExist) {
		return m, fmt.Errorf("it is no backup: there is no %s in it", manifestFile)
	}
	if err != nil {
		return m, plainly(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 16<<20))
	if err != nil {
		return m, plainly(err)
	}
	return parseManifest(text)
}

func parseManifest(text []byte) (m Manifest, err error) {
	damaged := func(format string, args ...any) (Manifest, error) {
		return m, fmt.Errorf("%s: %w: %s", manifestFile, store.ErrDamaged, fmt.Sprintf(format, args...))
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return damaged("%v", err)
	}
	version, ok := strings.CutPrefix(m.Schema, backupPrefix)
	switch {
	case !ok:
		return damaged("schema %q, want %s%d", m.Schema, backupPrefix, backupVersion)
	case version != fmt.Sprint(backupVersion):
		return m, fmt.Errorf("%s: %w: the backup is of form v%s, this program knows v%d; restore it with the program that made it", manifestFile, store.ErrNewer, version, backupVersion)
	case m.Version > schemaVersion:
		return m, fmt.Errorf("%s: %w: its files are of version %d, this program knows up to %d; restore it with the program that made it", manifestFile, store.ErrNewer, m.Version, schemaVersion)
	case m.Version < 1:
		return damaged("its files are of version %d", m.Version)
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		if _, day := parseDay(f.Name); !day && f.Name != catalogueFile && f.Name != registerFile || seen[f.Name] {
			return damaged("file %q is not one of a store, or is there twice", f.Name)
		}
		seen[f.Name] = true
	}
	if !seen[catalogueFile] || !seen[registerFile] {
		return damaged("it names no %s or no %s", catalogueFile, registerFile)
	}
	return m, nil
}

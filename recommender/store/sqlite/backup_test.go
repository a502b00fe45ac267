// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/storetest"
)

func mustRead(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := OpenRead(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustBackup(t *testing.T, dir string) (target string, m Manifest) {
	t.Helper()
	target = filepath.Join(t.TempDir(), "backup")
	m, err := mustRead(t, dir).Backup(t.Context(), target, noon(), false)
	if err != nil {
		t.Fatal(err)
	}
	return target, m
}

// TestBackupUnderLoad takes backups while batches and decisions come in. Each
// restored store has everything that was acknowledged before its backup began,
// whole, and takes the batches that follow once.
func TestBackupUnderLoad(t *testing.T) {
	dir := t.TempDir()
	s := openFolding(t, dir, -1)
	var mu sync.Mutex
	var acknowledged [crashNodes]uint64
	const first = 5
	for node := range crashNodes {
		for sequence := uint64(1); sequence <= first; sequence++ {
			if _, err := s.Append(t.Context(), crashBatch(node, sequence)); err != nil {
				t.Fatal(err)
			}
			if err := s.Decide(t.Context(), crashDecision(node, sequence)); err != nil {
				t.Fatal(err)
			}
		}
		acknowledged[node] = first
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	defer load.Wait()
	defer close(stop)
	for node := range crashNodes {
		load.Go(func() {
			for sequence := uint64(first + 1); ; sequence++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Append(t.Context(), crashBatch(node, sequence)); err != nil {
					t.Error(err)
					return
				}
				if err := s.Decide(t.Context(), crashDecision(node, sequence)); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged[node] = sequence
				mu.Unlock()
			}
		})
	}
	for round := range 3 {
		mu.Lock()
		before := acknowledged
		mu.Unlock()
		target, m := mustBackup(t, dir)
		if len(m.Files) < 3 {
			t.Errorf("files of the backup: %+v", m.Files)
		}
		restored := filepath.Join(t.TempDir(), "restored")
		if _, err := Restore(t.Context(), target, restored); err != nil {
			t.Fatal(err)
		}
		checkCrash(t, restored, before, 1<<40)
		t.Logf("round %d: %v were acknowledged before", round, before)
	}
}

// TestOpenReadSeesWhatIsAcknowledged reads from beside the writer, whose counts
// wait in its memory.
func TestOpenReadSeesWhatIsAcknowledged(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	for sequence := range uint64(40) {
		if _, err := s.Append(t.Context(), crashBatch(0, sequence+1)); err != nil {
			t.Fatal(err)
		}
	}
	r := mustRead(t, dir)
	if got := wholeBatches(t, r); got != 40 {
		t.Errorf("%d batches, want 40", got)
	}
	if _, err := r.Append(t.Context(), crashBatch(0, 41)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("appending: %v, want ErrClosed", err)
	}
	info, err := r.Describe(t.Context())
	if err != nil || !info.InUse || len(info.Files) != 5 || info.Files[2].Kind != "day" || info.Files[2].Batches == 0 || info.From.IsZero() {
		t.Errorf("%+v, %v", info, err)
	}
	if wrong := r.Check(t.Context()); len(wrong) > 0 {
		t.Errorf("damage: %v", wrong)
	}
}

// TestBackupRefuses wants an error, and nothing left behind.
func TestBackupRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(dir, target string) error
		kind  error
		want  string
	}{
		{"a target that is taken", func(_, target string) error {
			return errors.Join(os.MkdirAll(target, 0o700), os.WriteFile(filepath.Join(target, "mine"), nil, 0o600))
		}, nil, "mine is in it"},
		{"a damaged day", func(dir, _ string) error { return overwrite(filepath.Join(dir, today), 4096) }, store.ErrDamaged, today},
		{"a damaged catalogue", func(dir, _ string) error { return overwrite(filepath.Join(dir, catalogueFile), 4096) }, store.ErrDamaged, catalogueFile},
		{"a count that was changed", func(dir, _ string) error {
			return alter(filepath.Join(dir, today), "UPDATE count SET c_connections = 7 WHERE level = 0")
		}, store.ErrDamaged, "the store's own file is not either"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, target := filled(t, 2), filepath.Join(t.TempDir(), "there", "backup")
			if err := c.spoil(dir, target); err != nil {
				t.Fatal(err)
			}
			_, err := mustRead(t, dir).Backup(t.Context(), target, noon(), false)
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %v: …%s…", err, c.kind, c.want)
			}
			if left, err := filepath.Glob(filepath.Join(filepath.Dir(target), ".backup*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if _, err := os.Stat(filepath.Join(target, manifestFile)); err == nil {
				t.Error("there is a manifest")
			}
		})
	}
}

func TestBackupLeavesDamagedDaysOut(t *testing.T) {
	dir, target := filled(t, 3), filepath.Join(t.TempDir(), "backup")
	if err := overwrite(filepath.Join(dir, today), 8192); err != nil {
		t.Fatal(err)
	}
	m, err := mustRead(t, dir).Backup(t.Context(), target, noon(), true)
	if err != nil || len(m.LeftOut) != 1 || m.LeftOut[0] != today || len(m.Files) != 4 {
		t.Fatalf("%+v, %v", m, err)
	}
	restored := filepath.Join(t.TempDir(), "restored")
	if _, err := Restore(t.Context(), target, restored); err != nil {
		t.Fatal(err)
	}
	if got := ports(t, openTest(t, restored)); len(got) != 2 {
		t.Errorf("ports %v, want those of the two sound days", got)
	}
}

// overwrite damages a file from an offset on.
func overwrite(path string, from int) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	copy(raw[from:], bytes.Repeat([]byte("damaged "), len(raw)))
	return os.WriteFile(path, raw, 0o600)
}

// TestRestoreRefuses wants nothing to be restored of a backup that is not what
// it was, to a folder that is not empty, or by a program that is too old.
func TestRestoreRefuses(t *testing.T) {
	edit := func(old, fresh string) func(string, string) error {
		return func(backup, _ string) error {
			path := filepath.Join(backup, manifestFile)
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if !bytes.Contains(text, []byte(old)) {
				return fmt.Errorf("there is no %s in the manifest", old)
			}
			return os.WriteFile(path, bytes.Replace(text, []byte(old), []byte(fresh), 1), 0o600)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(backup, target string) error
		kind  error
		want  string
	}{
		{"one bit", func(backup, _ string) error {
			path := filepath.Join(backup, today)
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			raw[len(raw)/2] ^= 1
			return os.WriteFile(path, raw, 0o600)
		}, store.ErrDamaged, today + ": store file damaged: it has"},
		{"cut", func(backup, _ string) error { return os.Truncate(filepath.Join(backup, registerFile), 100) }, store.ErrDamaged, registerFile},
		{"a file is missing", func(backup, _ string) error { return os.Remove(filepath.Join(backup, catalogueFile)) }, store.ErrDamaged, catalogueFile + ": store file damaged: it is not in the backup"},
		{"no manifest", func(backup, _ string) error { return os.Remove(filepath.Join(backup, manifestFile)) }, nil, "it is no backup"},
		{"a manifest that is cut", func(backup, _ string) error { return os.Truncate(filepath.Join(backup, manifestFile), 20) }, store.ErrDamaged, manifestFile},
		{"another schema", edit("netcinch.backup/v1", "other.backup/v1"), store.ErrDamaged, "other.backup"},
		{"a newer form", edit("netcinch.backup/v1", "netcinch.backup/v9"), store.ErrNewer, "form v9, this program knows v1"},
		{"newer files", edit(`"version": 2`, `"version": 3`), store.ErrNewer, "version 3, this program knows up to 2"},
		{"a path", edit(`"`+today+`"`, `"../`+today+`"`), store.ErrDamaged, "is not one of a store"},
		{"a target that is taken", func(_, target string) error {
			return errors.Join(os.MkdirAll(target, 0o700), os.WriteFile(filepath.Join(target, "catalogue.db"), nil, 0o600))
		}, nil, "not empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			backup, _ := mustBackup(t, filled(t, 2))
			target := filepath.Join(t.TempDir(), "flows")
			if err := c.spoil(backup, target); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadDir(filepath.Dir(target))
			_, err := Restore(t.Context(), backup, target)
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %v: …%s…", err, c.kind, c.want)
			}
			if after, _ := os.ReadDir(filepath.Dir(target)); len(after) != len(before) {
				t.Errorf("something is left: %v", after)
			}
		})
	}
}

// TestLookingChangesNothing opens and checks a backup, which still restores.
func TestLookingChangesNothing(t *testing.T) {
	backup, _ := mustBackup(t, filled(t, 2))
	r := mustRead(t, backup)
	if wrong := r.Check(t.Context()); len(wrong) > 0 {
		t.Errorf("damage: %v", wrong)
	}
	if got := ports(t, r); len(got) != 2 {
		t.Errorf("ports %v", got)
	}
	if _, err := Restore(t.Context(), backup, filepath.Join(t.TempDir(), "flows")); err != nil {
		t.Error(err)
	}
}

// TestRestoreToAFolderThatIsLockedOnly restores where a recommender began and
// kept nothing yet.
func TestRestoreWhereOnlyTheLockIs(t *testing.T) {
	backup, _ := mustBackup(t, filled(t, 1))
	target := t.TempDir()
	lock, err := lockDir(target)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), backup, target); !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), backup, target); err != nil {
		t.Error(err)
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"schema":"netcinch.backup/v1","version":2,"files":[{"name":"catalogue.db"},{"name":"register.db"},{"name":"edges-2026-11-01.db"}]}`))
	f.Add([]byte(`{"schema":"netcinch.backup/v2"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseManifest(text)
		if err != nil {
			return
		}
		for _, one := range m.Files {
			if filepath.Base(one.Name) != one.Name || !strings.HasSuffix(one.Name, dbSuffix) {
				t.Errorf("takes a file of the name %q", one.Name)
			}
		}
	})
}

// TestVersion1IsBroughtUp opens a store of the first version.
func TestVersion1IsBroughtUp(t *testing.T) {
	dir := filled(t, 2)
	for _, name := range []string{today, "edges-2026-10-31.db"} {
		err := alter(filepath.Join(dir, name), `
			DROP TABLE program; DROP TABLE mark; DROP INDEX edge_client; DROP INDEX edge_server; ALTER TABLE edge DROP COLUMN client_elsewhere; ALTER TABLE edge DROP COLUMN server_elsewhere; ALTER TABLE node DROP COLUMN connections; DROP INDEX pods_first;
			CREATE TABLE pods1 (first INTEGER NOT NULL, last INTEGER NOT NULL, cluster TEXT NOT NULL, rows BLOB NOT NULL) STRICT;
			INSERT INTO pods1 SELECT first, last, cluster, rows FROM pods; DROP TABLE pods; ALTER TABLE pods1 RENAME TO pods;
			CREATE INDEX pods_first ON pods (first); UPDATE edge SET client_process = '/bin/front'; PRAGMA user_version = 1`)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := alter(filepath.Join(dir, catalogueFile), "DROP TABLE program; DROP INDEX edge_client; DROP INDEX edge_server; ALTER TABLE edge DROP COLUMN client_elsewhere; ALTER TABLE edge DROP COLUMN server_elsewhere; PRAGMA user_version = 1; UPDATE edge SET client_process = '/bin/front'"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, registerFile)); err != nil {
		t.Fatal(err)
	}
	if got, err := mustRead(t, dir).Edges(t.Context(), store.Query{}); err == nil || !strings.Contains(err.Error(), "start the recommender on it once") {
		t.Errorf("reading without bringing it up: %v, %v", got, err)
	}
	s := openTest(t, dir)
	if got := ports(t, s); len(got) != 2 {
		t.Errorf("ports %v, want both", got)
	}
	if rows, err := s.Pods(t.Context(), store.Query{}); err != nil || len(rows) != 2 {
		t.Errorf("%d rows, %v; want 2", len(rows), err)
	}
	if _, err := s.Append(t.Context(), storetest.Batch(9, 0, record(1))); err != nil {
		t.Fatal(err)
	}
	entries, err := s.Catalogue(t.Context(), store.Query{})
	if err != nil || len(entries) != 2 || len(entries[0].Client.Seen) != 1 || entries[0].Client.Seen[0].Path != "/bin/front" {
		t.Errorf("catalogue %+v, %v", entries, err)
	}
	records, err := s.Edges(t.Context(), store.Query{From: storetest.Day})
	if err != nil || len(records) != 1 || records[0].ByClient != storetest.Count(2) {
		t.Errorf("today's counts: %+v, %v; want the old and the new", records, err)
	}
}

// TestDecisionsOutliveRetention drops every day but today's.
func TestDecisionsOutliveRetention(t *testing.T) {
	dir := filled(t, 5)
	s := openTest(t, dir)
	if err := s.Decide(t.Context(), storetest.Decision(1, "a", store.Rejected)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Note(t.Context(), []store.Finding{storetest.Finding("a", -100*24*time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: dir, Retention: 24 * time.Hour, MaxBytes: 1, Clock: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := ports(t, s); len(got) != 1 {
		t.Errorf("ports %v, want today's alone", got)
	}
	trail, err := s.Decisions(t.Context(), store.DecisionQuery{})
	if err != nil || len(trail) != 1 {
		t.Errorf("%d decisions, %v; want 1", len(trail), err)
	}
	if found, err := s.Findings(t.Context(), store.FindingQuery{}); err != nil || len(found) != 1 {
		t.Errorf("%d findings, %v; want 1", len(found), err)
	}
}

// TestTrailShowsTampering changes the trail behind the store's back.
func TestTrailShowsTampering(t *testing.T) {
	for name, script := range map[string]string{
		"a reason":        "DROP TRIGGER decision_stays; UPDATE decision SET reason = 'x' WHERE number = 2",
		"the last one":    "DROP TRIGGER decision_kept; DELETE FROM decision WHERE number = 3",
		"one of them":     "DROP TRIGGER decision_kept; DELETE FROM decision WHERE number = 2",
		"with its sum":    "DROP TRIGGER decision_stays; UPDATE decision SET who = 'eve', sum = x'00' WHERE number = 1",
		"its order":       "DROP TRIGGER decision_stays; UPDATE decision SET number = 9 WHERE number = 3",
		"and the counter": "DROP TRIGGER decision_kept; DROP TRIGGER decision_stays; DELETE FROM decision WHERE number = 2; UPDATE decision SET number = 2 WHERE number = 3; UPDATE sqlite_sequence SET seq = 2",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openTest(t, dir)
			for i := range 3 {
				if err := s.Decide(t.Context(), storetest.Decision(i, "a", store.Accepted)); err != nil {
					t.Fatal(err)
				}
			}
			if wrong := s.Check(t.Context()); len(wrong) > 0 {
				t.Fatalf("as it was written: %v", wrong)
			}
			if err := alter(s.register.path, script); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context())[registerFile]; !errors.Is(err, store.ErrTampered) {
				t.Errorf("got %v, want ErrTampered", err)
			}
		})
	}
	s := openTest(t, t.TempDir())
	if err := s.Decide(t.Context(), storetest.Decision(1, "a", store.Accepted)); err != nil {
		t.Fatal(err)
	}
	if err := alter(s.register.path, "UPDATE decision SET reason = 'x'"); err == nil {
		t.Error("the trail took a change")
	}
	if err := alter(s.register.path, "DELETE FROM decision"); err == nil {
		t.Error("the trail lost an entry")
	}
}

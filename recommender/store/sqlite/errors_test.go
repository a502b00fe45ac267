// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"zombiezen.com/go/sqlite"

	"github.com/netcinch/netcinch/recommender/store"
)

// TestErrorsSayWhatToDo wants the file, plain words, and nothing of the engine's.
func TestErrorsSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind error
		want string
	}{
		{sqlite.ResultFull.ToError(), store.ErrFull, "store full: no space left on the device"},
		{syscall.EDQUOT, store.ErrFull, "no space left"},
		{sqlite.ResultCorrupt.ToError(), store.ErrDamaged, "its pages do not fit together"},
		{sqlite.ResultNotADB.ToError(), store.ErrDamaged, "not the database that it was"},
		{sqlite.ResultReadOnly.ToError(), nil, "this user may not write to it; give the file"},
		{fs.ErrPermission, nil, "this user may not write to it"},
		{sqlite.ResultBusy.ToError(), nil, "another process keeps it locked; end that"},
		{sqlite.ResultCantOpen.ToError(), nil, "see that the folder is there"},
		{sqlite.ResultIOErr.ToError(), nil, "the disk failed"},
		{sqlite.ResultInterrupt.ToError(), nil, "broken off"},
		{sqlite.ResultNoMem.ToError(), nil, "no memory left"},
	} {
		err := describe("writing", today, fmt.Errorf("sqlite: step: %w", c.err))
		if !strings.HasPrefix(err.Error(), "writing "+today+": ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "sqlite:") {
			t.Errorf("%v: %q, want …%s…", c.err, err, c.want)
		}
		if !errors.Is(err, c.err) && c.kind == nil || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%v: the cause is lost in %v", c.err, err)
		}
	}
}

// TestFolderThatCannotBe opens a store where a file is in the way.
func TestFolderThatCannotBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: filepath.Join(path, "flows"), Clock: noon})
	if err == nil || !strings.Contains(err.Error(), path+": not a directory") || strings.Contains(err.Error(), "mkdir") {
		t.Errorf("got %v", err)
	}
	if _, err := OpenRead(t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Errorf("reading an empty folder: %v", err)
	}
	dir := filled(t, 1)
	s := openTest(t, dir)
	if _, err := Open(Options{Dir: dir, Clock: noon}); err == nil || !strings.Contains(err.Error(), "stop the other recommender") {
		t.Errorf("a second recommender: %v", err)
	}
	_ = s
}

// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// OpenRead opens a folder to read it, also while a recommender has it open: it
// locks nothing, and reads what the journal has and the counts have not. It
// appends nothing: Append and the register's writes give ErrClosed. Files of
// version 1 need a recommender of this version to be started on them first.
func OpenRead(dir string) (*Store, error) {
	if _, err := os.Stat(filepath.Join(dir, catalogueFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("opening the store in %s: there is none (no %s); give the folder that a recommender was started with", dir, catalogueFile)
		}
		return nil, describe("opening", catalogueFile, err)
	}
	o := Options{Dir: dir, Clock: func() time.Time { return time.Time{} }}.withDefaults()
	s := &Store{options: o, reading: true, stop: make(chan struct{}), stopped: make(chan struct{})}
	close(s.stop)
	close(s.stopped)
	found, err := findDays(dir)
	if err != nil {
		return nil, err
	}
	s.days = newDays(dir, o.Logger, found)
	s.cat = &catalogue{path: filepath.Join(dir, catalogueFile)}
	s.register = &register{path: filepath.Join(dir, registerFile)}
	return s, nil
}

// live says whether this process is the one that writes.
func (s *Store) live() bool { return !s.reading }

// IsStore says whether a folder has a store, or a backup of one.
func IsStore(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, catalogueFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	return err == nil, err
}

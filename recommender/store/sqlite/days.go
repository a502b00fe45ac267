// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// days knows which day files there are and which of them are damaged.
type days struct {
	dir    string
	logger *slog.Logger

	mu    sync.RWMutex
	state map[day]error // nil, or what is wrong
}

func newDays(dir string, logger *slog.Logger, found []day) *days {
	d := &days{dir: dir, logger: logger, state: map[day]error{}}
	for _, f := range found {
		d.state[f] = nil
	}
	return d
}

// findDays lists the day files of a folder, oldest first.
func findDays(dir string) ([]day, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing the store's folder: %w", err)
	}
	var found []day
	for _, e := range entries {
		if d, ok := parseDay(e.Name()); ok {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b day) int { return a.start.Compare(b.start) })
	return found, nil
}

func (d *days) add(a day) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state[a] = nil
}

// all gives every day that is in use, oldest first.
func (d *days) all() []day {
	return d.within(time.Time{}, time.Time{})
}

// within gives the usable days that overlap [from, to), oldest first; a zero
// time is no bound.
func (d *days) within(from, to time.Time) []day {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var found []day
	for a, wrong := range d.state {
		if wrong == nil && (from.IsZero() || a.end().After(from)) && (to.IsZero() || a.start.Before(to)) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b day) int { return a.start.Compare(b.start) })
	return found
}

func (d *days) damaged(a day) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state[a]
}

// damage takes a day out of use. Its file stays as it is.
func (d *days) damage(a day, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state[a] == nil {
		d.logger.Error("a day is damaged and left out; restore its file from a backup or remove it", "file", a.file(), "error", err)
	}
	d.state[a] = err
}

// moveAside makes room for a new file of a damaged day.
func (d *days) moveAside(a day) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		path := filepath.Join(d.dir, a.file()+suffix)
		if err := os.Rename(path, path+".damaged"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("moving a damaged day aside: %w", err)
		}
	}
	return nil
}

// drop removes a day's files.
func (d *days) drop(a day) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(d.dir, a.file()+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("dropping a day: %w", err)
		}
	}
	delete(d.state, a)
	return nil
}

// Damage gives what is wrong, by file name; empty where all is well.
func (s *Store) Damage() map[string]error {
	s.days.mu.RLock()
	defer s.days.mu.RUnlock()
	wrong := map[string]error{}
	for d, err := range maps.All(s.days.state) {
		if err != nil {
			wrong[d.file()] = err
		}
	}
	return wrong
}

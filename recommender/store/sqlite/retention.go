// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/store"
)

// oldest is the first day that is kept now.
func (s *Store) oldest() day {
	return dayOf(s.options.Clock().Add(-s.options.Retention))
}

func tooOld(b *store.Batch, oldest day) error {
	return fmt.Errorf("%w: the window starts at %s, what is kept starts at %s", store.ErrTooOld,
		b.Window.Start.UTC().Format(time.RFC3339), oldest.start.Format(time.RFC3339))
}

// prune drops days by age and size and old rows of pods. What fails is logged
// and tried again at the next turn.
func (s *Store) prune() {
	s.pruned = s.options.Clock()
	oldest := s.oldest()
	for _, d := range s.days.all() {
		if !d.before(oldest) {
			break
		}
		s.drop(d, "older than the retention")
	}
	for all := s.days.all(); s.options.MaxBytes > 0 && len(all) > 1 && s.size() > s.options.MaxBytes; all = all[1:] {
		if !s.drop(all[0], "the store is larger than its bound") {
			break
		}
	}
	s.prunePods()
}

// drop removes a day once the catalogue has all of it.
func (s *Store) drop(d day, why string) bool {
	if err := s.hand(d); err != nil {
		s.options.Logger.Warn("keeping a day until its counts are written", "file", d.file(), "error", err)
		return false
	}
	if err := s.cat.flush(s.options.Clock()); err != nil {
		s.options.Logger.Warn("keeping a day until the catalogue has it", "file", d.file(), "error", err)
		return false
	}
	s.closeWriter(d)
	if err := s.days.drop(d); err != nil {
		s.options.Logger.Warn("dropping a day", "file", d.file(), "error", err)
		return false
	}
	s.options.Logger.Info("dropped a day", "file", d.file(), "reason", why)
	return true
}

// hand gives the catalogue what waits of a day.
func (s *Store) hand(d day) error {
	if s.memories.of(d) == nil {
		return nil
	}
	w, err := s.writer(d)
	if err != nil {
		return err
	}
	return s.settle(w, 0, shards)
}

// size is what all files take.
func (s *Store) size() (bytes int64) {
	entries, err := os.ReadDir(s.options.Dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if info, err := os.Lstat(filepath.Join(s.options.Dir, e.Name())); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
	}
	return bytes
}

// prunePods frees the rows of pods that are too old, in the days that are open;
// the pages are used again. What is not counted yet stays.
func (s *Store) prunePods() {
	before := s.options.Clock().Add(-s.options.PodRetention)
	if s.options.PodRetention < 0 {
		before = before.Add(dayLength) // as soon as they are counted
	}
	for _, w := range s.writers {
		err := sqlitex.Execute(w.conn, "DELETE FROM pods WHERE first < ? AND id <= ?", &sqlitex.ExecOptions{
			Args: []any{w.day.floor(before), w.memory.lowest()},
		})
		if err != nil {
			s.options.Logger.Warn("dropping old rows of pods", "file", w.day.file(), "error", err)
		}
	}
}

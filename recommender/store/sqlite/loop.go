// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/store"
)

// How often the writing goroutine looks after what is not a batch.
const (
	pruneEvery = time.Minute
	flushEvery = 15 * time.Second
)

// write is the one goroutine that writes: it takes what waits, keeps it in one
// transaction a day, and answers.
func (s *Store) write() {
	defer close(s.stopped)
	for {
		select {
		case first := <-s.wait:
			s.commit(s.group(first))
			s.tend()
		case <-s.stop:
			s.finish()
			return
		}
	}
}

// group takes what waits behind the first, within the bounds.
func (s *Store) group(first *request) []*request {
	group, records := []*request{first}, len(first.batch.folded)
	for len(group) < maxGroup && records < maxGroupRecords {
		select {
		case r := <-s.wait:
			group, records = append(group, r), records+len(r.batch.folded)
		default:
			return group
		}
	}
	return group
}

// finish answers what still waits and closes the files.
func (s *Store) finish() {
	for {
		select {
		case r := <-s.wait:
			r.reply <- reply{err: store.ErrClosed}
			continue
		default:
		}
		break
	}
	var errs []error
	errs = append(errs, s.cat.flush())
	for _, w := range s.writers {
		errs = append(errs, describe("closing", w.day.file(), w.conn.Close()))
	}
	errs = append(errs, s.cat.close(), s.lock.Close())
	s.closeErr = errors.Join(errs...)
}

// commit keeps a group, each day in a transaction of its own.
func (s *Store) commit(group []*request) {
	oldest := s.oldest()
	byDay := map[day][]*request{}
	for _, r := range group {
		d := dayOf(r.batch.Window.Start)
		if d.before(oldest) {
			r.reply <- reply{err: tooOld(r.batch.Batch, oldest)}
			continue
		}
		byDay[d] = append(byDay[d], r)
	}
	for d, requests := range byDay {
		duplicate, err := s.commitDay(d, requests)
		for i, r := range requests {
			if err != nil {
				r.reply <- reply{err: err}
			} else {
				r.reply <- reply{duplicate: duplicate[i]}
			}
		}
	}
}

func (s *Store) commitDay(d day, requests []*request) ([]bool, error) {
	w, err := s.writer(d)
	if err != nil {
		return nil, err
	}
	batches := make([]*prepared, len(requests))
	for i, r := range requests {
		batches[i] = r.batch
	}
	duplicate, sights, generation, err := w.commit(batches)
	if err != nil {
		if errors.Is(err, store.ErrDamaged) {
			s.setAside(d, err)
		}
		return nil, err
	}
	s.cat.note(w.day, sights, generation)
	return duplicate, nil
}

// writer gives the writer of a day, and closes the one that was idle longest.
func (s *Store) writer(d day) (*writer, error) {
	if i := slices.IndexFunc(s.writers, func(w *writer) bool { return w.day == d }); i >= 0 {
		w := s.writers[i]
		s.writers = append(slices.Delete(s.writers, i, i+1), w)
		return w, nil
	}
	if s.days.damaged(d) != nil {
		if err := s.days.moveAside(d); err != nil {
			return nil, err
		}
	}
	w, err := openWriter(s.options.Dir, d, s.options.Resolution)
	if err != nil {
		if errors.Is(err, store.ErrDamaged) {
			s.days.damage(d, err)
		}
		return nil, err
	}
	s.days.add(d)
	s.writers = append(s.writers, w)
	if len(s.writers) > maxWriters {
		s.closeWriter(s.writers[0].day)
	}
	return w, nil
}

func (s *Store) closeWriter(d day) {
	s.writers = slices.DeleteFunc(s.writers, func(w *writer) bool {
		if w.day != d {
			return false
		}
		if err := w.conn.Close(); err != nil {
			s.options.Logger.Error("closing a day", "file", d.file(), "error", err)
		}
		return true
	})
}

// setAside stops using a day that turned out to be damaged.
func (s *Store) setAside(d day, err error) {
	s.closeWriter(d)
	s.days.damage(d, err)
}

// tend flushes the catalogue and prunes, each now and then. A failure is
// logged and tried again: nothing is lost by it.
func (s *Store) tend() {
	now := s.options.Clock()
	if s.cat.due(now) {
		if err := s.cat.flush(); err != nil {
			s.options.Logger.Warn("writing the catalogue", "error", err)
		}
		s.cat.flushed(now)
	}
	if now.Sub(s.pruned) >= pruneEvery {
		s.prune()
	}
}

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
	tendEvery  = time.Second // looks whether something is due
)

// write is the one goroutine that writes: it takes what waits, keeps it in one
// transaction a day, and answers.
func (s *Store) write() {
	defer close(s.stopped)
	idle := time.NewTicker(tendEvery)
	defer idle.Stop()
	for {
		select {
		case first := <-s.wait:
			s.commit(s.group(first))
			s.tend()
		case <-idle.C:
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
	for _, w := range s.writers {
		errs = append(errs, s.settle(w, 0, shards), describe("closing", w.day.file(), w.conn.Close()))
	}
	errs = append(errs, s.cat.flush(s.options.Clock()), s.cat.close(), s.register.close(), s.lock.Close())
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
	if w.memory.sights > maxSights {
		if err = s.settle(w, 0, shards); err != nil {
			return nil, err
		}
	}
	batches := make([]*prepared, len(requests))
	for i, r := range requests {
		batches[i] = r.batch
	}
	duplicate, err := w.commit(batches)
	if errors.Is(err, store.ErrDamaged) {
		s.setAside(d, err)
	}
	return duplicate, err
}

// settle writes shards of what waits of a day, and tells the catalogue.
func (s *Store) settle(w *writer, from, to int) error {
	if w.memory.settled() {
		return nil
	}
	generation, err := w.settle(from, to, func(sights []*sight) { s.cat.note(w.day, sights) })
	if err != nil {
		if errors.Is(err, store.ErrDamaged) {
			s.setAside(w.day, err)
		}
		return err
	}
	s.cat.reached(w.day, generation)
	return nil
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
	if w.memory = s.memories.of(d); w.memory == nil {
		w.memory = newMemory(w.resolution.Milliseconds())
		if err := replay(w.conn, d, w.memory); err != nil {
			return nil, errors.Join(describe("reading", d.file(), err), w.conn.Close())
		}
		s.memories.set(d, w.memory)
	}
	s.days.add(d)
	s.writers = append(s.writers, w)
	for _, idle := range slices.Clone(s.writers[:max(0, len(s.writers)-maxWriters)]) {
		s.retire(idle)
	}
	return w, nil
}

// retire closes a writer once its counts are written; else it stays.
func (s *Store) retire(w *writer) {
	if err := s.settle(w, 0, shards); err != nil {
		s.options.Logger.Warn("keeping a day open until its counts are written", "file", w.day.file(), "error", err)
		return
	}
	s.closeWriter(w.day)
}

// closeWriter gives up what waits of a day.
func (s *Store) closeWriter(d day) {
	s.memories.drop(d)
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

// tend writes counts and the catalogue and prunes, each now and then. A failure
// is logged and tried again: nothing is lost by it.
func (s *Store) tend() {
	now := s.options.Clock()
	s.fold(now)
	if from, to := s.cat.due(now); from < to {
		if err := s.cat.flushShards(from, to, now); err != nil {
			s.options.Logger.Warn("writing the catalogue", "error", err)
		}
	}
	if now.Sub(s.pruned) >= pruneEvery {
		s.prune()
	}
}

// fold writes the shards whose turn it is: each comes once in FoldEvery.
func (s *Store) fold(now time.Time) {
	due := shards
	if every := s.options.FoldEvery; every > 0 {
		due = int(min(now.Sub(s.turned)*shards/every, shards))
	}
	if due <= 0 {
		return
	}
	s.turned = now
	from := s.turn
	s.turn = (from + due) % shards
	for _, w := range slices.Clone(s.writers) {
		var err error
		if from+due <= shards {
			err = s.settle(w, from, from+due)
		} else {
			err = errors.Join(s.settle(w, from, shards), s.settle(w, 0, from+due-shards))
		}
		if err != nil {
			s.options.Logger.Warn("writing counts; the journal keeps them meanwhile", "file", w.day.file(), "error", err)
		}
	}
}

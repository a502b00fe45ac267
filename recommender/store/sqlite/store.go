// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"

	"github.com/netcinch/netcinch/recommender/store"
)

// Bounds of what waits and of what is kept in one transaction.
const (
	maxWaiting      = 256     // batches
	maxGroup        = 256     // batches
	maxGroupRecords = 200_000 // records; one batch may be more
	maxWriters      = 3       // days that are open for writing: today, yesterday, and a late one
	maxSights       = 600_000 // edges that wait in memory for their counts to be written
)

// Store is the embedded engine. It is safe for concurrent use.
type Store struct {
	options Options
	lock    *os.File
	wait    chan *request
	stop    chan struct{} // closed by Close
	stopped chan struct{} // closed by the writing goroutine

	reading  bool // see OpenRead
	closing  sync.Once
	days     *days
	cat      *catalogue
	register *register
	memories memories
	writers  []*writer // most recently used last; the writing goroutine's own
	turn     int       // shard to write next; the writing goroutine's own
	turned   time.Time // when the last one was; the writing goroutine's own
	pruned   time.Time // the writing goroutine's own
	closeErr error     // read after stopped
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Register = (*Store)(nil)
)

type request struct {
	batch *prepared
	reply chan reply // room for one, so that the writer never waits
}

type reply struct {
	duplicate bool
	err       error
}

// Open opens the folder, or makes it, and brings the catalogue up to date with
// the days. A damaged day is set aside and named in [Store.Damage]; a damaged
// catalogue, a file of a newer version, and a folder that another process has
// open are errors.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the store's folder: %w", folderError(err))
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		options: o, lock: lock,
		wait: make(chan *request, maxWaiting), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	go s.write()
	return s, nil
}

// lockFile is locked by the process that writes.
const lockFile = "lock"

// folderError says what to do about a folder that cannot be written to.
func folderError(err error) error {
	err = plainly(err)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w; let the user that runs the recommender write there, or give another folder", err)
	}
	return err
}

// lockDir keeps a second process out. The lock ends with the process.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the store's folder: %w", folderError(err))
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("%w: stop the other recommender, or give this one a folder of its own", store.ErrLocked)
		}
		return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
	}
	return f, nil
}

func (s *Store) load() error {
	found, err := findDays(s.options.Dir)
	if err != nil {
		return err
	}
	if s.cat, err = openCatalogue(s.options.Dir, s.options.Clock()); err != nil {
		if errors.Is(err, store.ErrDamaged) {
			err = fmt.Errorf("%w; restore it from a backup, or move it away to have it made again from the days that are kept", err)
		}
		return err
	}
	s.days = newDays(s.options.Dir, s.options.Logger, found)
	for _, d := range found {
		err = s.catchUp(d)
		switch {
		case errors.Is(err, store.ErrDamaged):
			s.days.damage(d, err)
		case err != nil:
			return errors.Join(err, s.cat.close())
		}
	}
	if err = s.cat.flush(s.options.Clock()); err != nil { // what it lacks stays in memory
		s.options.Logger.Warn("writing the catalogue", "error", err)
	}
	if s.register, err = openRegister(s.options.Dir); err != nil {
		return errors.Join(err, s.cat.close())
	}
	s.turned = s.options.Clock()
	s.prune()
	return nil
}

// catchUp finishes what a crash left out: the beginning of a day's file, the
// counts of its journal's end, the catalogue's part of it.
func (s *Store) catchUp(d day) error {
	w, err := openWriter(s.options.Dir, d, s.options.Resolution)
	if noRoom(err) {
		return s.catchUpStill(d)
	}
	if err != nil {
		return err
	}
	err = s.catchUpWith(w)
	return errors.Join(describe("reading", d.file(), err), w.conn.Close())
}

func (s *Store) catchUpWith(w *writer) error {
	w.memory = newMemory(w.resolution.Milliseconds())
	if err := replay(w.conn, w.day, w.memory); err != nil {
		return err
	}
	if !w.memory.settled() {
		s.options.Logger.Info("folding the end of the journal", "day", w.day.String())
		_, err := w.settle(0, shards, func([]*sight) {}) // refold tells the catalogue
		if errors.Is(err, store.ErrFull) {
			s.memories.set(w.day, w.memory) // written when there is room
		} else if err != nil {
			return err
		}
	}
	return s.refold(w.conn, w.day)
}

// catchUpStill looks at a day that cannot be written now, for the disk is full.
func (s *Store) catchUpStill(d day) error {
	r, err := openReader(s.options.Dir, d)
	if err != nil {
		return err
	}
	m := newMemory(r.resolution.Milliseconds())
	if err = replay(r.conn, d, m); err == nil {
		if !m.settled() {
			s.memories.set(d, m)
		}
		err = s.refold(r.conn, d)
	}
	return errors.Join(describe("reading", d.file(), err), r.close())
}

// refold brings the catalogue up to date with a day's counts.
func (s *Store) refold(conn *sqlite.Conn, d day) error {
	generation, err := number(conn, "SELECT value FROM meta WHERE name = 'generation'")
	if err == nil && generation != s.cat.folded(d) {
		s.options.Logger.Info("bringing the catalogue up to date", "day", d.String())
		err = s.cat.refold(d, conn, generation)
	}
	return err
}

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, b store.Batch) (duplicate bool, err error) {
	p, err := prepare(&b)
	if err != nil {
		return false, err
	}
	r := &request{batch: p, reply: make(chan reply, 1)}
	select {
	case <-s.stop:
		return false, store.ErrClosed
	default:
	}
	select {
	case s.wait <- r:
	case <-s.stop:
		return false, store.ErrClosed
	case <-ctx.Done():
		return false, fmt.Errorf("waiting for room to write: %w: %w", store.ErrBusy, ctx.Err())
	}
	select {
	case a := <-r.reply:
		return a.duplicate, a.err
	case <-s.stopped:
		select {
		case a := <-r.reply:
			return a.duplicate, a.err
		default:
			return false, store.ErrClosed
		}
	case <-ctx.Done():
		return false, fmt.Errorf("waiting for the write, which may still be kept: %w: %w", store.ErrBusy, ctx.Err())
	}
}

// Close implements store.Store.
func (s *Store) Close() error {
	if s.reading {
		return nil
	}
	s.closing.Do(func() { close(s.stop) })
	<-s.stopped
	return s.closeErr
}

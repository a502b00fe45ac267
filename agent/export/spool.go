// SPDX-License-Identifier: Apache-2.0

package export

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// maxAside is how many damaged files are kept for a look; older ones go.
const maxAside = 16

// entry is one batch that is not acknowledged. Its body is in a file, or in
// memory where the file could not be written.
type entry struct {
	name
	size   int64
	memory []byte // nil: in a file
	open   bool   // not committed yet: is not sent, and not thrown away
}

// spool holds the batches that are not acknowledged, oldest first.
type spool struct {
	dir         string
	limit       int64 // bytes in files
	memoryLimit int64 // bytes in memory, while files cannot be written
	logger      *slog.Logger
	lock        *os.File
	commits     bool // batches are sent when they are committed
	bootID      string
	found       []byte // the state that was committed last, before the restart
	// lose is told of the body of a batch before it is thrown away; nil for
	// nobody. It must not call the spool.
	lose func(body []byte)

	mu       sync.Mutex
	entries  []entry
	bytes    int64
	inMemory int64
	epoch    string
	next     uint64 // sequence of the next batch
	sending  name   // is being sent: not to be thrown away
	failing  bool   // the last write failed, and was logged
	counts   spoolCounts
}

type spoolCounts struct {
	overflow    uint64 // batches thrown away for want of room
	damaged     uint64 // files set aside
	writeErrors uint64 // batches that stayed in memory
}

// openSpool takes the directory, which no other agent may use, and finds what
// an earlier run left in it.
func openSpool(o Options) (*spool, error) {
	if err := os.MkdirAll(o.SpoolDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the spool directory (--spool-dir): %w", err)
	}
	s := &spool{
		dir: o.SpoolDir, limit: o.SpoolLimit, memoryLimit: o.MemoryLimit, logger: o.Logger, commits: o.Commits, bootID: o.BootID,
	}
	if err := s.take(); err != nil {
		return nil, err
	}
	if err := s.scan(); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	s.epoch, s.next = o.NewEpoch(), 1
	committed, err := s.resume()
	if err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	if n := len(s.entries); n > 0 {
		last := s.entries[n-1]
		if s.entries[0].epoch == last.epoch {
			s.epoch, s.next = last.epoch, last.sequence+1
		}
		o.Logger.Info("found batches that were not acknowledged before the restart",
			slog.Int("batches", n), slog.Int64("bytes", s.bytes), slog.String("spool_dir", s.dir))
	}
	if committed.sequence > 0 {
		s.epoch, s.next = committed.epoch, committed.sequence
	}
	return s, nil
}

func (s *spool) take() error {
	path := filepath.Join(s.dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("opening the spool directory (--spool-dir): %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written to it
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("spool directory %s is in use by another agent: give each its own --spool-dir", s.dir)
		}
		return fmt.Errorf("locking %s: %w", path, err)
	}
	s.lock = f
	return nil
}

// scan lists the batches of an earlier run. Their bodies are judged when they
// are read.
func (s *spool) scan() error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("reading the spool directory: %w", err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), tempSuffix) {
			_ = os.Remove(filepath.Join(s.dir, f.Name())) // cut by a crash before it had a name
			continue
		}
		n, ok := parseName(f.Name())
		if !ok {
			continue
		}
		info, err := f.Info()
		if err != nil {
			return fmt.Errorf("reading the spool directory: %w", err)
		}
		s.entries = append(s.entries, entry{name: n, size: info.Size()})
		s.bytes += info.Size()
	}
	slices.SortFunc(s.entries, func(a, b entry) int {
		if a.epoch != b.epoch {
			return strings.Compare(a.epoch, b.epoch)
		}
		return int(min(max(int64(a.sequence-b.sequence), -1), 1))
	})
	return nil
}

// nextName gives the name that the next batch gets.
func (s *spool) nextName() name {
	s.mu.Lock()
	defer s.mu.Unlock()
	return name{s.epoch, s.next}
}

// put stores the batch with the next name, and throws others away to make room.
func (s *spool) put(body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := entry{name: name{s.epoch, s.next}, size: int64(len(body)) + headerSize, open: s.commits}
	s.next++
	for s.bytes+e.size > s.limit {
		i := s.oldestIn(false)
		if i < 0 {
			break
		}
		s.throw(i)
	}
	if err := writeFile(s.dir, e.file(), body); err != nil {
		s.counts.writeErrors++
		s.tell(err)
		e.memory = body
		for s.inMemory+e.size > s.memoryLimit {
			i := s.oldestIn(true)
			if i < 0 {
				break
			}
			s.throw(i)
		}
		s.inMemory += e.size
	} else {
		s.recovered()
		s.bytes += e.size
	}
	s.entries = append(s.entries, e)
}

func (s *spool) tell(err error) {
	if s.failing {
		return
	}
	s.failing = true
	s.logger.Error("the spool cannot be written: batches stay in memory and would be lost by a restart; make room or check the directory",
		slog.String("spool_dir", s.dir), slog.Int64("memory_limit_bytes", s.memoryLimit), slog.Any("error", err))
}

func (s *spool) recovered() {
	if s.failing {
		s.failing = false
		s.logger.Info("the spool can be written again", slog.String("spool_dir", s.dir))
	}
}

// oldestIn finds the oldest batch that may be thrown away, in memory or in a
// file; -1 for none.
func (s *spool) oldestIn(memory bool) int {
	return slices.IndexFunc(s.entries, func(e entry) bool {
		return (e.memory != nil) == memory && e.name != s.sending && !e.open
	})
}

// throw drops a batch for want of room. The losses that it reports are told.
func (s *spool) throw(i int) {
	e := s.entries[i]
	body := e.memory
	if body == nil {
		body, _ = s.read(e) // a damaged one has no losses to tell
	}
	if s.lose != nil {
		s.lose(body)
	}
	s.forget(i)
	s.counts.overflow++
}

func (s *spool) forget(i int) {
	e := s.entries[i]
	s.entries = slices.Delete(s.entries, i, i+1)
	if e.memory != nil {
		s.inMemory -= e.size
		return
	}
	s.bytes -= e.size
	if err := os.Remove(filepath.Join(s.dir, e.file())); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.logger.Error("removing a spool file", slog.Any("error", err))
	}
}

func (s *spool) read(e entry) ([]byte, error) {
	file, err := os.ReadFile(filepath.Join(s.dir, e.file()))
	if err != nil {
		return nil, err
	}
	return decodeFile(file)
}

// oldest gives the batch to send next, with its body. Damaged files are named,
// set aside and passed over; damaged says how many.
func (s *spool) oldest() (e entry, damaged int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.entries) > 0 && !s.entries[0].open {
		e = s.entries[0]
		s.sending = e.name
		if e.memory != nil {
			return e, damaged, true
		}
		body, err := s.read(e)
		if err == nil {
			e.memory = body
			return e, damaged, true
		}
		s.setAside(e, err)
		damaged++
	}
	s.sending = name{}
	return entry{}, damaged, false
}

func (s *spool) setAside(e entry, why error) {
	s.counts.damaged++
	path := filepath.Join(s.dir, e.file())
	s.logger.Error("a batch in the spool cannot be read and is set aside: what it counted is lost",
		slog.String("file", path), slog.String("renamed_to", path+asideSuffix), slog.Any("error", why))
	s.entries = s.entries[1:]
	s.bytes -= e.size
	if err := os.Rename(path, path+asideSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.logger.Error("setting a spool file aside", slog.Any("error", err))
	}
	aside, _ := filepath.Glob(filepath.Join(s.dir, "*"+asideSuffix)) // the pattern is well formed
	for len(aside) > maxAside {
		_ = os.Remove(aside[0]) // sorted by sequence: the oldest; it was named when it was set aside
		aside = aside[1:]
	}
}

// remove forgets a batch that is acknowledged, or refused for good. It may
// have been thrown away meanwhile.
func (s *spool) remove(n name) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.entries, func(e entry) bool { return e.name == n }); i >= 0 {
		s.forget(i)
	}
}

// SpoolState is what waits to be acknowledged.
type SpoolState struct {
	Batches       int
	Bytes         int64 // in files
	BytesInMemory int64 // where files could not be written
}

func (s *spool) state() (SpoolState, spoolCounts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SpoolState{len(s.entries), s.bytes, s.inMemory}, s.counts
}

func (s *spool) close() error { return s.lock.Close() }

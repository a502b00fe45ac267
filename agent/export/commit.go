// SPDX-License-Identifier: Apache-2.0

package export

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stateFile holds what was committed last, in the form of a spool file whose
// body is
//
//	0  the sequence that the next batch gets, big endian
//	8  length of the epoch and of the boot id, one byte each
//	10 epoch, boot id, the state
const (
	stateFile   = "state"
	stateHeader = 10
)

// commitment is what the state file says.
type commitment struct {
	next   name
	bootID string
	state  []byte
}

func (c commitment) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, stateHeader+len(c.next.epoch)+len(c.bootID)+len(c.state)), c.next.sequence)
	b = append(b, byte(len(c.next.epoch)), byte(len(c.bootID)))
	b = append(b, c.next.epoch...)
	b = append(b, c.bootID...)
	return append(b, c.state...)
}

// decodeCommitment reads it; every error is an ErrDamaged that says how.
func decodeCommitment(body []byte) (commitment, error) {
	var c commitment
	if len(body) < stateHeader {
		return c, fmt.Errorf("%w: a state of %d bytes", ErrDamaged, len(body))
	}
	epoch, boot := int(body[8]), int(body[9])
	if len(body) < stateHeader+epoch+boot {
		return c, fmt.Errorf("%w: a state of %d bytes with an epoch of %d and a boot id of %d", ErrDamaged, len(body), epoch, boot)
	}
	c.next.sequence = binary.BigEndian.Uint64(body)
	c.next.epoch = string(body[stateHeader : stateHeader+epoch])
	c.bootID = string(body[stateHeader+epoch : stateHeader+epoch+boot])
	c.state = body[stateHeader+epoch+boot:]
	return c, nil
}

// resume finds the state that was committed last, and takes back the batches
// that were not committed with it: they are made again of what it holds. It
// gives the name of the next batch, or none.
func (s *spool) resume() (name, error) {
	if !s.commits {
		return name{}, nil
	}
	path := filepath.Join(s.dir, stateFile)
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return name{}, nil
	}
	if err != nil {
		return name{}, fmt.Errorf("reading the state of the agent before this one: %w", err)
	}
	body, err := decodeFile(file)
	var c commitment
	if err == nil {
		c, err = decodeCommitment(body)
	}
	if err != nil {
		s.logger.Error("the state of the agent before this one cannot be read and is set aside: what it counted last is lost",
			slog.String("file", path), slog.String("renamed_to", path+asideSuffix), slog.Any("error", err))
		s.counts.damaged++
		return name{}, os.Rename(path, path+asideSuffix)
	}
	return s.takeBack(c)
}

func (s *spool) takeBack(c commitment) (name, error) {
	open := slices.IndexFunc(s.entries, func(e entry) bool { return e.epoch == c.next.epoch && e.sequence >= c.next.sequence })
	if c.bootID != s.bootID && open >= 0 {
		// The machine ended between the batch and its state. Both say the same:
		// the batch holds more of it, and what the kernel counted is gone.
		return name{}, nil
	}
	for open >= 0 {
		e := s.entries[open]
		if err := os.Remove(filepath.Join(s.dir, e.file())); err != nil {
			return name{}, fmt.Errorf("taking back a batch that was not committed: %w", err)
		}
		s.bytes -= e.size
		s.entries = slices.Delete(s.entries, open, open+1)
		open = slices.IndexFunc(s.entries, func(e entry) bool { return e.epoch == c.next.epoch && e.sequence >= c.next.sequence })
	}
	s.found = c.state
	if strings.ContainsAny(c.next.epoch, "/") || c.next.epoch == "" {
		return name{}, nil
	}
	return c.next, nil
}

// commit makes the state and the batches since the last commit safe in one
// step: a process that is killed before it has taken place has done neither,
// and one that is killed after it both. Only with batches must it survive the
// machine, too: the kernel's counts do not.
func (s *spool) commit(state []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := slices.ContainsFunc(s.entries, func(e entry) bool { return e.open })
	c := commitment{next: name{s.epoch, s.next}, bootID: s.bootID, state: state}
	err := writeFileWith(s.dir, stateFile, c.encode(), open)
	if err != nil {
		// Batches go out all the same. An older state would have them made twice.
		if removing := os.Remove(filepath.Join(s.dir, stateFile)); removing != nil && !errors.Is(removing, fs.ErrNotExist) {
			err = errors.Join(err, removing)
		}
	}
	for i := range s.entries {
		s.entries[i].open = false
	}
	return err
}

// State gives what was committed last before the restart; nil for nothing.
func (e *Exporter) State() []byte { return e.spool.found }

// Commit makes the batches since the last Commit safe, in one step with the
// state of those who made them, and has them sent. An error means that a
// restart would lose what the batches from now on do not hold yet; they are
// sent all the same.
func (e *Exporter) Commit(state []byte) error {
	if err := e.spool.commit(state); err != nil {
		return fmt.Errorf("writing the agent's state: %w", err)
	}
	e.settleCarried()
	e.wakeUp()
	return nil
}

func (e *Exporter) wakeUp() {
	select {
	case e.wake <- struct{}{}:
	default: // the sender has not seen the last one yet
	}
}

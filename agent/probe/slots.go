// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/netcinch/netcinch/bpf"
)

// maxSlot is the last number that a slot can have: a key has 24 bits for it.
const maxSlot = 1<<24 - 1

// adopt finds what an earlier process has pinned.
func (s *Set) adopt() error {
	s.links = make(map[uint32]*[2]link.Link)
	control, err := s.Control()
	if err != nil {
		return err
	}
	s.next = max(control.NextSlot, 1)
	if s.pins == nil {
		return nil
	}
	if s.links, err = s.pins.found(); err != nil {
		return err
	}
	return s.dropOtherModes()
}

// dropOtherModes ends attachments that were made in another mode, before any is
// made in this one: two of them would count the same packets. What passes until
// then is not seen; it is counted by interface.
func (s *Set) dropOtherModes() error {
	var key bpf.FlowInterface
	var a bpf.FlowAttachment
	others := make(map[bpf.FlowInterface]bpf.FlowAttachment)
	entries := s.Slots.Iterate()
	for entries.Next(&key, &a) {
		if Mode(a.Mode) != s.mode {
			others[key] = a
		}
	}
	err := entries.Err()
	for key, a := range others {
		s.dropped++
		if Mode(a.Mode) == Clsact {
			err = errors.Join(err, s.detachFilters("", key))
		}
		err = errors.Join(err, discard(s.links[a.Slot]))
		delete(s.links, a.Slot)
		if (Mode(a.Mode) == HostTCX) != (s.mode == HostTCX) {
			err = errors.Join(err, s.forget(key, a.Slot)) // the other side of the pair has another slot
		}
	}
	return err
}

// Adopted says whether the maps were made by an earlier process.
func (s *Set) Adopted() bool { return s.adopted }

// Control reads what the process before wrote down.
func (s *Set) Control() (bpf.FlowControl, error) {
	var c bpf.FlowControl
	if err := s.Controls.Lookup(uint32(0), &c); err != nil {
		return c, fmt.Errorf("reading the pinned state: %w", err)
	}
	return c, nil
}

// SetControl writes down the number of these maps, the generation that is begun
// and the last one that is safe.
func (s *Set) SetControl(instance uint64, generation, committed uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.putControl(func(c *bpf.FlowControl) {
		c.Instance, c.Generation, c.Committed = instance, generation, committed
	})
}

func (s *Set) putControl(change func(*bpf.FlowControl)) error {
	c, err := s.Control()
	if err != nil {
		return err
	}
	change(&c)
	if err := s.Controls.Put(uint32(0), &c); err != nil {
		return fmt.Errorf("writing the pinned state: %w", err)
	}
	return nil
}

// takeSlot gives a number that no attachment had before, also of earlier
// processes.
func (s *Set) takeSlot() (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next > maxSlot {
		return 0, errors.New("all slots were given: run 'netcinch-agent cleanup' and start again")
	}
	slot := s.next
	s.next++
	return slot, s.putControl(func(c *bpf.FlowControl) { c.NextSlot = s.next })
}

// programsFor gives the programs of a hook and, where its interface was
// attached before, the links. The slot is written down before anything is
// attached, so that it is found again whenever the process ends.
func (s *Set) programsFor(h *Hook) (*pair, *[2]link.Link, error) {
	var known bpf.FlowAttachment
	err := s.Slots.Lookup(&h.key, &known)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil, nil, fmt.Errorf("looking for the interface's slot: %w", err)
	}
	if err != nil {
		p, failed := s.pool.take(h.netnsID)
		if failed != nil {
			return nil, nil, failed
		}
		if failed = s.remember(h.key, p.v.slot); failed != nil {
			return nil, nil, errors.Join(failed, p.close())
		}
		return p, nil, nil
	}
	p, err := s.loadPair(variables{slot: known.Slot, conntrackNetNS: h.netnsID})
	if err != nil {
		return nil, nil, err
	}
	if known.Mode != uint32(h.Mode) {
		err = errors.Join(err, s.remember(h.key, known.Slot))
	}
	if err != nil {
		return nil, nil, errors.Join(err, p.close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	links := s.links[known.Slot]
	delete(s.links, known.Slot)
	return p, alive(links), nil
}

// alive keeps the links that still are at an interface.
func alive(links *[2]link.Link) *[2]link.Link {
	if links == nil {
		return nil
	}
	for d, l := range links {
		if l == nil {
			continue
		}
		info, err := l.Info()
		if err == nil && info.TCX() != nil && info.TCX().Ifindex != 0 {
			continue
		}
		_, _ = unpin(l), l.Close() // of an interface that is gone
		links[d] = nil
	}
	return links
}

func (s *Set) remember(key bpf.FlowInterface, slot uint32) error {
	if err := s.Slots.Put(&key, &bpf.FlowAttachment{Slot: slot, Mode: uint32(s.mode)}); err != nil {
		return fmt.Errorf("writing down the interface's slot: %w", err)
	}
	return nil
}

// forget has the slot's flows leave the maps.
func (s *Set) forget(key bpf.FlowInterface, slot uint32) error {
	var errs []error
	for _, err := range []error{s.Watched.Delete(slot), s.Slots.Delete(&key)} {
		if !errors.Is(err, ebpf.ErrKeyNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ForgetOthers detaches what an earlier process had attached and this one has
// not: interfaces that are gone, or not to be watched any more. It gives their
// slots, and how many interfaces were not watched for a moment because the mode
// has changed, or were attached with another layout of the maps, whose last
// counts cannot be read.
func (s *Set) ForgetOthers() (gone []uint32, missed int, err error) {
	var key bpf.FlowInterface
	var a bpf.FlowAttachment
	others := make(map[bpf.FlowInterface]bpf.FlowAttachment)
	for entries := s.Slots.Iterate(); entries.Next(&key, &a); {
		var on uint8
		if errors.Is(s.Watched.Lookup(a.Slot, &on), ebpf.ErrKeyNotExist) {
			others[key] = a
		}
	}
	var errs []error
	missed, s.dropped = s.dropped, 0
	for key, a := range others {
		gone = append(gone, a.Slot)
		errs = append(errs, s.forget(key, a.Slot))
		if Mode(a.Mode) == Clsact {
			errs = append(errs, s.detachFilters("", key))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for slot, links := range s.links {
		delete(s.links, slot)
		errs = append(errs, discard(links))
	}
	if s.pins != nil {
		unreadable, err := s.removeStale()
		missed += unreadable
		errs = append(errs, err)
	}
	return gone, missed, errors.Join(errs...)
}

// removeStale takes away what other layouts have left, and gives how many
// interfaces they were at.
func (s *Set) removeStale() (interfaces int, err error) {
	dirs, err := s.pins.stale()
	if err != nil {
		return 0, err
	}
	for _, dir := range dirs {
		links, _ := os.ReadDir(filepath.Join(dir, "links")) // none where nothing was attached, or by filters
		slots, failed := s.leave(filepath.Join(dir, "maps", bpf.FlowMapSlots))
		interfaces += max((len(links)+1)/2, slots)
		err = errors.Join(err, failed, os.RemoveAll(dir))
	}
	return interfaces, err
}

// leave takes away the filters of interfaces that a map of slots has and that
// are not attached to any more, and says how many interfaces it has: none where
// it cannot be read.
func (s *Set) leave(path string) (interfaces int, err error) {
	slots, failed := ebpf.LoadPinnedMap(path, &ebpf.LoadPinOptions{ReadOnly: true})
	if failed != nil {
		return 0, nil // the links tell how many there were
	}
	defer func() { _ = slots.Close() }() // was only read
	var key bpf.FlowInterface
	var was, is bpf.FlowAttachment
	if int(slots.KeySize()) != binary.Size(key) || int(slots.ValueSize()) != binary.Size(was) {
		return 0, nil
	}
	for entries := slots.Iterate(); entries.Next(&key, &was); {
		interfaces++
		if Mode(was.Mode) == Clsact && errors.Is(s.Slots.Lookup(&key, &is), ebpf.ErrKeyNotExist) {
			err = errors.Join(err, s.detachFilters("", key))
		}
	}
	return interfaces, err
}

func unpin(l link.Link) error {
	if err := l.Unpin(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("taking a pin away: %w", err)
	}
	return nil
}

// detachFilters removes our filters from an interface, if its namespace is to
// be found: at the path, or anywhere.
func (s *Set) detachFilters(path string, key bpf.FlowInterface) error {
	var failure error
	visit := func(path string) (done bool) {
		err := inNetNS(path, func() error {
			c, err := cookie()
			if err != nil || c != key.Netns {
				return err
			}
			done = true
			failure = errors.Join(
				detachFilter(filterOf(int(key.Index), Egress, nil)), detachFilter(filterOf(int(key.Index), Ingress, nil)))
			return nil
		})
		return done && err == nil
	}
	if visit(path) {
		return failure
	}
	if err := eachNetNS(s.options.NetnsDirs, visit); err != nil {
		return err
	}
	return failure // nothing found: the filters are gone with their namespace
}

// SPDX-License-Identifier: Apache-2.0

//go:build linux

package drops

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/bpf"
)

// Where a network namespace is, as in bpf/drops.bpf.c.
const (
	inPod  uint8 = 1
	atNode uint8 = 2
)

// copyLost is the reason of a copy that was made for somebody who captures
// packets; the packet itself went on.
const copyLost = "PACKET_SOCK_ERROR"

// Options say what a tracker is told. All must be set.
type Options struct {
	Clock func() time.Time
	// Node is the cookie of the node's network namespace.
	Node uint64
}

// Counts are a tracker's own, cumulative.
type Counts struct {
	Packets uint64 // dropped
	Lost    uint64 // dropped, and without room to be told
}

// Tracker follows drops. Watch and Forget are safe for use by several
// goroutines; everything else belongs to one.
type Tracker struct {
	clock   func() time.Time
	node    uint64
	maps    bpf.DropsMaps
	link    link.Link
	reasons map[uint32]string
	drops   table
	counts  Counts

	mu      sync.Mutex
	cookies map[capture.Slot]uint64
}

// Open begins to follow drops. The error says what the kernel lacks.
func Open(o Options) (*Tracker, error) {
	if o.Clock == nil || o.Node == 0 {
		return nil, errors.New("drops: Clock and Node must be set")
	}
	t := &Tracker{clock: o.Clock, node: o.Node, cookies: make(map[capture.Slot]uint64), drops: newTable()}
	var err error
	if t.reasons, err = reasons(); err != nil {
		return nil, err
	}
	var objects bpf.DropsObjects
	if err = bpf.LoadDropsObjects(&objects, nil); err != nil {
		return nil, fmt.Errorf("loading the program that follows drops: %w", err)
	}
	t.maps = objects.DropsMaps
	t.link, err = link.AttachTracing(link.TracingOptions{Program: objects.OnDrop})
	err = errors.Join(err, objects.DropsPrograms.Close()) // the link holds it
	if err == nil {
		err = t.maps.Watched.Put(o.Node, atNode)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("attaching the program that follows drops: %w", err), t.Close())
	}
	return t, nil
}

// Close stops following.
func (t *Tracker) Close() error {
	var err error
	if t.link != nil {
		err = t.link.Close()
	}
	return errors.Join(err, t.maps.Close())
}

// Counts gives the tracker's counters.
func (t *Tracker) Counts() Counts { return t.counts }

// Watch looks at a slot's network namespace, told by its cookie.
func (t *Tracker) Watch(slot capture.Slot, cookie uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cookies[slot] = cookie
	if cookie == t.node {
		return nil
	}
	if err := t.maps.Watched.Put(cookie, inPod); err != nil {
		return fmt.Errorf("looking at drops of slot %d: %w", slot, err)
	}
	return nil
}

// Forget drops slots that are gone for good.
func (t *Tracker) Forget(slots []capture.Slot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, slot := range slots {
		cookie, ok := t.cookies[slot]
		delete(t.cookies, slot)
		if ok && cookie != t.node && !t.isWatched(cookie) {
			_ = t.maps.Watched.Delete(cookie) // nothing is dropped there any more
		}
	}
}

// isWatched says whether another slot is in the namespace. The caller holds the
// lock.
func (t *Tracker) isWatched(cookie uint64) bool {
	for _, other := range t.cookies {
		if other == cookie {
			return true
		}
	}
	return false
}

// Refresh takes in what was dropped since the last one. Call it before the
// kernel's flows are read.
func (t *Tracker) Refresh() error {
	now := t.clock()
	t.drops.expire(now)
	var k, next dropKey
	var v [16]byte
	err := t.maps.Drops.NextKey(nil, &next)
	for err == nil {
		k = next
		err = t.maps.Drops.NextKey(&k, &next)
		if t.maps.Drops.LookupAndDelete(&k, &v) != nil {
			continue // nobody else deletes; a failure shows as one of NextKey
		}
		d := dropOf(&k, &v)
		if t.reasons[d.reason] == copyLost {
			continue
		}
		t.counts.Packets += d.packets
		t.counts.Lost += t.drops.add(d, now)
	}
	if !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("reading the drops: %w", err)
	}
	return t.readLost()
}

func (t *Tracker) readLost() error {
	var perCPU []uint64
	if err := t.maps.DropsLost.Lookup(uint32(0), &perCPU); err != nil {
		return fmt.Errorf("reading the drops: %w", err)
	}
	var sum uint64
	for _, n := range perCPU {
		sum += n
	}
	t.counts.Lost = sum + t.drops.full
	return nil
}

// reasons gives the kernel's names, without their common beginning.
func reasons() (map[uint32]string, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("reading the kernel's types: %w", err)
	}
	var enum *btf.Enum
	if err := spec.TypeByName("skb_drop_reason", &enum); err != nil {
		return nil, fmt.Errorf("looking for the kernel's drop reasons (Linux 5.17): %w", err)
	}
	names := make(map[uint32]string, len(enum.Values))
	for _, v := range enum.Values {
		names[uint32(v.Value)] = plain(v.Name)
	}
	return names, nil
}

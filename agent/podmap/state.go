// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"net/netip"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
)

// Saved is what is known of one slot, for the process that comes after this
// one: which pod it was stays known although the pod may be gone by then.
type Saved struct {
	Slot      capture.Slot
	Addresses []netip.Addr
	Attached  time.Time
	Detached  time.Time // zero while watched
	Early     bool
	Pod       *Pod // nil while it is not known
}

// Save gives what is known of all slots.
func (r *Registry) Save() []Saved {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Saved, 0, len(r.slots))
	for id, s := range r.slots {
		saved := Saved{Slot: id, Attached: s.attached, Detached: s.detached, Early: s.early, Pod: s.pod}
		for a := range s.addresses {
			saved.Addresses = append(saved.Addresses, a)
		}
		all = append(all, saved)
	}
	return all
}

// Restore takes in what a registry before this one knew. Slots that are
// attached again go on as they were; see [Registry.Settle] for the others.
func (r *Registry) Restore(all []Saved) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, saved := range all {
		s := &slot{
			addresses: make(map[netip.Addr]struct{}, len(saved.Addresses)), attached: saved.Attached,
			detached: saved.Detached, early: saved.Early, pod: saved.Pod, restored: saved.Detached.IsZero(),
		}
		for _, a := range saved.Addresses {
			s.addresses[a] = struct{}{}
		}
		r.slots[saved.Slot] = s
		if s.pod != nil {
			r.bound[s.pod.key()] = saved.Slot
		}
	}
}

// Settle says that all that is there has been attached: what was restored and
// is not among it went while nobody looked.
func (r *Registry) Settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	for _, s := range r.slots {
		if s.restored && s.detached.IsZero() {
			s.detached = now
		}
		s.restored = false
	}
}

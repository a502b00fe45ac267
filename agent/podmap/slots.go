// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
)

// SlotState is one watched interface.
type SlotState struct {
	Slot      capture.Slot
	Pod       Pod  // the zero value while it is not known
	Known     bool // whose it is
	Addresses []netip.Addr
	Attached  time.Time
}

// Slots gives the interfaces that are watched at present, by slot.
func (r *Registry) Slots() []SlotState {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]SlotState, 0, len(r.slots))
	for _, id := range slices.Sorted(maps.Keys(r.slots)) {
		s := r.slots[id]
		if !s.detached.IsZero() {
			continue
		}
		state := SlotState{Slot: id, Attached: s.attached, Addresses: slices.SortedFunc(maps.Keys(s.addresses), netip.Addr.Compare)}
		if s.pod != nil {
			state.Pod, state.Known = *s.pod, true
		}
		all = append(all, state)
	}
	return all
}

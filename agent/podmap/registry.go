// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"net/netip"
	"sync"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
)

// How long the registry remembers and hesitates.
const (
	// DefaultRetain is how long a slot or a pod that is gone is still known. It
	// is longer than edges wait for their pod.
	DefaultRetain = 5 * time.Minute
	// DefaultDoubt is how long a slot waits for a better claim, where the only
	// pod with its address had that address before the slot was there.
	DefaultDoubt = 5 * time.Second
	// lag is how much later than the pod's address an interface may become
	// known without raising doubt: events are handled one after another.
	lag = 2 * time.Second
	// timeStep is the resolution of times in the Kubernetes API.
	timeStep = time.Second
)

// Registry binds slots to pods. It is safe for concurrent use.
type Registry struct {
	clock  func() time.Time
	retain time.Duration
	doubt  time.Duration

	mu     sync.Mutex
	slots  map[capture.Slot]*slot
	pods   map[string]*claim // by Pod.key
	bound  map[string]capture.Slot
	synced bool // the source has reported once

	disputed uint64
}

// slot is one attachment.
type slot struct {
	addresses map[netip.Addr]struct{} // every address that the interface ever had
	attached  time.Time
	detached  time.Time // zero while watched
	early     bool      // was there when the agent started: pods may have been reported before
	restored  bool      // known from the process before, and not attached again yet
	uid       string    // of the pod that a process there belongs to; empty while none was seen
	pod       *Pod      // once bound, for ever
}

// claim is a pod that says which addresses are its own.
type claim struct {
	pod     Pod
	claimed time.Time // when the source first reported its addresses
	gone    time.Time // when the source stopped to report it; zero while it does
	ended   time.Time // when it was first seen to have ended; zero while it runs
}

// NewRegistry makes an empty registry.
func NewRegistry(clock func() time.Time) *Registry {
	return &Registry{
		clock: clock, retain: DefaultRetain, doubt: DefaultDoubt,
		slots: make(map[capture.Slot]*slot), pods: make(map[string]*claim), bound: make(map[string]capture.Slot),
	}
}

// Attach says that a slot is watched. Early: it was there when the agent
// started. What is known of a slot that was restored stays known.
func (r *Registry) Attach(id capture.Slot, early bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.slots[id]; ok && s.restored {
		s.restored = false
		return
	}
	r.slots[id] = &slot{addresses: make(map[netip.Addr]struct{}), attached: r.clock(), early: early}
}

// Address says that the slot's interface has an address.
func (r *Registry) Address(id capture.Slot, address netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.slots[id]
	if !ok || address.IsLinkLocalUnicast() || address.IsLoopback() {
		return
	}
	s.addresses[address.Unmap().WithZone("")] = struct{}{}
	r.bind(id, s)
}

// Claim says that a process in the slot's namespace belongs to the pod of that
// UID, as its control group tells: that is surer than any address. The first
// claim holds. A slot that had another pod by its address gets the right one,
// and the dispute is counted.
func (r *Registry) Claim(id capture.Slot, uid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.slots[id]
	if !ok || s.uid != "" {
		return
	}
	s.uid = uid
	if s.pod != nil && s.pod.UID != uid && s.pod.Hash != uid {
		r.disputed++
		s.pod = nil
	}
	r.bind(id, s)
}

// Detach says that the slot's interface is gone.
func (r *Registry) Detach(id capture.Slot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.slots[id]; ok && s.detached.IsZero() {
		s.detached = r.clock()
	}
}

// SetPods takes all pods of the node as they are now.
func (r *Registry) SetPods(pods []Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	r.synced = true
	present := make(map[string]struct{}, len(pods))
	for _, p := range pods {
		present[p.key()] = struct{}{}
		r.claim(p, now)
	}
	for k, c := range r.pods {
		if _, ok := present[k]; !ok && c.gone.IsZero() {
			c.gone = now
		}
	}
	for id, s := range r.slots {
		r.bind(id, s)
		s.describe(r.pods)
	}
}

// describe renews what may become known of a pod after it is bound. The pod is
// replaced, not changed: [Registry.Save] has handed it out.
func (s *slot) describe(pods map[string]*claim) {
	if s.pod == nil {
		return
	}
	if c, known := pods[s.pod.key()]; known {
		pod := *s.pod
		pod.Containers, pod.Probes = c.pod.Containers, c.pod.Probes
		s.pod = &pod
	}
}

func (r *Registry) claim(p Pod, now time.Time) {
	c, known := r.pods[p.key()]
	if !known {
		c = &claim{}
		r.pods[p.key()] = c
	}
	if c.claimed.IsZero() && len(p.Addresses) > 0 {
		c.claimed = now
	}
	// A pod that has ended may be reported without its addresses: it had them.
	if len(p.Addresses) == 0 {
		p.Addresses = c.pod.Addresses
	}
	if len(p.Containers) == 0 {
		p.Containers = c.pod.Containers
	}
	c.pod, c.gone = p, time.Time{}
	switch {
	case !p.Over:
		c.ended = time.Time{}
	case !p.Ended.IsZero():
		c.ended = p.Ended
	case c.ended.IsZero():
		c.ended = now
	}
}

// Identify gives the pod that a slot is bound to.
func (r *Registry) Identify(id capture.Slot) (Pod, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.slots[id]
	if !ok {
		return Pod{}, false
	}
	r.bind(id, s)
	if s.pod == nil {
		return Pod{}, false
	}
	return *s.pod, true
}

// Owner gives the pod that has an address, or had it last.
func (r *Registry) Owner(address netip.Addr) (Pod, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var owner *slot
	for _, s := range r.slots {
		if _, ok := s.addresses[address]; !ok || s.pod == nil {
			continue
		}
		if owner == nil || s.detached.IsZero() || (!owner.detached.IsZero() && s.detached.After(owner.detached)) {
			owner = s
		}
	}
	if owner == nil {
		return Pod{}, false
	}
	return *owner.pod, true
}

// Slot gives the slot that watches an address at present.
func (r *Registry) Slot(address netip.Addr) (capture.Slot, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, s := range r.slots {
		if _, ok := s.addresses[address]; ok && s.detached.IsZero() {
			return id, true
		}
	}
	return 0, false
}

// ByUID gives the pod of that UID, as the kubelet names its control group, if
// the source has reported it.
func (r *Registry) ByUID(uid string) (Pod, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.byUID(uid); c != nil {
		return c.pod, true
	}
	return Pod{}, false
}

// byUID finds a pod; nil for none. The caller holds the lock.
func (r *Registry) byUID(uid string) *claim {
	if c, ok := r.pods[uid]; ok {
		return c
	}
	for _, c := range r.pods {
		if c.pod.Hash != "" && c.pod.Hash == uid {
			return c
		}
	}
	return nil
}

// Bound says whether a slot's pod is known, so that its addresses need no more
// attention.
func (r *Registry) Bound(id capture.Slot) bool {
	_, ok := r.Identify(id)
	return ok
}

// Sweep forgets what is gone for long, and gives the slots that it forgot.
func (r *Registry) Sweep() []capture.Slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.clock().Add(-r.retain)
	var forgotten []capture.Slot
	for id, s := range r.slots {
		if !s.detached.IsZero() && s.detached.Before(before) {
			delete(r.slots, id)
			forgotten = append(forgotten, id)
		}
	}
	for k, c := range r.pods {
		if _, held := r.slots[r.bound[k]]; !held && !c.gone.IsZero() && c.gone.Before(before) {
			delete(r.pods, k)
			delete(r.bound, k)
		}
	}
	return forgotten
}

// State is what is watched at present.
type State struct {
	PodsKnown   int    // pods of the node that run with an interface of their own
	PodsWatched int    // of these, with a slot
	HostNetwork int    // pods that share the node's interfaces
	Slots       int    // interfaces watched
	Unbound     int    // of these, without a known pod
	GoneUnbound int    // gone, still remembered, and without a known pod
	Synced      bool   // the source of pods has reported
	Disputed    uint64 // interfaces that had another pod by their address than their processes belong to; cumulative
}

// State counts.
func (r *Registry) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := State{Synced: r.synced, Disputed: r.disputed}
	for k, c := range r.pods {
		if !c.gone.IsZero() || !c.ended.IsZero() {
			continue
		}
		if c.pod.HostNetwork {
			s.HostNetwork++
			continue
		}
		if len(c.pod.Addresses) == 0 {
			continue // has no interface yet
		}
		s.PodsKnown++
		if sl, ok := r.slots[r.bound[k]]; ok && sl.detached.IsZero() {
			s.PodsWatched++
		}
	}
	for _, sl := range r.slots {
		switch {
		case sl.detached.IsZero() && sl.pod == nil:
			s.Slots++
			s.Unbound++
		case sl.detached.IsZero():
			s.Slots++
		case sl.pod == nil:
			s.GoneUnbound++
		}
	}
	return s
}

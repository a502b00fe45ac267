// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import "github.com/netcinch/netcinch/agent/capture"

// bind looks for the pod of a slot that has none. The caller holds the lock.
//
// A pod's address is reported after its interface is there. So a claim that is
// older than the slot may be a pod that is gone and not yet reported as such:
// it is believed only after a while in which no better one came. Where two pods
// are equally likely, neither is taken: an edge at the wrong pod is worse than
// one that is counted as unattributed.
func (r *Registry) bind(id capture.Slot, s *slot) {
	if s.pod == nil && s.uid != "" {
		r.bindClaimed(id, s)
		return
	}
	if s.pod != nil || len(s.addresses) == 0 {
		return
	}
	now := r.clock()
	var best candidate
	tied := false
	for key, c := range r.pods {
		doubt, ok := r.judge(key, c, s)
		if !ok {
			continue
		}
		this := candidate{claim: c, doubt: doubt, later: c.pod.Started.After(s.attached), over: !c.ended.IsZero() && s.detached.IsZero()}
		switch order := this.compare(best); {
		case best.claim == nil || order > 0:
			best, tied = this, false
		case order == 0:
			tied = true
		}
	}
	if best.claim == nil || tied || (best.doubt && now.Sub(s.attached) < r.doubt) {
		return
	}
	pod := best.pod
	s.pod = &pod
	r.bound[pod.key()] = id
}

// bindClaimed gives a slot the pod that a process there belongs to, once it is
// reported: no other, whatever its addresses are.
func (r *Registry) bindClaimed(id capture.Slot, s *slot) {
	c := r.byUID(s.uid)
	if c == nil || c.pod.HostNetwork {
		return
	}
	pod := c.pod
	s.pod = &pod
	if first, held := r.slots[r.bound[pod.key()]]; !held || !first.detached.IsZero() {
		r.bound[pod.key()] = id
	}
}

// candidate is a pod that may own a slot.
type candidate struct {
	*claim
	doubt bool // claimed the address before the slot was there
	later bool // started after the slot was there; by a clock that counts seconds
	over  bool // has ended, and the slot is still watched
}

// compare is above 0 where c is the likelier owner. A pod starts before its
// interface is there: of those that did, the last one; of the others, the first.
func (c candidate) compare(o candidate) int {
	if o.claim == nil {
		return 1
	}
	for _, against := range [][2]bool{{c.doubt, o.doubt}, {c.later, o.later}, {c.over, o.over}} {
		if against[0] != against[1] {
			if against[0] {
				return -1
			}
			return 1
		}
	}
	if c.later {
		return o.pod.Started.Compare(c.pod.Started)
	}
	return c.pod.Started.Compare(o.pod.Started)
}

// judge says whether a pod can be the owner of the slot, and whether there is
// doubt.
func (r *Registry) judge(key string, c *claim, s *slot) (doubt, ok bool) {
	if c.pod.HostNetwork || !s.shares(c.pod) || !overlaps(c, s) {
		return false, false
	}
	if other, taken := r.bound[key]; taken {
		// One sandbox a pod: a second one is believed only of a pod that lives
		// on, after its first is gone.
		first, held := r.slots[other]
		if held && first.detached.IsZero() {
			return false, false
		}
		return true, c.gone.IsZero() && c.ended.IsZero()
	}
	return !s.early && c.claimed.Before(s.attached.Add(-lag)), true
}

func (s *slot) shares(p Pod) bool {
	for _, a := range p.Addresses {
		if _, ok := s.addresses[a]; ok {
			return true
		}
	}
	return false
}

// overlaps says whether the pod lived while the slot was watched, as far as
// the times of both are known.
func overlaps(c *claim, s *slot) bool {
	if !c.gone.IsZero() && c.gone.Before(s.attached) {
		return false
	}
	if !c.ended.IsZero() && !c.ended.Add(timeStep).After(s.attached) {
		return false
	}
	// The API's clock is the node's here: the kubelet sets status.startTime.
	return s.detached.IsZero() || c.pod.Started.IsZero() || !c.pod.Started.After(s.detached.Add(timeStep))
}

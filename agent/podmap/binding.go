// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import "github.com/netcinch/netcinch/agent/capture"

// bind looks for the pod of a slot that has none. The caller holds the lock.
//
// A pod's address is reported after its interface is there. So a claim that is
// older than the slot may be a pod that is gone and not yet reported as such:
// it is believed only after a while in which no better one came.
func (r *Registry) bind(id capture.Slot, s *slot) {
	if s.pod != nil || len(s.addresses) == 0 {
		return
	}
	now := r.clock()
	var best *claim
	var bestDoubt bool
	for key, c := range r.pods {
		doubt, ok := r.judge(key, c, s)
		if !ok {
			continue
		}
		if best == nil || (bestDoubt && !doubt) || (bestDoubt == doubt && c.pod.Started.After(best.pod.Started)) {
			best, bestDoubt = c, doubt
		}
	}
	if best == nil || (bestDoubt && now.Sub(s.attached) < r.doubt) {
		return
	}
	pod := best.pod
	s.pod = &pod
	r.bound[pod.key()] = id
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

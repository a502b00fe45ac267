// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// failsafeTier is not one of Calico's: it holds the ports that stay open on
// every host endpoint, so that nobody is locked out.
const failsafeTier = "failsafe"

// The failsafe ports as Felix has them by default (FailsafeInboundHostPorts and
// FailsafeOutboundHostPorts of docs.tigera.io's Felix configuration).
var failsafePorts = [2]map[flow.Protocol][]uint16{
	Ingress: {flow.TCP: {22, 179, 2379, 2380, 5473, 6443, 6666, 6667}, flow.UDP: {68}},
	Egress:  {flow.TCP: {179, 2379, 2380, 5473, 6443, 6666, 6667}, flow.UDP: {53, 67}},
}

// defaultAllow is the profile of host endpoints that Calico makes by itself.
const defaultAllow = "projectcalico-default-allow"

// guard gives a host endpoint what holds without any policy: its failsafe ports,
// and deny at the very end where no profile allows.
func (c *compiler) guard(o *cluster.Object, h *host) {
	failsafe := &compiled{object: o, profile: true, applies: [2]bool{true, true}, subject: h.ends, places: kubernetesPlaces}
	for _, d := range []Direction{Egress, Ingress} {
		r := rule{action: ActionAllow, clauses: []clause{{index: -1, text: "failsafe ports"}}}
		for _, protocol := range []flow.Protocol{flow.TCP, flow.UDP} {
			for _, n := range failsafePorts[d][protocol] {
				r.clauses[0].ports = append(r.clauses[0].ports, port{interval: l4.Ports(protocol, n, n), protocol: protocol, index: -1})
			}
		}
		failsafe.rules[d] = []rule{r}
	}
	c.place(failsafeTier, failsafe)
	last := &compiled{object: o, profile: true, applies: [2]bool{true, true}, subject: h.ends, tieBreak: "~~", places: kubernetesPlaces}
	if slices.Contains(h.profiles, defaultAllow) && c.calico.profiles[defaultAllow] == nil {
		all := rule{action: ActionAllow, clauses: []clause{{index: -1, text: anyone}}}
		last.rules = [2][]rule{{all}, {all}}
	}
	c.place(profileTier, last)
}

// guardTier is the tier of failsafe ports.
func guardTier() *tier {
	return &tier{name: failsafeTier, order: math.Inf(-1), fallback: ActionPass}
}

// hostText says why a pod's traffic to its own node's host endpoint is doubtful.
const hostText = "whether a host endpoint sees the traffic of its own node's pods hangs on its interface and on defaultEndpointToHostAction"

// toOwnHost says whether a pod talks to a host endpoint of its own node.
func (e *Engine) toOwnHost(q *query) bool {
	if q.from.end < 0 || q.to.end < 0 {
		return false
	}
	from, to := &e.top.ends[q.from.end], &e.top.ends[q.to.end]
	return !from.isNode() && to.isNode() && from.node >= 0 && from.node == to.node && e.calico.hostEnds().Has(int(q.to.end))
}

// hostEnds is all ends that are host endpoints.
func (w *calicoWorld) hostEnds() bits.Set {
	var out bits.Set
	for _, h := range w.hosts {
		out = out.Union(h.ends)
	}
	return out
}

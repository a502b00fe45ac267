// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"go4.org/netipx"

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

// addHost notes which ends of a node are under policy; an endpoint that is not
// understood is not there.
func (c *compiler) addHost(h *calicov3.HostEndpoint) {
	set, f := expectedAddresses(h)
	if f != nil {
		return
	}
	made := host{name: h.Name, labels: map[string]string{}, profiles: h.Spec.Profiles, node: h.Spec.Node}
	for _, name := range h.Spec.Profiles {
		if p := c.calico.profiles[name]; p != nil {
			if typed, ok := p.Typed.(*calicov3.Profile); ok {
				maps.Copy(made.labels, typed.Spec.LabelsToApply)
			}
		}
	}
	maps.Copy(made.labels, h.Labels)
	if node, known := c.top.nodes[h.Spec.Node]; known {
		for _, n := range c.top.endsOfNode[node] {
			if a := c.top.ends[n].addr; h.Spec.InterfaceName != "" || set.Contains(a) {
				made.ends.Add(int(n))
			}
		}
	}
	c.hostPorts(made.ends, h)
	c.calico.sets = append(c.calico.sets, addressSet{made.labels, set})
	c.calico.hosts = append(c.calico.hosts, made)
}

func expectedAddresses(h *calicov3.HostEndpoint) (*netipx.IPSet, *fault) {
	var build netipx.IPSetBuilder
	for i, text := range h.Spec.ExpectedIPs {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, faultAt(path{"spec", "expectedIPs", i}, "%q is not an address", text)
		}
		build.Add(a.Unmap().WithZone(""))
	}
	set, err := build.IPSet()
	if err != nil {
		return nil, faultAt(path{"spec", "expectedIPs"}, "%s", err)
	}
	return set, nil
}

// hostPorts gives a node's ends the named ports of its host endpoint.
func (c *compiler) hostPorts(ends bits.Set, h *calicov3.HostEndpoint) {
	var ports []namedPort
	for i, p := range h.Spec.Ports {
		protocol, f := calicoProtocol(&p.Protocol, path{"spec", "ports", i, "protocol"})
		if f == nil {
			ports = append(ports, namedPort{c.top.portName(p.Name), protocol, p.Port})
		}
	}
	for n := range ends.All {
		c.top.ends[n].ports = append(slices.Clip(c.top.ends[n].ports), ports...)
	}
}

// hostEndpoint tells what is wrong with a host endpoint, else guards it.
func (c *compiler) hostEndpoint(o *cluster.Object, h *calicov3.HostEndpoint) {
	c.asked("host\x00"+h.Name, hangsOnHosts|hangsOnProfiles, func(c *compiler) string { return c.calico.hostKey(h.Name) })
	if _, f := expectedAddresses(h); f != nil {
		c.leaveOut(o, f, c.top.nodeEnds)
		return
	}
	if _, known := c.top.nodes[h.Spec.Node]; !known {
		c.problem(o, faultAt(path{"spec", "node"}, "node %q is not in the input; add it, or the host endpoint protects nothing", h.Spec.Node))
	}
	for i := range c.calico.hosts {
		if c.calico.hosts[i].name == h.Name {
			c.guard(o, &c.calico.hosts[i])
			return
		}
	}
}

// hostKey is the same as long as a host endpoint is guarded the same.
func (w *calicoWorld) hostKey(name string) string {
	for _, h := range w.hosts {
		if h.name == name {
			return fmt.Sprint(h.ends.Key(), h.profiles, w.profiles[defaultAllow] == nil)
		}
	}
	return ""
}

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

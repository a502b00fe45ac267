// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// failsafeTier is not one of Calico's: it holds the ports that stay open on
// every host endpoint, so that nobody is locked out.
const failsafeTier = "failsafe"

// defaultAllow is the profile of host endpoints that Calico makes by itself.
const defaultAllow = "projectcalico-default-allow"

// addHost notes which ends of a node are under policy; an endpoint that is not
// understood is not there.
func (c *compiler) addHost(h *calicov3.HostEndpoint) {
	set, f := expectedAddresses(h)
	if f != nil {
		return
	}
	made := host{name: h.Name, labels: map[string]string{}, profiles: h.Spec.Profiles, node: h.Spec.Node, iface: h.Spec.InterfaceName}
	for _, name := range h.Spec.Profiles {
		if p := c.calico.profiles[name]; p != nil {
			if typed, ok := p.Typed.(*calicov3.Profile); ok {
				maps.Copy(made.labels, typed.Spec.LabelsToApply)
			}
		}
	}
	maps.Copy(made.labels, h.Labels)
	made.ends = c.governed(h, set)
	c.hostPorts(made.ends, h)
	c.calico.sets = append(c.calico.sets, addressSet{made.labels, set})
	c.calico.hosts = append(c.calico.hosts, made)
}

// governed gives the addresses of a node whose traffic passes a host endpoint:
// all for "*", else those that are expected at the interface, and all where the
// endpoint names an interface and expects none that the node has.
func (c *compiler) governed(h *calicov3.HostEndpoint, expected *netipx.IPSet) bits.Set {
	var all, own bits.Set
	if node, known := c.top.nodes[h.Spec.Node]; known {
		for _, n := range c.top.endsOfNode[node] {
			all.Add(int(n))
			if expected.Contains(c.top.ends[n].addr) {
				own.Add(int(n))
			}
		}
	}
	if h.Spec.InterfaceName == "*" || (h.Spec.InterfaceName != "" && own.Empty()) {
		return all
	}
	return own
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
			c.doubtInterface(&c.calico.hosts[i])
			return
		}
	}
}

// doubtInterface marks the addresses of a node of which nobody can tell whether
// their traffic passes the interface that a host endpoint names.
func (c *compiler) doubtInterface(h *host) {
	if h.iface == "" || h.iface == "*" {
		return
	}
	var all bits.Set
	for _, n := range c.top.endsOfNode[c.top.nodes[h.node]] {
		all.Add(int(n))
	}
	families := map[family]int{}
	for n := range h.ends.All {
		families[c.top.ends[n].family]++
	}
	unclear := all.Minus(c.calico.hostEnds())
	if all.Equal(h.ends) && (families[family4] > 1 || families[family6] > 1) {
		unclear = all
	}
	if !unclear.Empty() {
		c.doubt(unclear, fmt.Sprintf("HostEndpoint %s governs interface %s of node %s; whether traffic of this address passes it is not known", h.name, h.iface, h.node))
	}
}

// hostKey is the same as long as a host endpoint is guarded the same.
func (w *calicoWorld) hostKey(name string) string {
	for _, h := range w.hosts {
		if h.name == name {
			return fmt.Sprint(h.ends.Key(), h.profiles, w.profiles[defaultAllow] == nil, w.failsafe(Ingress, h.node), w.failsafe(Egress, h.node))
		}
	}
	return ""
}

// guard gives a host endpoint what holds without any policy: its failsafe ports,
// and deny at the very end where no profile allows.
func (c *compiler) guard(o *cluster.Object, h *host) {
	failsafe := &compiled{object: o, profile: true, applies: [2]bool{true, true}, subject: h.ends, places: kubernetesPlaces}
	for _, d := range []Direction{Egress, Ingress} {
		failsafe.rules[d] = c.failsafeRules(d, h.node)
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
	return &tier{name: failsafeTier, stage: stageFailsafe, fallback: ActionPass}
}

// hostText says why a pod's traffic to its own node's host endpoint is doubtful.
const hostText = "whether a host endpoint sees the traffic of its own node's pods hangs on its interface and on defaultEndpointToHostAction"

// toOwnHost says whether a pod talks to a host endpoint of its own node.
func (e *Engine) toOwnHost(q *query) bool {
	return e.top.toOwnNode(q) && e.calico.hostEnds().Has(int(q.to.end))
}

// hostEnds is all ends that are host endpoints.
func (w *calicoWorld) hostEnds() bits.Set {
	var out bits.Set
	for _, h := range w.hosts {
		out = out.Union(h.ends)
	}
	return out
}

// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"net/netip"
	"slices"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/selector"
)

// The labels that Calico adds to endpoints.
const (
	labelNamespace      = "projectcalico.org/namespace"
	labelOrchestrator   = "projectcalico.org/orchestrator"
	labelServiceAccount = "projectcalico.org/serviceaccount"
	labelName           = "projectcalico.org/name"
	prefixNamespace     = "pcns."
	prefixAccount       = "pcsa."
)

// calicoWorld is the snapshot as Calico's selectors see it.
type calicoWorld struct {
	top      *topology
	labels   *selector.Index // over ends of pods, with the labels that Calico adds; made when first needed
	sets     []addressSet    // network sets, and host endpoints with expected addresses
	hosts    []host
	profiles map[string]*cluster.Object
	selected map[string]*peer
}

// addressSet is what a selector may select besides pods.
type addressSet struct {
	labels map[string]string
	set    *netipx.IPSet
}

// host is a host endpoint: some ends of a node become subject to policy.
type host struct {
	labels   map[string]string
	ends     bits.Set
	profiles []string
	node     string
}

func newCalicoWorld(t *topology) *calicoWorld {
	return &calicoWorld{top: t, profiles: map[string]*cluster.Object{}, selected: map[string]*peer{}}
}

// index makes the postings of all pods' labels as Calico sees them.
func (w *calicoWorld) index() *selector.Index {
	if w.labels != nil {
		return w.labels
	}
	w.labels = selector.NewIndex()
	accounts := map[podName]map[string]string{}
	for _, a := range w.top.snapshot.ServiceAccounts {
		accounts[podName{a.Namespace, a.Name}] = a.Labels
	}
	for n := range w.top.pods.All {
		p := &w.top.snapshot.Pods[w.top.ends[n].pod]
		labels := w.namespaceLabels(p.Namespace)
		account := p.ServiceAccount
		if account == "" {
			account = "default"
		}
		for k, v := range accounts[podName{p.Namespace, account}] {
			labels[prefixAccount+k] = v
		}
		labels[prefixAccount+labelName] = account
		maps.Copy(labels, p.Labels)
		labels[labelNamespace] = p.Namespace
		labels[labelOrchestrator] = "k8s"
		labels[labelServiceAccount] = account
		w.labels.Add(n, labels)
	}
	return w.labels
}

// namespaceLabels gives what an endpoint inherits from its namespace.
func (w *calicoWorld) namespaceLabels(ns string) map[string]string {
	out := map[string]string{prefixNamespace + labelName: ns}
	if n, ok := w.top.nsNumber[ns]; ok {
		for k, v := range w.top.namespaces[n].labels {
			out[prefixNamespace+k] = v
		}
	}
	return out
}

// peer evaluates a selector as a rule's side means it: the pods, and the
// addresses of network sets and host endpoints, with every end that owns one.
func (w *calicoWorld) peer(e *selector.Expr) *peer {
	key := e.String()
	if p := w.selected[key]; p != nil {
		return p
	}
	p := peer{ends: w.index().Select(e, w.top.pods)}
	var build netipx.IPSetBuilder
	for _, s := range w.sets {
		if e.Matches(s.labels) {
			build.AddSet(s.set)
		}
	}
	if set, err := build.IPSet(); err == nil && len(set.Ranges()) > 0 {
		p.outside = set
		p.ends = p.ends.Union(w.top.within(set))
	}
	w.selected[key] = w.top.intern(p)
	return w.selected[key]
}

// networkSet notes a set of addresses with its labels.
func (c *compiler) networkSet(o *cluster.Object, ns string, labels map[string]string, nets []string) {
	var build netipx.IPSetBuilder
	for i, text := range nets {
		p, f := netOrAddress(text, path{"spec", "nets", i})
		if f != nil {
			c.leaveOut(o, f, c.top.everyEnd())
			return
		}
		build.AddPrefix(p)
	}
	set, err := build.IPSet()
	if err != nil {
		c.leaveOut(o, faultAt(path{"spec", "nets"}, "%s", err), c.top.everyEnd())
		return
	}
	all := map[string]string{}
	if ns != "" {
		all = c.calico.namespaceLabels(ns)
		all[labelNamespace] = ns
	}
	maps.Copy(all, labels)
	c.calico.sets = append(c.calico.sets, addressSet{all, set})
}

// netOrAddress reads a CIDR block or a bare address, as Calico allows.
func netOrAddress(text string, at path) (netip.Prefix, *fault) {
	if a, err := netip.ParseAddr(text); err == nil && !a.Is4In6() && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return prefix(text, at)
}

// hostEndpoint notes which ends of a node are under policy.
func (c *compiler) hostEndpoint(o *cluster.Object, h *calicov3.HostEndpoint) {
	made := host{labels: map[string]string{}, profiles: h.Spec.Profiles, node: h.Spec.Node}
	var build netipx.IPSetBuilder
	for i, text := range h.Spec.ExpectedIPs {
		a, err := netip.ParseAddr(text)
		if err != nil {
			c.leaveOut(o, faultAt(path{"spec", "expectedIPs", i}, "%q is not an address", text), c.top.nodeEnds)
			return
		}
		build.Add(a.Unmap())
	}
	for _, name := range h.Spec.Profiles {
		if p := c.calico.profiles[name]; p != nil {
			if typed, ok := p.Typed.(*calicov3.Profile); ok {
				maps.Copy(made.labels, typed.Spec.LabelsToApply)
			}
		}
	}
	maps.Copy(made.labels, h.Labels)
	set, err := build.IPSet()
	if err != nil {
		c.leaveOut(o, faultAt(path{"spec", "expectedIPs"}, "%s", err), c.top.nodeEnds)
		return
	}
	node, known := c.top.nodes[h.Spec.Node]
	if !known {
		c.problem(o, faultAt(path{"spec", "node"}, "node %q is not in the input; add it, or the host endpoint protects nothing", h.Spec.Node))
	} else {
		for _, n := range c.top.endsOfNode[node] {
			if a := c.top.ends[n].addr; h.Spec.InterfaceName != "" || set.Contains(a) {
				made.ends.Add(int(n))
			}
		}
	}
	c.hostPorts(made.ends, h)
	c.calico.sets = append(c.calico.sets, addressSet{made.labels, set})
	c.calico.hosts = append(c.calico.hosts, made)
	c.guard(o, &made)
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

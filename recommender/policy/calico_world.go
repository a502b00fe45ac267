// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"net/netip"

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
	accounts map[podName]map[string]string
	sets     []addressSet // network sets, and host endpoints with expected addresses
	hosts    []host
	profiles map[string]*cluster.Object
	felix    map[string]*calicov3.FelixConfiguration
}

// addressSet is what a selector may select besides pods.
type addressSet struct {
	labels map[string]string
	set    *netipx.IPSet
}

// host is a host endpoint: some ends of a node become subject to policy.
type host struct {
	name     string
	labels   map[string]string
	ends     bits.Set
	profiles []string
	node     string
	iface    string // "*" for all of the node's; "" where expected addresses say which
}

func newCalicoWorld(t *topology) *calicoWorld {
	return &calicoWorld{top: t, accounts: accountLabels(t.snapshot), profiles: map[string]*cluster.Object{}, felix: map[string]*calicov3.FelixConfiguration{}}
}

// next makes the world over a later topology, without sets, hosts and profiles.
func (w *calicoWorld) next(t *topology, touched bits.Set) *calicoWorld {
	out := newCalicoWorld(t)
	if w.labels != nil {
		out.labels = w.labels.Edited(touched, w.podLabels, out.podLabels)
	}
	return out
}

// index makes the postings of all pods' labels as Calico sees them.
func (w *calicoWorld) index() *selector.Index {
	if w.labels == nil {
		w.labels = selector.NewIndex()
		for n := range w.top.pods.All {
			labels, _ := w.podLabels(n)
			w.labels.Add(n, labels)
		}
	}
	return w.labels
}

// podLabels gives the labels of a pod's end as Calico sees them; false where
// the end is none's.
func (w *calicoWorld) podLabels(n int) (map[string]string, bool) {
	if !w.top.pods.Has(n) {
		return nil, false
	}
	p := w.top.podAt(n)
	labels := w.namespaceLabels(p.Namespace)
	account := accountOf(p)
	for k, v := range w.accounts[podName{p.Namespace, account}] {
		labels[prefixAccount+k] = v
	}
	labels[prefixAccount+labelName] = account
	maps.Copy(labels, p.Labels)
	labels[labelNamespace] = p.Namespace
	labels[labelOrchestrator] = "k8s"
	labels[labelServiceAccount] = account
	return labels, true
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

// selectedPods evaluates a selector on pods as Calico sees them; on those of one
// namespace where ns is not empty.
func (c *compiler) selectedPods(e *selector.Expr, ns string) bits.Set {
	return c.selection("calico\x00"+ns+"\x00"+e.String(), 0, func(t *topology, within bits.Set) bits.Set {
		if within = within.Intersect(t.pods); ns != "" {
			within = within.Intersect(t.reach(ns))
		}
		return t.calico.index().Select(e, within)
	})
}

// selected evaluates a selector as a rule's side means it: the pods, and the
// addresses of network sets and host endpoints, with every end that owns one.
func (c *compiler) selected(e *selector.Expr) *peer {
	p := peer{ends: c.selectedPods(e, "")}
	c.asked("sets\x00"+e.String(), hangsOnSets, func(c *compiler) string {
		if set := c.calico.selectedSets(e); set != nil {
			return rangesKey(set)
		}
		return ""
	})
	if set := c.calico.selectedSets(e); set != nil {
		p.outside = set
		p.ends = p.ends.Union(c.within(set))
	}
	return c.top.intern(p)
}

// selectedSets joins the network sets that a selector selects; nil where there
// is no address among them.
func (w *calicoWorld) selectedSets(e *selector.Expr) *netipx.IPSet {
	var build netipx.IPSetBuilder
	for _, s := range w.sets {
		if e.Matches(s.labels) {
			build.AddSet(s.set)
		}
	}
	if set, err := build.IPSet(); err == nil && len(set.Ranges()) > 0 {
		return set
	}
	return nil
}

// addSet notes a set of addresses with its labels; one that does not parse is
// not there.
func (c *compiler) addSet(ns string, labels map[string]string, nets []string) {
	set, f := readSet(nets)
	if f != nil {
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

// networkSet tells what is wrong with a network set.
func (c *compiler) networkSet(o *cluster.Object, nets []string) {
	if _, f := readSet(nets); f != nil {
		c.leaveOut(o, f, c.top.everyEnd())
	}
}

func readSet(nets []string) (*netipx.IPSet, *fault) {
	var build netipx.IPSetBuilder
	for i, text := range nets {
		p, f := netOrAddress(text, path{"spec", "nets", i})
		if f != nil {
			return nil, f
		}
		build.AddPrefix(p)
	}
	set, err := build.IPSet()
	if err != nil {
		return nil, faultAt(path{"spec", "nets"}, "%s", err)
	}
	return set, nil
}

// netOrAddress reads a CIDR block or a bare address, as Calico allows.
func netOrAddress(text string, at path) (netip.Prefix, *fault) {
	if a, err := netip.ParseAddr(text); err == nil && !a.Is4In6() && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return prefix(text, at)
}

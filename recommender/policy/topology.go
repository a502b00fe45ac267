// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/selector"
)

// family is the address family of a connection or a rule.
type family uint8

const (
	familyAny family = iota // not known, or not restricted
	family4
	family6
)

func familyOf(a netip.Addr) family {
	switch {
	case !a.IsValid():
		return familyAny
	case a.Is4() || a.Is4In6():
		return family4
	default:
		return family6
	}
}

// meets says whether two families can be the same connection's.
func (f family) meets(o family) bool { return f == familyAny || o == familyAny || f == o }

// end is one address of a pod or node, the thing that sets are made of: a
// dual-stack pod has two. A pod without address has one end all the same, so
// that selectors reach it; so does a hostNetwork pod on a node without address.
type end struct {
	pod    int32 // index in Snapshot.Pods; -1 for a node
	node   int32 // number of the node that it is or runs on; -1 where not known
	addr   netip.Addr
	family family
	ports  []namedPort
}

func (e *end) isNode() bool { return e.pod < 0 }

// namedPort is a declared port of a pod, by the number of its name.
type namedPort struct {
	name     int32
	protocol flow.Protocol
	port     uint16
}

// topology is all of a snapshot that policies are held against. It is built
// once and shared by every engine over the same snapshot; after building only
// the interning tables grow, while an engine is being compiled.
//
// A topology may follow another one. Ends then keep their numbers; numbers of
// ends that are gone stay unused until a later topology gives them out again.
type topology struct {
	*interning
	snapshot   *cluster.Snapshot
	ends       []end
	all        bits.Set // the numbers in use
	fresh      bool     // numbered from the snapshot alone
	byAddr     map[netip.Addr]int32
	byPod      map[*cluster.Pod]int32 // index in Snapshot.Pods
	byName     map[podName]int32
	slots      map[podKey]slot
	nodeSlots  map[nodeKey]int32
	unused     []int32 // numbers that new ends may take, ascending
	firstEnd   []int32 // by index in Snapshot.Pods; hostNetwork pods: their node's end
	endCount   []int32
	sorted     []int32 // ends with an address, by address
	nodes      map[string]int32
	nodeNames  []string
	nodeLabels map[string]map[string]string
	services   map[netip.Addr]string // virtual addresses, to namespace/name
	namespaces []namespace
	nsNumber   map[string]int
	pods       bits.Set // all ends of pods
	nodeEnds   bits.Set
	endsOfNode map[int32][]int32 // by number of the node
	labels     *selector.Index   // over the ends of pods
	nsLabels   *selector.Index   // over numbers of namespaces
	calico     *calicoWorld
	facts      map[string]*fact    // what was looked up, by what was asked
	nsEnds     map[string]bits.Set // ends by namespace selector
}

// interning gives equal things one form. Topologies that follow each other
// share it, and its lock, which is also that of facts and indexes.
type interning struct {
	compiling sync.Mutex
	portNames map[string]int32
	interned  map[string]*peer
}

type podName struct{ namespace, name string }

type namespace struct {
	name   string
	labels map[string]string
	ends   bits.Set
}

func newTopology(s *cluster.Snapshot) *topology {
	t := emptyTopology(s)
	t.interning = &interning{portNames: map[string]int32{}, interned: map[string]*peer{}}
	t.fresh = true
	t.build(nil)
	return t
}

func emptyTopology(s *cluster.Snapshot) *topology {
	return &topology{
		snapshot: s, byAddr: make(map[netip.Addr]int32, 2*len(s.Pods)), byPod: make(map[*cluster.Pod]int32, len(s.Pods)),
		byName: make(map[podName]int32, len(s.Pods)), slots: make(map[podKey]slot, len(s.Pods)), nodeSlots: map[nodeKey]int32{},
		firstEnd: make([]int32, len(s.Pods)), endCount: make([]int32, len(s.Pods)),
		nodes: map[string]int32{}, nodeLabels: map[string]map[string]string{}, endsOfNode: map[int32][]int32{},
		services: map[netip.Addr]string{}, nsNumber: map[string]int{},
		nsLabels: selector.NewIndex(), facts: map[string]*fact{}, nsEnds: map[string]bits.Set{},
	}
}

// build numbers everything, as far as possible as in the topology before.
func (t *topology) build(before *topology) {
	t.addNamespaces()
	t.addPods(before)
	t.addNodes(before)
	t.addServices()
	t.all = t.pods.Union(t.nodeEnds)
	for n := range t.all.All {
		if t.ends[n].addr.IsValid() {
			t.sorted = append(t.sorted, int32(n))
		}
	}
	slices.SortFunc(t.sorted, func(a, b int32) int { return t.ends[a].addr.Compare(t.ends[b].addr) })
	if before == nil {
		t.labels = selector.NewIndex()
		for n := range t.pods.All {
			t.labels.Add(n, t.podAt(n).Labels)
		}
	}
}

// podAt is the pod that has an end.
func (t *topology) podAt(n int) *cluster.Pod { return &t.snapshot.Pods[t.ends[n].pod] }

func (t *topology) addNamespaces() {
	labels := map[string]map[string]string{}
	for i := range t.snapshot.Pods {
		name := t.snapshot.Pods[i].Namespace
		labels[name] = map[string]string{"kubernetes.io/metadata.name": name}
	}
	for _, ns := range t.snapshot.Namespaces {
		labels[ns.Name] = maps.Clone(ns.Labels)
		if labels[ns.Name] == nil {
			labels[ns.Name] = map[string]string{}
		}
		labels[ns.Name]["kubernetes.io/metadata.name"] = ns.Name
	}
	for i, name := range slices.Sorted(maps.Keys(labels)) {
		t.nsNumber[name] = i
		t.namespaces = append(t.namespaces, namespace{name: name, labels: labels[name]})
		t.nsLabels.Add(i, labels[name])
	}
}

// addPods numbers the ends of pods namespace by namespace, which keeps the
// sets that stay within one namespace small.
func (t *topology) addPods(before *topology) {
	order := make([]int, len(t.snapshot.Pods))
	for i := range order {
		order[i] = i
	}
	pods := t.snapshot.Pods
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(pods[a].Namespace, pods[b].Namespace), cmp.Compare(pods[a].Name, pods[b].Name))
	})
	t.follow(before)
	for _, i := range order {
		p := &pods[i]
		t.byPod[p] = int32(i)
		if _, taken := t.byName[podName{p.Namespace, p.Name}]; !taken {
			t.byName[podName{p.Namespace, p.Name}] = int32(i)
		}
		if p.HostNetwork {
			continue // counts as its node
		}
		addresses := ownAddresses(p)
		t.firstEnd[i], t.endCount[i] = t.podSlot(before, p, len(addresses)), int32(len(addresses))
		ports := t.namedPorts(p)
		for k, addr := range addresses {
			n := int(t.firstEnd[i]) + k
			t.ends[n] = end{pod: int32(i), node: t.node(p.Node), addr: addr, family: familyOf(addr), ports: ports}
			if addr.IsValid() {
				t.byAddr[addr] = int32(n)
			}
			t.pods.Add(n)
			t.namespaces[t.nsNumber[p.Namespace]].ends.Add(n)
		}
	}
}

// ownAddresses gives what a pod owns: its addresses, or one invalid address
// for a template or a finished pod.
func ownAddresses(p *cluster.Pod) []netip.Addr {
	if p.Finished || len(p.IPs) == 0 {
		return []netip.Addr{{}}
	}
	out := make([]netip.Addr, len(p.IPs))
	for i, a := range p.IPs {
		out[i] = a.Unmap().WithZone("")
	}
	return out
}

func (t *topology) namedPorts(p *cluster.Pod) []namedPort {
	var out []namedPort
	for _, c := range p.Ports {
		if c.Name != "" {
			out = append(out, namedPort{t.portName(c.Name), c.Protocol, c.Port})
		}
	}
	return out
}

// portName numbers port names from 1; 0 stands for no name.
func (t *topology) portName(name string) int32 {
	n, ok := t.portNames[name]
	if !ok {
		n = int32(len(t.portNames)) + 1
		t.portNames[name] = n
	}
	return n
}

// node numbers nodes; -1 stands for not known.
func (t *topology) node(name string) int32 {
	if name == "" {
		return -1
	}
	n, ok := t.nodes[name]
	if !ok {
		n = int32(len(t.nodeNames))
		t.nodes[name] = n
		t.nodeNames = append(t.nodeNames, name)
	}
	return n
}

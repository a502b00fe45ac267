// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// Index finds things in a snapshot. It is read only once made.
type Index struct {
	snapshot  *cluster.Snapshot
	pods      map[flow.Workload][]*cluster.Pod // that live, or stand in; in the snapshot's order
	named     map[[2]string]*cluster.Pod       // by namespace and name
	workloads map[flow.Workload]*cluster.Workload
	order     []flow.Workload           // those with pods, sorted
	names     map[flow.Workload]*string // namespace/name of those with pods
	nodes     map[string]*cluster.Node
	podAddr   map[netip.Addr]*cluster.Pod // pods of their own network
	nodeAddr  map[netip.Addr]string
	policies  map[cluster.Ref]*cluster.Object
	lines     map[policy.AllowanceID]int // in the file
	periods   map[string]time.Duration   // of CronJob schedules
}

// NewIndex makes the index of a snapshot.
func NewIndex(s *cluster.Snapshot) *Index {
	x := &Index{
		snapshot: s, pods: map[flow.Workload][]*cluster.Pod{}, named: map[[2]string]*cluster.Pod{},
		workloads: map[flow.Workload]*cluster.Workload{}, names: map[flow.Workload]*string{}, nodes: map[string]*cluster.Node{},
		podAddr: map[netip.Addr]*cluster.Pod{}, nodeAddr: map[netip.Addr]string{}, policies: map[cluster.Ref]*cluster.Object{},
		lines: map[policy.AllowanceID]int{}, periods: map[string]time.Duration{},
	}
	for i := range s.Pods {
		x.addPod(&s.Pods[i])
	}
	for i := range s.Workloads {
		x.workloads[s.Workloads[i].Workload] = &s.Workloads[i]
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		x.nodes[n.Name] = n
		for _, a := range n.Addresses {
			x.nodeAddr[a] = n.Name
		}
	}
	for i := range s.Policies {
		x.policies[s.Policies[i].Ref] = &s.Policies[i]
	}
	for w := range x.pods {
		name := w.String()
		x.names[w] = &name
		x.order = append(x.order, w)
	}
	slices.SortFunc(x.order, compareWorkloads)
	return x
}

func (x *Index) addPod(p *cluster.Pod) {
	x.named[[2]string{p.Namespace, p.Name}] = p
	if p.Finished {
		return
	}
	w := workloadOf(p)
	x.pods[w] = append(x.pods[w], p)
	if !p.HostNetwork {
		for _, a := range p.IPs {
			x.podAddr[a] = p
		}
	}
}

// workloadOf gives the workload of a pod; a pod without one is its own.
func workloadOf(p *cluster.Pod) flow.Workload {
	if !p.Workload.IsZero() {
		return p.Workload
	}
	return flow.Workload{Namespace: p.Namespace, Kind: "Pod", Name: p.Name}
}

func compareWorkloads(a, b flow.Workload) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
}

// Pods gives the pods of a workload that live, or stand in for its template.
func (x *Index) Pods(w flow.Workload) []*cluster.Pod { return x.pods[w] }

// Workloads lists the workloads that have pods, by namespace and name.
func (x *Index) Workloads() []flow.Workload { return x.order }

// Workload gives what is known about a workload; nil where no object describes it.
func (x *Index) Workload(w flow.Workload) *cluster.Workload { return x.workloads[w] }

// Node gives a node by its name; nil where the snapshot lacks it.
func (x *Index) Node(name string) *cluster.Node { return x.nodes[name] }

// OnHost says whether a party is a workload whose pods share their node's
// network, so that policies see the node.
func (x *Index) OnHost(p Party) bool { return x.onHost(p) }

// Party folds an endpoint, as the analysis does.
func (x *Index) Party(e flow.Endpoint, seen flow.Window) Party { return x.party(e, seen) }

// party folds an endpoint. Identity was resolved when the flow was seen; what
// came with an address only (a file made elsewhere) is looked up here, but
// never given to a pod that started later.
func (x *Index) party(e flow.Endpoint, seen flow.Window) Party {
	switch {
	case e.Workload.Name != "":
		return x.known(e.Workload)
	case e.Pod != "":
		if p := x.named[[2]string{e.Workload.Namespace, e.Pod}]; p != nil {
			return PartyOf(workloadOf(p))
		}
		return PartyOf(flow.Workload{Namespace: e.Workload.Namespace, Kind: "Pod", Name: e.Pod})
	case e.Node != "" && x.nodes[e.Node] != nil:
		return Party{Kind: PartyNode, Name: e.Node}
	case e.Node != "":
		return Party{Kind: PartyNode, Name: e.Node, IP: e.IP.Unmap()}
	}
	ip := e.IP.Unmap()
	if p := x.podAddr[ip]; p != nil && !p.Started.After(seen.Start) {
		return PartyOf(workloadOf(p))
	}
	if node, ok := x.nodeAddr[ip]; ok {
		return Party{Kind: PartyNode, Name: node}
	}
	return Party{Kind: PartyOutside, IP: ip, DNS: e.DNS}
}

// known completes a workload whose kind the record does not tell.
func (x *Index) known(w flow.Workload) Party {
	if w.Kind == "" {
		for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "CronJob", "ReplicaSet", "Job", "Pod"} {
			full := flow.Workload{Namespace: w.Namespace, Kind: kind, Name: w.Name}
			if _, ok := x.pods[full]; ok {
				return PartyOf(full)
			}
		}
	}
	return PartyOf(w)
}

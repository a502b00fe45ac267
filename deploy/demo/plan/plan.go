// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netcinch/netcinch/deploy/demo/workload"
)

// Plan is the whole world on paper.
type Plan struct {
	Node     Node
	Pods     []*Pod
	Jobs     []*Job
	Routes   []Route
	Drops    []Drop
	Outside  []Outside
	Zone     workload.Zone
	Resolver netip.AddrPort // the DNS Service, which every pod asks
	pool     *pool
}

// Node is the one node. Addresses are IPv4 first.
type Node struct {
	Name      string
	Addresses []netip.Addr
	Pods      []netip.Prefix
}

// Pod is one pod with what its container runs. The object is as a kubelet
// reports it, but for the times.
type Pod struct {
	Object    *corev1.Pod
	Container string
	Spec      workload.Spec
	Args      []string
	IPs       []netip.Addr // of hostNetwork pods the node's
	Netns     string       // name of its network namespace; empty with hostNetwork
	Link      string       // name of the host end of its veth
}

// Key gives namespace/name.
func (p *Pod) Key() string { return p.Object.Namespace + "/" + p.Object.Name }

// Job is a CronJob in the demo's rhythm.
type Job struct {
	Namespace string
	Name      string
	Every     time.Duration
	run       func(at time.Time) (*Pod, error)
}

// Pod makes the pod of the run that begins at the given time. Its addresses
// are free until the pool has gone round.
func (j *Job) Pod(at time.Time) (*Pod, error) { return j.run(at) }

// Route is one Service port: what is dialled, and what stands behind it.
type Route struct {
	Dialled  netip.AddrPort
	Protocol corev1.Protocol
	Backends []netip.AddrPort
}

// Drop is traffic that the node's packet filter cuts, as the policies say.
type Drop struct {
	From, To netip.Addr
	Port     uint16
}

// Outside is one process beyond the node.
type Outside struct {
	Name    string
	Address netip.Addr
	Args    []string
	Spec    workload.Spec
}

// Make reads the folder and lays everything out.
func Make(folder string) (*Plan, error) {
	m, err := read(folder)
	if err != nil {
		return nil, err
	}
	p := &Plan{}
	if err := p.addNode(m.nodes); err != nil {
		return nil, err
	}
	for _, o := range m.owners {
		if err := p.addOwner(o); err != nil {
			return nil, fmt.Errorf("planning %s %s/%s: %w", o.kind, o.meta.Namespace, o.meta.Name, err)
		}
	}
	for i := range m.jobs {
		if err := p.addJob(&m.jobs[i]); err != nil {
			return nil, fmt.Errorf("planning CronJob %s/%s: %w", m.jobs[i].Namespace, m.jobs[i].Name, err)
		}
	}
	p.Zone = workload.Zone{Addresses: map[string][]netip.Addr{}, Aliases: map[string]string{}}
	for i := range m.services {
		if err := p.addService(&m.services[i]); err != nil {
			return nil, fmt.Errorf("planning Service %s/%s: %w", m.services[i].Namespace, m.services[i].Name, err)
		}
	}
	if !p.Resolver.IsValid() {
		return nil, fmt.Errorf("no Service kube-system/kube-dns with a clusterIP and port 53 in %s", folder)
	}
	if err := p.addOutside(); err != nil {
		return nil, err
	}
	return p, p.addDrops()
}

func (p *Plan) addNode(nodes []corev1.Node) error {
	if len(nodes) != 1 {
		return fmt.Errorf("planning the node: %d Nodes in the manifests, want 1", len(nodes))
	}
	n := nodes[0]
	p.Node.Name = n.Name
	for _, a := range n.Status.Addresses {
		if a.Type != corev1.NodeInternalIP {
			continue
		}
		addr, err := netip.ParseAddr(a.Address)
		if err != nil {
			return fmt.Errorf("reading the node's address: %w", err)
		}
		p.Node.Addresses = append(p.Node.Addresses, addr)
	}
	for _, c := range n.Spec.PodCIDRs {
		prefix, err := netip.ParsePrefix(c)
		if err != nil {
			return fmt.Errorf("reading the node's podCIDRs: %w", err)
		}
		p.Node.Pods = append(p.Node.Pods, prefix)
	}
	if len(p.Node.Addresses) != 2 || len(p.Node.Pods) != 2 || !p.Node.Addresses[0].Is4() || !p.Node.Pods[0].Addr().Is4() {
		return fmt.Errorf("planning the node: want one IPv4 and one IPv6 address, and a podCIDR of each, in this order")
	}
	p.pool = &pool{prefixes: p.Node.Pods}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/recommender/wire"
)

// nodeCollector is what watching the node itself takes of [capture.Collector].
type nodeCollector interface {
	AttachNode(netns, ifname string) (capture.Slot, error)
	SetOwn(addresses []netip.Addr) error
	Detach(slot capture.Slot) error
}

// nodeWatch is the node's own interfaces, by which the traffic of its processes
// and of pods that share its network is seen. What only passes there is not
// counted: it belongs to the pods' interfaces.
type nodeWatch struct {
	slots map[string]capture.Slot // by interface; of the loop alone, as own
	own   []netip.Addr            // the node's addresses, in order

	mu      sync.Mutex
	problem error // why it is not watched, or not wholly
	watched []nodeLink
}

// nodeLink is one of the node's interfaces that is watched.
type nodeLink struct {
	name  string
	slot  capture.Slot
	since time.Time
}

// set notes how it went, and says whether that is news.
func (n *nodeWatch) set(problem error, now time.Time) (news bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.note(now)
	before := n.problem
	n.problem = problem
	return problem != nil && (before == nil || before.Error() != problem.Error())
}

// note keeps for others what is watched; the lock is held.
func (n *nodeWatch) note(now time.Time) {
	n.watched = slices.DeleteFunc(n.watched, func(l nodeLink) bool { return n.slots[l.name] != l.slot })
	for _, name := range slices.Sorted(maps.Keys(n.slots)) {
		slot := n.slots[name]
		if !slices.ContainsFunc(n.watched, func(l nodeLink) bool { return l.slot == slot }) {
			n.watched = append(n.watched, nodeLink{name, slot, now})
		}
	}
}

// links gives the interfaces that are watched.
func (n *nodeWatch) links() []nodeLink {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.watched)
}

// missing says why the node is not watched; nil where it is.
func (n *nodeWatch) missing() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.problem
}

// errNoOwners says why the node is not watched: without processes a flow of the
// node's cannot be told from one of a pod's behind the node's address.
var errNoOwners = errors.New("the node's own traffic is told by its processes, which are not known")

// watchNode attaches to the node's interfaces, and keeps its addresses. Call it
// again to follow both.
func (o *Observer) watchNode() {
	c, ok := o.collector.(nodeCollector)
	if !ok {
		return
	}
	addresses, err := o.watcher.NodeAddresses()
	if err == nil {
		o.node.own = addresses
		err = errNoOwners
		if o.owners != nil {
			err = o.followNode(c, addresses)
		}
	}
	if o.node.set(err, o.Clock()) {
		o.Logger.Warn("done without a feature of the kernel", slog.String("feature", feature.HostNetwork.Name),
			slog.String("lost", feature.HostNetwork.Lost), slog.Any("error", err))
	}
}

func (o *Observer) followNode(c nodeCollector, addresses []netip.Addr) error {
	if err := c.SetOwn(slices.DeleteFunc(slices.Clone(addresses), netip.Addr.IsLinkLocalUnicast)); err != nil {
		return err
	}
	names, err := o.watcher.NodeLinks()
	if err != nil {
		return err
	}
	for name, slot := range o.node.slots {
		if !slices.Contains(names, name) {
			err = errors.Join(err, c.Detach(slot))
			delete(o.node.slots, name)
		}
	}
	for _, name := range names {
		if _, known := o.node.slots[name]; known {
			continue
		}
		slot, failed := c.AttachNode(o.Netns, name)
		if failed == nil {
			o.node.slots[name] = slot
			failed = o.tell(slot, o.Netns)
		}
		err = errors.Join(err, failed)
	}
	return err
}

func (n *nodeWatch) has(slot capture.Slot) bool {
	for _, s := range n.slots {
		if s == slot {
			return true
		}
	}
	return false
}

// add folds a record, unless it is of an interface of the node's and not of the
// node: what a pod sends by the node's address has no process here.
func (o *Observer) add(r *capture.Record) {
	if o.node.has(r.Slot) && !o.ofNode(r) {
		return
	}
	o.aggregator.Add(r)
}

func (o *Observer) ofNode(r *capture.Record) bool {
	if r.Fragment || o.owners == nil {
		return false
	}
	if r.Owner != 0 || o.owners.Holds(r) {
		return true
	}
	if r.Initiator == capture.InitiatorLocal || r.Dialled.IsValid() || r.SourceRewritten {
		return false // it was forwarded
	}
	if r.Protocol == unix.IPPROTO_ICMP || r.Protocol == unix.IPPROTO_ICMPV6 {
		return true // the kernel itself answers
	}
	listens, _ := o.owners.Listens(r)
	return listens || r.Outcome == capture.Refused
}

// identifyNode gives the pod that a program of the node's belongs to, if it
// shares the node's network; else it is the node's own.
func (o *Observer) identifyNode(p owner.Program) (wire.PodKey, bool) {
	uid := p.PodUID()
	if uid == "" {
		return wire.PodKey{}, true
	}
	pod, ok := o.registry.ByUID(uid)
	if !ok {
		return wire.PodKey{}, false // not reported yet, or not by a pod's UID
	}
	if !pod.HostNetwork {
		return wire.PodKey{}, true // a process of a pod that has gone to the node's network
	}
	return wire.PodKey{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}, true
}

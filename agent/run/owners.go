// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/dial"
	"github.com/netcinch/netcinch/agent/drops"
	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/agent/podmap"
	"github.com/netcinch/netcinch/agent/probe"
)

// openOthers begins everything that a node can be watched without.
func (o *Observer) openOthers(c *capture.Collector) {
	o.openOwners(c)
	o.openDrops()
	o.openDial(c)
}

// openOwners begins to follow processes and sockets. A node on which that
// cannot be done is watched without.
func (o *Observer) openOwners(c *capture.Collector) {
	t, err := owner.Open(owner.Options{Running: c.Running(), FirstNumber: rand.Uint32N(1 << 31), Clock: o.Clock})
	if err != nil {
		o.othersMissing = []probe.Missing{feature.Processes.Without(err)}
		return
	}
	o.owners, o.othersMissing = t, t.Missing()
}

// openDrops begins to follow what the kernel drops on the node. A node on which
// that cannot be done is watched without.
func (o *Observer) openDrops() {
	cookie, err := owner.Cookie(o.Netns)
	if err == nil {
		var t *drops.Tracker
		if t, err = drops.Open(drops.Options{Clock: o.Clock, Node: cookie}); err == nil {
			o.drops = t
			return
		}
	}
	o.othersMissing = append(o.othersMissing, feature.DropReasons.Without(err))
}

// openDial has noted what the pods dial, where that was asked for.
func (o *Observer) openDial(c *capture.Collector) {
	if o.PodsCgroup == "" {
		return
	}
	w, err := dial.Open(o.PodsCgroup, c.Dialled())
	if err != nil {
		o.othersMissing = append(o.othersMissing, feature.Dialled.Without(err))
		return
	}
	o.dial = w
}

// tellingAttacher tells the others of every interface that is watched from
// within its own namespace.
type tellingAttacher struct {
	podmap.Attacher
	observer *Observer
}

func (a tellingAttacher) Attach(netns, ifname string) (capture.Slot, error) {
	slot, err := a.Attacher.Attach(netns, ifname)
	if err != nil {
		return slot, err
	}
	if err := a.observer.tell(slot, netns); err != nil {
		a.observer.Logger.Warn("the programs of servers and the reasons of drops in a network namespace are not known",
			slog.String("interface", ifname), slog.Uint64("slot", uint64(slot)), slog.Any("error", err))
	}
	return slot, nil
}

// AttachHost tells nobody: the namespace of the host's side is the node's, and
// what listens there is no pod's.
func (a tellingAttacher) AttachHost(netns, ifname string) (capture.Slot, error) {
	return a.Attacher.AttachHost(netns, ifname)
}

func (o *Observer) tell(slot capture.Slot, netns string) error {
	cookie, err := owner.Cookie(netns)
	if err != nil {
		return err
	}
	if o.owners != nil {
		o.owners.Watch(slot, cookie)
	}
	if o.drops != nil {
		return o.drops.Watch(slot, cookie)
	}
	return nil
}

// forget drops slots that are gone for good.
func (o *Observer) forget(slots []capture.Slot) {
	for _, slot := range slots {
		o.aggregator.Forget(slot)
		delete(o.claims, slot)
	}
	if o.owners != nil {
		o.owners.Forget(slots)
	}
	if o.drops != nil {
		o.drops.Forget(slots)
	}
}

// refresh takes in what sockets were opened and closed and what was dropped,
// before the flows are read.
func (o *Observer) refresh(ctx context.Context) {
	var err error
	if o.owners != nil {
		err = o.owners.Refresh()
	}
	if o.drops != nil {
		err = errors.Join(err, o.drops.Refresh())
		o.drops.Attempts(o.registry.Slot, o.listens, func(r capture.Record) { o.aggregator.Add(&r) })
	}
	if err == nil {
		o.refreshProblem = ""
		return
	}
	if o.refreshProblem != err.Error() {
		o.refreshProblem = err.Error()
		o.Logger.ErrorContext(ctx, "following sockets and drops; programs of servers and reasons may be out of date", slog.Any("error", err))
	}
}

func (o *Observer) program(r *capture.Record) owner.Program {
	if o.owners == nil {
		return owner.Program{}
	}
	p := o.owners.Of(r)
	if uid := p.PodUID(); uid != "" && o.claims[r.Slot] != uid && !o.node.has(r.Slot) {
		o.claims[r.Slot] = uid
		o.registry.Claim(r.Slot, uid)
	}
	return p
}

func (o *Observer) listens(r *capture.Record) (listens, known bool) {
	if o.owners == nil {
		return false, false
	}
	return o.owners.Listens(r)
}

func (o *Observer) resolve(r *capture.Record) {
	if o.drops != nil {
		o.drops.Resolve(r)
	}
}

// missing gives every feature that is done without.
func (o *Observer) missing() []probe.Missing {
	return slices.Concat(o.collector.Missing(), o.othersMissing)
}

// closeKernel lets go of all that the kernel holds.
func (o *Observer) closeKernel() error {
	var errs []error
	if o.owners != nil {
		errs = append(errs, o.owners.Close())
	}
	if o.drops != nil {
		errs = append(errs, o.drops.Close())
	}
	return errors.Join(append(errs, o.closeConntrack(), o.closeCollector())...)
}

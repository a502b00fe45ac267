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
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/agent/podmap"
	"github.com/netcinch/netcinch/agent/probe"
)

// featureOwners is what a node does without where not even the maps of
// processes can be made.
const featureOwners = "processes"

// openOwners begins to follow processes and sockets. A node on which that
// cannot be done is watched without.
func (o *Observer) openOwners(c *capture.Collector) {
	t, err := owner.Open(owner.Options{Running: c.Running(), FirstNumber: rand.Uint32N(1 << 31), Clock: o.Clock})
	if err != nil {
		o.ownerMissing = []probe.Missing{{Feature: featureOwners, Lost: "the program at each end of a flow", Err: err}}
		return
	}
	o.owners, o.ownerMissing = t, t.Missing()
}

// ownedAttacher tells the owners of every interface that is watched.
type ownedAttacher struct {
	podmap.Attacher
	owners owners
	logger *slog.Logger
}

func (a ownedAttacher) Attach(netns, ifname string) (capture.Slot, error) {
	slot, err := a.Attacher.Attach(netns, ifname)
	if err != nil {
		return slot, err
	}
	if err := a.owners.Watch(slot, netns); err != nil {
		a.logger.Warn("the programs of servers in a network namespace are not known",
			slog.String("interface", ifname), slog.Uint64("slot", uint64(slot)), slog.Any("error", err))
	}
	return slot, nil
}

func (o *Observer) attacher(c podmap.Attacher) podmap.Attacher {
	if o.owners == nil {
		return c
	}
	return ownedAttacher{c, o.owners, o.Logger}
}

// refreshOwners takes in the sockets that were opened and closed, before the
// flows are read.
func (o *Observer) refreshOwners(ctx context.Context) {
	if o.owners == nil {
		return
	}
	err := o.owners.Refresh()
	if err == nil {
		o.ownerProblem = ""
		return
	}
	if o.ownerProblem != err.Error() {
		o.ownerProblem = err.Error()
		o.Logger.ErrorContext(ctx, "following sockets; the programs of servers may be out of date", slog.Any("error", err))
	}
}

func (o *Observer) program(r *capture.Record) owner.Program {
	if o.owners == nil {
		return owner.Program{}
	}
	return o.owners.Of(r)
}

func (o *Observer) listens(r *capture.Record) (listens, known bool) {
	if o.owners == nil {
		return false, false
	}
	return o.owners.Listens(r)
}

// missing gives every feature that is done without.
func (o *Observer) missing() []probe.Missing {
	return slices.Concat(o.collector.Missing(), o.ownerMissing)
}

// closeKernel lets go of all that the kernel holds.
func (o *Observer) closeKernel() error {
	if o.owners == nil {
		return o.collector.Close()
	}
	return errors.Join(o.owners.Close(), o.collector.Close())
}

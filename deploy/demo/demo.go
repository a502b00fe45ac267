// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/netcinch/netcinch/deploy/demo/parts"
	"github.com/netcinch/netcinch/deploy/demo/plan"
	"github.com/netcinch/netcinch/deploy/demo/world"
)

// demo is one run: what was started so far, and what it tells the person.
type demo struct {
	options options
	out     io.Writer
	now     func() time.Time

	claim              *world.Claim
	plan               *plan.Plan
	world              *world.World
	recommender, agent *parts.Part
	page               string // its address
	ingest             string // the address that the agent sends to
	metrics            string // the address of the agent's metrics
	token              string
}

// run goes from nothing to nothing: everything that it builds is taken down
// before it returns, whatever happened in between.
func (d *demo) run(ctx context.Context) (err error) {
	if err = d.fit(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.takeDown()) }()
	if d.claim.Cleaned {
		d.say("Removed what a killed run had left behind.")
	}
	d.say("Building the shop: %d pods on one node, each in a network namespace of its own …", len(d.plan.Pods))
	if err = d.build(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C while building
		}
		return err
	}
	return d.show(ctx)
}

// fit checks all that must be right before the first thing is built, and
// claims the machine.
func (d *demo) fit() error {
	if os.Geteuid() != 0 {
		return unfitError{fmt.Errorf("the live demo needs root (network namespaces, eBPF); without root, %s", fromFiles)}
	}
	for _, name := range []string{recommenderName, agentName} {
		if _, err := os.Stat(d.binary(name)); err != nil {
			return unfitError{fmt.Errorf("%w: build it with make build, or name its folder with --binaries", err)}
		}
	}
	var err error
	if d.plan, err = plan.Make(d.options.manifests); err != nil {
		return unfitError{err}
	}
	if d.claim, err = world.Take(world.DefaultLock); err != nil {
		return unfitError{err}
	}
	if d.page, err = free(d.options.listen); err != nil {
		return errors.Join(unfitError{fmt.Errorf("%w: give another address with --listen", err)}, d.claim.Release())
	}
	return nil
}

// build starts everything: the node, then the recommender and the agent, then
// the pods, so that the agent is there before the first process runs.
func (d *demo) build(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	d.world, err = world.New(d.plan, world.Options{
		State: d.claim.State, Executable: self, Now: d.now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	if err := d.startRecommender(ctx); err != nil {
		return err
	}
	if err := d.startAgent(ctx); err != nil {
		return err
	}
	if err := d.world.Sandboxes(); err != nil {
		return err
	}
	if err := d.awaitWatched(ctx); err != nil {
		return err
	}
	return d.world.Start(ctx)
}

// show lets time pass: it tells the person what to watch, gives the sign for
// the unseen connection, and waits for the end or a failure.
func (d *demo) show(ctx context.Context) error {
	d.introduce()
	start := d.now()
	sign := time.NewTimer(d.options.unseenAfter)
	defer sign.Stop()
	settled := time.NewTimer(settleTime)
	defer settled.Stop()
	var end <-chan time.Time // never, unless --for says when
	if d.options.duration > 0 {
		timer := time.NewTimer(d.options.duration)
		defer timer.Stop()
		end = timer.C
	}
	for {
		select {
		case <-settled.C:
			d.tell(start, "%s", d.summary())
		case <-sign.C:
			d.world.Tell()
			d.tell(start, "the frontend opens a connection to the database: it never did before, and a policy lets it through")
		case <-end:
			return nil
		case <-ctx.Done():
			return nil
		case err := <-d.world.Failed():
			return err
		case <-d.recommender.Done():
			return d.recommender.Ended()
		case <-d.agent.Done():
			return d.agent.Ended()
		}
	}
}

// takeDown ends the parts, then the world, then gives the machine free.
func (d *demo) takeDown() error {
	d.say("Taking everything down …")
	for _, p := range []*parts.Part{d.agent, d.recommender} {
		if p != nil {
			p.Stop()
		}
	}
	var errs []error
	if d.world != nil {
		errs = append(errs, d.world.Close())
	}
	if d.options.keep != "" {
		errs = append(errs, d.saveState())
	}
	if err := errors.Join(append(errs, d.claim.Release())...); err != nil {
		return fmt.Errorf("taking the demo down: %w", err)
	}
	d.say("Done: nothing is left.")
	return nil
}

// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netcinch/netcinch/deploy/demo/plan"
	"github.com/netcinch/netcinch/deploy/demo/workload"
)

// Options say where the world lives.
type Options struct {
	State      string // an empty folder of its own, from Claim
	Executable string // the program that runs workload.Main
	Now        func() time.Time
	Log        *slog.Logger
}

// World is one running world. New, Sandboxes, Start, Close, in this order.
type World struct {
	plan           *plan.Plan
	options        Options
	thread         *thread
	node, internet *place
	building       sync.Mutex // guards places
	places         []*place
	homes          map[*plan.Pod]*place
	processes      []*process
	jobs           sync.WaitGroup
	stopJobs       context.CancelFunc
	failed         chan error
	mu             sync.Mutex // guards calls and jobRuns
	calls          map[callKey]CallState
	jobRuns        int
}

type callKey struct{ process, call string }

// CallState is how one call fares, as its process last said.
type CallState struct {
	Process   string // the pod's namespace/name, or the name of an outside process
	Container string
	Call      string // the address as in the manifest
	OK        bool
	Error     string
}

// New builds the node, the internet and the packet filter; no pod yet, so
// that an agent can be there before the first one. Whatever it returns, the
// world is to be closed.
func New(p *plan.Plan, o Options) (*World, error) {
	w := &World{
		plan: p, options: o, thread: newThread(), failed: make(chan error, 1),
		calls: map[callKey]CallState{}, homes: map[*plan.Pod]*place{}, stopJobs: func() {},
	}
	for _, folder := range []string{PodsFolder, "bin"} {
		if err := os.Mkdir(filepath.Join(o.State, folder), 0o755); err != nil {
			return w, fmt.Errorf("preparing state folder: %w", err)
		}
	}
	zone, err := json.Marshal(p.Zone)
	if err != nil {
		return w, fmt.Errorf("encoding zone: %w", err)
	}
	if err := w.replace(w.zonePath(), zone); err != nil {
		return w, err
	}
	return w, w.buildNode()
}

func (w *World) zonePath() string { return filepath.Join(w.options.State, "zone.json") }

// NodeNetns is the path of the node's network namespace.
func (w *World) NodeNetns() string { return filepath.Join(netnsFolder, nodeName) }

// Sandboxes makes every pod's namespace, link and object, but no process yet:
// the moment for an agent to get ready.
func (w *World) Sandboxes() error {
	for _, pod := range w.plan.Pods {
		home := w.node
		if pod.Netns != "" {
			var err error
			if home, err = w.buildPod(pod); err != nil {
				return err
			}
		}
		w.homes[pod] = home
		if err := w.publish(pod, corev1.PodRunning); err != nil {
			return err
		}
	}
	return nil
}

// Start runs every pod's process, and lets them call each other once all of
// them listen. Jobs begin last.
func (w *World) Start(ctx context.Context) error {
	for _, pod := range w.plan.Pods {
		if err := w.launch(w.homes[pod], pod.Key(), pod.Container, pod.Args); err != nil {
			return err
		}
	}
	for _, o := range w.plan.Outside {
		if err := w.launch(w.internet, o.Name, o.Name, o.Args); err != nil {
			return err
		}
	}
	if err := w.awaitReady(ctx); err != nil {
		return err
	}
	for _, p := range w.processes {
		p.say(workload.Begin)
		go w.watch(ctx, p)
	}
	jobs, stop := context.WithCancel(ctx)
	w.stopJobs = stop
	for _, job := range w.plan.Jobs {
		w.jobs.Go(func() {
			if err := w.runJob(jobs, job); err != nil {
				w.fail(err)
			}
		})
	}
	return nil
}

func (w *World) launch(in *place, name, container string, args []string) error {
	p, err := w.start(in, name, container, args)
	if err != nil {
		return err
	}
	w.processes = append(w.processes, p)
	return nil
}

// readyTimeout bounds the start of all processes on a busy machine.
const readyTimeout = time.Minute

func (w *World) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for _, p := range w.processes {
		select {
		case <-p.ready:
		case <-p.done:
			return p.ended()
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to listen: %w", p.name, ctx.Err())
		}
	}
	return nil
}

// watch reports a process that ends while the world goes on.
func (w *World) watch(ctx context.Context, p *process) {
	select {
	case <-p.done:
		w.fail(p.ended())
	case <-ctx.Done():
	}
}

// fail keeps the first failure.
func (w *World) fail(err error) {
	select {
	case w.failed <- err:
	default:
	}
}

// Failed gets the first failure of a part, after which the world is no longer
// what the plan says.
func (w *World) Failed() <-chan error { return w.failed }

// Tell starts the calls that wait to be told.
func (w *World) Tell() {
	for _, p := range w.processes {
		p.say(workload.Tell)
	}
}

// Calls gives each call that has been tried, by process and address.
func (w *World) Calls() []CallState {
	w.mu.Lock()
	defer w.mu.Unlock()
	states := make([]CallState, 0, len(w.calls))
	for _, s := range w.calls {
		states = append(states, s)
	}
	slices.SortFunc(states, func(a, b CallState) int {
		return strings.Compare(a.Process+" "+a.Call, b.Process+" "+b.Call)
	})
	return states
}

// JobRuns counts the pods of jobs that have come and gone.
func (w *World) JobRuns() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.jobRuns
}

// Close ends every process and removes every namespace. What is in the state
// folder goes with the claim.
func (w *World) Close() error {
	w.stopJobs()
	w.jobs.Wait()
	var stopping sync.WaitGroup
	for _, p := range w.processes {
		stopping.Go(p.stop)
	}
	stopping.Wait()
	var errs []error
	for _, p := range slices.Backward(w.places) {
		errs = append(errs, p.close())
	}
	w.places, w.processes = nil, nil
	w.thread.stop()
	return errors.Join(errs...)
}

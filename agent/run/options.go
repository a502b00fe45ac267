// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/agent/podmap"
	"github.com/netcinch/netcinch/recommender/wire"
)

// How often the kernel's counts are read: a third of the window, within
// bounds. They may not stay longer than capture allows before they wrap.
const (
	minDrain = time.Second
	maxDrain = 10 * time.Second
)

// DefaultWindow is the length of a window.
const DefaultWindow = 30 * time.Second

// DefaultStopGrace is how long the end waits for the recommender to take what
// is in the spool. What it does not take stays there for the next start.
const DefaultStopGrace = 5 * time.Second

// ObserverOptions say what is watched and how it is cut into windows.
type ObserverOptions struct {
	Window    time.Duration // 1s to 1h
	Netns     string        // path of the node's network namespace; empty for the process's own
	NetnsDirs []string      // where the container runtime keeps network namespaces
	Ignore    []string      // patterns of host-side interface names that are no pods'
	// PodsCgroup is the path of the pods' control group, where what is dialled is
	// noted; empty for none. Capture.Probe.Dialling goes with it.
	PodsCgroup string
	// UnpinOnExit leaves nothing pinned: what is not counted until the next
	// start is not seen.
	UnpinOnExit bool
	Pods        podmap.Source // nil: nobody knows the pods, and every edge is told by address

	Capture capture.Options
	Clock   func() time.Time
	Logger  *slog.Logger
}

func (o ObserverOptions) validate() error {
	if o.Clock == nil || o.Logger == nil {
		return errors.New("run: Clock and Logger must be set")
	}
	if o.Window < time.Second || o.Window > wire.MaxWindow {
		return fmt.Errorf("the window (--window) is %v: want %v to %v", o.Window, time.Second, wire.MaxWindow)
	}
	return nil
}

func (o ObserverOptions) drainInterval() time.Duration {
	return min(max(o.Window/3, minDrain), maxDrain)
}

// Options say what an agent watches and where it reports.
type Options struct {
	Observer      ObserverOptions
	Export        export.Options
	MetricsListen string        // address of /metrics and /healthz; empty for none
	RunDir        string        // directory of the status socket; empty for none
	StopGrace     time.Duration // how long the end waits for the recommender
	Version       string
}

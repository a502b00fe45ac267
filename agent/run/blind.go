// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"log/slog"
	"time"
)

// blindAfter is how long nothing may be watched before that is told.
const blindAfter = time.Minute

// blindness is since when nothing is watched.
type blindness struct {
	since time.Time // zero while something is
	told  bool
}

// warnIfBlind tells, once each time, that for a while there was no interface to
// watch at the end of any window.
func (o *Observer) warnIfBlind(now time.Time) {
	if o.registry.State().Slots > 0 {
		o.blind = blindness{}
		return
	}
	if o.blind.since.IsZero() {
		o.blind.since = o.start
	}
	if quiet := now.Sub(o.blind.since); quiet >= blindAfter && !o.blind.told {
		o.blind.told = true
		o.Logger.Warn("no interface of a pod is there to watch: see that --netns is the node's network namespace, --netns-dir where the container runtime keeps the pods', and that no --ignore-link leaves them out",
			slog.Duration("for", quiet), slog.String("netns", o.Netns), slog.Any("netns_dirs", o.NetnsDirs), slog.Any("ignored", o.Ignore))
	}
}

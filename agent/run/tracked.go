// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"log/slog"

	"github.com/netcinch/netcinch/agent/conntrack"
	"github.com/netcinch/netcinch/agent/feature"
)

// openConntrack follows connection tracking by its events where the program
// cannot ask it.
func (o *Observer) openConntrack() {
	asks := true
	for _, m := range o.collector.Missing() {
		asks = asks && m.Feature != feature.Conntrack.Name
	}
	if asks {
		return
	}
	t, err := conntrack.Open(conntrack.Options{Netns: o.Netns, Max: conntrack.DefaultMax, Clock: o.Clock})
	if err != nil {
		o.Logger.Warn("connection tracking can neither be asked nor followed: addresses behind Services are not known", slog.Any("error", err))
		return
	}
	o.tracked = t
	o.Logger.Info("connection tracking is followed by its events, as the program cannot ask it")
}

func (o *Observer) closeConntrack() error {
	if o.tracked == nil {
		return nil
	}
	return o.tracked.Close()
}

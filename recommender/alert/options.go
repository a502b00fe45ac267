// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"errors"
	"fmt"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// Options tune what becomes an alert. A zero field means its default.
type Options struct {
	Learning time.Duration // of the analysis; analyze.DefaultLearning
	// Settle bounds how long a baseline stays open after the learning period
	// where readiness is not reached: twice the learning period.
	Settle time.Duration
	// Grace is for how long after a rollout new edges within the cluster wake
	// nobody: 30 minutes.
	Grace time.Duration
	// Resolve is after how much quiet an alert is resolved: 1 hour. It doubles
	// with every return within a day, up to a day.
	Resolve time.Duration
	// Budget is how many alerts of a cluster wake somebody in a day (UTC): 20.
	// High ones may go up to twice as many; low and medium ones leave a quarter.
	Budget int

	BurstCount  int           // denied attempts of a pair that are a burst: 30
	BurstWithin time.Duration // and in which time: 10 minutes
	SlowBins    int           // time bins with denied attempts that are slow ones: 6
	SlowOver    time.Duration // and over which time at least: 6 hours
	ScanPorts   int           // new ports of one server that are a scan: 8
	FanOutPeers int           // new servers of one client that are a fan-out: 10
	ScanWithin  time.Duration // and in which time: 1 hour
	GapAfter    time.Duration // silence of a node that is a gap: 5 minutes
	LostAfter   time.Duration // for how long readiness must be lost: 10 minutes
	// History raises what was over before the first look, too: for recordings.
	History bool

	DNSFactor uint64 // times the largest hour before: 10
	DNSFloor  uint64 // bytes in an hour that are never too much: 4 MiB
}

const day = 24 * time.Hour

func (o Options) withDefaults() Options {
	duration := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	number := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	duration(&o.Learning, analyze.DefaultLearning)
	duration(&o.Settle, 2*o.Learning)
	duration(&o.Grace, 30*time.Minute)
	duration(&o.Resolve, time.Hour)
	duration(&o.BurstWithin, 10*time.Minute)
	duration(&o.SlowOver, 6*time.Hour)
	duration(&o.ScanWithin, time.Hour)
	duration(&o.GapAfter, 5*time.Minute)
	duration(&o.LostAfter, 10*time.Minute)
	number(&o.Budget, 20)
	number(&o.BurstCount, 30)
	number(&o.SlowBins, 6)
	number(&o.ScanPorts, 8)
	number(&o.FanOutPeers, 10)
	if o.DNSFactor == 0 {
		o.DNSFactor = 10
	}
	if o.DNSFloor == 0 {
		o.DNSFloor = 4 << 20
	}
	return o
}

// Validate says which option cannot be.
func (o Options) Validate() error {
	for name, d := range map[string]time.Duration{
		"learning": o.Learning, "settle": o.Settle, "grace": o.Grace, "resolve": o.Resolve, "burst": o.BurstWithin,
		"slow": o.SlowOver, "scan": o.ScanWithin, "gap": o.GapAfter, "lost": o.LostAfter,
	} {
		if d < 0 {
			return fmt.Errorf("alerts: the %s time %s is negative; give 0 for the default", name, d)
		}
	}
	for name, n := range map[string]int{"burst": o.BurstCount, "slow": o.SlowBins, "scan": o.ScanPorts, "fan-out": o.FanOutPeers} {
		if n < 0 {
			return fmt.Errorf("alerts: the %s count %d is negative; give 0 for the default", name, n)
		}
	}
	if o.Budget < 0 {
		return errors.New("alerts: the daily budget is negative; give 0 for the default")
	}
	return nil
}

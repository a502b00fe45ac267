// SPDX-License-Identifier: Apache-2.0

package cluster

// Feed is where snapshots come from: a watched folder of manifests, or an API
// server. (A Source, in this package's words, is where one object was read.)
type Feed interface {
	// Snapshot gives the newest snapshot; never nil once the feed was started.
	Snapshot() *Snapshot
	// Changes receives a value after a new snapshot is in place. It holds one
	// value at most, so a slow reader misses steps, never the newest state.
	Changes() <-chan struct{}
}

// Fixed is a Feed that never changes, for offline use and tests.
type Fixed struct{ snapshot *Snapshot }

// NewFixed gives a feed of one snapshot.
func NewFixed(s *Snapshot) Fixed { return Fixed{snapshot: s} }

// Snapshot gives the one snapshot.
func (f Fixed) Snapshot() *Snapshot { return f.snapshot }

// Changes never receives.
func (Fixed) Changes() <-chan struct{} { return nil }

// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/agent/probe"
)

// followed is owners that remember which slots they were told of.
type followed struct{ slots []capture.Slot }

func (f *followed) Watch(slot capture.Slot, _ uint64)             { f.slots = append(f.slots, slot) }
func (f *followed) Forget([]capture.Slot)                         {}
func (f *followed) Refresh() error                                { return nil }
func (f *followed) Of(*capture.Record) owner.Program              { return owner.Program{} }
func (f *followed) Listens(*capture.Record) (listens, known bool) { return false, false }
func (f *followed) Holds(*capture.Record) bool                    { return false }
func (f *followed) Missing() []probe.Missing                      { return nil }
func (f *followed) Counts() owner.Counts                          { return owner.Counts{} }
func (f *followed) Close() error                                  { return nil }

// TestServersAreSoughtFromWithinThePodOnly: at the host's side the namespace is
// the node's, where a listener on every address would be taken for each pod's.
func TestServersAreSoughtFromWithinThePodOnly(t *testing.T) {
	ob, err := newObserver(ObserverOptions{Window: 30 * time.Second, Clock: time.Now}, &windows{}, &kernel{})
	if err != nil {
		t.Fatal(err)
	}
	var f followed
	ob.owners = &f
	a := tellingAttacher{ob.collector, ob}
	if _, err = a.AttachHost("/proc/self/ns/net", "veth0"); err != nil {
		t.Fatal(err)
	}
	if len(f.slots) != 0 {
		t.Errorf("servers of slots %v are sought in the node's namespace", f.slots)
	}
	if _, err = a.Attach("/proc/self/ns/net", "eth0"); err != nil {
		t.Fatal(err)
	}
	if len(f.slots) != 1 {
		t.Errorf("servers of %d slots are sought, want 1", len(f.slots))
	}
}

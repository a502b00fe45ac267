// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/probe"
)

// Options say what a tracker follows. All must be set.
type Options struct {
	// Running is the flow program's map of what each process runs.
	Running *ebpf.Map
	// FirstNumber is where the numbers of executables begin. Flows that outlive
	// an agent carry its numbers: give a random one.
	FirstNumber uint32
	Clock       func() time.Time
}

// Tracker knows the programs of the node's processes. Watch and Forget are safe
// for use by several goroutines; everything else belongs to one.
type Tracker struct {
	clock       func() time.Time
	programs    *programs
	executables executables
	sockets     *sockets
	missing     []probe.Missing

	watching sync.Mutex
	netns    atomic.Pointer[map[capture.Slot]uint64] // replaced, never changed

	counts Counts
}

// Counts are a tracker's own, cumulative.
type Counts struct {
	Unknown     uint64 // records without the program at the local end
	SocketsFull uint64 // sockets that found no room
}

// Open begins to follow processes and sockets and lists those that are there.
// What the kernel does not let be followed is named by Missing.
func Open(o Options) (*Tracker, error) {
	if o.Running == nil || o.Clock == nil {
		return nil, errors.New("owner: Running and Clock must be set")
	}
	p, err := openPrograms(o.Running, o.FirstNumber)
	if err != nil {
		return nil, err
	}
	t := &Tracker{clock: o.Clock, programs: p, executables: newExecutables(p), missing: p.missing}
	t.sockets = newSockets(p, t.known, t.executables.program)
	t.netns.Store(&map[capture.Slot]uint64{})
	if err := t.executables.list(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return t, nil
}

// Missing gives what is done without on this node.
func (t *Tracker) Missing() []probe.Missing { return t.missing }

// Counts gives the tracker's counters.
func (t *Tracker) Counts() Counts { return t.counts }

// Close stops following.
func (t *Tracker) Close() error { return t.programs.Close() }

// Watch says which network namespace a slot watches, by its cookie.
func (t *Tracker) Watch(slot capture.Slot, cookie uint64) {
	t.watching.Lock()
	defer t.watching.Unlock()
	next := maps.Clone(*t.netns.Load())
	next[slot] = cookie
	t.netns.Store(&next)
	t.sockets.stale.Store(true) // who listens there already
}

// Forget drops slots that are gone for good.
func (t *Tracker) Forget(slots []capture.Slot) {
	if len(slots) == 0 {
		return
	}
	t.watching.Lock()
	defer t.watching.Unlock()
	next := maps.Clone(*t.netns.Load())
	for _, slot := range slots {
		delete(next, slot)
	}
	t.netns.Store(&next)
}

// known gives the namespaces that slots watch.
func (t *Tracker) known() map[uint64]struct{} {
	slots := *t.netns.Load()
	cookies := make(map[uint64]struct{}, len(slots))
	for _, cookie := range slots {
		cookies[cookie] = struct{}{}
	}
	return cookies
}

// Refresh takes in what was opened and closed since the last one. Call it
// before the kernel's flows are read.
func (t *Tracker) Refresh() error {
	t.executables.begin()
	err := t.sockets.refresh(t.clock())
	t.counts.SocketsFull = t.sockets.full
	return err
}

// Of gives the program at the record's local end; the zero value where nobody
// knows. It allocates nothing for programs and sockets that are known.
func (t *Tracker) Of(r *capture.Record) Program {
	p := t.find(r)
	if p == (Program{}) {
		t.counts.Unknown++
	}
	return p
}

func (t *Tracker) find(r *capture.Record) Program {
	if process, told := r.Owner.Process(); told && t.programs.initialPIDs && !mayBe(process, r.First, t.clock()) {
		return Program{} // its id may be another's by now
	}
	if r.Owner != 0 {
		return t.executables.program(uint32(r.Owner))
	}
	cookie, ok := (*t.netns.Load())[r.Slot]
	if !ok || r.Fragment || !hasSockets(r.Protocol) {
		return Program{}
	}
	now := t.clock()
	// One that was open before it was watched, at either end.
	if owner, held := t.sockets.connected(connectionOf(cookie, r)); held {
		return t.executables.program(owner)
	}
	if r.Initiator == capture.InitiatorLocal {
		return Program{}
	}
	l, ok := t.sockets.listener(cookie, r, now, r.Outcome == capture.Established)
	if !ok {
		return Program{}
	}
	return t.executables.program(l.owner)
}

// Holds says whether a process held the record's connection when sockets were
// listed.
func (t *Tracker) Holds(r *capture.Record) bool {
	cookie, ok := (*t.netns.Load())[r.Slot]
	if !ok || r.Fragment || !hasSockets(r.Protocol) {
		return false
	}
	_, holds := t.sockets.connected(connectionOf(cookie, r))
	return holds
}

// Listens says whether the record's local end listens on its port, or did until
// now. Known is false where the sockets of its namespace are not.
func (t *Tracker) Listens(r *capture.Record) (listens, known bool) {
	cookie, ok := (*t.netns.Load())[r.Slot]
	if !ok || r.Fragment || !hasSockets(r.Protocol) {
		return false, false
	}
	_, listens = t.sockets.listener(cookie, r, t.clock(), true)
	return listens, t.sockets.listed()
}

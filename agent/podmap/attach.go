// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
)

// How often what failed is tried again, and addresses that no event told of
// are asked for.
const (
	firstRetry  = 10 * time.Millisecond
	lastRetry   = 5 * time.Second
	lastPoll    = time.Second
	listAgain   = time.Minute // whatever the events say
	failedAfter = 5           // tries, before it is told and counted
)

// list takes in all links of the node as they are.
func (w *Watcher) list() error {
	links, err := w.node.handle.LinkList()
	if err != nil {
		return fmt.Errorf("listing the node's interfaces: %w", err)
	}
	if w.ways, err = w.node.uplinks(); err != nil {
		return err
	}
	present := make(map[int]struct{}, len(links))
	for _, l := range links {
		present[l.Attrs().Index] = struct{}{}
		w.seen(l.Attrs().Index, pairOf(l))
	}
	for index := range w.links {
		_, uplink := w.ways[index]
		if _, ok := present[index]; !ok || uplink {
			w.gone(index)
		}
	}
	return nil
}

// seen takes in one link of the node's namespace.
func (w *Watcher) seen(index int, p pair) {
	old := w.links[index]
	if old != nil && p.veth && old.nsid == p.nsid && old.peer == p.peer {
		return
	}
	if old != nil {
		w.gone(index) // the other side moved on
	}
	if _, uplink := w.ways[index]; uplink || !p.veth || p.nsid < 0 || w.ignored(p.name) {
		return
	}
	l := &link{index: index, name: p.name, nsid: p.nsid, peer: p.peer}
	w.links[index] = l
	w.attach(l)
}

func (w *Watcher) ignored(name string) bool {
	for _, pattern := range w.Ignore {
		if ok, _ := path.Match(pattern, name); ok { // the pattern was checked
			return true
		}
	}
	return false
}

func (w *Watcher) gone(index int) {
	l := w.links[index]
	if l == nil {
		return
	}
	delete(w.links, index)
	if !l.attached {
		return
	}
	w.Registry.Detach(l.slot)
	if err := w.Attacher.Detach(l.slot); err != nil {
		w.Logger.Warn("detaching from an interface that is gone", slog.String("link", l.name), slog.Any("error", err))
	}
	w.Logger.Debug("interface gone", slog.String("link", l.name), slog.Uint64("slot", uint64(l.slot)))
}

func (w *Watcher) attach(l *link) {
	began := w.Clock()
	slot, name, err := w.tryAttach(l)
	if err != nil {
		l.tries++
		l.due = w.Clock().Add(min(firstRetry<<min(l.tries-1, 16), lastRetry))
		if l.tries == failedAfter && w.isUplink(l.index) {
			l.due = time.Time{} // it became the way out meanwhile; the next list forgets it
			return
		}
		if l.tries == failedAfter {
			w.fails.Add(1)
			w.Logger.Error("an interface cannot be watched: what passes there is not seen; it is tried again",
				slog.String("link", l.name), slog.Any("error", err))
		}
		return
	}
	l.slot, l.attached = slot, true
	w.Registry.Attach(slot, w.early)
	w.Logger.Debug("interface watched", slog.String("link", l.name), slog.String("pod_side", name), slog.Uint64("slot", uint64(slot)),
		slog.Duration("took", w.Clock().Sub(began)))
	w.ask(l)
}

// isUplink asks again whether a link is the node's way out.
func (w *Watcher) isUplink(index int) bool {
	ways, err := w.node.uplinks()
	if err != nil {
		return false // the failure to attach is told anyway
	}
	_, ok := ways[index]
	return ok
}

func (w *Watcher) tryAttach(l *link) (slot capture.Slot, name string, err error) {
	if w.HostSide {
		slot, err = w.Attacher.AttachHost(w.NodeNetns, l.name)
		return slot, l.name, err
	}
	if name, err = w.node.linkName(l); err != nil {
		return 0, "", err
	}
	f, err := w.node.find(l.nsid)
	if err != nil {
		return 0, "", fmt.Errorf("looking for the other side of %s: %w", l.name, err)
	}
	// By descriptor: a path may name another namespace by now.
	slot, err = w.Attacher.Attach(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), name)
	return slot, name, errors.Join(err, f.Close())
}

// ask lists the addresses of the pod's side, and plans to ask again while it
// has none, or until the pod is known where no events tell of more.
func (w *Watcher) ask(l *link) {
	l.due = time.Time{}
	if l.parted {
		return
	}
	addresses, err := w.node.addresses(l.nsid, l.peer)
	if err != nil {
		w.Logger.Debug("asking for addresses", slog.String("link", l.name), slog.Any("error", err))
	}
	for _, a := range addresses {
		w.Registry.Address(l.slot, a)
	}
	if w.Registry.Bound(l.slot) || (len(addresses) > 0 && w.socket.allIDs) {
		return // further ones come as events
	}
	l.due = w.Clock().Add(min(firstRetry<<min(l.polls, 16), lastPoll))
	l.polls++
}

// retry does what is due.
func (w *Watcher) retry() {
	now := w.Clock()
	idle := true
	for _, l := range w.links {
		if l.due.IsZero() || l.due.After(now) {
			continue
		}
		idle = false
		if l.attached {
			w.ask(l)
		} else {
			w.attach(l)
		}
	}
	if idle {
		w.relist()
	}
}

// untilDue says when retry has something to do.
func (w *Watcher) untilDue() time.Duration {
	now := w.Clock()
	wait := listAgain
	for _, l := range w.links {
		if !l.due.IsZero() {
			wait = min(wait, l.due.Sub(now))
		}
	}
	return max(wait, time.Millisecond)
}

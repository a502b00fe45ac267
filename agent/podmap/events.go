// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// event is what one message of the kernel says.
type event struct {
	kind    eventKind
	nsid    int // -1 for the node's own namespace; with namespaceGone, the id itself
	index   int
	pair    pair // with linkSeen in the node's namespace
	address netip.Addr
}

type eventKind uint8

const (
	linkSeen eventKind = iota
	linkGone
	addressSeen
	namespaceGone // the id nsid is nobody's any more, until it is given again
	overrun       // notifications were lost
)

// pair is the host side of a veth pair, and where the other side is.
type pair struct {
	veth bool
	name string
	nsid int // of the other side's namespace; -1 where it is in the same
	peer int
}

// pump reads notifications until the context ends.
func (s *socket) pump(ctx context.Context, events chan<- event) error {
	buffer, control := make([]byte, 64<<10), make([]byte, 256)
	for {
		n, err := s.receive(buffer, control)
		var found []event
		switch {
		case errors.Is(err, errOverrun):
			found = []event{{kind: overrun}}
		case err != nil && ctx.Err() == nil:
			return err
		case err == nil:
			found = parse(n)
		}
		for _, e := range found {
			select {
			case events <- e:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the read was ended on purpose
		}
	}
}

// parse reads a datagram of messages. What it does not know it passes over.
func parse(n notification) []event {
	messages, err := syscall.ParseNetlinkMessage(n.data)
	if err != nil {
		return []event{{kind: overrun}} // cut: list everything again
	}
	var events []event
	for _, m := range messages {
		switch m.Header.Type {
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			// A bridge tells of its ports in messages of its own family, also that
			// one left it: that is not a link that is gone.
			if len(m.Data) < unix.SizeofIfInfomsg || m.Data[0] != unix.AF_UNSPEC {
				continue
			}
			l, err := netlink.LinkDeserialize(nil, m.Data)
			if err != nil {
				continue
			}
			e := event{kind: linkSeen, nsid: n.nsid, index: l.Attrs().Index, pair: pairOf(l)}
			if m.Header.Type == unix.RTM_DELLINK {
				e.kind = linkGone
			}
			events = append(events, e)
		case unix.RTM_NEWADDR:
			if index, a, ok := parseAddress(m.Data); ok {
				events = append(events, event{kind: addressSeen, nsid: n.nsid, index: index, address: a})
			}
		case unix.RTM_DELNSID:
			if id, ok := parseNamespaceID(m.Data); ok && n.nsid < 0 {
				events = append(events, event{kind: namespaceGone, nsid: id})
			}
		}
	}
	return events
}

// parseNamespaceID reads a message about an id of a namespace.
func parseNamespaceID(m []byte) (id int, ok bool) {
	const header = 4 // struct rtgenmsg, padded
	if len(m) < header {
		return 0, false
	}
	attrs, err := nl.ParseRouteAttr(m[header:])
	if err != nil {
		return 0, false
	}
	for _, a := range attrs {
		if a.Attr.Type == unix.NETNSA_NSID && len(a.Value) >= 4 {
			return int(int32(nativeUint32(a.Value))), true
		}
	}
	return 0, false
}

func pairOf(l netlink.Link) pair {
	a := l.Attrs()
	return pair{veth: l.Type() == "veth", name: a.Name, nsid: a.NetNsID, peer: a.ParentIndex}
}

// handle acts on one event.
func (w *Watcher) handle(e event) {
	switch e.kind {
	case overrun:
		w.lost.Add(1)
		w.relist()
	case linkSeen:
		if e.nsid < 0 {
			w.seen(e.index, e.pair)
			return
		}
		// A link moved into another namespace: its host side may say only now
		// where the other side is.
		if !w.hasPeer(e.nsid, e.index) && e.pair.veth {
			w.relist()
		}
	case linkGone:
		if e.nsid < 0 {
			w.gone(e.index)
		}
	case namespaceGone:
		for _, l := range w.links {
			l.parted = l.parted || l.nsid == e.nsid
		}
	case addressSeen:
		for _, l := range w.links {
			if l.attached && !l.parted && l.nsid == e.nsid && l.peer == e.index {
				w.Registry.Address(l.slot, e.address)
			}
		}
	}
}

func (w *Watcher) relist() {
	if err := w.list(); err != nil {
		w.Logger.Error("listing the node's interfaces; what is watched stays watched", slog.Any("error", err))
	}
}

func (w *Watcher) hasPeer(nsid, index int) bool {
	for _, l := range w.links {
		if !l.parted && l.nsid == nsid && l.peer == index {
			return true
		}
	}
	return false
}

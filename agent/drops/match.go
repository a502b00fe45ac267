// SPDX-License-Identifier: Apache-2.0

//go:build linux

package drops

import (
	"net/netip"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
)

// Resolve says of a record that nothing answered why: it sets outcome and
// reason where the kernel dropped what was sent, or what came back, and the
// backend where that was found out by the way.
func (t *Tracker) Resolve(r *capture.Record) {
	if r.Outcome != capture.Unanswered || len(t.drops.pairs) == 0 {
		return
	}
	local, remote := netip.AddrPortFrom(r.Local, r.LocalPort), netip.AddrPortFrom(r.Remote, r.RemotePort)
	from, to, sent := local, remote, r.Tx.Packets
	if r.Initiator == capture.InitiatorRemote {
		from, to, sent = remote, local, r.Rx.Packets
	}
	e, ok := t.drops.pairs[pair{from, to, r.Protocol}]
	if !ok {
		e, ok = t.answered(from, to, r.Protocol)
	}
	if !ok && r.Initiator == capture.InitiatorLocal {
		e, ok = t.rewritten(local, r)
	}
	if ok && e.packets > 0 && e.packets*2 >= sent {
		r.Outcome, r.Reason = capture.Dropped, t.reason(e.reason)
	}
}

// answered finds answers that were dropped.
func (t *Tracker) answered(from, to netip.AddrPort, protocol uint8) (entry, bool) {
	if e, ok := t.drops.pairs[pair{to, from, protocol}]; ok {
		return e, true
	}
	o, ok := t.drops.byTarget[half{from, protocol}]
	if !ok || o.several {
		return entry{}, false
	}
	e, ok := t.drops.pairs[pair{o.end, from, protocol}]
	return e, ok
}

// rewritten finds what the local end sent to a virtual address and was dropped
// on its way to the backend, which the record then names.
func (t *Tracker) rewritten(local netip.AddrPort, r *capture.Record) (entry, bool) {
	o, ok := t.drops.bySource[half{local, r.Protocol}]
	if !ok || o.several {
		return entry{}, false
	}
	e, ok := t.drops.pairs[pair{local, o.end, r.Protocol}]
	if ok && !r.Backend.IsValid() && r.LocalPort != 0 {
		r.Dialled, r.Backend = netip.AddrPortFrom(r.Remote, r.RemotePort), o.end
	}
	return e, ok
}

// Attempts gives what the node dropped on its way to its own pods, as the
// records that their interfaces did not see. slotOf names the slot that has an
// address. A datagram is one only to a port on which somebody listens: else it
// may be an answer.
func (t *Tracker) Attempts(slotOf func(netip.Addr) (capture.Slot, bool), listens func(*capture.Record) (listens, known bool), emit func(capture.Record)) {
	now := t.clock()
	for _, d := range t.drops.attempts {
		if !d.begins && !isDatagram(d.protocol) {
			continue
		}
		slot, ok := slotOf(d.target.Addr())
		if !ok {
			continue
		}
		r := t.attempt(d, slot, now)
		if !d.begins {
			if here, _ := listens(&r); !here {
				continue
			}
		}
		if _, again := t.drops.begun[d.pair]; !again && len(t.drops.begun) < maxDrops {
			t.drops.begun[d.pair] = now
			r.Connections = 1
		}
		emit(r)
	}
}

func (t *Tracker) attempt(d drop, slot capture.Slot, now time.Time) capture.Record {
	return capture.Record{
		Slot: slot, Local: d.target.Addr(), LocalPort: d.target.Port(), Remote: d.source.Addr(), RemotePort: d.source.Port(),
		Protocol: d.protocol, Initiator: capture.InitiatorRemote, Outcome: capture.Dropped, Reason: t.reason(d.reason),
		Rx: capture.Count{Packets: d.packets, Bytes: d.bytes}, First: now, Last: now,
	}
}

// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import "github.com/netcinch/netcinch/bpf"

// fill makes rec the record of what a reading has more than the report before
// it.
func (r reading) fill(rec *Record, m moment, before seen) {
	state, protocol := r.state(), r.protocol()
	*rec = Record{
		Slot:            r.slot(),
		Local:           r.local(),
		Remote:          r.remote(),
		Protocol:        protocol,
		Fragment:        state&fragment != 0,
		SourceRewritten: state&sourceRewritten != 0,
		Tx:              difference(r.tx(), before.tx),
		Rx:              difference(r.rx(), before.rx),
		Connections:     uint64(r.opened() - before.opened),
		First:           m.at(r.first()),
		Last:            m.at(r.last()),
		Owner:           Owner(r.owner()),
	}
	rec.Initiator, rec.Guessed = r.initiator()
	rec.Outcome = r.outcome(rec.Initiator)
	if r.isICMP() {
		rec.ICMPType, rec.ICMPCode = r.icmp()
	} else {
		rec.LocalPort, rec.RemotePort = r.localPort(), r.remotePort()
	}
	if protocol == protocolTCP {
		rec.TxFlags, rec.RxFlags = r.txFlags(), r.rxFlags()
	}
	if state&(destRewritten|sourceRewritten) != 0 {
		r.translate(rec)
	}
}

// icmp gives type and code; the key holds them in the machine's byte order, in
// place of the local port.
func (r reading) icmp() (kind, code uint8) {
	at := r.key[2*r.addressLength():]
	v := uint16(at[0]) | uint16(at[1])<<8
	return uint8(v >> 8), uint8(v)
}

// translate fills in what conntrack knew.
func (r reading) translate(rec *Record) {
	state := r.state()
	if state&destRewritten != 0 {
		rec.Dialled = r.dialled()
		if state&trackedLocal != 0 {
			rec.Backend = r.peer()
		}
	}
	if state&sourceRewritten != 0 && state&trackedRemote != 0 {
		rec.Source = r.peer()
	}
}

// difference is what one direction has counted between two readings. Packets
// and bytes share a word, which wraps: modulo 2^64 the carries cancel.
func difference(now, before uint64) Count {
	d := now - before
	return Count{Packets: d >> bpf.CountShift, Bytes: d & (1<<bpf.CountShift - 1)}
}

// initiator tells who began the flow, and whether that is a guess by the ports.
func (r reading) initiator() (Initiator, bool) {
	state := r.state()
	lower := InitiatorRemote // the lower port is the server's
	if r.remotePort() < r.localPort() {
		lower = InitiatorLocal
	}
	switch {
	case state&startedLocal != 0:
		return InitiatorLocal, false
	case state&startedRemote != 0:
		return InitiatorRemote, false
	case state&trackedLocal != 0:
		return InitiatorLocal, false
	case state&trackedRemote != 0:
		return InitiatorRemote, false
	case state&firstLocal != 0:
		if r.localPort() < ephemeral && r.remotePort() >= ephemeral {
			return InitiatorRemote, true // an answer to what was not seen
		}
		return InitiatorLocal, false
	case state&firstRemote != 0:
		if r.remotePort() < ephemeral && r.localPort() >= ephemeral {
			return InitiatorLocal, true
		}
		return InitiatorRemote, false
	case state&fragment != 0 || r.localPort() == r.remotePort():
		return InitiatorUnknown, false
	default:
		return lower, true
	}
}

// outcome tells what has become of the flow so far.
func (r reading) outcome(initiator Initiator) Outcome {
	answered, refused := r.answer(initiator)
	switch {
	case answered:
		return Established
	case refused:
		return Refused
	case initiator == InitiatorRemote && !r.hasConnections():
		return Established // it arrived
	default:
		return Unanswered
	}
}

func (r reading) answer(initiator Initiator) (answered, refused bool) {
	state := r.state()
	asked, replied := r.txFlags(), r.rxFlags()
	anything, unreachable := state&received != 0, state&refusedByRemote != 0
	if initiator == InitiatorRemote {
		asked, replied = replied, asked
		anything, unreachable = state&sent != 0, state&refusedByLocal != 0
	}
	switch {
	case state&fragment != 0:
		return true, false
	case !r.hasConnections():
		return anything, unreachable
	case (asked|replied)&flagSYN == 0: // open before it was watched
		return state&(sent|received) != 0, unreachable
	default:
		return replied&flagSYN != 0, replied&flagRST != 0 || unreachable
	}
}

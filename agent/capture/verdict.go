// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"encoding/binary"

	"github.com/netcinch/netcinch/bpf"
)

// fill makes rec the record of what a reading has more than the report before
// it.
func (r reading) fill(rec *Record, m moment, before seen) {
	v := (*[32]byte)(r.value) // struct flow; once for all that is read of it
	f := facts{state: binary.NativeEndian.Uint32(v[24:])}
	from := r.slotProtocol()
	f.protocol = uint8(from)
	f.localPort, f.remotePort = r.localPort(), r.remotePort()
	*rec = Record{
		Slot:            Slot(from >> 8),
		Local:           r.local(),
		Remote:          r.remote(),
		Protocol:        f.protocol,
		Fragment:        f.state&fragment != 0,
		SourceRewritten: f.state&sourceRewritten != 0,
		Tx:              difference(binary.NativeEndian.Uint64(v[:]), before.tx),
		Rx:              difference(binary.NativeEndian.Uint64(v[8:]), before.rx),
		Connections:     uint64(binary.NativeEndian.Uint32(v[28:]) - before.opened),
		First:           m.at(binary.NativeEndian.Uint32(v[16:])),
		Last:            m.at(binary.NativeEndian.Uint32(v[20:])),
		Owner:           Owner(r.owner()),
	}
	rec.Initiator, rec.Guessed = f.initiator()
	rec.Outcome = f.outcome(rec.Initiator)
	if f.isICMP() {
		rec.ICMPType, rec.ICMPCode = r.icmp()
	} else {
		rec.LocalPort, rec.RemotePort = f.localPort, f.remotePort
	}
	if f.protocol == protocolTCP {
		rec.TxFlags, rec.RxFlags = f.txFlags(), f.rxFlags()
	}
	if f.state&(destRewritten|sourceRewritten) != 0 {
		r.translate(rec)
	}
}

// facts are what a verdict on a flow follows from, in two words.
type facts struct {
	state                 uint32
	localPort, remotePort uint16
	protocol              uint8
}

func (f facts) isICMP() bool { return f.protocol == protocolICMP || f.protocol == protocolICMPv6 }

func (f facts) hasConnections() bool { return f.protocol == protocolTCP || f.protocol == protocolSCTP }

func (f facts) txFlags() uint8 { return uint8(f.state) }
func (f facts) rxFlags() uint8 { return uint8(f.state >> 8) }

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
func (f facts) initiator() (Initiator, bool) {
	state := f.state
	lower := InitiatorRemote // the lower port is the server's
	if f.remotePort < f.localPort {
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
		if f.localPort < ephemeral && f.remotePort >= ephemeral {
			return InitiatorRemote, true // an answer to what was not seen
		}
		return InitiatorLocal, false
	case state&firstRemote != 0:
		if f.remotePort < ephemeral && f.localPort >= ephemeral {
			return InitiatorLocal, true
		}
		return InitiatorRemote, false
	case state&fragment != 0 || f.localPort == f.remotePort:
		return InitiatorUnknown, false
	default:
		return lower, true
	}
}

// outcome tells what has become of the flow so far.
func (f facts) outcome(initiator Initiator) Outcome {
	answered, refused := f.answer(initiator)
	switch {
	case answered:
		return Established
	case refused:
		return Refused
	case initiator == InitiatorRemote && !f.hasConnections():
		return Established // it arrived
	default:
		return Unanswered
	}
}

func (f facts) answer(initiator Initiator) (answered, refused bool) {
	state := f.state
	asked, replied := f.txFlags(), f.rxFlags()
	anything, unreachable := state&received != 0, state&refusedByRemote != 0
	if initiator == InitiatorRemote {
		asked, replied = replied, asked
		anything, unreachable = state&sent != 0, state&refusedByLocal != 0
	}
	switch {
	case state&fragment != 0:
		return true, false
	case !f.hasConnections():
		return anything, unreachable
	case (asked|replied)&flagSYN == 0: // open before it was watched
		return state&(sent|received) != 0, unreachable
	default:
		return replied&flagSYN != 0, replied&flagRST != 0 || unreachable
	}
}

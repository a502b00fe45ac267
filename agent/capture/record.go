// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"net/netip"
	"time"
)

// Slot names one attachment. It is above zero, and a process gives each only
// once, also when the same interface is attached again.
type Slot uint32

// Initiator is the end that began a flow.
type Initiator uint8

// The initiators. Unknown is left where neither packets nor ports tell.
const (
	InitiatorUnknown Initiator = iota
	InitiatorLocal
	InitiatorRemote
)

// Outcome is what had become of a flow when it was reported. A flow whose
// answer comes late is first Unanswered and Established from then on.
type Outcome uint8

// The outcomes. A datagram that reached the local end is Established: that it
// came through is all that can be known. One that the local end sent and that
// nothing answered is Unanswered.
const (
	Established Outcome = iota
	Refused             // a reset, an SCTP abort or an ICMP error came instead of an answer
	Unanswered          // nothing came back
	Dropped             // the kernel dropped it; Reason says why. Package drops tells this one.
)

// Owner is the program that began a flow at the local end: the number of an
// executable, as package process gives them out, or a process by its id; 0 where
// the other end began it or nobody knows.
type Owner uint32

// ownerProcess marks an owner that is told by its process.
const ownerProcess = 1 << 31

// Process gives the process's id in the initial PID namespace, of an owner
// whose executable has no number.
func (o Owner) Process() (id uint32, ok bool) { return uint32(o) &^ ownerProcess, o&ownerProcess != 0 }

// Count is counted at the IP layer as it is on the wire: a segmented (GSO)
// packet counts as the packets that it is cut into, each with its IP and
// transport header; link-layer headers are not in it.
type Count struct {
	Packets uint64
	Bytes   uint64
}

// Record is what one flow has counted since it was last reported.
type Record struct {
	Slot                  Slot
	Local, Remote         netip.Addr
	LocalPort, RemotePort uint16 // 0 where the protocol has none, or where Fragment is set
	Protocol              uint8  // IANA number
	ICMPType, ICMPCode    uint8  // ICMP and ICMPv6: of the request, where there is a request and a reply

	Initiator Initiator
	Guessed   bool // Initiator was taken from the port numbers

	// Dialled is the virtual address that the client dialled, where conntrack
	// says that the destination was rewritten. Remote stays what is in the
	// local end's packets.
	Dialled netip.AddrPort
	// Backend is the address that a dialled virtual address was rewritten to.
	// Set only where the local end is the client.
	Backend netip.AddrPort
	// Source is the client's own address where conntrack says that it was
	// rewritten on the way here. Set only where the local end is the server.
	Source netip.AddrPort
	// SourceRewritten says that the client's address was rewritten (SNAT),
	// whichever end is local.
	SourceRewritten bool

	TxFlags, RxFlags uint8 // TCP flags seen since the connection began, by direction
	Outcome          Outcome
	Reason           string // with Dropped: the kernel's word
	Fragment         bool   // later fragments whose first one was not seen: ports unknown

	Tx, Rx Count // from and to the local end, since the last record
	// Connections are those that began since the last record: 1 for a new flow,
	// more where the same ports were used again, 0 for one already reported and
	// for a TCP connection that was open before it was watched.
	Connections uint64

	Owner Owner

	First, Last time.Time // first and last packet; precise to a kernel tick (1 to 10 ms)
}

// DNSAnswer is one name that a local end asked for and the addresses that it
// was told, CNAMEs followed.
type DNSAnswer struct {
	Slot  Slot
	Name  string // lower case, no final dot
	Addrs []netip.Addr
	TTL   time.Duration // the shortest on the way to the addresses
	At    time.Time
}

// Losses count since the collector was made. Packets sent are packets in
// records plus LostPackets.
type Losses struct {
	MapFull     uint64 // packets that found no room in the flow map; they went out by the ring buffer
	LostPackets uint64 // packets of those that the ring buffer or the overflow table had no room for either
	LostBytes   uint64
	Unparsed    uint64 // packets whose headers are cut short or nested too deep to tell a flow
	DNSLost     uint64 // DNS answers without room in the ring buffer or the DNS channel, or over several TCP packets
	DNSUnparsed uint64 // DNS answers that are not well formed
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the flow program and user space share, and the only thing. All structs
 * are zeroed before use and have no implicit padding. "Local" is the end that
 * owns the watched interface, "remote" the other one.
 */
#ifndef NETCINCH_FLOW_H
#define NETCINCH_FLOW_H

/*
 * Key of a flow. Both directions share one entry. Addresses and ports are in
 * network byte order. slot_protocol is slot << 8 | IP protocol: the slot tells
 * attachments apart, because interface indexes repeat across namespaces.
 *
 * For ICMP and ICMPv6 local_port holds type << 8 | code (of the request, also
 * where the packet is its reply) and remote_port the STARTED_ bit of the end
 * that asked, shifted down to 1 (local) or 2 (remote): two ends that ping each
 * other are two flows.
 */
struct key4 {
	__be32 local;
	__be32 remote;
	__be16 local_port;
	__be16 remote_port;
	__u32 slot_protocol;
};

struct key6 {
	__be32 local[4];
	__be32 remote[4];
	__be16 local_port;
	__be16 remote_port;
	__u32 slot_protocol;
};

/*
 * One word per direction: packets << COUNT_SHIFT | bytes, so that one atomic
 * add counts both. It wraps. User space takes the difference of two readings
 * modulo 2^64, in which the carry out of the bytes cancels, so a reading is
 * exact as long as fewer than 2^26 packets (67 million) and 2^38 bytes (256
 * GiB) passed in that direction since the one before: 22 s at 100 Gbit/s.
 * Bytes are those of the IP packets on the wire. A GSO packet counts as its
 * segments: gso_segs packets, and the IP and transport headers once for each.
 */
#define COUNT_SHIFT 38

/* state of a flow: what was seen of it. Bits are only ever set, by atomic or; */
/* the flags are cleared when the same ports are used for a new connection.    */
#define TX_FLAGS_SHIFT	  0	     /* 8 bits: TCP flags from the local end */
#define RX_FLAGS_SHIFT	  8	     /* 8 bits: TCP flags to the local end */
#define STARTED_LOCAL	  (1U << 16) /* by SYN, SCTP INIT or ICMP request */
#define STARTED_REMOTE	  (1U << 17)
#define TRACKED_LOCAL	  (1U << 18) /* by conntrack's direction */
#define TRACKED_REMOTE	  (1U << 19)
#define FIRST_LOCAL	  (1U << 20) /* by the first packet seen, other than TCP */
#define FIRST_REMOTE	  (1U << 21)
#define ASKED_CONNTRACK	  (1U << 22)
#define DEST_REWRITTEN	  (1U << 23) /* nat.dialled holds the virtual address */
#define SOURCE_REWRITTEN  (1U << 24)
#define REFUSED_BY_REMOTE (1U << 25) /* an ICMP error came back */
#define REFUSED_BY_LOCAL  (1U << 26) /* the local end answered with an ICMP error */
#define FRAGMENT	  (1U << 27) /* later fragments of unknown ports */
#define SENT		  (1U << 28) /* a packet other than an ICMP error came from the local end */
#define RECEIVED	  (1U << 29) /* one came to it */

struct flow {
	__u64 tx; /* from the local end */
	__u64 rx;
	__u32 first; /* low 32 bits of the kernel's jiffies */
	__u32 last;
	__u32 state;
	__u32 opened; /* connections begun: 0 for a TCP connection found open */
};

/*
 * What conntrack knows of the flow, or what was dialled at connect; valid with
 * DEST_ or SOURCE_REWRITTEN. The owner is who began the flow at the local end:
 * the number of an executable, or OWNER_PROCESS | a process in the initial PID
 * namespace whose executable has none; 0 where the local end did not begin it.
 */
#define OWNER_PROCESS (1U << 31)

struct nat4 {
	__be32 peer; /* the true other end: backend of a local client, client of a local server */
	__be32 dialled;
	__be16 peer_port;
	__be16 dialled_port;
	__u32 owner;
};

struct nat6 {
	__be32 peer[4];
	__be32 dialled[4];
	__be16 peer_port;
	__be16 dialled_port;
	__u32 owner;
};

/*
 * What user space was told of a flow. It counts its drains in generations and
 * makes each durable when it has what it was told safe; a mark of a generation
 * that never became so does not count, and the one before it does. So a reader
 * that is killed at any moment is followed by one that is told the same again,
 * and nothing twice.
 */
struct mark {
	__u64 tx;
	__u64 rx;
	__u32 opened;
	__u32 generation; /* 0: nothing was told */
};

struct marks {
	struct mark last;
	struct mark before;
};

struct flow4 {
	struct flow flow;
	struct marks marks; /* beside what they are compared with; only the drain uses them */
	struct nat4 nat;
};

struct flow6 {
	struct flow flow;
	struct nat6 nat;
	struct marks marks;
};

/* What a socket dialled, before anybody at the socket layer chose another address. */
struct dialled {
	__be32 address[4]; /* the first word alone for IPv4 */
	__be16 port;
	__u16 is6;
};

/* Ring buffer: one packet that found no room in the flow map. */
#define EVENT_OVERFLOW4 1
#define EVENT_OVERFLOW6 2
/* Ring buffer: one DNS answer to the local end, and a part of one over TCP. */
#define EVENT_DNS	  3
#define EVENT_DNS_SEGMENT 4

struct overflow4 {
	__u32 kind;
	__u32 padding;
	struct key4 key;
	struct flow flow;
	struct nat4 nat;
};

struct overflow6 {
	__u32 kind;
	__u32 padding;
	struct key6 key;
	struct flow flow;
	struct nat6 nat;
};

#define DNS_MAX 4080 /* longest DNS answer taken; a longer one is cut there */

struct dns_event {
	__u32 kind;
	__u32 slot;
	__u32 length; /* of payload */
	__u32 jiffies;
	__u8 payload[DNS_MAX];
};

/* Begins the payload of a part of an answer over TCP. */
struct dns_segment {
	__u32 sequence; /* TCP's, of the first byte that follows */
	__be16 local_port;
	__u16 padding;
	__be32 remote[4]; /* the first word alone for IPv4 */
};

#define SEGMENT_MAX  (DNS_MAX - 24) /* longest part in one event */
#define SEGMENTS_MAX 8 /* parts that one packet, put together on its way, is cut into */

/* Written by the program on each CPU, summed by user space. */
struct losses {
	__u64 map_full;	    /* packets sent out by the ring buffer instead */
	__u64 lost_packets; /* of those, packets that the ring buffer refused */
	__u64 lost_bytes;
	__u64 unparsed; /* IP packets whose headers do not tell a flow */
	__u64 dns_lost; /* DNS answers, or parts of them, that the ring buffer refused or that are
			   too long */
	/* What the ring buffer took: a reader that is killed has lost what it did not get safe. */
	__u64 told_packets; /* of flows that found no room */
	__u64 told_bytes;
	__u64 told_dns; /* DNS answers, or parts of them */
};

_Static_assert(sizeof(struct key4) == 16, "key4");
_Static_assert(sizeof(struct key6) == 40, "key6");
_Static_assert(sizeof(struct flow) == 32, "flow");
_Static_assert(sizeof(struct flow4) == 96, "flow4");
_Static_assert(sizeof(struct flow6) == 120, "flow6");
_Static_assert(sizeof(struct dialled) == 20, "dialled");
_Static_assert(sizeof(struct overflow4) == 72, "overflow4");
_Static_assert(sizeof(struct overflow6) == 120, "overflow6");
_Static_assert(sizeof(struct dns_segment) == 24, "dns_segment");
_Static_assert(sizeof(struct dns_event) == 4096, "dns_event");

#endif

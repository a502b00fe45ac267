/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What one packet adds to its flow. */
#ifndef NETCINCH_SIGHTING_H
#define NETCINCH_SIGHTING_H

#include "flow.h"
#include "packet.h"

enum direction {
	INGRESS, /* to the local end */
	EGRESS,	 /* from it */
};

#define CLOSED_FLAGS (TCP_FIN | TCP_RST)
#define CLOSED	     (CLOSED_FLAGS << TX_FLAGS_SHIFT | CLOSED_FLAGS << RX_FLAGS_SHIFT)

struct sighting {
	__u64 amount; /* packets and bytes, as in struct flow */
	__u32 state;  /* bits that it sets */
	__u32 first;  /* bits that it sets where it is the flow's first packet */
	__u32 opens;  /* 1 where a connection begins with it, if it is the flow's first packet */
	__u32 begins; /* a SYN: begins a connection also where the ports were in use before */
	__be16 local_port; /* as in the key */
	__be16 remote_port;
};

/* Packets and bytes on the wire, of which a GSO packet stands for many. */
static __always_inline __u64 amount(struct __sk_buff *skb, const struct packet *p)
{
	__u32 bytes = skb->len - p->network;
	__u32 packets = 1;

	if (p->bytes && p->bytes < bytes) /* Ethernet padding; 0 is a BIG TCP packet */
		bytes = p->bytes;
	if (skb->gso_size) {
		__u32 segments = skb->gso_segs;
		__u32 headers = p->payload - p->network;
		if (!segments && bytes > headers) /* from a guest, not yet counted */
			segments = (bytes - headers + skb->gso_size - 1) / skb->gso_size;
		if (segments > 1) {
			packets = segments;
			bytes += (segments - 1) * headers;
		}
	}
	return ((__u64)packets << COUNT_SHIFT) + bytes;
}

/* The type of the request that a reply belongs to, or -1. */
static __always_inline int icmp_request(__u8 protocol, __u8 type)
{
	if (protocol == IP_ICMPV6)
		return type == 129 ? 128 : -1;
	switch (type) {
	case 0:
		return 8;
	case 14:
		return 13;
	case 16:
		return 15;
	case 18:
		return 17;
	default:
		return -1;
	}
}

static __always_inline void sight_icmp(const struct packet *p, enum direction direction,
				       struct sighting *s)
{
	int request = icmp_request(p->protocol, p->icmp_type);
	int local = (direction == EGRESS) == (request < 0);
	__u8 type = request < 0 ? p->icmp_type : request;

	s->local_port = type << 8 | p->icmp_code;
	s->remote_port = local ? 1 : 2;
	s->state |= local ? STARTED_LOCAL : STARTED_REMOTE;
	s->opens = 1;
}

static __always_inline void sight_connection(const struct packet *p, enum direction direction,
					     struct sighting *s)
{
	int answer = p->flags & TCP_ACK;

	s->state |= (__u32)p->flags << (direction == EGRESS ? TX_FLAGS_SHIFT : RX_FLAGS_SHIFT);
	if (!(p->flags & TCP_SYN))
		return;
	s->state |= (direction == EGRESS) == !answer ? STARTED_LOCAL : STARTED_REMOTE;
	s->opens = 1;
	s->begins = !answer;
}

/* Says what a packet adds. Its ports are placed as seen from the local end. */
static __always_inline void sight(struct __sk_buff *skb, const struct packet *p,
				  enum direction direction, struct sighting *s)
{
	s->amount = amount(skb, p);
	s->state = direction == EGRESS ? SENT : RECEIVED;
	s->first = 0;
	s->opens = 0;
	s->begins = 0;
	s->local_port = direction == EGRESS ? p->source_port : p->target_port;
	s->remote_port = direction == EGRESS ? p->target_port : p->source_port;
	if (p->fragment == LATER_FRAGMENT) {
		s->state |= FRAGMENT;
		return;
	}
	switch (p->protocol) {
	case IP_TCP:
	case IP_SCTP:
		sight_connection(p, direction, s);
		break;
	case IP_ICMP:
	case IP_ICMPV6:
		sight_icmp(p, direction, s);
		break;
	default:
		s->first = direction == EGRESS ? FIRST_LOCAL : FIRST_REMOTE;
		s->opens = 1;
	}
}

/*
 * An ICMP error counts with the flow that it quotes. The quoted packet went the
 * other way.
 */
static __always_inline void sight_error(struct __sk_buff *skb, const struct packet *error,
					const struct packet *quoted, enum direction way,
					struct sighting *s)
{
	int refused = error->protocol == IP_ICMP ? error->icmp_type == 3 && error->icmp_code != 4
						 : error->icmp_type == 1;

	sight(skb, quoted, way, s);
	s->amount = amount(skb, error);
	s->state &= FRAGMENT;
	if (refused)
		s->state |= way == EGRESS ? REFUSED_BY_REMOTE : REFUSED_BY_LOCAL;
	s->first = 0;
	s->opens = 0;
	s->begins = 0;
}

/* Says whether an ICMP message quotes the packet that it is about. */
static __always_inline int is_error(const struct packet *p)
{
	if (p->protocol == IP_ICMPV6)
		return p->icmp_type >= 1 && p->icmp_type <= 4;
	return p->icmp_type == 3 || p->icmp_type == 4 || p->icmp_type == 5 || p->icmp_type == 11 ||
	       p->icmp_type == 12;
}

/* Neighbour discovery and multicast listener reports: IPv6's ARP and IGMP joins, no traffic. */
static __always_inline int is_link_upkeep(const struct packet *p)
{
	__u8 type = p->icmp_type;

	return p->protocol == IP_ICMPV6 && p->fragment != LATER_FRAGMENT &&
	       ((type >= 130 && type <= 137) || type == 143);
}

/* Adds a packet to a flow that is known; 1 where a new connection begins with it. */
static __always_inline int add(struct flow *flow, const struct sighting *s,
			       enum direction direction)
{
	__u32 now = bpf_jiffies64();
	int again = s->begins && (flow->state & CLOSED);

	if (again) {
		__sync_fetch_and_and(&flow->state, 0);
		__sync_fetch_and_add(&flow->opened, 1);
	}
	__sync_fetch_and_add(direction == EGRESS ? &flow->tx : &flow->rx, s->amount);
	if (s->state & ~flow->state)
		__sync_fetch_and_or(&flow->state, s->state);
	if (flow->last != now)
		flow->last = now;
	return again;
}

/* Fills in a flow whose first packet this is. */
static __always_inline void begin(struct flow *flow, const struct sighting *s,
				  enum direction direction)
{
	if (direction == EGRESS)
		flow->tx = s->amount;
	else
		flow->rx = s->amount;
	flow->first = flow->last = bpf_jiffies64();
	flow->state = s->state | s->first;
	flow->opened = s->opens;
}

#endif

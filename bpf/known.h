/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Nearly every packet: TCP or UDP, no IP options, no fragment, of a flow that
 * is known and of which all is known. It costs a compare and an add where the
 * flow has its place in the CPU's cache, else one look-up and one atomic add.
 * This is all that is loaded for each attachment; the rest is handed to the
 * shared program, so that an attachment takes little time to verify.
 */
#ifndef NETCINCH_KNOWN_H
#define NETCINCH_KNOWN_H

#include "cache.h"
#include "flow.h"
#include "maps.h"
#include "packet.h"
#include "sighting.h"

/* Words of the packet, which are as aligned as it is. */
typedef __u64 __attribute__((may_alias)) word;
typedef __u32 __attribute__((may_alias)) half;

/* An ordinary packet, as far as it is needed before its flow is found. */
struct ordinary {
	__u64 rest; /* the last word of the key: both ports, local first, then slot and protocol */
	__u32 bits; /* of a flow's state, to be set for the packet to be counted by CPU */
};

/* Says whether the packet is for here, and reads its transport header. */
static __always_inline int is_ordinary(const void *transport, const void *end, __u8 protocol,
				       struct ordinary *o, enum direction direction)
{
	const __u8 *tcp = transport;
	__u32 flags = 0;

	if (protocol == IP_TCP) {
		if (transport + 20 > end)
			return 0;
		flags = tcp[13];
		if (flags & TCP_SYN)
			return 0;
	} else if (protocol != IP_UDP || transport + 8 > end) {
		return 0;
	}
	__u32 ports = *(const half *)transport; /* the first one is the lower half */
	if (direction == INGRESS) {
		if ((__u16)ports == bpf_htons(DNS_PORT))
			return 0;
		ports = ports << 16 | ports >> 16;
		o->bits = RECEIVED | flags << RX_FLAGS_SHIFT | (conntrack ? ASKED_CONNTRACK : 0);
	} else {
		o->bits = SENT | flags << TX_FLAGS_SHIFT;
	}
	o->rest = ports | (__u64)(slot << 8 | protocol) << 32;
	return 1;
}

/* Packets and bytes, as amount() of sighting.h counts them. length 0 is a BIG TCP packet. */
static __always_inline __u64 ordinary_amount(struct __sk_buff *skb, const void *transport,
					     __u32 length, __u32 before, __u8 protocol)
{
	__u32 bytes = skb->len - ETHERNET_LENGTH;

	if (length - 1 < bytes) /* Ethernet padding */
		bytes = length;
	if (skb->gso_size) {
		struct packet p = { .network = ETHERNET_LENGTH, .bytes = length };
		__u32 header = 8;
		if (protocol == IP_TCP)
			header = (((const __u8 *)transport)[12] >> 4) * 4;
		p.payload = ETHERNET_LENGTH + before + header;
		return amount(skb, &p);
	}
	return (1ULL << COUNT_SHIFT) + bytes;
}

/* Adds to a flow in the map; 0 where there is more to be done for it. */
static __always_inline int add_known(struct flow *flow, __u64 amount, __u32 bits,
				     enum direction direction)
{
	struct sighting s = { .amount = amount, .state = bits };

	if (bits & ASKED_CONNTRACK & ~flow->state)
		return 0;
	add(flow, &s, direction);
	return 1;
}

#define HERE (1U << 31) /* with bits: the flow has its place, but not all of them */

/* Counts in the flow map, and gives the flow the place if it may have it. */
static __noinline int miss4(const struct key4 *key, struct cached4 *c, __u64 amount, __u32 bits,
			    enum direction direction)
{
	struct flow4 *value = bpf_map_lookup_elem(&flows4, key);

	if (!value || !add_known(&value->flow, amount, bits & ~HERE, direction))
		return 0;
	if (!c || !((bits & HERE) || is_free(c->key.slot_protocol, c->last)))
		return 1;
	settle4(c);
	c->key = *key;
	c->state = value->flow.state & ~CLOSED;
	c->last = bpf_jiffies64();
	return 1;
}

static __noinline int miss6(const struct key6 *key, struct cached6 *c, __u64 amount, __u32 bits,
			    enum direction direction)
{
	struct flow6 *value = bpf_map_lookup_elem(&flows6, key);

	if (!value || !add_known(&value->flow, amount, bits & ~HERE, direction))
		return 0;
	if (!c || !((bits & HERE) || is_free(c->key.slot_protocol, c->last)))
		return 1;
	settle6(c);
	c->key = *key;
	c->state = value->flow.state & ~CLOSED;
	c->last = bpf_jiffies64();
	return 1;
}

/*
 * The key stays in the packet and in registers until it is not found in the
 * cache: written to the stack it would cost more than all the rest.
 */
static __always_inline int known4(struct __sk_buff *skb, const void *data, const void *end,
				  enum direction direction)
{
	const struct ipv4_header *ip = data + ETHERNET_LENGTH;
	const void *transport = ip + 1;
	__u8 protocol = ip->protocol;
	struct ordinary o;

	if (ip->version_length != 0x45 || (ip->fragment & bpf_htons(0x3fff)))
		return 0;
	if (!is_ordinary(transport, end, protocol, &o, direction))
		return 0;
	__u64 ends = *(const word *)&ip->source; /* the source is the lower half */
	if (direction == INGRESS)
		ends = ends << 32 | ends >> 32;
	__u32 at = place((ends >> 32) ^ (__u32)o.rest ^ (o.rest >> 32));
	struct cached4 *c = cached ? bpf_map_lookup_elem(&cache4, &at) : 0;
	const word *k = (const word *)&c->key;
	int here = c && !((k[0] ^ ends) | (k[1] ^ o.rest));
	__u64 amount =
		ordinary_amount(skb, transport, bpf_ntohs(ip->length), sizeof(*ip), protocol);

	if (here) {
		if (!(o.bits & ~c->state)) {
			if (direction == EGRESS)
				c->tx += amount;
			else
				c->rx += amount;
			c->last = bpf_jiffies64();
			return 1;
		}
		o.bits |= HERE;
	}
	word key[2] = { ends, o.rest };
	return miss4((const struct key4 *)key, c, amount, o.bits, direction);
}

static __always_inline int known6(struct __sk_buff *skb, const void *data, const void *end,
				  enum direction direction)
{
	const struct ipv6_header *ip = data + ETHERNET_LENGTH;
	const void *transport = ip + 1;
	struct ordinary o;

	if (transport > end || (*(const __u8 *)ip >> 4) != 6)
		return 0;
	__u8 protocol = ip->next;
	if (!is_ordinary(transport, end, protocol, &o, direction))
		return 0;
	const __be32 *from = direction == EGRESS ? ip->source : ip->target;
	const __be32 *to = direction == EGRESS ? ip->target : ip->source;
	__u32 at = place(to[3] ^ (__u32)o.rest ^ (o.rest >> 32));
	struct cached6 *c = cached ? bpf_map_lookup_elem(&cache6, &at) : 0;
	const word *k = (const word *)&c->key, *local = (const word *)from,
		   *remote = (const word *)to;
	int here = c && !((k[4] ^ o.rest) | (k[3] ^ remote[1]) | (k[2] ^ remote[0]) |
			  (k[1] ^ local[1]) | (k[0] ^ local[0]));
	__u32 length = ip->length ? bpf_ntohs(ip->length) + sizeof(*ip) : 0;
	__u64 amount = ordinary_amount(skb, transport, length, sizeof(*ip), protocol);

	if (here) {
		if (!(o.bits & ~c->state)) {
			if (direction == EGRESS)
				c->tx += amount;
			else
				c->rx += amount;
			c->last = bpf_jiffies64();
			return 1;
		}
		o.bits |= HERE;
	}
	word key[5] = { local[0], local[1], remote[0], remote[1], o.rest };
	return miss6((const struct key6 *)key, c, amount, o.bits, direction);
}

/* Counts a packet of a known flow; 0 where that was not to be done here. */
static __always_inline int known(struct __sk_buff *skb, enum direction direction)
{
	const void *data = (const void *)(long)skb->data;
	const void *end = (const void *)(long)skb->data_end;

	if (data + ETHERNET_LENGTH + sizeof(struct ipv4_header) > end)
		return 0;
	__be16 type = *(const __be16 *)(data + 12);
	if (type == bpf_htons(PROTO_IPV4))
		return known4(skb, data, end, direction);
	if (type == bpf_htons(PROTO_IPV6))
		return known6(skb, data, end, direction);
	return 0;
}

/* Counts a packet, or hands it to the shared program. */
static __always_inline int count(struct __sk_buff *skb, enum direction direction)
{
	__u32 zero = 0;

	if (known(skb, direction))
		return TCX_NEXT;
	struct call *call = bpf_map_lookup_elem(&calls, &zero);
	if (!call)
		return TCX_NEXT;
	call->slot = slot;
	call->conntrack_netns = conntrack_netns;
	bpf_tail_call(skb, &shared, direction);
	/* Only where user space has not put the shared program in place. */
	struct losses *losses = lost();
	if (losses)
		losses->unparsed++;
	return TCX_NEXT;
}

#endif

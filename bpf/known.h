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
		o->bits = RECEIVED | flags << RX_FLAGS_SHIFT | conntrack * ASKED_CONNTRACK;
	} else {
		o->bits = SENT | flags << TX_FLAGS_SHIFT;
	}
	o->rest = ports | (__u64)(slot << 8 | protocol) << 32;
	return 1;
}

/* Of a packet that stands for many. Apart, so that others keep their registers. */
static __noinline __u64 many(struct __sk_buff *skb, __u32 length, __u32 payload)
{
	struct packet p = { .network = ETHERNET_LENGTH, .bytes = length, .payload = payload };

	return amount(skb, &p);
}

/* Packets and bytes, as amount() of sighting.h counts them. length 0 is a BIG TCP packet. */
static __always_inline __u64 ordinary_amount(struct __sk_buff *skb, const void *transport,
					     __u32 length, __u32 before, __u8 protocol)
{
	__u32 bytes = skb->len - ETHERNET_LENGTH;

	if (__builtin_expect(skb->gso_size, 0)) {
		__u32 header = 8;
		if (protocol == IP_TCP)
			header = (((const __u8 *)transport)[12] >> 4) * 4;
		return many(skb, length, ETHERNET_LENGTH + before + header);
	}
	if (length - 1 < bytes) /* Ethernet padding */
		bytes = length;
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

static __always_inline int is_same4(const struct key4 *a, const struct key4 *b)
{
	const word *x = (const word *)a, *y = (const word *)b;

	return x[1] == y[1] && x[0] == y[0];
}

static __always_inline int is_same6(const struct key6 *a, const struct key6 *b)
{
	const word *x = (const word *)a, *y = (const word *)b;

	return x[4] == y[4] && x[3] == y[3] && x[2] == y[2] && x[1] == y[1] && x[0] == y[0];
}

/* Counts in the flow map, and gives the flow the place if it may have it, or has it. */
static __noinline int miss4(const struct key4 *key, struct cached4 *c, __u64 amount, __u32 bits,
			    enum direction direction)
{
	struct flow4 *value = bpf_map_lookup_elem(&flows4, key);

	if (!value || !add_known(&value->flow, amount, bits, direction))
		return 0;
	if (!c || !(is_same4(&c->key, key) || is_free(c->key.slot_protocol, c->last)))
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

	if (!value || !add_known(&value->flow, amount, bits, direction))
		return 0;
	if (!c || !(is_same6(&c->key, key) || is_free(c->key.slot_protocol, c->last)))
		return 1;
	settle6(c);
	c->key = *key;
	c->state = value->flow.state & ~CLOSED;
	c->last = bpf_jiffies64();
	return 1;
}

/* Adds to a flow that has its place. */
static __always_inline void count_here(__u64 *tx, __u64 *rx, __u32 *last, __u64 amount,
				       enum direction direction)
{
	*(direction == EGRESS ? tx : rx) += amount;
	*last = bpf_jiffies64();
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
	struct places4 *all = cached ? places4() : 0; /* before all else: calls spoil registers */
	struct cached4 *c = 0;
	struct ordinary o;

	if (ip->version_length != 0x45 || (ip->fragment & bpf_htons(0x3fff)))
		return 0;
	if (!is_ordinary(transport, end, protocol, &o, direction))
		return 0;
	__u64 ends = *(const word *)&ip->source; /* the source is the lower half */
	if (direction == INGRESS)
		ends = ends << 32 | ends >> 32;
	__u32 at = spread((ends >> 32) ^ (__u32)o.rest ^ (o.rest >> 32));

	if (all) {
		c = &all->place[at];
		const word *k = (const word *)&c->key;
		if (k[0] == ends && k[1] == o.rest && !(o.bits & ~c->state)) {
			count_here(&c->tx, &c->rx, &c->last,
				   ordinary_amount(skb, transport, bpf_ntohs(ip->length),
						   sizeof(*ip), protocol),
				   direction);
			return 1;
		}
	}
	word key[2] = { ends, o.rest };
	return miss4((const struct key4 *)key, c,
		     ordinary_amount(skb, transport, bpf_ntohs(ip->length), sizeof(*ip), protocol),
		     o.bits, direction);
}

/* 0 for a BIG TCP packet. */
static __always_inline __u32 length6(const struct ipv6_header *ip)
{
	return ip->length ? bpf_ntohs(ip->length) + sizeof(*ip) : 0;
}

static __always_inline int known6(struct __sk_buff *skb, const void *data, const void *end,
				  enum direction direction)
{
	const struct ipv6_header *ip = data + ETHERNET_LENGTH;
	const void *transport = ip + 1;
	struct places6 *all = cached ? places6() : 0;
	struct cached6 *c = 0;
	struct ordinary o;

	if (transport > end || (*(const __u8 *)ip >> 4) != 6)
		return 0;
	__u8 protocol = ip->next;
	if (!is_ordinary(transport, end, protocol, &o, direction))
		return 0;
	const __be32 *from = direction == EGRESS ? ip->source : ip->target;
	const __be32 *to = direction == EGRESS ? ip->target : ip->source;
	__u32 at = spread(to[3] ^ (__u32)o.rest ^ (o.rest >> 32));
	const word *local = (const word *)from, *remote = (const word *)to;

	if (all) {
		c = &all->place[at];
		const word *k = (const word *)&c->key;
		if (k[4] == o.rest && k[3] == remote[1] && k[2] == remote[0] && k[1] == local[1] &&
		    k[0] == local[0] && !(o.bits & ~c->state)) {
			count_here(
				&c->tx, &c->rx, &c->last,
				ordinary_amount(skb, transport, length6(ip), sizeof(*ip), protocol),
				direction);
			return 1;
		}
	}
	word key[5] = { local[0], local[1], remote[0], remote[1], o.rest };
	return miss6((const struct key6 *)key, c,
		     ordinary_amount(skb, transport, length6(ip), sizeof(*ip), protocol), o.bits,
		     direction);
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
	if (known(skb, direction))
		return TCX_NEXT;
	__u32 zero = 0;
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

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

/* Reads the ports and flags; 0 where the packet is not for here. */
static __always_inline int ordinary(const void *transport, const void *end, struct packet *p,
				    enum direction direction)
{
	const __be16 *ports = transport;
	const __u8 *tcp = transport;

	if (p->protocol == IP_TCP) {
		if (transport + 20 > end || (tcp[13] & TCP_SYN))
			return 0;
		p->flags = tcp[13];
		p->payload = p->transport + (tcp[12] >> 4) * 4;
	} else if (p->protocol == IP_UDP) {
		if (transport + 8 > end)
			return 0;
		p->payload = p->transport + 8;
	} else {
		return 0;
	}
	if (direction == INGRESS && ports[0] == bpf_htons(DNS_PORT))
		return 0;
	p->source_port = ports[0];
	p->target_port = ports[1];
	return 1;
}

/* The bits of a flow's state that a packet needs to be set, to be counted by CPU. */
static __always_inline __u32 bits_of(const struct packet *p, enum direction direction)
{
	if (direction == EGRESS)
		return SENT | (__u32)p->flags << TX_FLAGS_SHIFT;
	return RECEIVED | (__u32)p->flags << RX_FLAGS_SHIFT | (conntrack ? ASKED_CONNTRACK : 0);
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

/*
 * The key is in registers until it is not found in the cache: written to the
 * stack in halves and read back whole it would cost more than all the rest.
 */
static __always_inline int count4(__u64 ends, __u64 rest, __u64 amount, __u32 bits,
				  enum direction direction)
{
	__u32 at = place((ends >> 32) ^ (__u32)rest ^ (rest >> 32));
	struct cached4 *c = cached ? bpf_map_lookup_elem(&cache4, &at) : 0;
	int here = c && ((const __u64 *)&c->key)[0] == ends && ((const __u64 *)&c->key)[1] == rest;
	__u64 key[2];

	if (here && !(bits & ~c->state)) {
		if (direction == EGRESS)
			c->tx += amount;
		else
			c->rx += amount;
		c->last = bpf_jiffies64();
		return 1;
	}
	key[0] = ends;
	key[1] = rest;
	struct flow4 *value = bpf_map_lookup_elem(&flows4, key);
	if (!value || !add_known(&value->flow, amount, bits, direction))
		return 0;
	if (!c || !(here || is_free(c->key.slot_protocol, c->last)))
		return 1;
	settle4(c);
	c->key = *(const struct key4 *)key;
	c->state = value->flow.state & ~CLOSED;
	c->last = bpf_jiffies64();
	return 1;
}

static __always_inline int count6(const __u64 words[5], __u64 amount, __u32 bits,
				  enum direction direction)
{
	__u32 at = place((words[3] >> 32) ^ (__u32)words[4] ^ (words[4] >> 32));
	struct cached6 *c = cached ? bpf_map_lookup_elem(&cache6, &at) : 0;
	const __u64 *k = (const __u64 *)&c->key;
	int here = c && k[0] == words[0] && k[1] == words[1] && k[2] == words[2] &&
		   k[3] == words[3] && k[4] == words[4];
	__u64 key[5];

	if (here && !(bits & ~c->state)) {
		if (direction == EGRESS)
			c->tx += amount;
		else
			c->rx += amount;
		c->last = bpf_jiffies64();
		return 1;
	}
	for (int i = 0; i < 5; i++)
		key[i] = words[i];
	struct flow6 *value = bpf_map_lookup_elem(&flows6, key);
	if (!value || !add_known(&value->flow, amount, bits, direction))
		return 0;
	if (!c || !(here || is_free(c->key.slot_protocol, c->last)))
		return 1;
	settle6(c);
	c->key = *(const struct key6 *)key;
	c->state = value->flow.state & ~CLOSED;
	c->last = bpf_jiffies64();
	return 1;
}

/* The last word of a key: both ports, local first, then slot and protocol. */
static __always_inline __u64 last_word(const struct packet *p, enum direction direction)
{
	__u32 ports = direction == EGRESS ? p->source_port | (__u32)p->target_port << 16
					  : p->target_port | (__u32)p->source_port << 16;

	return ports | (__u64)(slot << 8 | p->protocol) << 32;
}

/* Two words of an address as one of the key. */
static __always_inline __u64 word(const __be32 *at)
{
	return at[0] | (__u64)at[1] << 32;
}

static __always_inline int known4(struct __sk_buff *skb, const void *data, const void *end,
				  enum direction direction)
{
	const struct ipv4_header *ip = data + ETHERNET_LENGTH;
	struct packet p = { .network = ETHERNET_LENGTH };

	if (ip->version_length != 0x45 || (ip->fragment & bpf_htons(0x3fff)))
		return 0;
	p.transport = ETHERNET_LENGTH + sizeof(*ip);
	p.protocol = ip->protocol;
	p.bytes = bpf_ntohs(ip->length);
	if (!ordinary(ip + 1, end, &p, direction))
		return 0;
	__u64 ends = direction == EGRESS ? ip->source | (__u64)ip->target << 32
					 : ip->target | (__u64)ip->source << 32;
	return count4(ends, last_word(&p, direction), amount(skb, &p), bits_of(&p, direction),
		      direction);
}

static __always_inline int known6(struct __sk_buff *skb, const void *data, const void *end,
				  enum direction direction)
{
	const struct ipv6_header *ip = data + ETHERNET_LENGTH;
	struct packet p = { .network = ETHERNET_LENGTH };

	if ((const void *)(ip + 1) > end || (*(const __u8 *)ip >> 4) != 6)
		return 0;
	p.transport = ETHERNET_LENGTH + sizeof(*ip);
	p.protocol = ip->next;
	if (ip->length)
		p.bytes = bpf_ntohs(ip->length) + sizeof(*ip);
	if (!ordinary(ip + 1, end, &p, direction))
		return 0;
	const __be32 *local = direction == EGRESS ? ip->source : ip->target;
	const __be32 *remote = direction == EGRESS ? ip->target : ip->source;
	__u64 words[5] = { word(local), word(local + 2), word(remote), word(remote + 2),
			   last_word(&p, direction) };
	return count6(words, amount(skb, &p), bits_of(&p, direction), direction);
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

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The whole of it: any packet, to a flow known or new. Loaded once, called by
 * the attachments' programs for what they do not see to themselves.
 */
#ifndef NETCINCH_WHOLE_H
#define NETCINCH_WHOLE_H

#include "birth.h"
#include "conntrack.h"
#include "dns.h"
#include "flow.h"
#include "maps.h"
#include "own.h"
#include "packet.h"
#include "sighting.h"
#include "spill.h"

static __always_inline void unparsed(void)
{
	struct losses *losses = lost();

	if (losses)
		losses->unparsed++;
}

static __always_inline void key4_of(struct key4 *key, const struct ipv4_header *ip,
				    const struct packet *p, enum direction direction,
				    const struct sighting *s)
{
	key->local = direction == EGRESS ? ip->source : ip->target;
	key->remote = direction == EGRESS ? ip->target : ip->source;
	key->local_port = s->local_port;
	key->remote_port = s->remote_port;
	key->slot_protocol = p->slot << 8 | p->protocol;
}

static __always_inline void key6_of(struct key6 *key, const struct ipv6_header *ip,
				    const struct packet *p, enum direction direction,
				    const struct sighting *s)
{
	COPY6(key->local, direction == EGRESS ? ip->source : ip->target);
	COPY6(key->remote, direction == EGRESS ? ip->target : ip->source);
	key->local_port = s->local_port;
	key->remote_port = s->remote_port;
	key->slot_protocol = p->slot << 8 | p->protocol;
}

/*
 * Makes an ICMP error part of the flow that it quotes: gives what it adds there
 * and that flow's key; -1 where the quoted packet does not tell. Global, as are
 * the other rare paths, so that the verifier looks at it once.
 */
__noinline int error4(struct __sk_buff *skb, const struct packet *error, struct sighting *s,
		      struct key4 *key, __u32 direction)
{
	enum direction way = direction == INGRESS ? EGRESS : INGRESS;
	struct ipv4_header buffer;
	struct packet quoted = {};

	if (!error || !s || !key)
		return -1;
	quoted.slot = error->slot;
	quoted.network = error->payload;
	const struct ipv4_header *ip = header(skb, quoted.network, &buffer, sizeof(buffer));
	if (!ip || ipv4(ip, &quoted) || transport(skb, &quoted, 1))
		return -1;
	sight_error(skb, error, &quoted, way, s);
	key4_of(key, ip, &quoted, way, s);
	return 0;
}

__noinline int error6(struct __sk_buff *skb, const struct packet *error, struct sighting *s,
		      struct key6 *key, __u32 direction)
{
	enum direction way = direction == INGRESS ? EGRESS : INGRESS;
	struct ipv6_header buffer;
	struct packet quoted = {};

	if (!error || !s || !key)
		return -1;
	quoted.slot = error->slot;
	quoted.network = error->payload;
	const struct ipv6_header *ip = header(skb, quoted.network, &buffer, sizeof(buffer));
	if (!ip || ipv6(skb, ip, &quoted) || transport(skb, &quoted, 1))
		return -1;
	sight_error(skb, error, &quoted, way, s);
	key6_of(key, ip, &quoted, way, s);
	return 0;
}

/*
 * Enters a new flow. Gives its entry where there is more to be done for it.
 * Another CPU may be first, or the ports are used again: then the entry that is
 * there takes the packet.
 */
static __always_inline struct flow4 *enter4(struct __sk_buff *skb, const struct key4 *key,
					    const struct sighting *s, enum direction direction)
{
	struct flow4 fresh = {};

	begin(&fresh.flow, s, direction);
	born4(skb, key, s, direction, &fresh);
	long err = bpf_map_update_elem(&flows4, key, &fresh, BPF_NOEXIST);
	if (!err && direction == EGRESS)
		return 0;
	struct flow4 *value = err && err != -EEXIST ? 0 : bpf_map_lookup_elem(&flows4, key);
	if (!value && err)
		spill4(key, &fresh);
	else if (value && err && add(&value->flow, s, direction))
		born4(skb, key, s, direction, value);
	return value;
}

static __always_inline struct flow6 *enter6(struct __sk_buff *skb, const struct key6 *key,
					    const struct sighting *s, enum direction direction)
{
	struct flow6 fresh = {};

	begin(&fresh.flow, s, direction);
	born6(skb, key, s, direction, &fresh);
	long err = bpf_map_update_elem(&flows6, key, &fresh, BPF_NOEXIST);
	if (!err && direction == EGRESS)
		return 0;
	struct flow6 *value = err && err != -EEXIST ? 0 : bpf_map_lookup_elem(&flows6, key);
	if (!value && err)
		spill6(key, &fresh);
	else if (value && err && add(&value->flow, s, direction))
		born6(skb, key, s, direction, value);
	return value;
}

/*
 * A SYN nearly always begins a new flow: to enter it comes first. Others are
 * looked for.
 */
static __always_inline void account4(struct __sk_buff *skb, const struct key4 *key,
				     const struct packet *p, const struct sighting *s,
				     enum direction direction, __s32 netns)
{
	struct flow4 *value = s->begins ? 0 : bpf_map_lookup_elem(&flows4, key);

	if (!value)
		value = enter4(skb, key, s, direction);
	else
		add(&value->flow, s, direction);
	if (direction == EGRESS || !value)
		return;
	if (ask_now(&value->flow, key->slot_protocol))
		ask4(skb, key, value, netns);
	if (is_dns_answer(p, &value->flow))
		send_dns4(skb, p, key);
}

static __always_inline void account6(struct __sk_buff *skb, const struct key6 *key,
				     const struct packet *p, const struct sighting *s,
				     enum direction direction, __s32 netns)
{
	struct flow6 *value = s->begins ? 0 : bpf_map_lookup_elem(&flows6, key);

	if (!value)
		value = enter6(skb, key, s, direction);
	else
		add(&value->flow, s, direction);
	if (direction == EGRESS || !value)
		return;
	if (ask_now(&value->flow, key->slot_protocol))
		ask6(skb, key, value, netns);
	if (is_dns_answer(p, &value->flow))
		send_dns6(skb, p, key);
}

/*
 * Remembers the flow of a first fragment; gives a later one the flow of its
 * first. One that has not been seen leaves the ports unknown.
 */
static __always_inline void fragment4_of(struct key4 *key, const struct ipv4_header *ip,
					 const struct packet *p, struct sighting *s)
{
	struct fragment4 id = { .id = p->fragment_id, .slot_protocol = key->slot_protocol };

	id.source = ip->source;
	id.target = ip->target;
	if (p->fragment == FIRST_FRAGMENT) {
		bpf_map_update_elem(&fragments4, &id, key, BPF_ANY);
		return;
	}
	struct key4 *first = bpf_map_lookup_elem(&fragments4, &id);
	if (first) {
		*key = *first;
		s->state &= ~FRAGMENT;
	}
}

static __always_inline void fragment6_of(struct key6 *key, const struct ipv6_header *ip,
					 const struct packet *p, struct sighting *s)
{
	struct fragment6 id = { .id = p->fragment_id, .slot = p->slot };

	COPY6(id.source, ip->source);
	COPY6(id.target, ip->target);
	if (p->fragment == FIRST_FRAGMENT) {
		bpf_map_update_elem(&fragments6, &id, key, BPF_ANY);
		return;
	}
	struct key6 *first = bpf_map_lookup_elem(&fragments6, &id);
	if (first) {
		*key = *first;
		s->state &= ~FRAGMENT;
	}
}

static __always_inline void see4(struct __sk_buff *skb, const struct call *call, __u32 network,
				 enum direction direction)
{
	struct ipv4_header buffer;
	const struct ipv4_header *ip = header(skb, network, &buffer, sizeof(buffer));
	struct packet p = { .slot = call->slot, .network = network };
	struct sighting s;
	struct key4 key;

	if (!ip || ipv4(ip, &p) || transport(skb, &p, 0)) {
		unparsed();
		return;
	}
	if (p.protocol != IP_ICMP || !is_error(&p) || error4(skb, &p, &s, &key, direction)) {
		sight(skb, &p, direction, &s);
		key4_of(&key, ip, &p, direction, &s);
	}
	if (p.fragment != WHOLE)
		fragment4_of(&key, ip, &p, &s);
	__s32 netns = call->conntrack_netns;
	if (netns == NODE_SIDE) {
		if (!is_own4(&key))
			return;
		netns = -1;
	}
	account4(skb, &key, &p, &s, direction, netns);
}

static __always_inline void see6(struct __sk_buff *skb, const struct call *call, __u32 network,
				 enum direction direction)
{
	struct ipv6_header buffer;
	const struct ipv6_header *ip = header(skb, network, &buffer, sizeof(buffer));
	struct packet p = { .slot = call->slot, .network = network };
	struct sighting s;
	struct key6 key;

	if (!ip || ipv6(skb, ip, &p) || transport(skb, &p, 0)) {
		unparsed();
		return;
	}
	if (is_link_upkeep(&p))
		return;
	if (p.protocol != IP_ICMPV6 || !is_error(&p) || error6(skb, &p, &s, &key, direction)) {
		sight(skb, &p, direction, &s);
		key6_of(&key, ip, &p, direction, &s);
	}
	if (p.fragment != WHOLE)
		fragment6_of(&key, ip, &p, &s);
	__s32 netns = call->conntrack_netns;
	if (netns == NODE_SIDE) {
		if (!is_own6(&key))
			return;
		netns = -1;
	}
	account6(skb, &key, &p, &s, direction, netns);
}

/* Counts one packet, on behalf of the attachment that called. */
static __always_inline int see(struct __sk_buff *skb, enum direction direction)
{
	__u32 network = 0;
	__u32 zero = 0;
	const struct call *call = bpf_map_lookup_elem(&calls, &zero);

	if (!call)
		return TCX_NEXT;
	switch (ethernet(skb, &network)) {
	case PROTO_IPV4:
		see4(skb, call, network, direction);
		break;
	case PROTO_IPV6:
		see6(skb, call, network, direction);
		break;
	}
	return TCX_NEXT;
}

#endif

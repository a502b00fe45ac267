/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What conntrack knows of a flow: who began it, which virtual address was
 * dialled, who the true other end is. Asked once for each flow, on the first
 * packet that the local end receives: an entry is confirmed only when its
 * first packet has left the node's stack, so a client's SYN always misses.
 */
#ifndef NETCINCH_CONNTRACK_H
#define NETCINCH_CONNTRACK_H

#include "flow.h"
#include "maps.h"
#include <bpf/bpf_core_read.h>

struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
				  __u32 tuple__sz, struct bpf_ct_opts *opts,
				  __u32 opts__sz) __ksym __weak;
void bpf_ct_release(struct nf_conn *ct) __ksym __weak;

/*
 * Says whether this packet is the one to ask on, and that nobody else asks:
 * the kfunc knows TCP and UDP only.
 */
static __always_inline int ask_now(struct flow *flow, __u8 protocol)
{
	if (!conntrack || (flow->state & (ASKED_CONNTRACK | FRAGMENT)))
		return 0;
	if (protocol != IP_TCP && protocol != IP_UDP)
		return 0;
	return !(__sync_fetch_and_or(&flow->state, ASKED_CONNTRACK) & ASKED_CONNTRACK);
}

static __always_inline void ask4(struct __sk_buff *skb, const struct key4 *key, struct flow4 *value,
				 __s32 netns)
{
	struct bpf_ct_opts opts = { .netns_id = netns };
	struct bpf_sock_tuple tuple = {};
	__u32 state = 0;

	opts.l4proto = key->slot_protocol & 0xff;
	tuple.ipv4.saddr = key->local;
	tuple.ipv4.daddr = key->remote;
	tuple.ipv4.sport = key->local_port;
	tuple.ipv4.dport = key->remote_port;
	struct nf_conn *ct =
		bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), &opts, sizeof(opts));
	if (!ct)
		return;
	struct nf_conntrack_tuple *there = &ct->tuplehash[CT_ORIGINAL].tuple;
	struct nf_conntrack_tuple *back = &ct->tuplehash[CT_REPLY].tuple;
	if (there->dst.u3.ip != back->src.u3.ip || there->dst.u.all != back->src.u.all)
		state |= DEST_REWRITTEN;
	if (there->src.u3.ip != back->dst.u3.ip || there->src.u.all != back->dst.u.all)
		state |= SOURCE_REWRITTEN;
	value->nat.dialled = there->dst.u3.ip;
	value->nat.dialled_port = there->dst.u.all;
	if (opts.dir == CT_ORIGINAL) {
		state |= TRACKED_LOCAL;
		value->nat.peer = back->src.u3.ip;
		value->nat.peer_port = back->src.u.all;
	} else {
		state |= TRACKED_REMOTE;
		value->nat.peer = there->src.u3.ip;
		value->nat.peer_port = there->src.u.all;
	}
	bpf_ct_release(ct);
	/* Last: who sees the bits sees the addresses. */
	__sync_fetch_and_or(&value->flow.state, state);
}

static __always_inline void ask6(struct __sk_buff *skb, const struct key6 *key, struct flow6 *value,
				 __s32 netns)
{
	struct bpf_ct_opts opts = { .netns_id = netns };
	struct bpf_sock_tuple tuple = {};
	__u32 state = 0;

	opts.l4proto = key->slot_protocol & 0xff;
	COPY6(tuple.ipv6.saddr, key->local);
	COPY6(tuple.ipv6.daddr, key->remote);
	tuple.ipv6.sport = key->local_port;
	tuple.ipv6.dport = key->remote_port;
	struct nf_conn *ct =
		bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv6), &opts, sizeof(opts));
	if (!ct)
		return;
	struct nf_conntrack_tuple *there = &ct->tuplehash[CT_ORIGINAL].tuple;
	struct nf_conntrack_tuple *back = &ct->tuplehash[CT_REPLY].tuple;
	if (!SAME6(there->dst.u3.ip6, back->src.u3.ip6) || there->dst.u.all != back->src.u.all)
		state |= DEST_REWRITTEN;
	if (!SAME6(there->src.u3.ip6, back->dst.u3.ip6) || there->src.u.all != back->dst.u.all)
		state |= SOURCE_REWRITTEN;
	COPY6(value->nat.dialled, there->dst.u3.ip6);
	value->nat.dialled_port = there->dst.u.all;
	if (opts.dir == CT_ORIGINAL) {
		state |= TRACKED_LOCAL;
		COPY6(value->nat.peer, back->src.u3.ip6);
		value->nat.peer_port = back->src.u.all;
	} else {
		state |= TRACKED_REMOTE;
		COPY6(value->nat.peer, there->src.u3.ip6);
		value->nat.peer_port = there->src.u.all;
	}
	bpf_ct_release(ct);
	__sync_fetch_and_or(&value->flow.state, state);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A few flows of each CPU, counted without a look-up in the flow map and
 * without atomics: a packet whose flow is in its place here costs a compare and
 * an add. What is counted here is added to the flow map when another flow takes
 * the place, and by flow_flush, which user space runs on each CPU before it
 * reads the map. Both run with softirqs off, so nothing comes between.
 *
 * A flow's state, its beginning and its end are never here: packets with SYN,
 * FIN or RST, and any that would set a bit, go to the map.
 */
#ifndef NETCINCH_CACHE_H
#define NETCINCH_CACHE_H

#include "flow.h"
#include "maps.h"
#include "sighting.h"
#include "spill.h"

#define CACHE_BITS     8
#define CACHE_SLOTS    (1 << CACHE_BITS)
#define CACHE_PATIENCE 16 /* ticks without a packet after which a flow loses its place */

struct cached4 {
	struct key4 key; /* slot_protocol 0: vacant */
	__u64 tx;	 /* not yet in the flow map */
	__u64 rx;
	__u32 state; /* bits known to be set in the flow map, without FIN and RST */
	__u32 last;
	__u64 padding[3]; /* a place is found by a shift */
};

struct cached6 {
	struct key6 key;
	__u64 tx;
	__u64 rx;
	__u32 state;
	__u32 last;
};

struct places4 {
	struct cached4 place[CACHE_SLOTS];
};

struct places6 {
	struct cached6 place[CACHE_SLOTS];
};

/*
 * Only the programs use them. A flow that finds no place is counted in the map.
 * All places are one entry, so that looking it up does not wait for the packet.
 */
MAP(cache4, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct places4, 1);
MAP(cache6, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct places6, 1);

static __always_inline struct places4 *places4(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cache4, &zero);
}

static __always_inline struct places6 *places6(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cache6, &zero);
}

static __always_inline __u32 spread(__u32 mixed)
{
	return (mixed * 0x9e3779b1U) >> (32 - CACHE_BITS);
}

/* Says whether a flow may have this place. */
static __always_inline int is_free(__u32 slot_protocol, __u32 last)
{
	return !slot_protocol || (__u32)bpf_jiffies64() - last > CACHE_PATIENCE;
}

/* Adds to a flow what was counted here. */
static __always_inline void settle(struct flow *flow, __u64 tx, __u64 rx, __u32 last)
{
	if (tx)
		__sync_fetch_and_add(&flow->tx, tx);
	if (rx)
		__sync_fetch_and_add(&flow->rx, rx);
	if ((__s32)(last - flow->last) > 0)
		flow->last = last;
}

/* As above, for a flow that has meanwhile left the map: it is entered anew. */
static __always_inline void reenter(struct flow *flow, __u64 tx, __u64 rx, __u32 state, __u32 last)
{
	flow->tx = tx;
	flow->rx = rx;
	flow->state = state & ~(ASKED_CONNTRACK | DEST_REWRITTEN | SOURCE_REWRITTEN);
	flow->first = flow->last = last;
}

/* Clears a place, after its counts have gone to the flow map. */
__noinline int settle4(struct cached4 *c)
{
	struct flow4 fresh = {};

	if (!c || !c->key.slot_protocol)
		return 0;
	struct key4 key = c->key; /* kernels before 6.2 want it on the stack */
	struct flow4 *value = bpf_map_lookup_elem(&flows4, &key);
	if (value) {
		settle(&value->flow, c->tx, c->rx, c->last);
	} else if (c->tx || c->rx) {
		reenter(&fresh.flow, c->tx, c->rx, c->state, c->last);
		if (bpf_map_update_elem(&flows4, &key, &fresh, BPF_NOEXIST))
			spill4(&key, &fresh);
	}
	c->key.slot_protocol = 0;
	c->tx = 0;
	c->rx = 0;
	return 0;
}

__noinline int settle6(struct cached6 *c)
{
	struct flow6 fresh = {};

	if (!c || !c->key.slot_protocol)
		return 0;
	struct key6 key = c->key; /* kernels before 6.2 want it on the stack */
	struct flow6 *value = bpf_map_lookup_elem(&flows6, &key);
	if (value) {
		settle(&value->flow, c->tx, c->rx, c->last);
	} else if (c->tx || c->rx) {
		reenter(&fresh.flow, c->tx, c->rx, c->state, c->last);
		if (bpf_map_update_elem(&flows6, &key, &fresh, BPF_NOEXIST))
			spill6(&key, &fresh);
	}
	c->key.slot_protocol = 0;
	c->tx = 0;
	c->rx = 0;
	return 0;
}

/* Settles one place of this CPU, in both caches. */
static long settle_place(__u32 at, void *unused)
{
	struct places4 *all4 = places4();
	struct places6 *all6 = places6();

	if (!all4 || !all6 || at >= CACHE_SLOTS)
		return 1;
	if (all4->place[at].key.slot_protocol)
		settle4(&all4->place[at]);
	if (all6->place[at].key.slot_protocol)
		settle6(&all6->place[at]);
	return 0;
}

#endif

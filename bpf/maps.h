/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef NETCINCH_MAPS_H
#define NETCINCH_MAPS_H

#include "flow.h"
#include "kernel.h"
#include <bpf/bpf_helpers.h>

#define MAP(name, kind, key_type, value_type, entries) \
	struct {                                       \
		__uint(type, kind);                    \
		__type(key, key_type);                 \
		__type(value, value_type);             \
		__uint(max_entries, entries);          \
	} name SEC(".maps")

/*
 * The flows of all attachments. Written by the program, read and emptied by
 * user space. Preallocated, which saves 100 ns a packet under churn, and not
 * LRU, which would lose silently: when full, packets of further flows go out
 * by the ring buffer one by one. User space sets the real bound.
 */
MAP(flows4, BPF_MAP_TYPE_HASH, struct key4, struct flow4, 65536);
MAP(flows6, BPF_MAP_TYPE_HASH, struct key6, struct flow6, 65536);

/* Overflowing packets and DNS answers, for user space. When full: losses. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

/* What was lost, by CPU; only ever rises. */
MAP(loss_counts, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct losses, 1);

/* Where a DNS answer is put together: too large for the stack. */
MAP(scratch, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct dns_event, 1);

/*
 * Flows of packets whose first fragment was seen, by which later fragments,
 * which have no ports, find theirs. Only the program uses it. When full the
 * oldest goes, and its later fragments count as of unknown ports.
 */
struct fragment4 {
	__be32 source;
	__be32 target;
	__u32 id;
	__u32 slot_protocol;
};

struct fragment6 {
	__be32 source[4];
	__be32 target[4];
	__u32 id;
	__u32 slot;
};

MAP(fragments4, BPF_MAP_TYPE_LRU_HASH, struct fragment4, struct key4, 1024);
MAP(fragments6, BPF_MAP_TYPE_LRU_HASH, struct fragment6, struct key6, 1024);

/*
 * Hands a packet on from an attachment's program to the shared one of its
 * direction. Both run on one CPU without another packet in between.
 */
struct call {
	__u32 slot;
	__s32 conntrack_netns;
};

MAP(calls, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct call, 1);

/* The shared programs, by direction. User space fills it and keeps it open. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} shared SEC(".maps");

/*
 * What user space writes down for the process that comes after it. Pinned with
 * the rest; programs never look at it.
 */
struct control {
	__u64 instance;	  /* tells these maps from others that were pinned at the same place */
	__u32 generation; /* the last one that a drain was begun with */
	__u32 committed;  /* the last one that was safe by then */
	__u32 next_slot;
	__u32 padding;
};

MAP(controls, BPF_MAP_TYPE_ARRAY, __u32, struct control, 1);

/* Which slot an interface has, also while nothing is attached to it. */
struct interface {
	__u64 netns;  /* cookie of its network namespace: never given twice */
	__u32 index;  /* there */
	__u32 shared; /* 1 for the host's side of a pair */
};

struct attachment {
	__u32 slot;
	__u32 mode; /* of package probe */
};

MAP(slots, BPF_MAP_TYPE_HASH, struct interface, struct attachment, 16384);

/* Set for each attachment before its programs are loaded. */
volatile const __u32 slot = 0;
/*
 * The namespace whose conntrack sees this interface's packets, as an id in the
 * interface's own namespace; -1 is that namespace itself. NODE_SIDE is so, too,
 * and says that only flows of the node's own addresses are to be entered.
 */
#define NODE_SIDE -2
volatile const __s32 conntrack_netns = -1;
/* Whether to ask conntrack at all. */
volatile const __u8 conntrack = 0;
/* Whether user space runs flow_flush, so that flows may be counted by CPU. */
volatile const __u8 cached = 0;

static __always_inline struct losses *lost(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&loss_counts, &zero);
}

#define BYTES_MASK ((1ULL << COUNT_SHIFT) - 1)

/* Counts a packet that had room nowhere. */
static __always_inline void count_lost(struct losses *losses, __u64 amount)
{
	losses->lost_packets += amount >> COUNT_SHIFT;
	losses->lost_bytes += amount & BYTES_MASK;
}

#endif

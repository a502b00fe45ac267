/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hands to user space what the flows have counted since it was last told, and
 * takes out those that are over. What was told is kept beside each flow, so
 * that it outlives the reader: see struct mark in flow.h.
 */
#ifndef NETCINCH_DRAIN_H
#define NETCINCH_DRAIN_H

#include "flow.h"
#include "maps.h"
#include "sighting.h"

#define EPHEMERAL 32768 /* where the ports begin that Linux gives to clients */

/* One turn of a drain, set by user space. Times are in ticks. */
struct turn {
	__u32 now;	  /* jiffies; a packet may be later */
	__u32 committed;  /* the last generation that user space has made durable */
	__u32 generation; /* of this drain; the same as committed where nothing outlives the reader
			   */
	__u32 patience;	  /* how long a flow that is not answered yet is held back */
	__u32 closed;	  /* idle times after which flows leave the map */
	__u32 datagram;
	__u32 stream;
	__u32 everything; /* no patience */
	__u32 rollback;	  /* nothing but to forget what a reader was told that died with it */
	__u32 retiring;	  /* flows may be left of slots that are not attached any more */
	/* Answered by the program. */
	__u32 told;    /* entries of tellings */
	__u32 left;    /* flows that found no room there: another turn is needed */
	__u32 live;    /* entries found */
	__u32 retired; /* of these, of slots that are not attached */
	__u32 removed;
};

/* What user space is told of a flow: as it is now, and what it was told before. */
struct drained4 {
	struct key4 key;
	struct flow flow;
	struct nat4 nat;
	struct mark before;
};

struct drained6 {
	struct key6 key;
	struct flow flow;
	struct nat6 nat;
	struct mark before;
};

MAP(turns, BPF_MAP_TYPE_ARRAY, __u32, struct turn, 1);

/*
 * Where it is told, as struct drained4 or drained6. Large enough that one turn
 * is nearly always enough: to look at all flows again costs more than to tell.
 */
struct told {
	__u64 words[sizeof(struct drained6) / sizeof(__u64)];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct told);
	__uint(max_entries, 65536);
} tellings SEC(".maps");

/* The slots that are attached. The flows of others are told and leave. */
MAP(watched, BPF_MAP_TYPE_HASH, __u32, __u8, 16384);

/* Says whether the remote end began the flow, as far as is known, and -1 where it is not. */
static __always_inline int began_remotely(__u32 state, __u16 local_port, __u16 remote_port)
{
	if (state & STARTED_LOCAL)
		return 0;
	if (state & STARTED_REMOTE)
		return 1;
	if (state & TRACKED_LOCAL)
		return 0;
	if (state & TRACKED_REMOTE)
		return 1;
	if (state & FIRST_LOCAL)
		return local_port < EPHEMERAL && remote_port >= EPHEMERAL;
	if (state & FIRST_REMOTE)
		return !(remote_port < EPHEMERAL && local_port >= EPHEMERAL);
	if ((state & FRAGMENT) || local_port == remote_port)
		return -1;
	return remote_port >= local_port;
}

static __always_inline int has_connections(__u8 protocol)
{
	return protocol == IP_TCP || protocol == IP_SCTP;
}

/* Says whether an answer or a refusal may yet come. */
static __always_inline int undecided(__u32 state, __u8 protocol, int remotely)
{
	__u8 asked = state >> TX_FLAGS_SHIFT, replied = state >> RX_FLAGS_SHIFT;
	__u32 anything = state & RECEIVED, unreachable = state & REFUSED_BY_REMOTE;

	if (remotely == 1) {
		asked = state >> RX_FLAGS_SHIFT;
		replied = state >> TX_FLAGS_SHIFT;
		anything = state & SENT;
		unreachable = state & REFUSED_BY_LOCAL;
	}
	if (state & FRAGMENT)
		return 0;
	if (!has_connections(protocol))
		return !anything && !unreachable;
	if (!((asked | replied) & TCP_SYN)) /* open before it was watched */
		return !(state & (SENT | RECEIVED)) && !unreachable;
	return !(replied & (TCP_SYN | TCP_RST)) && !unreachable;
}

/* Says whether both ends said goodbye or one hung up. */
static __always_inline int closed(__u32 state)
{
	__u8 tx = state >> TX_FLAGS_SHIFT, rx = state >> RX_FLAGS_SHIFT;

	return ((tx | rx) & TCP_RST) || (tx & rx & TCP_FIN);
}

/* Ticks between a packet and now; 0 for one that is just ahead. */
static __always_inline __u32 age(const struct turn *t, __u32 ticks)
{
	__s32 since = t->now - ticks;

	return since < 0 ? 0 : since;
}

static __always_inline int is_retired(const struct turn *t, __u32 from)
{
	return t->retiring && !bpf_map_lookup_elem(&watched, &from);
}

static __always_inline int is_over(const struct turn *t, const struct flow *flow, __u8 protocol,
				   int waits)
{
	__u32 limit = t->datagram;

	if (has_connections(protocol)) {
		if (closed(flow->state))
			limit = t->closed;
		else if (!waits)
			limit = t->stream;
	}
	return age(t, flow->last) > limit;
}

/* Writes down that user space is told what the flow has counted. */
static __always_inline void mark(const struct turn *t, struct marks *m, const struct flow *now)
{
	if (m->last.generation <= t->committed)
		m->before = m->last;
	m->last.tx = now->tx;
	m->last.rx = now->rx;
	m->last.opened = now->opened;
	m->last.generation = t->generation;
}

/* Forgets marks that never became durable. */
static __always_inline void roll_back(const struct turn *t, struct marks *m)
{
	if (m->last.generation > t->committed)
		m->last = m->before;
}

enum step {
	STAY,	/* nothing to tell */
	TELL,	/* something */
	LEAVE,	/* nothing, and it is over */
	FINISH, /* something, and it is over */
};

/* Says what is to be done with a flow. */
static __always_inline enum step next(struct turn *t, const struct flow *flow, struct marks *m,
				      __u32 slot_protocol, __be16 local, __be16 remote)
{
	__u16 local_port = bpf_ntohs(local), remote_port = bpf_ntohs(remote);
	int remotely = began_remotely(flow->state, local_port, remote_port);
	int waits = undecided(flow->state, slot_protocol, remotely);
	const struct mark *before = &m->last;
	int gone = is_retired(t, slot_protocol >> 8);
	int over = gone || is_over(t, flow, slot_protocol, waits);

	t->live++;
	t->retired += gone;
	if (t->rollback) {
		roll_back(t, m);
		return STAY;
	}
	if (flow->tx == before->tx && flow->rx == before->rx && flow->opened == before->opened)
		/* Only what user space holds for certain leaves the map. */
		return over && before->generation <= t->committed ? LEAVE : STAY;
	if (over)
		return FINISH;
	if (!before->generation && waits && !t->everything && age(t, flow->first) < t->patience)
		return STAY;
	return TELL;
}

/*
 * A packet may have counted in the very moment in which its flow was taken
 * out. The entry still says so, unless it serves another flow by now.
 */
#define LATE(flow, was)                                                  \
	((flow).first == (was).first && (flow).opened == (was).opened && \
	 ((flow).tx != (was).tx || (flow).rx != (was).rx))

static __always_inline void lose(__u64 amount)
{
	struct losses *losses = lost();

	if (losses)
		count_lost(losses, amount);
}

static long drain4(void *map, const struct key4 *key, struct flow4 *value, struct turn *t)
{
	enum step step = next(t, &value->flow, &value->marks, key->slot_protocol, key->local_port,
			      key->remote_port);
	struct key4 k = *key;

	if (step == STAY)
		return 0;
	struct drained4 *out = bpf_map_lookup_elem(&tellings, &t->told);
	if (!out) {
		t->left++;
		return 0;
	}
	out->key = k;
	out->before = value->marks.last;
	out->flow = value->flow;
	out->nat = value->nat;
	if (step != LEAVE) {
		mark(t, &value->marks, &out->flow);
		t->told++;
	}
	if (step == TELL || (step == FINISH && t->generation > t->committed))
		return 0;
	t->removed++;
	t->live--;
	struct flow was = out->flow;
	if (bpf_map_delete_elem(&flows4, &k))
		return 0;
	struct flow late = value->flow;
	if (LATE(late, was) && key->slot_protocol == k.slot_protocol && key->remote == k.remote &&
	    key->remote_port == k.remote_port && key->local_port == k.local_port) {
		out = bpf_map_lookup_elem(&tellings, &t->told);
		if (!out) {
			lose(late.tx + late.rx - was.tx - was.rx);
			return 0;
		}
		out->key = k;
		out->before.tx = was.tx;
		out->before.rx = was.rx;
		out->before.opened = was.opened;
		out->before.generation = t->generation;
		out->flow = late;
		out->nat = value->nat;
		t->told++;
	}
	return 0;
}

static long drain6(void *map, const struct key6 *key, struct flow6 *value, struct turn *t)
{
	enum step step = next(t, &value->flow, &value->marks, key->slot_protocol, key->local_port,
			      key->remote_port);
	struct key6 k = *key;

	if (step == STAY)
		return 0;
	struct drained6 *out = bpf_map_lookup_elem(&tellings, &t->told);
	if (!out) {
		t->left++;
		return 0;
	}
	out->key = k;
	out->before = value->marks.last;
	out->flow = value->flow;
	out->nat = value->nat;
	if (step != LEAVE) {
		mark(t, &value->marks, &out->flow);
		t->told++;
	}
	if (step == TELL || (step == FINISH && t->generation > t->committed))
		return 0;
	t->removed++;
	t->live--;
	struct flow was = out->flow;
	if (bpf_map_delete_elem(&flows6, &k))
		return 0;
	struct flow late = value->flow;
	if (LATE(late, was) && key->slot_protocol == k.slot_protocol &&
	    SAME6(key->remote, k.remote) && key->remote_port == k.remote_port &&
	    key->local_port == k.local_port) {
		out = bpf_map_lookup_elem(&tellings, &t->told);
		if (!out) {
			lose(late.tx + late.rx - was.tx - was.rx);
			return 0;
		}
		out->key = k;
		out->before.tx = was.tx;
		out->before.rx = was.rx;
		out->before.opened = was.opened;
		out->before.generation = t->generation;
		out->flow = late;
		out->nat = value->nat;
		t->told++;
	}
	return 0;
}

#endif

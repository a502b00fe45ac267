/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is learnt of a flow when the local end begins it, and at no other time:
 * which program began it, and which address it dialled where the socket layer
 * chose another. At a pod's egress the current task is the sender of a SYN and
 * of a first datagram; of an answer it is anybody.
 */
#ifndef NETCINCH_BIRTH_H
#define NETCINCH_BIRTH_H

#include "flow.h"
#include "maps.h"
#include "packet.h"
#include "sighting.h"

/* Whether the kernel lets these programs ask for the current task. */
volatile const __u8 owners = 0;
/* Whether the dialled addresses are written down at connect. */
volatile const __u8 dialling = 0;

/* Which executable a process runs, by its id in the initial PID namespace. */
MAP(running, BPF_MAP_TYPE_LRU_HASH, __u32, __u32, 32768);

/* What a socket dialled last, by its cookie. */
MAP(dialled, BPF_MAP_TYPE_LRU_HASH, __u64, struct dialled, 8192);

/*
 * Says whether a packet is of the socket that it came from: not one that the
 * kernel has wrapped into another.
 */
static __always_inline int is_of_socket(struct __sk_buff *skb, __be16 port, __u8 protocol)
{
	if (protocol != IP_TCP && protocol != IP_UDP)
		return 1;
	struct bpf_sock *sk = (struct bpf_sock *)(long)skb->sk;
	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	return sk && sk->protocol == protocol && sk->src_port == bpf_ntohs(port);
}

/* The executable that begins a flow with this packet; 0 where it does not. */
static __always_inline __u32 owner_of(struct __sk_buff *skb, const struct sighting *s,
				      enum direction direction, __be16 port, __u8 protocol)
{
	if (!owners || direction != EGRESS || !skb->sk)
		return 0; /* without a socket it was forwarded, or wrapped by the kernel */
	if (!(s->state & STARTED_LOCAL) && s->first != FIRST_LOCAL)
		return 0;
	if (!is_of_socket(skb, port, protocol))
		return 0;
	__u32 process = bpf_get_current_pid_tgid() >> 32;
	if (!process)
		return 0; /* sent by a timer while the CPU was idle */
	const __u32 *executable = bpf_map_lookup_elem(&running, &process);
	return executable ? *executable : OWNER_PROCESS | process;
}

/* What the flow's socket dialled; NULL where that is not known. */
static __always_inline const struct dialled *
dialled_of(struct __sk_buff *skb, const struct sighting *s, enum direction direction)
{
	if (!dialling || direction != EGRESS || !skb->sk)
		return 0;
	if (!(s->state & STARTED_LOCAL) && s->first != FIRST_LOCAL)
		return 0;
	__u64 cookie = bpf_get_socket_cookie(skb);
	return bpf_map_lookup_elem(&dialled, &cookie);
}

/* The bits of a flow whose translation is known without conntrack. */
#define TRANSLATED (ASKED_CONNTRACK | DEST_REWRITTEN | TRACKED_LOCAL)

static __always_inline void born4(struct __sk_buff *skb, const struct key4 *key,
				  const struct sighting *s, enum direction direction,
				  struct flow4 *value)
{
	value->nat.owner = owner_of(skb, s, direction, key->local_port, key->slot_protocol);
	const struct dialled *d = dialled_of(skb, s, direction);
	if (!d || d->is6)
		return;
	if (d->address[0] == key->remote && d->port == key->remote_port)
		return;
	value->nat.peer = key->remote;
	value->nat.peer_port = key->remote_port;
	value->nat.dialled = d->address[0];
	value->nat.dialled_port = d->port;
	__sync_fetch_and_or(&value->flow.state, TRANSLATED);
}

static __always_inline void born6(struct __sk_buff *skb, const struct key6 *key,
				  const struct sighting *s, enum direction direction,
				  struct flow6 *value)
{
	value->nat.owner = owner_of(skb, s, direction, key->local_port, key->slot_protocol);
	const struct dialled *d = dialled_of(skb, s, direction);
	if (!d || !d->is6)
		return;
	if (SAME6(d->address, key->remote) && d->port == key->remote_port)
		return;
	COPY6(value->nat.peer, key->remote);
	value->nat.peer_port = key->remote_port;
	COPY6(value->nat.dialled, d->address);
	value->nat.dialled_port = d->port;
	__sync_fetch_and_or(&value->flow.state, TRANSLATED);
}

#endif

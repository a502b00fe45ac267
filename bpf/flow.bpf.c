//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counts every flow of one pod's interface, from inside the pod's network
 * namespace. Runs first in the TCX chain of both directions, touches nothing
 * and lets every packet go on.
 */
#include "kernel.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "drain.h"
#include "flow.h"
#include "known.h"
#include "whole.h"

/*
 * All are "tc", without an expected attach type: newer kernels let programs
 * call each other only where these are the same, and TCX asks for none.
 */
SEC("tc")
int flow_ingress(struct __sk_buff *skb)
{
	return count(skb, INGRESS);
}

SEC("tc")
int flow_egress(struct __sk_buff *skb)
{
	return count(skb, EGRESS);
}

/* The shared programs, entered by tail call. */
SEC("tc")
int shared_ingress(struct __sk_buff *skb)
{
	return see(skb, INGRESS);
}

SEC("tc")
int shared_egress(struct __sk_buff *skb)
{
	return see(skb, EGRESS);
}

/* Run by user space to set its clock beside the kernel's. */
SEC("tc")
int flow_clock(struct __sk_buff *skb)
{
	return bpf_jiffies64();
}

/* Run by user space on each CPU, before it reads the flow map. */
SEC("tc")
int flow_flush(struct __sk_buff *skb)
{
	bpf_loop(CACHE_SLOTS, settle_place, 0, 0);
	return TCX_NEXT;
}

/* Run by user space to be told what the flows have counted. */
SEC("syscall")
int flow_drain4(void *unused)
{
	__u32 zero = 0;
	struct turn *turn = bpf_map_lookup_elem(&turns, &zero);

	if (!turn)
		return -1;
	struct turn here = *turn;
	bpf_for_each_map_elem(&flows4, drain4, &here, 0);
	*turn = here;
	return 0;
}

SEC("syscall")
int flow_drain6(void *unused)
{
	__u32 zero = 0;
	struct turn *turn = bpf_map_lookup_elem(&turns, &zero);

	if (!turn)
		return -1;
	struct turn here = *turn;
	bpf_for_each_map_elem(&flows6, drain6, &here, 0);
	*turn = here;
	return 0;
}

/* The measure of the others: the cost of being called at all. */
SEC("tc")
int flow_empty(struct __sk_buff *skb)
{
	return TCX_NEXT;
}

/* Keeps the types in the object's BTF that no map is declared with. */
const struct overflow4 *overflow4_type __attribute__((unused));
const struct overflow6 *overflow6_type __attribute__((unused));
const struct drained4 *drained4_type __attribute__((unused));
const struct drained6 *drained6_type __attribute__((unused));

char _license[] SEC("license") = "Dual BSD/GPL";

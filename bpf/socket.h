/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses of a socket. */
#ifndef NETCINCH_SOCKET_H
#define NETCINCH_SOCKET_H

#include "owner.h"
#include "trace.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static __always_inline __u64 netns_of(const struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie);
}

/* IPv4 addresses in IPv6 form are told as IPv4. */
static __always_inline int is_mapped(const __be32 *address)
{
	return !address[0] && !address[1] && address[2] == bpf_htonl(0xffff);
}

/* The local end of a socket of IP; -1 for any other. */
static __always_inline int local_of(const struct sock *sk, struct listener *local)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	local->protocol = BPF_CORE_READ(sk, sk_protocol);
	local->port = BPF_CORE_READ((const struct inet_sock *)sk, inet_sport);
	local->netns = netns_of(sk);
	if (family == AF_INET) {
		local->family = LISTENS_4;
		local->address[0] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		return 0;
	}
	if (family != AF_INET6)
		return -1;
	local->family = LISTENS_6;
	BPF_CORE_READ_INTO(&local->address, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32);
	if (is_mapped(local->address)) {
		local->family = LISTENS_4;
		local->address[0] = local->address[3];
		local->address[2] = local->address[3] = 0;
	} else if (!(local->address[0] | local->address[1] | local->address[2] |
		     local->address[3]) &&
		   !BPF_CORE_READ_BITFIELD_PROBED(&sk->__sk_common, skc_ipv6only)) {
		local->family = LISTENS_BOTH;
	}
	return 0;
}

static __always_inline void remote_of(const struct sock *sk, struct socket_seen *seen)
{
	seen->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (seen->state == TCP_LISTEN)
		return;
	seen->remote_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET) {
		seen->remote[0] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		return;
	}
	BPF_CORE_READ_INTO(&seen->remote, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32);
	if (is_mapped(seen->remote)) {
		seen->remote[0] = seen->remote[3];
		seen->remote[2] = seen->remote[3] = 0;
	}
}

#endif

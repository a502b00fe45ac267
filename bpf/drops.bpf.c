//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counts the packets that the kernel drops in the network namespaces of this
 * node and its pods, with its reason. It runs for dropped packets only.
 */
#include "trace.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "drops.h"

#define MAP(name, kind, key_type, value_type, entries) \
	struct {                                       \
		__uint(type, kind);                    \
		__type(key, key_type);                 \
		__type(value, value_type);             \
		__uint(max_entries, entries);          \
	} name SEC(".maps")

/* Since user space last took them. When full, further ones are counted as lost. */
MAP(drops, BPF_MAP_TYPE_HASH, struct drop, struct dropped, 16384);

/* Packets of drops that found no room. */
MAP(drops_lost, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, 1);

#define IN_POD	1
#define AT_NODE 2

/* The network namespaces to look at, by cookie: IN_POD or AT_NODE. */
MAP(watched, BPF_MAP_TYPE_HASH, __u64, __u8, 16384);

#define IP_TCP	   6
#define IP_UDP	   17
#define IP_UDPLITE 136
#define IP_SCTP	   132

#define CONSUMED      1 /* up to here: not dropped */
#define NOT_SPECIFIED 2 /* also of what is freed for good reasons */

struct net_device {
	possible_net_t nd_net;
} CORE;

struct dst_entry {
	struct net_device *dev;
} CORE;

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
	unsigned int len;
	__u16 network_header;
	unsigned char *head;
} CORE;

static __always_inline struct net *net_of(struct sk_buff *skb)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	struct sock *sk = BPF_CORE_READ(skb, sk);

	if (dev)
		return BPF_CORE_READ(dev, nd_net.net);
	if (sk)
		return BPF_CORE_READ(sk, __sk_common.skc_net.net);
	/* The lowest bit says whether the packet holds a reference. */
	struct dst_entry *dst = (void *)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL);
	return dst ? BPF_CORE_READ(dst, dev, nd_net.net) : 0;
}

/* Reads ports and the SYN flag. */
static __always_inline void transport_of(const unsigned char *at, struct drop *key)
{
	__be16 ports[2] = {};
	__u8 flags = 0;

	switch (key->protocol) {
	case IP_TCP:
		bpf_probe_read_kernel(&flags, 1, at + 13);
		key->begins = (flags & 0x12) == 0x02;
		break;
	case IP_UDP:
	case IP_UDPLITE:
	case IP_SCTP:
		break;
	default:
		return;
	}
	bpf_probe_read_kernel(ports, sizeof(ports), at);
	key->source_port = ports[0];
	key->target_port = ports[1];
}

static __always_inline int ipv4_of(const unsigned char *ip, struct drop *key)
{
	__u8 header[20];

	if (bpf_probe_read_kernel(header, sizeof(header), ip))
		return -1;
	key->family = 4;
	key->protocol = header[9];
	__builtin_memcpy(key->source, header + 12, 4);
	__builtin_memcpy(key->target, header + 16, 4);
	if (!((header[6] & 0x1f) | header[7]))
		transport_of(ip + (header[0] & 0xf) * 4, key);
	return 0;
}

#define EXTENSIONS 6

static __always_inline int ipv6_of(const unsigned char *ip, struct drop *key)
{
	const unsigned char *at = ip + 40;
	__u8 header[40];
	__u8 next[4];

	if (bpf_probe_read_kernel(header, sizeof(header), ip))
		return -1;
	key->family = 6;
	key->protocol = header[6];
	__builtin_memcpy(key->source, header + 8, 16);
	__builtin_memcpy(key->target, header + 24, 16);
	for (int i = 0; i < EXTENSIONS; i++) {
		__u8 kind = key->protocol;
		if (kind != 0 && kind != 43 && kind != 44 && kind != 60)
			break;
		if (bpf_probe_read_kernel(next, sizeof(next), at))
			return -1;
		key->protocol = next[0];
		if (kind == 44 && ((next[2] << 8 | next[3]) & 0xfff8))
			return 0; /* a later fragment */
		at += kind == 44 ? 8 : (next[1] + 1) * 8;
	}
	transport_of(at, key);
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_drop, struct sk_buff *skb, void *location, unsigned int reason)
{
	struct drop key = { .reason = reason };
	__u32 zero = 0;
	__u8 version = 0;

	if (reason <= CONSUMED)
		return 0;
	struct net *net = net_of(skb);
	__u64 cookie = net ? BPF_CORE_READ(net, net_cookie) : 0;
	__u8 *kind = bpf_map_lookup_elem(&watched, &cookie);
	if (!kind)
		return 0;
	key.at_node = *kind == AT_NODE;
	const unsigned char *ip = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	bpf_probe_read_kernel(&version, 1, ip);
	if (version >> 4 == 4 ? ipv4_of(ip, &key) : version >> 4 == 6 ? ipv6_of(ip, &key) : -1)
		return 0;
	if (reason == NOT_SPECIFIED && !key.begins)
		return 0;
	struct dropped fresh = {};
	bpf_map_update_elem(&drops, &key, &fresh, BPF_NOEXIST);
	struct dropped *value = bpf_map_lookup_elem(&drops, &key);
	if (value) {
		__sync_fetch_and_add(&value->packets, 1);
		__sync_fetch_and_add(&value->bytes, BPF_CORE_READ(skb, len));
		return 0;
	}
	__u64 *lost = bpf_map_lookup_elem(&drops_lost, &zero);
	if (lost)
		(*lost)++;
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";

//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writes down what a socket dials, before a load balancer at the socket layer
 * chooses another address for it. Attached below the control group that such a
 * one is attached to, it runs first. It allows everything and changes nothing.
 */
#include "kernel.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "flow.h"

#define ALLOW 1

/* Shared with the flow program: by a socket's cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u64);
	__type(value, struct dialled);
	__uint(max_entries, 8192);
} dialled SEC(".maps");

struct bpf_sock_addr {
	__u32 user_family;
	__u32 user_ip4;
	__u32 user_ip6[4];
	__u32 user_port;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 msg_src_ip4;
	__u32 msg_src_ip6[4];
	__u64 sk;
};

static __always_inline int note(struct bpf_sock_addr *ctx, const struct dialled *d)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);

	bpf_map_update_elem(&dialled, &cookie, d, BPF_ANY);
	return ALLOW;
}

static __always_inline int note4(struct bpf_sock_addr *ctx)
{
	struct dialled d = { .address = { ctx->user_ip4 }, .port = ctx->user_port };

	return note(ctx, &d);
}

/* An IPv6 socket that dials an IPv4 address sends IPv4. */
static __always_inline int note6(struct bpf_sock_addr *ctx)
{
	struct dialled d = { .port = ctx->user_port, .is6 = 1 };

	d.address[0] = ctx->user_ip6[0];
	d.address[1] = ctx->user_ip6[1];
	d.address[2] = ctx->user_ip6[2];
	d.address[3] = ctx->user_ip6[3];
	if (!d.address[0] && !d.address[1] && d.address[2] == bpf_htonl(0xffff)) {
		d.address[0] = d.address[3];
		d.address[2] = d.address[3] = 0;
		d.is6 = 0;
	}
	return note(ctx, &d);
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *ctx)
{
	return note4(ctx);
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *ctx)
{
	return note6(ctx);
}

SEC("cgroup/sendmsg4")
int on_send4(struct bpf_sock_addr *ctx)
{
	return note4(ctx);
}

SEC("cgroup/sendmsg6")
int on_send6(struct bpf_sock_addr *ctx)
{
	return note6(ctx);
}

char _license[] SEC("license") = "Dual BSD/GPL";

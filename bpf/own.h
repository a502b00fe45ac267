/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The node's own addresses. On the node's interfaces others' packets pass, too:
 * only flows whose local end is one of these are entered there.
 */
#ifndef NETCINCH_OWN_H
#define NETCINCH_OWN_H

#include "flow.h"
#include "maps.h"

struct own_address {
	__be32 words[4]; /* the first one alone for IPv4 */
	__u32 is6;
};

/* Written by user space. */
MAP(own, BPF_MAP_TYPE_HASH, struct own_address, __u8, 4096);

static __always_inline int is_own4(const struct key4 *key)
{
	struct own_address a = { .words = { key->local } };

	return bpf_map_lookup_elem(&own, &a) != 0;
}

static __always_inline int is_own6(const struct key6 *key)
{
	struct own_address a = { .is6 = 1 };

	COPY6(a.words, key->local);
	return bpf_map_lookup_elem(&own, &a) != 0;
}

#endif

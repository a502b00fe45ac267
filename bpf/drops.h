/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the program that follows drops and user space share. All structs are
 * zeroed before use and have no implicit padding.
 */
#ifndef NETCINCH_DROPS_H
#define NETCINCH_DROPS_H

#include "kernel.h"

/* Packets that one end sent to another and that the kernel dropped. */
struct drop {
	__be32 source[4]; /* the first word alone for IPv4 */
	__be32 target[4];
	__be16 source_port; /* 0 where the protocol has none, or a fragment does not tell */
	__be16 target_port;
	__u32 reason; /* the kernel's enum skb_drop_reason */
	__u8 protocol;
	__u8 family;  /* 4 or 6 */
	__u8 at_node; /* 1: in the node's network namespace, 0: in a pod's */
	__u8 begins;  /* 1: a TCP connection would have begun with it */
};

struct dropped {
	__u64 packets;
	__u64 bytes;
};

_Static_assert(sizeof(struct drop) == 44, "drop");

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs that follow processes and listening sockets share with
 * user space. All structs are zeroed before use and have no implicit padding.
 */
#ifndef NETCINCH_OWNER_H
#define NETCINCH_OWNER_H

#include "kernel.h"

#define PATH_BYTES   256
#define GROUP_BYTES  96
#define GROUP_LEVELS 3

/*
 * An executable that a process began to run: each exec has a number of its own.
 * A process that was forked runs its parent's.
 */
struct executable {
	__u32 process; /* in the initial PID namespace */
	__u16 length;  /* of path */
	__u16 cut;     /* 1 where the path's beginning had no room */
	char path[PATH_BYTES];
	/* Names of the process's control group, innermost first; the root has none. */
	char groups[GROUP_LEVELS][GROUP_BYTES];
};

/* Families of a listening socket. */
#define LISTENS_4    4
#define LISTENS_6    6
#define LISTENS_BOTH 46 /* on every address of both families */

struct listener {
	__u64 netns;	   /* the network namespace's cookie */
	__be32 address[4]; /* all zero: every address; the first word alone for IPv4 */
	__be16 port;
	__u8 protocol;
	__u8 family;
	__u32 padding;
};

struct listening {
	__u32 owner; /* as in struct nat4; 0 of one that was closed and opened earlier */
	__u32 open;  /* 0: it was closed */
};

/* One socket, as the iterator writes it. */
struct socket_seen {
	struct listener local;
	__be32 remote[4];
	__be16 remote_port; /* 0: listens, or takes datagrams of anybody */
	__u16 state;	    /* TCP's */
	__u32 owner;
};

_Static_assert(sizeof(struct executable) == 552, "executable");
_Static_assert(sizeof(struct listener) == 32, "listener");
_Static_assert(sizeof(struct socket_seen) == 56, "socket_seen");

#endif

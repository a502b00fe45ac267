//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Follows which executable each process runs, and who listens where, so that
 * both ends of a flow can be told by their program. Nothing here runs for a
 * packet: an exec costs a microsecond, a fork a copy of four bytes.
 */
#include "trace.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "flow.h"
#include "owner.h"
#include "path.h"
#include "socket.h"

#define MAP(name, kind, key_type, value_type, entries) \
	struct {                                       \
		__uint(type, kind);                    \
		__type(key, key_type);                 \
		__type(value, value_type);             \
		__uint(max_entries, entries);          \
	} name SEC(".maps")

/* Shared with the flow program: by process, the number of its executable. */
MAP(running, BPF_MAP_TYPE_LRU_HASH, __u32, __u32, 32768);

/* By number. User space asks for those that flows name. */
MAP(executables, BPF_MAP_TYPE_LRU_HASH, __u32, struct executable, 4096);

/* The number given out last. User space sets where a run begins. */
MAP(numbers, BPF_MAP_TYPE_ARRAY, __u32, __u32, 1);

/* Listening sockets opened and closed since user space last took them. */
MAP(changes, BPF_MAP_TYPE_LRU_HASH, struct listener, struct listening, 4096);

/* Where an executable is put together: by the exec program, and by the iterator. */
MAP(workplaces, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct workplace, 2);

#define AT_EXEC 0
#define AT_ITER 1

static __always_inline __u32 next_number(void)
{
	__u32 zero = 0;
	__u32 *last = bpf_map_lookup_elem(&numbers, &zero);

	if (!last)
		return 0;
	__u32 number = (__sync_fetch_and_add(last, 1) + 1) & ~OWNER_PROCESS;
	return number ? number : 1; /* 0 is nobody */
}

/* Describes what a process runs, under the number. */
static __always_inline int describe(struct task_struct *task, __u32 number, __u32 where)
{
	struct workplace *w = bpf_map_lookup_elem(&workplaces, &where);

	if (!w)
		return -1;
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	if (!file)
		return -1; /* a kernel thread */
	__builtin_memset(&w->executable, 0, sizeof(w->executable));
	w->executable.process = BPF_CORE_READ(task, tgid);
	path_of(file, w);
	groups_of(task, &w->executable);
	return bpf_map_update_elem(&executables, &number, &w->executable, BPF_ANY);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	__u32 process = BPF_CORE_READ(task, tgid);
	__u32 number = next_number();

	if (!number || describe(task, number, AT_EXEC)) {
		bpf_map_delete_elem(&running, &process);
		return 0;
	}
	bpf_map_update_elem(&running, &process, &number, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 from = BPF_CORE_READ(parent, tgid);
	__u32 process = BPF_CORE_READ(child, tgid);

	if (from == process)
		return 0; /* a thread */
	__u32 *executable = bpf_map_lookup_elem(&running, &from);
	if (executable) {
		__u32 number = *executable;
		bpf_map_update_elem(&running, &process, &number, BPF_ANY);
	} else {
		bpf_map_delete_elem(&running, &process); /* of one that had this id before */
	}
	return 0;
}

/* The processes that run already, and those whose description had to make room. */
SEC("iter/task")
int each_process(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task || BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid))
		return 0;
	__u32 process = BPF_CORE_READ(task, tgid);
	__u32 *known = bpf_map_lookup_elem(&running, &process);
	__u32 number = known ? *known : 0;
	if (number && bpf_map_lookup_elem(&executables, &number))
		return 0;
	if (!number)
		number = next_number();
	if (number && !describe(task, number, AT_ITER))
		bpf_map_update_elem(&running, &process, &number, known ? BPF_ANY : BPF_NOEXIST);
	return 0;
}

static __always_inline __u32 owner_of(__u32 process)
{
	__u32 *executable = bpf_map_lookup_elem(&running, &process);

	return executable ? *executable : OWNER_PROCESS | process;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int before, int after)
{
	struct listening value = { .open = after == TCP_LISTEN };
	struct listener key = {};

	if (before != TCP_LISTEN && after != TCP_LISTEN)
		return 0;
	if (local_of(sk, &key))
		return 0;
	struct listening *last = bpf_map_lookup_elem(&changes, &key);
	if (value.open)
		value.owner = owner_of(bpf_get_current_pid_tgid() >> 32);
	else if (last)
		value.owner = last->owner; /* opened and closed since they were taken */
	bpf_map_update_elem(&changes, &key, &value, BPF_ANY);
	return 0;
}

/* Writes every socket that a process holds open, once for each holder. */
SEC("iter/task_file")
int each_socket(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket_seen seen = {};

	if (!task || !file)
		return 0;
	struct socket *socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	struct sock *sk = BPF_CORE_READ(socket, sk);
	if (!sk || local_of(sk, &seen.local) || !seen.local.port)
		return 0;
	remote_of(sk, &seen);
	seen.owner = owner_of(BPF_CORE_READ(task, tgid));
	bpf_seq_write(ctx->meta->seq, &seen, sizeof(seen));
	return 0;
}

/* Keeps the type that only the iterator writes in the object's BTF. */
const struct socket_seen *socket_seen_type __attribute__((unused));

char _license[] SEC("license") = "Dual BSD/GPL";

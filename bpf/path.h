/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The path of a process's executable as its own container sees it, and the
 * names of its control group, both read from the kernel's own tables: of a
 * process that lives a millisecond nothing else is left.
 */
#ifndef NETCINCH_PATH_H
#define NETCINCH_PATH_H

#include "owner.h"
#include "trace.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define PATH_STEPS 64 /* names and mounts on the way to the root */
#define PATH_MASK  (PATH_BYTES - 1)

struct workplace {
	struct executable executable;
	char text[2 *
		  PATH_BYTES]; /* the path, written from its end; the rest is for the verifier */
};

struct walk {
	struct workplace *place;
	struct dentry *dentry;
	struct mount *mount;
	__u32 at; /* where the text begins */
};

/* One step up: a name, or out of a mount. 1 at the root. */
static long step_up(__u32 unused, struct walk *w)
{
	/* Apart from w, which is no struct of the kernel's to be relocated. */
	struct mount *mount = w->mount;
	struct dentry *dentry = w->dentry;
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root) || dentry == parent) {
		struct mount *outer = BPF_CORE_READ(mount, mnt_parent);
		if (outer == mount)
			return 1;
		w->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		w->mount = outer;
		return 0;
	}
	__u32 length = BPF_CORE_READ(dentry, d_name.len);
	if (length + 1 > w->at || length >= PATH_BYTES) {
		w->place->executable.cut = 1;
		return 1;
	}
	w->at -= length + 1;
	char *text = w->place->text + (w->at & PATH_MASK);
	text[0] = '/';
	bpf_probe_read_kernel(text + 1, length & PATH_MASK, BPF_CORE_READ(dentry, d_name.name));
	w->dentry = parent;
	return 0;
}

static __always_inline void path_of(struct file *file, struct workplace *place)
{
	struct vfsmount *mnt = BPF_CORE_READ(file, f_path.mnt);
	struct walk w = {
		.place = place,
		.dentry = BPF_CORE_READ(file, f_path.dentry),
		.mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt),
		.at = PATH_MASK,
	};

	if (bpf_loop(PATH_STEPS, step_up, &w, 0) == PATH_STEPS)
		place->executable.cut = 1;
	__u32 length = (PATH_MASK - w.at) & PATH_MASK;
	place->executable.length = length;
	bpf_probe_read_kernel(place->executable.path, length, place->text + (w.at & PATH_MASK));
}

/*
 * The control group of the unified hierarchy, or where all processes are in
 * its root, of the one that counts memory or processes.
 */
static __always_inline struct cgroup *group_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *group = BPF_CORE_READ(set, dfl_cgrp);
	struct cgroup_subsys_state *state = 0;
	__u32 id;

	if (group && BPF_CORE_READ(group, self.parent))
		return group;
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		id = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	else if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		id = bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);
	else
		return group;
	void *states = (void *)set + bpf_core_field_offset(struct css_set, subsys);
	bpf_probe_read_kernel(&state, sizeof(state), states + id * sizeof(state));
	return BPF_CORE_READ(state, cgroup);
}

static __always_inline void groups_of(struct task_struct *task, struct executable *e)
{
	struct cgroup *group = group_of(task);

	for (int i = 0; i < GROUP_LEVELS && group; i++) {
		struct cgroup_subsys_state *outer = BPF_CORE_READ(group, self.parent);
		if (!outer)
			return; /* the root */
		bpf_probe_read_kernel_str(e->groups[i], GROUP_BYTES,
					  BPF_CORE_READ(group, kn, name));
		group = BPF_CORE_READ(outer, cgroup);
	}
}

#endif

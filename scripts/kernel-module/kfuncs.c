// SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only
/* A module of ours that registers kfuncs of every kind of flags, for scripts/kernel-build.sh. */
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>

struct elfgraft_counter {
	u64 count;
};

static struct elfgraft_counter the_counter;

__bpf_kfunc_start_defs();

__bpf_kfunc struct elfgraft_counter *elfgraft_counter_get(void)
{
	return &the_counter;
}

__bpf_kfunc void elfgraft_counter_put(struct elfgraft_counter *counter)
{
	barrier();
}

__bpf_kfunc u64 elfgraft_add(u64 a, u64 b)
{
	return a + b;
}

__bpf_kfunc void elfgraft_wait(void)
{
	might_sleep();
}

__bpf_kfunc_end_defs();

/* Not in the order of their IDs, so that the set has to be sorted. */
BTF_KFUNCS_START(elfgraft_kfuncs)
BTF_ID_FLAGS(func, elfgraft_wait, KF_SLEEPABLE)
BTF_ID_FLAGS(func, elfgraft_counter_put, KF_RELEASE)
BTF_ID_FLAGS(func, elfgraft_add)
BTF_ID_FLAGS(func, elfgraft_counter_get, KF_ACQUIRE | KF_RET_NULL)
BTF_KFUNCS_END(elfgraft_kfuncs)

static const struct btf_kfunc_id_set elfgraft_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &elfgraft_kfuncs,
};

static int __init kfuncs_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_SYSCALL, &elfgraft_kfunc_set);
}

static void __exit kfuncs_exit(void)
{
}

module_init(kfuncs_init);
module_exit(kfuncs_exit);
MODULE_DESCRIPTION("kfuncs for elfgraft's kernel build");
MODULE_LICENSE("Dual MIT/GPL");

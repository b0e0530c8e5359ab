/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* .BTF_ids of the kernel: sets in another order than the functions above. */
#include "kernel.h"

static const struct kfunc_hook *hooks[8];

noinline int hook_kfuncs(const struct kfunc_hook *hook)
{
	for (int i = 0; i < 8; i++)
		if (!hooks[i]) {
			hooks[i] = hook;
			return i;
		}
	return -1;
}
EXPORT(hook_kfuncs);

ID_LIST(core_ids);
ID(struct, task);
ID(union, cookie);
ID_UNUSED;
ID(typedef, nanos_t);
ID(struct, no_such_struct);

SET8_START(core_kfuncs, SET_KFUNCS);
PAIR(func, task_get, ACQUIRE | RET_NULL);
PAIR(func, task_find, ACQUIRE | RCU);
PAIR(func, task_wake, SLEEPABLE);
PAIR(func, task_put, RELEASE);
SET8_END(core_kfuncs);

SET8_START(other_pairs, 0);
PAIR(func, say, 0x77);
PAIR(func, load_add, 0x88);
PAIR(func, task_find, 0x99);
SET8_END(other_pairs);

SET_START(deny_trace);
ID(func, task_wake);
ID(func, core_init);
ID(func, hook_kfuncs);
ID(func, console_of);
SET_END(deny_trace);

SET_START(empty_set);
SET_END(empty_set);

static const struct kfunc_hook core_hook in_section(".rodata.hooks") = { 0, &core_kfuncs };

__init int ids_init(void)
{
	return hook_kfuncs(&core_hook) + (int)core_ids[0] + (int)deny_trace.count +
	       (int)other_pairs.count + (int)empty_set.count;
}

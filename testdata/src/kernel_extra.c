/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Linked first into the changed kernel: shifts the IDs of all other types. */
#include "kernel.h"

struct extra_queue {
	struct extra_queue *next;
	short depth;
	signed char level;
	long long total;
};

enum extra_mode { EXTRA_OFF, EXTRA_ON };

noinline long long extra_total(const struct extra_queue *queue, enum extra_mode mode)
{
	long long total = 0;

	for (; queue && mode == EXTRA_ON; queue = queue->next)
		total += queue->depth * queue->level + queue->total;
	return total;
}

/* Uses a type that core.c also has: there it no longer gets its first ID. */
noinline int extra_probe(struct task *task)
{
	return task->state == TASK_RUNS;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "kernel.h"

static struct task tasks[4];
static struct link all_tasks = { &all_tasks, &all_tasks };
static u8 early_heap[512] in_section(".bss..brk");
u32 tasks_seen = 3;

u32 ticks in_section(".data..percpu");
struct link run_queue in_section(".data..percpu");

noinline struct task *task_find(u32 id)
{
	for (u32 i = 0; i < 4; i++)
		if (tasks[i].id == id)
			return &tasks[i];
	return 0;
}
EXPORT(task_find);

noinline struct task *task_get(struct task *task)
{
	task->pending++;
	return task;
}
EXPORT(task_get);

noinline void task_put(struct task *task)
{
	task->pending--;
}
EXPORT(task_put);

noinline int task_wake(struct task *restrict task, nanos_t when)
{
	return task->wake ? task->wake(task, when) : TASK_GONE;
}

noinline u64 task_cookie(const struct task *task)
{
	return task->cookie.whole ^ task->cookie.tag;
}

noinline void load_add(struct load *load, u64 sample)
{
	load->samples[sample & 15] = sample;
	load->average = (load->average + (double)sample) / 2;
	load->peak = load->peak < (float)sample ? (float)sample : load->peak;
}

noinline struct console *console_of(struct page *page)
{
	return (struct console *)page;
}

noinline int say(const char *text)
{
	early_heap[0] += (u8)*text;
	return early_heap[0];
}
EXPORT(say);

__init int core_init(void)
{
	for (u32 i = 0; i < 4; i++) {
		tasks[i].id = i;
		tasks[i].wake = 0;
	}
	all_tasks.next = &tasks[0].all;
	return (int)tasks_seen;
}

void start(void)
{
	core_init();
	for (;;)
		;
}

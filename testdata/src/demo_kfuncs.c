/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Kfuncs whose types follow each other in this order, and sets in another. */
#include "demo.h"

noinline struct demo_ctx *bpf_demo_acquire(u32 id)
{
	struct task *task = task_find(id);

	return task ? demo_ctx_new(task, DEMO_FAST) : 0;
}

noinline void bpf_demo_release(struct demo_ctx *ctx)
{
	ctx->users--;
	task_put(ctx->owner);
}

noinline u64 bpf_demo_value(struct demo_ctx *ctx)
{
	return ctx->value.number;
}

noinline int bpf_demo_sleep(struct demo_ctx *ctx, nanos_t when)
{
	return ctx->owner->wake(ctx->owner, when);
}

noinline void bpf_demo_reset(struct demo_ctx *ctx)
{
	ctx->mode = DEMO_OFF;
	ctx->flags = 0;
}

/* A name may hold "__": only what follows the last one is not the name. */
noinline int bpf_demo__peek(const struct demo_ctx *ctx__nullable)
{
	return ctx__nullable ? (int)ctx__nullable->flags : 0;
}

noinline int bpf_iter_demo_new(struct demo_iter *it, u32 count)
{
	it->at = (struct demo_ctx *)demo_all.next;
	it->left = count;
	return 0;
}

noinline struct demo_ctx *bpf_iter_demo_next(struct demo_iter *it)
{
	struct demo_ctx *at = it->at;

	if (!it->left)
		return 0;
	it->left--;
	it->at = (struct demo_ctx *)at->entry.next;
	return at;
}

noinline void bpf_iter_demo_destroy(struct demo_iter *it)
{
	it->left = 0;
}

/* Neither ascending nor descending; no two pairs have the same flags. */
SET8_START(demo_kfuncs, SET_KFUNCS);
PAIR(func, bpf_demo_sleep, SLEEPABLE | TRUSTED);
PAIR(func, bpf_demo_acquire, ACQUIRE | RET_NULL);
PAIR(func, bpf_iter_demo_destroy, ITER_DESTROY);
PAIR(func, bpf_demo_release, RELEASE);
PAIR(func, bpf_iter_demo_new, ITER_NEW | RCU);
PAIR(func, bpf_demo_reset, DESTRUCTIVE);
PAIR(func, bpf_demo__peek, RCU);
PAIR(func, bpf_iter_demo_next, ITER_NEXT | RET_NULL);
PAIR(func, bpf_demo_value, 0);
SET8_END(demo_kfuncs);

static const struct kfunc_hook hook = { 0, &demo_kfuncs };

noinline int demo_hook(void)
{
	return hook_kfuncs(&hook);
}

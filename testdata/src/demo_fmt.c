/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "demo.h"

struct demo_fmt {
	char prefix[8];
	u32 width;
};

noinline int bpf_demo_fmt_width(const struct demo_fmt *fmt)
{
	return (int)fmt->width;
}

noinline int bpf_demo_fmt_print(const struct demo_fmt *fmt, struct demo_ctx *ctx)
{
	return say(fmt->prefix) + (int)ctx->users;
}

/* Sorted the other way round; one function of the first set is here again. */
SET8_START(demo_fmt_kfuncs, SET_KFUNCS);
PAIR(func, bpf_demo_fmt_print, TRUSTED);
PAIR(func, bpf_demo_fmt_width, TRUSTED | RCU);
PAIR(func, bpf_demo_value, DESTRUCTIVE | RCU);
SET8_END(demo_fmt_kfuncs);

SET8_START(demo_no_kfuncs, SET_KFUNCS);
SET8_END(demo_no_kfuncs);

static const struct kfunc_hook hooks[] = { { 0, &demo_fmt_kfuncs }, { 0, &demo_no_kfuncs } };

noinline int demo_fmt_hook(void)
{
	return hook_kfuncs(&hooks[0]) + hook_kfuncs(&hooks[1]);
}

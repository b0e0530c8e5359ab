/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "demo.h"

static struct demo_ctx pool[8];
static u32 pool_used;
struct link demo_all = { &demo_all, &demo_all };

MODINFO("license=Dual MIT/Apache-2.0");
MODINFO("description=A module made to be edited");
MODINFO("author=the elfgraft developers");
MODINFO("depends=");
MODINFO("name=demo");
MODINFO("vermagic=0.1.0-test SMP mod_unload");
MODINFO("parmtype=limit:uint");

u32 limit = 8;
/* As a parameter: name and address, both by relocation. */
static const struct {
	const char *name;
	u32 *value;
} param_limit in_section("__param") __attribute__((aligned(8))) = { "limit", &limit };

const struct device_id demo_table[] = { { 0xdeb0, 1 }, { 0xdeb0, 2 }, { 0, 0 } };
DEVICE_TABLE(pci, demo_table);

static const char *const mode_names[] = { "fast", "safe", "off" };

noinline const char *demo_mode_name(enum demo_mode mode)
{
	return mode <= DEMO_OFF ? mode_names[mode] : "?";
}
EXPORT(demo_mode_name);

noinline void demo_list_add(struct demo_ctx *ctx)
{
	ctx->entry.next = demo_all.next;
	ctx->entry.prev = &demo_all;
	demo_all.next->prev = &ctx->entry;
	demo_all.next = &ctx->entry;
}
EXPORT(demo_list_add);

noinline struct demo_ctx *demo_ctx_new(struct task *owner, enum demo_mode mode)
{
	struct demo_ctx *ctx;

	if (pool_used >= limit || pool_used >= 8)
		return 0;
	ctx = &pool[pool_used++];
	ctx->owner = task_get(owner);
	ctx->mode = mode;
	ctx->users = 1;
	demo_list_add(ctx);
	return ctx;
}
EXPORT(demo_ctx_new);

/* A jump table: relocations from .rodata into .text. */
noinline demo_verdict_t demo_verdict(struct demo_ctx *ctx)
{
	switch (ctx->flags) {
	case 0: return say("none");
	case 1: return (int)ctx->value.number;
	case 2: return say(ctx->value.text);
	case 3: return say(demo_mode_name(ctx->mode));
	case 4: return TASK_GONE;
	case 5: return (int)ctx->users;
	default: return (int)ctx->owner->id;
	}
}
EXPORT(demo_verdict);

/* A COMDAT group of code and data that refers to the rest of the module. */
asm(".pushsection .text.shared, \"axG\", %progbits, demo_shared, comdat\n"
    ".weak demo_shared\n"
    ".type demo_shared, %function\n"
    "demo_shared: jmp demo_verdict\n"
    ".size demo_shared, . - demo_shared\n"
    ".popsection\n"
    ".pushsection .rodata.shared, \"aG\", %progbits, demo_shared, comdat\n"
    ".quad demo_shared\n"
    ".popsection\n");

ID_LIST(demo_ids);
ID(struct, demo_ctx);
ID(union, demo_value);
ID_UNUSED;
ID(typedef, demo_verdict_t);
ID(struct, task);
ID(struct, demo_absent);

SET_START(demo_btf_set);
ID(func, demo_verdict);
ID(func, demo_ctx_new);
ID(func, demo_mode_name);
ID(func, demo_list_add);
SET_END(demo_btf_set);

int demo_hook(void);
int demo_fmt_hook(void);

__init int demo_init(void)
{
	struct task *owner = task_find(demo_ids[0]);

	if (!owner || !demo_ctx_new(owner, DEMO_SAFE))
		return -1;
	return demo_hook() + demo_fmt_hook() + (int)demo_btf_set.count;
}

__exit void demo_exit(void)
{
	task_put(task_find(1));
	pool_used = 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef DEMO_H
#define DEMO_H

#include "kernel.h"

enum demo_mode { DEMO_FAST, DEMO_SAFE, DEMO_OFF };

union demo_value {
	u64 number;
	const char *text;
};

struct demo_ctx {
	struct link entry;
	struct task *owner;
	enum demo_mode mode;
	union demo_value value;
	u32 flags : 3, users : 29;
};

struct demo_iter {
	struct demo_ctx *at;
	u32 left;
};

typedef int demo_verdict_t;

extern struct link demo_all;
void demo_list_add(struct demo_ctx *ctx);
struct demo_ctx *demo_ctx_new(struct task *owner, enum demo_mode mode);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the build adds to each module in a file of its own. */
#include "kernel.h"

int demo_init(void);
void demo_exit(void);

struct module this_module in_section(".gnu.linkonce.this_module") = {
	.name = "demo",
	.init = demo_init,
	.exit = demo_exit,
};

/* Checksum and name of each symbol that comes from outside. */
static const struct {
	u64 crc;
	char name[56];
} versions[] in_section("__versions") = {
	{ 0x1f2e3d4c, "task_find" },
	{ 0x0badcafe, "task_get" },
	{ 0x5eed5eed, "task_put" },
	{ 0x00c0ffee, "say" },
	{ 0x12345678, "hook_kfuncs" },
};

/* A note of our own. */
asm(".pushsection .note.Demo, \"a\", %note\n"
    ".balign 4\n"
    ".long 5, 4, 1\n"
    ".asciz \"Demo\"\n"
    ".balign 4\n"
    ".long 0x01020304\n"
    ".popsection\n");

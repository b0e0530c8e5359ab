/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The types of our kernel that its modules see. One of each BTF kind. */
#ifndef KERNEL_H
#define KERNEL_H

#include "ids.h"

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
typedef u64 nanos_t;

struct link {
	struct link *next, *prev;
};

enum task_state { TASK_NEW, TASK_RUNS, TASK_SLEEPS, TASK_GONE = -1 };
enum huge_flags { HUGE_LOW = 1, HUGE_HIGH = 1ull << 40 };

struct page;
struct console;

union cookie {
	u64 whole;
	u8 bytes[8];
	struct {
		u32 low;
		u32 high : 20;
		u32 tag : 12;
	};
};

struct task {
	struct link all;
	u32 id;
	enum task_state state;
	enum huge_flags huge;
	union cookie cookie;
	const char *name;
	volatile u32 pending;
	struct page *pages[4];
	int (*wake)(struct task *task, nanos_t when);
};

struct load {
	double average;
	float peak;
	u64 samples[16];
};

/* What a driver supports; tables of these end with an empty entry. */
struct device_id {
	u32 vendor, device;
};

struct module {
	u32 state;
	struct link list;
	char name[56];
	int (*init)(void);
	void (*exit)(void);
	u8 rest[768 - 96];
} __attribute__((aligned(64)));

/* What is told to the kernel about a set of kfuncs. */
struct kfunc_hook {
	struct module *owner;
	struct id_set8 *set;
};

#define noinline __attribute__((noinline, noclone))
#define in_section(name) __attribute__((used, section(name)))
#define __init noinline in_section(".init.text")
#define __exit noinline in_section(".exit.text")

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define MODINFO(text) \
	static const char CAT(modinfo_, __COUNTER__)[] in_section(".modinfo") \
		__attribute__((aligned(1))) = text

/* Entry of __ksymtab: two place-relative words, as relocations of size 4. */
#define EXPORT(name)                                            \
	asm(".pushsection __ksymtab_strings, \"aMS\", %progbits, 1\n" \
	    "__kstrtab_" #name ": .asciz \"" #name "\"\n"           \
	    ".popsection\n"                                         \
	    ".pushsection __ksymtab, \"a\", %progbits\n"            \
	    ".balign 4\n"                                           \
	    "__ksymtab_" #name ": .long " #name " - .\n"            \
	    ".long __kstrtab_" #name " - .\n"                       \
	    ".popsection\n")

/* A second, global name of a device table, for the build's own tools. */
#define DEVICE_TABLE(type, table)                        \
	extern __typeof__(table) __mod_device_table__##type##__##table \
		__attribute__((alias(#table)))

struct task *task_find(u32 id);
struct task *task_get(struct task *task);
void task_put(struct task *task);
int say(const char *text);
int hook_kfuncs(const struct kfunc_hook *hook);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One small object for each class, byte order and machine: code and data
 * groups, type units in groups of their own, relocations, .BTF_ids.
 */
#include "ids.h"

struct shape {
	int sides;
	struct shape *next;
};

union number {
	int whole;
	float real;
};

typedef struct shape shape_t;

extern int outside(int value);
int zeroes[4];
int count = 3;
int *counts[] = { &count, &zeroes[2] };

int bpf_first(shape_t *shape)
{
	return shape->sides;
}

int bpf_second(union number *number)
{
	return number->whole + outside(count);
}

int bpf_third(int index)
{
	return *counts[index & 1];
}

asm(".pushsection .text.shared, \"axG\", %progbits, shared, comdat\n"
    ".globl shared\n"
    ".balign 4\n"
    "shared: .4byte 0\n"
    ".4byte bpf_third\n"
    ".popsection\n"
    ".pushsection .data.shared, \"awG\", %progbits, shared, comdat\n"
    ".balign 4\n"
    ".4byte shared\n"
    ".popsection\n");

SET8_START(obj_kfuncs, SET_KFUNCS);
PAIR(func, bpf_third, 0x30);
PAIR(func, bpf_first, 0x10);
PAIR(func, bpf_second, 0x20);
SET8_END(obj_kfuncs);

ID_LIST(obj_ids);
ID(struct, shape);
ID(union, number);
ID(typedef, shape_t);

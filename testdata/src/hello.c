/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program without libraries that notices when its sections were moved or
 * damaged: it prints one line and exits with 42, or says what is wrong.
 */
typedef unsigned long ulong;

static long call3(long number, long a, long b, long c)
{
	long result;

	asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c)
		     : "rcx", "r11", "memory");
	return result;
}

static void print(const char *text)
{
	ulong length = 0;

	while (text[length])
		length++;
	call3(1, 1, (long)text, (long)length);
}

const unsigned int table[64] = { 3, 1, 4, 1, 5, 9, 2, 6, [63] = 0x2026 };
const char info[] __attribute__((used, section(".modinfo"))) = "license=Dual MIT/Apache-2.0";
char greeting[] = "hello from elfgraft\n";
const char *greeting_pointer = greeting;
unsigned int zeroes[1024];

void _start(void)
{
	unsigned int sum = 0, dirty = 0;

	for (int i = 0; i < 64; i++)
		sum += ((volatile const unsigned int *)table)[i] * (unsigned int)(i + 1);
	for (int i = 0; i < 1024; i++)
		dirty |= ((volatile unsigned int *)zeroes)[i];
	if (sum != 0x2026 * 64 + 3 + 2 + 12 + 4 + 25 + 54 + 14 + 48) {
		print("bad .rodata\n");
		call3(60, 1, 0, 0);
	}
	if (dirty) {
		print("bad .bss\n");
		call3(60, 2, 0, 0);
	}
	print(greeting_pointer);
	call3(60, 42, 0, 0);
	for (;;)
		;
}

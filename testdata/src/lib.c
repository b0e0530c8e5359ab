/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A shared library with dynamic relocations, initialised and zeroed data. */
int lib_zero[64];
int lib_value = 7;
int *lib_pointer = &lib_value;
static const char *const words[] = { "one", "two", "three" };

int lib_outside(int value);

const char *lib_word(int index)
{
	return words[index % 3];
}

int lib_sum(void)
{
	return lib_outside(*lib_pointer) + lib_zero[1];
}

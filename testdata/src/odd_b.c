/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The second meanings. */
struct twice {
	char other[40];
};

typedef long only_here;

int odd_three(struct twice *t, only_here index)
{
	return t->other[index];
}

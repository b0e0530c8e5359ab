/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Unusual but valid: one name with two meanings, members without a type. */
#include "ids.h"

struct twice {
	int first;
};

typedef struct twice *only_here;

int odd_one(only_here t)
{
	return t->first;
}

int odd_two(struct twice *t)
{
	return t->first + 1;
}

/* Two members stay 0: they sort first, and must keep their order each time. */
SET8_START(odd_pairs, 0);
PAIR(func, odd_two, 0x22);
PAIR(func, odd_missing_b, 0xbb);
PAIR(func, odd_one, 0x11);
PAIR(func, odd_missing_a, 0xaa);
PAIR(func, odd_two, 0x2222);
SET8_END(odd_pairs);

SET_START(odd_set);
ID(func, odd_two);
ID(func, odd_missing_a);
ID(func, odd_one);
ID(func, odd_two);
SET_END(odd_set);

ID_LIST(odd_ids);
ID(struct, twice);
/* Never found, so that the search goes on and meets the second struct twice. */
ID(struct, odd_absent);
/* The search for typedefs ends at the first: its second meaning is not met. */
ID(typedef, only_here);

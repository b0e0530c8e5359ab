/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Data that points into a set8. Sorting moves the pairs: a relocation by the
 * symbol of a pair follows it, one by section and addend cannot.
 */
	.section .BTF_ids, "a", %progbits
	.local __BTF_ID__set8__s
__BTF_ID__set8__s:
	.long 0, 1
#ifdef BY_SYMBOL
	/* Only a symbol that is not local stays in the relocation. */
	.globl __BTF_ID__func__second__1
#else
	.local __BTF_ID__func__second__1
#endif
	.type __BTF_ID__func__second__1, %object
	.size __BTF_ID__func__second__1, 4
__BTF_ID__func__second__1:
	.long 0, 0x22
	.local __BTF_ID__func__first__2
	.type __BTF_ID__func__first__2, %object
	.size __BTF_ID__func__first__2, 4
__BTF_ID__func__first__2:
	.long 0, 0x11
	.size __BTF_ID__set8__s, . - __BTF_ID__set8__s

	.data
	.quad __BTF_ID__set8__s
	/* The first pair is where the array is: that is allowed. */
	.quad __BTF_ID__func__second__1
#ifndef BY_SYMBOL
	.quad __BTF_ID__func__first__2
#endif

	.text
	.globl first, second
first:	ret
second:	ret

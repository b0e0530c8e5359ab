/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* As assembly of the kernel does: a .note.GNU-stack of another section type than the compiler's. */
	.section .note.GNU-stack, "", %note

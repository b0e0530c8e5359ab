/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A replacement of a kernel function, which uses what only the kernel knows.
 * tools/livepatch.py turns the relocations of patch_target() into those that
 * a kernel applies when it loads a live patch.
 */
int patch_target(int value);
int ordinary(int value);

int patched_entry(int value)
{
#ifdef ONLY
	return patch_target(value) + 1;
#else
	return patch_target(value) + ordinary(value);
#endif
}

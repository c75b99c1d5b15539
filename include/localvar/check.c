// SPDX-License-Identifier: GPL-2.0-only
/* Is the running kernel the one that the addresses belong to? */

#define LOCALVAR_BUILD_ID_MAX	32

/**
 * localvar_check_kernel() - compare the running kernel's build-id with the expected one
 * @kernel: the kernel that the file was expanded for
 *
 * Return: 0, or -ENOEXEC after one line that names both kernels.
 */
int localvar_check_kernel(const struct localvar_kernel *kernel)
{
	const void *note = (const void *)(kernel->build_id_address + localvar_slide(kernel));
	int size = min_t(int, kernel->build_id_size, LOCALVAR_BUILD_ID_MAX);
	u8 found[LOCALVAR_BUILD_ID_MAX] = { };

	if (!copy_from_kernel_nofault(found, note, size) &&
	    !memcmp(found, kernel->build_id, kernel->build_id_size))
		return 0;

	localvar_err("expanded for Linux %s with build-id %*phN, this is %s with %*phN there",
		     kernel->release, size, kernel->build_id,
		     init_utsname()->release, size, found);
	return -ENOEXEC;
}

// SPDX-License-Identifier: GPL-2.0-only
/* As localvar would expand it: `count` of vfs_read at its entry and in the middle. */
#include <linux/module.h>
#include <localvar.h>
#include "places.h"

/* count: size_t, parameter of vfs_read: rdx at its entry, rcx where it calls rw_verify_area */
static __always_inline size_t localvar_get_0(const struct pt_regs *regs)
{
	switch (localvar_variant(regs)) {
	case 0:
		return regs->dx;
	default:
		return regs->cx;
	}
}

static int show_count(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "variant=%u count=%zu", localvar_variant(regs),
			 localvar_get_0(regs));
}

static struct localvar_probe show_count_probe = {
	.name = "show_count", .handler = show_count,
	.sites = (struct localvar_site[]) {
		{ .address = VFS_READ, .name = "vfs_read+0x0", .variant = 0 },
		{ .address = VFS_READ_VERIFIES, .name = "vfs_read+0x6a", .variant = 1 },
	},
	.nr_sites = 2, .kernel = &localvar_kernel,
};

static int begin(void)
{
	pr_info("base: begin\n");
	return 0;
}

static void end(void)
{
	pr_info("base: end\n");
}

static struct localvar_module localvar_module = {
	.kernel = &localvar_kernel,
	.probes = (struct localvar_probe *[]) { &show_count_probe }, .nr_probes = 1,
	.begin = begin, .end = end,
};

static int __init localvar_init(void)
{
	return localvar_register_module(&localvar_module);
}

static void __exit localvar_exit(void)
{
	localvar_unregister_module(&localvar_module);
}

module_init(localvar_init);
module_exit(localvar_exit);

MODULE_LICENSE("GPL");

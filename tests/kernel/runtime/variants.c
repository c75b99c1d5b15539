// SPDX-License-Identifier: GPL-2.0-only
/* One handler, two sites: `count` of vfs_read at its entry and in the middle. */
#include <linux/module.h>
#include <localvar.h>
#include "places.h"
#include "module.h"

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
	SITES({ .address = VFS_READ, .name = "vfs_read+0x0", .variant = 0 },
	      { .address = VFS_READ_VERIFIES, .name = "vfs_read (middle)", .variant = 1 }),
};

static int on_begin(void)
{
	pr_info("variants: BEGIN\n");
	return 0;
}

static void on_end(void)
{
	pr_info("variants: END\n");
}

LOAD(PROBES(&show_count_probe), .begin = on_begin, .end = on_end);

// SPDX-License-Identifier: GPL-2.0-only
/* A parameter of vfs_read at its end, where no register holds it any more. */
#include <linux/module.h>
#include <localvar.h>
#include "places.h"
#include "module.h"

static struct localvar_entry entry = { .address = VFS_READ, .name = "vfs_read" };

static unsigned long cfa(const struct pt_regs *regs)
{
	return regs->sp + VFS_READ_FRAME;
}

static int at_end(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "count=%lu", localvar_entry_regs()->dx);
}

static struct localvar_probe at_end_probe = {
	.name = "at_end", .handler = at_end,
	SITES({ .address = VFS_READ_LEAVES, .name = "vfs_read (end)",
		.entry = &entry, .cfa = cfa }),
};

static int whether(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%s", localvar_entry_regs() ? "known" : "unknown");
}

static struct localvar_probe whether_probe = {
	.name = "whether", .handler = whether,
	SITES({ .address = VFS_READ_LEAVES, .name = "vfs_read (end)",
		.entry = &entry, .cfa = cfa, .entry_optional = true }),
};

LOAD(PROBES(&at_end_probe, &whether_probe));

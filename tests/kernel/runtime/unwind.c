// SPDX-License-Identifier: GPL-2.0-only
/* The second site of the second probe may not be probed. */
#include <linux/module.h>
#include <localvar.h>
#include "places.h"
#include "module.h"

static int handler(struct pt_regs *regs, void *buf, int bufsize)
{
	pr_info("unwind: a handler ran\n");
	return 0;
}

static struct localvar_probe good_probe = {
	.name = "good", .handler = handler,
	SITES({ .address = IOPRIO_GET, .name = "ioprio_get+0x0" },
	      { .address = VFS_READ, .name = "vfs_read", .kind = LOCALVAR_RETURN }),
};

static struct localvar_entry entry = { .address = VFS_READ, .name = "vfs_read" };

static unsigned long cfa(const struct pt_regs *regs)
{
	return regs->sp + VFS_READ_FRAME;
}

static struct localvar_probe bad_probe = {
	.name = "bad", .handler = handler,
	SITES({ .address = VFS_READ_LEAVES, .name = "vfs_read (end)", .entry = &entry, .cfa = cfa },
	      { .address = NOT_PROBEABLE, .name = "not_probeable+0x0" },
	      { .address = VFS_READ, .name = "vfs_read+0x0" }),
};

static int on_begin(void)
{
	pr_info("unwind: BEGIN\n");
	return 0;
}

static void on_end(void)
{
	pr_info("unwind: END\n");
}

LOAD(PROBES(&good_probe, &bad_probe), .begin = on_begin, .end = on_end);

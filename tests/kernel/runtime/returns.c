// SPDX-License-Identifier: GPL-2.0-only
/* Return probes: the value returned, beside what the function was called with. */
#include <linux/module.h>
#include <localvar.h>
#include "places.h"
#include "module.h"

static int read_returns(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "count=%lu returned=%ld", localvar_entry_regs()->dx,
			 regs_return_value(regs));
}

static struct localvar_probe read_returns_probe = {
	.name = "read_returns", .handler = read_returns, .maxactive = 100,
	SITES({ .address = VFS_READ, .name = "vfs_read", .kind = LOCALVAR_RETURN }),
};

static int ioprio_returns(struct pt_regs *regs, void *buf, int bufsize)
{
	const struct pt_regs *user = (struct pt_regs *)localvar_entry_regs()->di;

	return scnprintf(buf, bufsize, "who=%d returned=%ld", localvar_load(int, &user->si),
			 regs_return_value(regs));
}

static struct localvar_probe ioprio_returns_probe = {
	.name = "ioprio_returns", .handler = ioprio_returns,
	SITES({ .address = IOPRIO_GET, .name = "ioprio_get", .kind = LOCALVAR_RETURN }),
};

LOAD(PROBES(&read_returns_probe, &ioprio_returns_probe));

// SPDX-License-Identifier: GPL-2.0-only
/* A module of two files: this one has LOCALVAR_MODULE() and the run time. */
#include <linux/module.h>
#include <localvar.h>
#include "places.h"
#include "module.h"

static bool fail;
module_param(fail, bool, 0);

static int in_first(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "first");
}

static struct localvar_probe in_first_probe = {
	.name = "in_first", .handler = in_first,
	SITES({ .address = IOPRIO_GET, .name = "ioprio_get+0x0" }),
};

static int on_begin(void)
{
	pr_info("first: BEGIN\n");
	return 0;
}

static void on_end(void)
{
	pr_info("first: END\n");
}

bool second_fails(void);

bool second_fails(void)
{
	return fail;
}

extern struct localvar_module localvar_module_second;

LOAD(PROBES(&in_first_probe), .begin = on_begin, .end = on_end,
     .others = (struct localvar_module *[]) { &localvar_module_second }, .nr_others = 1);

// SPDX-License-Identifier: GPL-2.0-only
/* The other file: it sees declarations of the run time only. */
#include <linux/module.h>
#include <localvar.h>
#include "places.h"
#include "module.h"

static int in_second(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "second");
}

static struct localvar_probe in_second_probe = {
	.name = "in_second", .handler = in_second,
	SITES({ .address = IOPRIO_GET, .name = "ioprio_get+0x0" }),
};

bool second_fails(void);

static int on_begin(void)
{
	pr_info("second: BEGIN\n");
	return second_fails() ? 1 : 0;
}

static void on_end(void)
{
	pr_info("second: END\n");
}

extern struct localvar_module localvar_module_second;

struct localvar_module localvar_module_second = {
	.kernel = &localvar_kernel, PROBES(&in_second_probe), .begin = on_begin, .end = on_end,
};

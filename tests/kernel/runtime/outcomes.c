// SPDX-License-Identifier: GPL-2.0-only
/* All that a handler can return or run into, at one address that only the workload reaches. */
#include <linux/module.h>
#include <localvar.h>
#include "places.h"
#include "module.h"

/* The second argument of the system call ioprio_get. */
static int who(const struct pt_regs *regs)
{
	return localvar_load(int, &((struct pt_regs *)regs->di)->si);
}

static int record(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "who=%d", who(regs));
}

static int silent(struct pt_regs *regs, void *buf, int bufsize)
{
	return 0;
}

static int fail(struct pt_regs *regs, void *buf, int bufsize)
{
	return -EDOM;
}

static int oversize(struct pt_regs *regs, void *buf, int bufsize)
{
	memset(buf, 'x', bufsize);
	return bufsize + 1000;
}

static int fault(struct pt_regs *regs, void *buf, int bufsize)
{
	int absent;

	if (localvar_try_read(&absent, (void *)0x10, sizeof(absent)))
		return -EDOM;
	return scnprintf(buf, bufsize, "%d %ld", localvar_load(int, 0x10),
			 localvar_load(long, 0xdead000000000000));
}

static bool is_odd(const struct pt_regs *regs)
{
	return who(regs) & 1;
}

static int only_odd(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "who=%d", who(regs));
}

#define PROBE(handler_, ...)							\
static struct localvar_probe handler_##_probe = {				\
	.name = #handler_, .handler = handler_,					\
	SITES({ .address = IOPRIO_GET, .name = "ioprio_get+0x0", __VA_ARGS__ }), \
}

PROBE(record);
PROBE(silent);
PROBE(fail);
PROBE(oversize);
PROBE(fault);
PROBE(only_odd, .proven = is_odd);

LOAD(PROBES(&record_probe, &silent_probe, &fail_probe, &oversize_probe, &fault_probe,
	    &only_odd_probe));

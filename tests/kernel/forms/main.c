// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "forms: " fmt
#include <linux/module.h>
#include "gives.h"

static int integers(struct pt_regs *regs, void *buf, int bufsize)
{
	return tell(regs, "integers", buf, bufsize);
}
LOCALVAR_PROBE(integers, "gives.integer", "gives.signed");

static int first(struct pt_regs *regs, void *buf, int bufsize)
{
	return tell(regs, "first", buf, bufsize);
}
LOCALVAR_PROBE(first, "gives.first", "gives:"
	       "give_u8");

/* A function pointer to what reads variables, recursion among helpers. */
struct op {
	long (*get)(struct pt_regs *regs, int depth);
};

static long odd(struct pt_regs *regs, int depth);
static noinline long even(struct pt_regs *regs, int depth)
{
	return depth ? odd(regs, depth - 1) : NUMBER;
}

static noinline long odd(struct pt_regs *regs, int depth)
{
	return depth ? even(regs, depth - 1) : -NUMBER;
}

static const struct op ops[] = { { even }, { .get = odd } };

static int pointing(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "pointing %ld %ld", ops[0].get(regs, 2), ops[1].get(regs, 2));
}
LOCALVAR_PROBE(pointing, "gives:give_bool", "gives:give_pointer");

/* One handler where a call begins and where it ends; another one at the same places. */
static int both_ends(struct pt_regs *regs, void *buf, int bufsize)
{
	if (LOCAL_VAR_AVAILABLE(n))
		return scnprintf(buf, bufsize, "both_ends in %ld", GET_LOCAL_VAR(n));
	return scnprintf(buf, bufsize, "both_ends out %ld", GET_ENTRY_VAR(n));
}
LOCALVAR_PROBE(both_ends, "gives:give_down", "module(\"gives\").function(\"give_down\").return.maxactive(40)");

static int descent(struct pt_regs *regs, void *buf, int bufsize)
{
#ifdef CONFIG_64BIT
	return scnprintf(buf, bufsize, "descent %ld of %ld", GET_RETURN_VALUE(), GET_ENTRY_VAR(n));
#else
	return GET_LOCAL_VAR(nothing);
#endif
}
LOCALVAR_PROBE(descent, "gives:give_down%return");

/* Nothing of it is at one of its places. */
static int fallback(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "fallback %ld", (long)GET_LOCAL_VAR_OR(n, -1));
}
LOCALVAR_PROBE(fallback, "gives:give_nothing", "__x64_sys_ioprio_get");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test of localvar");

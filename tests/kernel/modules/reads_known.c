// SPDX-License-Identifier: GPL-2.0-only
/* Reads the variables of known.c, there and from the kernel. */
#include <linux/module.h>
#include <linux/sched.h>
#include <localvar.h>

struct known_pair;

static int values(struct pt_regs *regs, char *buf, int bufsize)
{
	int *data = GET_STATIC_VAR(known_pointer, "known.c");

	return scnprintf(buf, bufsize, "%d %d %d %d %d %d %d %d %d %lu %d",
			 GET_STATIC_VAR(known_data, "known.c"), GET_STATIC_VAR(known_bss, "known.c"),
			 GET_STATIC_VAR(known_pair.first, "known.c"), GET_STATIC_VAR(known_pair.second, "known.c"),
			 GET_STATIC_VAR(known_table[2], "known.c"), GET_STATIC_VAR(known_global, "known.c"),
			 GET_STATIC_VAR(known_per_cpu, "known.c"), GET_STATIC_VAR(known_pair_per_cpu.first, "known.c"),
			 GET_STATIC_VAR(known_pair_per_cpu.second, "known.c") + (int)raw_smp_processor_id(),
			 GET_STATIC_VAR(calls, "known.c"), data ? *data : 0);
}

/* As locals see them: statics of the unit, and of the function itself. */
static int by_name(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%d: %d %d %lu %d", GET_LOCAL_VAR(depth), GET_LOCAL_VAR(known_data),
			 GET_LOCAL_VAR(known_pair.second), GET_LOCAL_VAR(calls), *LOCAL_VAR_ADDR(known_global));
}
LOCALVAR_PROBE(by_name, "module(\"known\").function(\"known_down\")");

/* What it wrote at the last hit is what the module has gone on with. */
static int writes(struct pt_regs *regs, void *buf, int bufsize)
{
	int before = GET_LOCAL_VAR(known_written);

	SET_LOCAL_VAR(known_written, 10 * GET_LOCAL_VAR(depth));
	return scnprintf(buf, bufsize, "%d", before);
}
LOCALVAR_PROBE(writes, "module(\"known\").function(\"known_down\")");

/* In the function, where the register that depth was passed in still holds it. */
static int inside(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%d", GET_ENTRY_VAR(depth));
}
LOCALVAR_PROBE(inside, "module(\"known\").statement(\"known_down@known.c:29\")");

static int in_module(struct pt_regs *regs, void *buf, int bufsize)
{
	return values(regs, buf, bufsize);
}
LOCALVAR_PROBE(in_module, "known:known_down");

/* A place in the kernel: the module may not be there. */
static int in_kernel(struct pt_regs *regs, void *buf, int bufsize)
{
	return values(regs, buf, bufsize);
}
LOCALVAR_PROBE(in_kernel, "__x64_sys_ioprio_get");

static int returns(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%d %d", GET_ENTRY_VAR(depth), GET_RETURN_VALUE(int));
}
LOCALVAR_PROBE(returns, "known:known_down%return");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");

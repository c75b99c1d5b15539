/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the module share: aliases with several coordinates, aliases of aliases, helpers. */
#pragma once
#include <linux/kernel.h>
#include <localvar.h>

PROBE_ALIAS("gives.signed", "gives:give_s8", "gives:give_s16", "module(\"gives\").function(\"give_int\")");
PROBE_ALIAS("gives.unsigned", "module(\"gives\").function(\"give_u[0-9]*\")", "gives:give_u64 ?");
PROBE_ALIAS("gives.integer", "gives.signed", "gives.unsigned", "gives.later ?");
PROBE_ALIAS("gives.first", "gives:gave_s8 !", "gives:give_s64 !", "gives:give_u8");
PROBE_ALIAS("gives.later", "gives:gave_u8");

#define NUMBER GET_LOCAL_VAR(n)
#define SHOW(what, format, value) \
	scnprintf(buf, bufsize, #what " " format, value)
#define RETURNED(name, format, ...)						\
static int gave_##name(struct pt_regs *regs, void *buf, int bufsize)		\
{										\
	typeof(GET_RETURN_VALUE()) it = GET_RETURN_VALUE();			\
										\
	return SHOW(name, format, __VA_ARGS__);					\
}										\
LOCALVAR_PROBE(gave_##name, "gives:give_" #name "%return")

/* Reached from handlers of many places, and by way of another helper. */
static inline long number(struct pt_regs *regs)
{
	return NUMBER;
}

static __always_inline __maybe_unused int tell(struct pt_regs *regs, const char *name, char *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%s %ld", name, number(regs));
}

// SPDX-License-Identifier: GPL-2.0-only
/* Reads what the functions of told.c tell; a name in capitals is the line of its site. */
#include <linux/module.h>
#include <localvar.h>

#define HIGH(number)	((unsigned long long)((number) >> 64))
#define LOW(number)	((unsigned long long)(number))

static int recursive_begins(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "key=%ld depth=%d first=%ld second=%d third=%hd more=%hu", GET_LOCAL_VAR(key),
			 GET_LOCAL_VAR(depth), GET_LOCAL_VAR(pair.first), GET_LOCAL_VAR(pair).second,
			 GET_LOCAL_VAR(pair.third), GET_LOCAL_VAR(more));
}
LOCALVAR_PROBE(recursive_begins, "module(\"told\").function(\"recursive\")");

static int recursive(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "key=%ld depth=%d first=%ld second=%d third=%hd more=%hu", GET_LOCAL_VAR(key),
			 GET_LOCAL_VAR(depth), GET_ENTRY_VAR(pair.first), GET_ENTRY_VAR(pair.second),
			 GET_ENTRY_VAR(pair.third), GET_LOCAL_VAR(more));
}
LOCALVAR_PROBE(recursive, "module(\"told\").statement(\"recursive@*:RECURSIVE\")");

static int recursive_returns(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "key=%ld depth=%d second=%d more=%hu", GET_ENTRY_VAR(key), GET_ENTRY_VAR(depth),
			 GET_ENTRY_VAR(pair.second), GET_ENTRY_VAR(more));
}
LOCALVAR_PROBE(recursive_returns, "module(\"told\").function(\"recursive\").return");

/* Of all tasks together more activations are under way than a return probe follows by default. */
static int begin(void)
{
	recursive_returns_probe.maxactive = 64;
	return 0;
}
LOCALVAR_BEGIN(begin);

static int around(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "key=%ld turn=%d weight=%u", GET_LOCAL_VAR(what), GET_LOCAL_VAR(turn),
			 GET_ENTRY_VAR(weight));
}
LOCALVAR_PROBE(around, "module(\"told\").statement(\"innermost@*:INNERMOST\")");

static int around_entered(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "key=%ld turn=%d", GET_ENTRY_VAR(key), GET_ENTRY_VAR(turn));
}
LOCALVAR_PROBE(around_entered, "module(\"told\").statement(\"innermost@*:INNERMOST\")");

static int by_value_begins(struct pt_regs *regs, void *buf, int bufsize)
{
	struct flags flags = GET_LOCAL_VAR(flags);

	return scnprintf(buf, bufsize, "first=%ld second=%d third=%hd low=%u negative=%d wide=%llu set=%d",
			 GET_LOCAL_VAR(pair).first, GET_LOCAL_VAR(pair.second), GET_LOCAL_VAR(pair.third), flags.low,
			 GET_LOCAL_VAR(flags.negative), (unsigned long long)GET_LOCAL_VAR(flags.wide), flags.set);
}
LOCALVAR_PROBE(by_value_begins, "module(\"told\").function(\"by_value\")");

static int by_value(struct pt_regs *regs, void *buf, int bufsize)
{
	struct flags flags = GET_ENTRY_VAR(flags);
	struct pair pair = GET_ENTRY_VAR(pair);

	return scnprintf(buf, bufsize, "first=%ld second=%d third=%hd low=%u negative=%d wide=%llu set=%d",
			 GET_ENTRY_VAR(pair.first), pair.second, pair.third, GET_ENTRY_VAR(flags.low),
			 GET_ENTRY_VAR(flags.negative), (unsigned long long)flags.wide, GET_ENTRY_VAR(flags.set));
}
LOCALVAR_PROBE(by_value, "module(\"told\").statement(\"by_value@*:BY_VALUE\")");

static int in_memory(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "number=%ld last=%d", GET_LOCAL_VAR(large.numbers[2]),
			 GET_LOCAL_VAR(large).pair.second);
}
LOCALVAR_PROBE(in_memory, "module(\"told\").function(\"in_memory\")", "module(\"told\").statement(\"in_memory@*:IN_MEMORY\")");

static int stays(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "key=%ld n=%d", GET_ENTRY_VAR(key), GET_ENTRY_VAR(n));
}
LOCALVAR_PROBE(stays, "module(\"told\").statement(\"stays@*:STAYS\")");

static int locals(struct pt_regs *regs, void *buf, int bufsize)
{
	struct flags own = GET_LOCAL_VAR(own);

	return scnprintf(buf, bufsize,
			 "key=%ld first=%ld second=%d third=%hd high=%llx product=%llx computed=%ld constant=%d slot=%ld "
			 "low=%u negative=%d wide=%llu",
			 GET_LOCAL_VAR(key), GET_LOCAL_VAR(parts.first), GET_LOCAL_VAR(pointer->second),
			 GET_LOCAL_VAR(parts.third), HIGH(GET_LOCAL_VAR(product)), LOW(GET_LOCAL_VAR(product)),
			 GET_LOCAL_VAR(computed), GET_LOCAL_VAR(constant), GET_LOCAL_VAR(slot),
			 GET_LOCAL_VAR(there->low), GET_LOCAL_VAR(own.negative), (unsigned long long)own.wide);
}
LOCALVAR_PROBE(locals, "module(\"told\").statement(\"locals@*:LOCALS\")");

static int hops(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "key=%ld left=%d", GET_ENTRY_VAR(key), GET_ENTRY_VAR(left));
}
LOCALVAR_PROBE(hops, "module(\"told\").statement(\"hops@*:HOPS\")");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test of localvar");

// SPDX-License-Identifier: GPL-2.0-only
/* Reads what the callers of passed.c passed. */
#include <linux/module.h>
#include <localvar.h>

static int at_entry(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "key=%ld load=%ld", GET_LOCAL_VAR(item->key), GET_LOCAL_VAR(load));
}
LOCALVAR_PROBE(at_entry, "module(\"passed\").function(\"weigh\")");

static int at_end(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "key=%ld load=%ld", GET_LOCAL_VAR(item)->key, GET_LOCAL_VAR(load));
}
LOCALVAR_PROBE(at_end, "module(\"passed\").statement(\"weigh@*:WEIGHED\")");

static int perhaps(struct pt_regs *regs, void *buf, int bufsize)
{
	long key = GET_LOCAL_VAR_OR(item->key, -1);

	return scnprintf(buf, bufsize, "key=%ld available=%d", key, LOCAL_VAR_AVAILABLE(item));
}
LOCALVAR_PROBE(perhaps, "module(\"passed\").statement(\"weigh@*:WEIGHED\")");

static int may_begin_again(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "available=%d", LOCAL_VAR_AVAILABLE(item));
}
LOCALVAR_PROBE(may_begin_again, "module(\"passed\").function(\"again\")");

/* In edi, which nothing else is in. */
static int changes(struct pt_regs *regs, void *buf, int bufsize)
{
	SET_LOCAL_VAR(more, GET_LOCAL_VAR(more) + 100);
	return 0;
}
LOCALVAR_PROBE(changes, "module(\"passed\").function(\"of_the_file\")");

static int at_return(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "scale=%ld", GET_ENTRY_VAR(scale));
}
LOCALVAR_PROBE(at_return, "module(\"passed\").function(\"weigh\").return");

static int plain_handler(struct kprobe *kp, struct pt_regs *regs)
{
	pr_info("watch: plain key=%ld\n", GET_LOCAL_VAR(item->key));
	return 0;
}

/* A plain kprobe has no second probe at the function's entry. */
static int forgotten(struct kprobe *kp, struct pt_regs *regs)
{
	pr_info("watch: forgotten what=%ld\n", GET_LOCAL_VAR(what));
	return 0;
}

static struct kprobe plain[] = { {
	.pre_handler = plain_handler,
	PROBE_LOCATION("module(\"passed\").statement(\"weigh@*:WEIGHED\")"),
}, {
	.pre_handler = forgotten,
	PROBE_LOCATION("module(\"passed\").statement(\"forgets@*:FORGOTTEN\")"),
} };
static struct kprobe *plains[] = { &plain[0], &plain[1] };

static int begin(void)
{
	return register_kprobes(plains, 2);
}
LOCALVAR_BEGIN(begin);

static void end(void)
{
	unregister_kprobes(plains, 2);
}
LOCALVAR_END(end);

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test of localvar");

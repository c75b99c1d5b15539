// SPDX-License-Identifier: GPL-2.0-only
/* Arrays of plain kprobes and kretprobes, and one in a struct; a header of helpers of which nothing is used. */
#define pr_fmt(fmt) "forms: " fmt
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>
#include "gives.h"

struct named {
	const char *name;
	struct kprobe kp;
};

static int before(struct kprobe *p, struct pt_regs *regs)
{
	if (!strcmp(current->comm, "dd"))
		pr_info("plain %zu\n", GET_LOCAL_VAR(count));
	return 0;
}

static struct kprobe kps[] = {
	{ PROBE_LOCATION("vfs_read"), .pre_handler = before },
	[1] = { .pre_handler = before, PROBE_LOCATION("kernel.function(\"vfs_write\").call") },
};
static struct named named = { "it", { PROBE_LOCATION("ksys_read"), .pre_handler = before } };

static int at_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	*(size_t *)ri->data = GET_LOCAL_VAR(count);
	return 0;
}

static int at_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	if (!strcmp(current->comm, "dd"))
		pr_info("plain %zd of %zu\n", GET_RETURN_VALUE(), *(size_t *)ri->data);
	return 0;
}

static struct kretprobe krps[2] = {
	{ .kp = { PROBE_LOCATION("vfs_read") }, .handler = at_return, .entry_handler = at_entry, .data_size = 8, .maxactive = 9 },
	{ .kp.flags = 0, .kp = { PROBE_LOCATION("vfs_write") }, .entry_handler = at_entry, .handler = at_return, .data_size = 8 },
};

static struct kprobe *all[] = { &kps[0], &kps[1], &named.kp };
static struct kretprobe *returning[] = { &krps[0], &krps[1] };
static int on;

static int plain_set(const char *text, const struct kernel_param *kp)
{
	int err;

	if (on)
		return -EBUSY;
	err = register_kprobes(all, ARRAY_SIZE(all)) ?: register_kretprobes(returning, ARRAY_SIZE(returning));
	on = !err;
	return err;
}

static const struct kernel_param_ops plain_ops = { .set = plain_set };
module_param_cb(plain, &plain_ops, NULL, 0200);

static void disarm(void)
{
	if (on) {
		unregister_kprobes(all, ARRAY_SIZE(all));
		unregister_kretprobes(returning, ARRAY_SIZE(returning));
	}
}
LOCALVAR_END(disarm);

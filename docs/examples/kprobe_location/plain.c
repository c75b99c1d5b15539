// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plain kprobe module, moved from a hex address to a coordinate by changing one
 * line: PROBE_LOCATION stands where .addr or .symbol_name and .offset stood.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <localvar.h>

static int before_open(struct kprobe *p, struct pt_regs *regs)
{
	pr_info("plain: dfd=%d flags=%llx\n", GET_LOCAL_VAR(dfd), GET_LOCAL_VAR(how->flags, u64));
	return 0;
}

static struct kprobe probe = {
	PROBE_LOCATION("kernel.function(\"do_sys_openat2\")"),
	.pre_handler = before_open,
};

static int __init plain_init(void)
{
	return register_kprobe(&probe);
}

static void __exit plain_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(plain_init);
module_exit(plain_exit);
MODULE_DESCRIPTION("localvar example: a plain kprobe at a coordinate");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/* Asks the kernel for a kprobe at each place of PLACES (places.h), and says what it answers. */
#include <linux/kprobes.h>
#include <linux/module.h>
#include "places.h"

static int no_op(struct kprobe *p, struct pt_regs *regs)
{
	return 0;
}

static int __init try_probes_init(void)
{
	static const unsigned long places[] = { PLACES };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		struct kprobe kp = { .addr = (kprobe_opcode_t *)places[i], .pre_handler = no_op };
		int err = register_kprobe(&kp);

		if (!err)
			unregister_kprobe(&kp);
		pr_info("place %lx %d\n", places[i], err);
	}
	return 0;
}

static void __exit try_probes_exit(void)
{
}

module_init(try_probes_init);
module_exit(try_probes_exit);
MODULE_LICENSE("GPL");

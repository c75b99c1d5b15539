// SPDX-License-Identifier: GPL-2.0-only
/* Misbehaves while it is loaded, in the way its parameter says. */
#include <linux/module.h>

static char *how = "oops";
module_param(how, charp, 0);

static int __init misbehave(void)
{
	if (!strcmp(how, "warn")) {
		WARN(1, "a warning on purpose");
	} else if (!strcmp(how, "panic")) {
		panic("a panic on purpose");
	} else if (!strcmp(how, "hang")) {
		local_irq_disable();
		for (;;)
			cpu_relax();
	} else {
		*(volatile int *)0x10 = 1;
	}
	return 0;
}
module_init(misbehave);

static void __exit nothing(void)
{
}
module_exit(nothing);

MODULE_LICENSE("GPL");

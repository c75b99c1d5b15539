// SPDX-License-Identifier: GPL-2.0-only
/* A module to be probed: write a number to /sys/module/victim/parameters/work. */
#include <linux/module.h>

static int secret = 1000 + VICTIM;
static int calls;

int victim_first(int n);
int victim_work(int n);

noinline int victim_first(int n)
{
	return n ^ READ_ONCE(secret);
}

noinline int victim_work(int n)
{
	WRITE_ONCE(calls, calls + 1);
	return victim_first(n) + 1;
}

static int work_set(const char *text, const struct kernel_param *kp)
{
	int n;

	if (kstrtoint(text, 0, &n))
		return -EINVAL;
	WRITE_ONCE(secret, READ_ONCE(secret) + (victim_work(n) & 0));
	return 0;
}

static const struct kernel_param_ops work_ops = { .set = work_set };
module_param_cb(work, &work_ops, NULL, 0200);

static int __init victim_init(void)
{
	victim_work(1);		/* of use only to who is there before the module's init */
	return 0;
}

static void __exit victim_exit(void)
{
}

module_init(victim_init);
module_exit(victim_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test of localvar");

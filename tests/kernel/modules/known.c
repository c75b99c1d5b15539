// SPDX-License-Identifier: GPL-2.0-only
/* Variables of known values, and recursion: write a depth to /sys/module/known/parameters/work. */
#include <linux/module.h>
#include <linux/percpu.h>

struct known_pair {
	int first;
	s8 second;
};

static int known_data = 4711;
static int known_bss;
static struct known_pair known_pair = { 3, -4 };
static const int known_table[4] = { 11, 22, 33, 44 };
static DEFINE_PER_CPU(int, known_per_cpu);
static DEFINE_PER_CPU(struct known_pair, known_pair_per_cpu) = { 5, -6 };
static int known_init __initdata = 8;
static int *known_pointer = &known_data;
static int known_written = 1;
int known_global = 99;

int known_down(int depth);

noinline int known_down(int depth)
{
	static unsigned long calls = 1000;

	WRITE_ONCE(calls, calls + 1);
	WRITE_ONCE(known_bss, depth);
	WRITE_ONCE(known_written, READ_ONCE(known_written) + 1);
	this_cpu_write(known_per_cpu, 100 + depth);
	if (READ_ONCE(known_table[depth & 3]) < 0 || !READ_ONCE(known_pointer))
		return READ_ONCE(known_pair.first) + this_cpu_read(known_pair_per_cpu.first);
	return READ_ONCE(depth) ? known_down(depth - 1) + READ_ONCE(depth) : 0;
}

static int work_set(const char *text, const struct kernel_param *kp)
{
	int depth;

	if (kstrtoint(text, 0, &depth))
		return -EINVAL;
	return known_down(depth) < 0 ? -EINVAL : 0;
}

static const struct kernel_param_ops work_ops = { .set = work_set };
module_param_cb(work, &work_ops, NULL, 0200);

static int __init known_start(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(known_pair_per_cpu, cpu).second -= cpu;
	known_data += READ_ONCE(known_init) - 8;
	return 0;
}

static void __exit known_stop(void)
{
}

module_init(known_start);
module_exit(known_stop);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test of localvar");

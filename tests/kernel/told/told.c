// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions that tell their own values before they pass a SITE(): at each, a line "FUNCTION name=value ..."
 * in /sys/kernel/debug/telling/lines.  telling/run beside it runs them all, as often as is written there, in any
 * number of tasks at a time (a module's parameter would run one after the other).  They call themselves, sleep, are preempted, and go on on another CPU.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/vmalloc.h>

#define TOLD_MAX	4096
#define TOLD_SIZE	256

static char (*told)[TOLD_SIZE];
static atomic_t told_lines, moved, keys;

static noinline __printf(1, 2) void tell(const char *format, ...)
{
	int n = atomic_inc_return(&told_lines) - 1;
	va_list args;

	if (n >= TOLD_MAX)
		return;
	va_start(args, format);
	vscnprintf(told[n], TOLD_SIZE, format, args);
	va_end(args);
}

/* One address on the line of its own; the compiler cannot see what is looked at there. */
#define SITE()	asm volatile("nop" : : : "memory")

/* Nothing stays in a register that calls keep. */
#define FORGET()	asm volatile("xor %%ebx, %%ebx; xor %%r12d, %%r12d; xor %%r13d, %%r13d; xor %%r14d, %%r14d"	\
				     : : : "rbx", "r12", "r13", "r14", "r15")

/* The task goes on on the other CPU: an entry that is kept by CPU would be another task's now. */
static noinline void wander(long key)
{
	int cpu = raw_smp_processor_id();

	set_cpus_allowed_ptr(current, cpumask_of((cpu + 1) % num_online_cpus()));
	if (raw_smp_processor_id() != cpu)
		atomic_inc(&moved);
	if (key % 3 == 0)
		usleep_range(20, 200);
	else
		cond_resched();
}

/* The kernel has no such name before 6.4. */
typedef unsigned __int128 huge;

struct pair {
	long first;
	int second;
	short third;
};

struct flags {
	unsigned int low : 3;
	int negative : 7;
	u64 wide : 40;
	_Bool set : 1;
};

struct large {
	long numbers[3];
	struct pair pair;
};

/* Calls itself; nothing of what it was called with is kept at its site. */
noinline long recursive(long key, int depth, struct pair pair, u16 more);
noinline long recursive(long key, int depth, struct pair pair, u16 more)
{
	long sum = 0;

	tell("recursive key=%ld depth=%d first=%ld second=%d third=%hd more=%hu",
	     key, depth, pair.first, pair.second, pair.third, more);
	wander(key + depth);
	if (depth) {
		struct pair next = { key * depth, -depth, pair.third - 1 };

		sum = recursive(key, depth - 1, next, more * 31);
	}
	wander(sum);
	FORGET();
	SITE();		/* recursive */
	return sum + 1;
}

/* Inlined, three deep, into a function that calls itself through it. */
noinline long around(long key, int turn, u8 weight);

static __always_inline long innermost(long what, int turn, u8 weight)
{
	long n = 0;

	if (turn)
		n = around(what + 1, turn - 1, weight + 7);
	wander(n);
	FORGET();
	SITE();		/* innermost */
	return n + 3;
}

static __always_inline long middle(long what, int turn, u8 weight)
{
	return innermost(what, turn, weight) ^ 5;
}

noinline long around(long key, int turn, u8 weight)
{
	long n;

	tell("around key=%ld turn=%d weight=%u", key, turn, weight);
	wander(key);
	n = middle(key, turn, weight);
	return n + READ_ONCE(told_lines.counter);
}

/* By value, in two registers and in one. */
noinline long by_value(struct pair pair, struct flags flags);
noinline long by_value(struct pair pair, struct flags flags)
{
	tell("by_value first=%ld second=%d third=%hd low=%u negative=%d wide=%llu set=%d",
	     pair.first, pair.second, pair.third, flags.low, flags.negative, (u64)flags.wide, flags.set);
	wander(pair.first);
	FORGET();
	SITE();		/* by_value */
	return 1;
}

/* By value, in the caller's frame. */
noinline long in_memory(struct large large);
noinline long in_memory(struct large large)
{
	tell("in_memory number=%ld last=%d", large.numbers[2], large.pair.second);
	wander(large.numbers[0]);
	FORGET();
	SITE();		/* in_memory */
	return 1;
}

/* Its parameters stay where they came. */
noinline long stays(long key, int n);
noinline long stays(long key, int n)
{
	SITE();		/* stays */
	return key * n;
}

/* Locals: computed, constant, in registers each a part, behind a pointer that no code holds, and in the frame. */
noinline long locals(long key, const struct flags *there);
noinline long locals(long key, const struct flags *there)
{
	struct pair parts = { key * 5, (int)key ^ 0x55, (short)key + 3 };
	const struct pair *pointer = &parts;
	huge product = (huge)key * 0x9e3779b97f4a7c15ULL << 9;
	long computed = key * 8 + 24;
	const int constant = -77;
	volatile long slot = key - 9;
	struct flags own = { .low = 5, .negative = -(key & 31), .wide = key << 20 };

	asm volatile("" : "+m" (product), "+m" (own));
	tell("locals key=%ld first=%ld second=%d third=%hd high=%llx product=%llx computed=%ld constant=%d slot=%ld low=%u negative=%d wide=%llu",
	     key, parts.first, parts.second, pointer->third, (u64)(product >> 64), (u64)product, computed, constant,
	     slot, there->low, own.negative, (u64)own.wide);
	wander(key);
	SITE();		/* locals */
	OPTIMIZER_HIDE_VAR(key);
	return key + parts.first * parts.second + parts.third + (u64)product + own.negative + slot;
}

/* Leaves by a jump: the frames of both have one CFA. */
noinline long hops(long key, int left);
noinline long hops_back(long key, int left);
noinline long hops(long key, int left)
{
	volatile long next = key * 3;

	tell("hops key=%ld left=%d", key, left);
	wander(key);
	left--;
	SITE();		/* hops */
	return left >= 0 ? hops_back(next, left) : 0;
}

noinline long hops_back(long key, int left)
{
	return hops(key + 1, left);
}

static int run(void *unused, u64 turns)
{
	while (turns--) {
		long key = atomic_inc_return(&keys) * 1000L;
		struct pair pair = { -key, key + 1, key + 2 };
		struct flags flags = { .low = key / 1000, .negative = -(key / 1000 % 60), .wide = key * 12345678, .set = key / 1000 & 1 };
		struct large large = { { 1, 2, key + 3 }, { 4, -key, 6 } };

		recursive(key, 6, pair, key);
		around(key, 3, key);
		by_value(pair, flags);
		in_memory(large);
		tell("stays key=%ld n=%d", key, (int)turns);
		stays(key, turns);
		locals(key, &flags);
		hops(key, 4);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(run_fops, NULL, run, "%llu\n");

static int lines_show(struct seq_file *file, void *unused)
{
	int n;

	seq_printf(file, "moved %d\n", atomic_read(&moved));
	for (n = 0; n < min(atomic_read(&told_lines), TOLD_MAX); n++)
		seq_printf(file, "%s\n", told[n]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(lines);

static struct dentry *dir;

static int __init told_init(void)
{
	told = vzalloc(TOLD_MAX * TOLD_SIZE);
	if (!told)
		return -ENOMEM;
	dir = debugfs_create_dir("telling", NULL);
	debugfs_create_file("run", 0200, dir, NULL, &run_fops);
	debugfs_create_file("lines", 0400, dir, NULL, &lines_fops);
	return 0;
}

static void __exit told_exit(void)
{
	debugfs_remove(dir);
	vfree(told);
}

module_init(told_init);
module_exit(told_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test of localvar");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions whose parameter gcc takes away (-fipa-sra), called in every way:
 * /sys/module/passed/parameters/run runs them all.  Each item's key says who passed it.
 */
#include <linux/delay.h>
#include <linux/module.h>

struct item {
	long key;
	long load;
	long sum;
};

static struct item items[8];
static long total;

long hop(struct item *item, int more);

/* Of the item only its load is used: gcc passes that. */
static noinline long weigh(const struct item *item, long scale)
{
	long load = item->load;

	barrier();
	WRITE_ONCE(total, total + load * scale);	/* weighed */
	return load + scale;
}

/* The same, but it may begin again in the same frame. */
static noinline long again(const struct item *item, long scale)
{
	long load = item->load;

	barrier();
	WRITE_ONCE(total, total + load * scale);	/* again */
	return scale > 100 ? hop(&items[7], 1) : scale;
}

/* What it was called with is needed no more, and gone, where it is asked for. */
static noinline __attribute__((__noipa__)) long forgets(long what)
{
	WRITE_ONCE(total, what);
	msleep(0);
	msleep(1);	/* forgotten */
	return 1;
}

noinline long in_register(struct item *item);
noinline long in_register(struct item *item)
{
	long n = weigh(item, 2);

	item->sum += n + forgets(71);
	return n;
}

noinline long in_frame(int more);
noinline long in_frame(int more)
{
	struct item own = { .key = 2, .load = more };

	OPTIMIZER_HIDE_VAR(more);
	own.sum = weigh(&own, more) + forgets(72);
	return own.sum + READ_ONCE(own.key);
}

noinline long of_the_file(int more);
noinline long of_the_file(int more)
{
	items[3].load = more;
	return weigh(&items[3], more) + READ_ONCE(items[3].sum);
}

/* Nobody knows the item behind this call: it leaves by a jump. */
noinline long by_a_jump(struct item *item);
noinline long by_a_jump(struct item *item)
{
	return weigh(item, 4);
}

/* What it was called with is gone before the call. */
noinline long lost(struct item *item);
noinline long lost(struct item *item)
{
	return weigh(item, 5) + 1;
}

noinline long from_again(struct item *item);
noinline long from_again(struct item *item)
{
	long n = again(item, 200);

	item->sum += n;
	return n;
}

noinline long hop(struct item *item, int more)
{
	return again(item, more);
}

static int run_set(const char *text, const struct kernel_param *kp)
{
	int n, turns;

	if (kstrtoint(text, 0, &turns))
		return -EINVAL;
	for (n = 0; n < turns; n++) {
		items[1].load = n;
		WRITE_ONCE(total, in_register(&items[1]));
		WRITE_ONCE(total, in_frame(n));
		WRITE_ONCE(total, of_the_file(n));
		WRITE_ONCE(total, by_a_jump(&items[4]));
		WRITE_ONCE(total, lost(&items[5]));
		WRITE_ONCE(total, from_again(&items[6]));
	}
	return 0;
}

static const struct kernel_param_ops run_ops = { .set = run_set };
module_param_cb(run, &run_ops, NULL, 0200);

static int __init passed_init(void)
{
	int n;

	for (n = 0; n < ARRAY_SIZE(items); n++)
		items[n].key = n;
	return 0;
}

static void __exit passed_exit(void)
{
}

module_init(passed_init);
module_exit(passed_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test of localvar");

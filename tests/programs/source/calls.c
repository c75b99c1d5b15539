// SPDX-License-Identifier: GPL-2.0-or-later
/* Recursion, tail calls, and the copies and parts of functions that gcc's interprocedural passes make. */
#include "program.h"

struct options {
	int mode;
	long limit;
	unsigned char level;
	const char *name;
};

static NOINLINE long factorial(int n)
{
	long rest;

	if (n < 2)
		return 1;
	tell("factorial", "n", n - 1);
	rest = factorial(n - 1);
	opaque(rest);
	return n * rest;
}

static long odd(long n, long depth);

static NOINLINE long even(long n, long depth)
{
	if (n == 0)
		return depth;
	return odd(n - 1, depth + opaque(1));
}

static NOINLINE long odd(long n, long depth)
{
	if (n == 0)
		return -depth;
	return even(n - 1, depth + opaque(2));
}

static NOINLINE long last(long a, long b, long c)
{
	opaque(a);
	opaque(b);
	return c - opaque(a - b);
}

static NOINLINE long chained(long a, long b)
{
	long c = opaque(a * b);

	return last(b, a, c);
}

/* gcc makes .isra of it: only two members are used */
static NOINLINE long reduced(const struct options *options, long unused, int add)
{
	long sum = options->limit + add;

	opaque(sum);
	return sum * options->mode;
}

/* and .constprop of it: mode is always 4 */
static NOINLINE long specialised(long n, int mode, long scale)
{
	long result = n;

	for (int i = 0; i < mode; i++)
		result += opaque(i * scale);
	if (mode == 5)
		stop();
	return result + mode;
}

/* and .part of it: the test is inlined, the rest is not */
static long partial(long *state, long n)
{
	long old;

	if (!state)
		return n;
	old = *state;
	for (int i = 0; i < 3; i++)
		old += opaque(n + i) * old;
	*state = old;
	opaque(old);
	*state += opaque(n) + old / 3;
	return old - n;
}

static COLD long complain(long code, const char *why)
{
	long shown = code * 2;

	use(why);
	return opaque(shown) + why[0];
}

/* and .cold of it */
static NOINLINE long guarded(long n, struct options *options)
{
	long twice = n * 2;
	long result = opaque(twice);

	if (__builtin_expect(n < 0, 0)) {
		long bad = -n;

		result += complain(bad, "negative");
		result ^= complain(twice, "twice");
		if (bad > 1000)
			stop();
	}
	options->limit += result;
	opaque(options->level);
	return result + options->mode;
}

static NOINLINE long indirect(long (*function)(long, long), long n)
{
	long first = function(n, 1);
	long second = function(n, first);

	return first + second;
}

static NOINLINE long fibonacci(unsigned int n)
{
	if (n < 2)
		return n;
	return fibonacci(n - 1) + fibonacci(n - 2);
}

long calls(void)
{
	struct options options = { .mode = 3, .limit = opaque(50), .level = 200, .name = "options" };
	long state = 2, total = 0;

	tell("factorial", "n", 6);
	total += factorial((int)opaque(6));
	total += even(opaque(5), 0) + odd(opaque(4), 9);
	tell("chained", "a", 6);
	tell("chained", "b", 8);
	total += chained(opaque(6), opaque(8));
	tell("reduced", "add", 2);
	total += reduced(&options, 1, (int)opaque(2));
	tell("reduced", "add", 7);
	total += reduced(&options, 5, (int)opaque(7));
	tell("specialised", "n", 10);
	tell("specialised", "mode", 4);
	tell("specialised", "scale", 7);
	total += specialised(opaque(10), 4, 7);
	tell("specialised", "n", 11);
	tell("specialised", "scale", 3);
	total += specialised(opaque(11), 4, opaque(3));
	tell("partial", "n", 3);
	tell("partial", "state", (long)&state);
	total += partial(&state, opaque(3));
	tell("partial", "n", 4);
	tell("partial", "state", 0);
	total += partial(opaque(0) ? &state : 0, opaque(4));
	tell("partial", "n", 5);
	tell("partial", "state", (long)&state);
	total += partial(&state, opaque(5));
	tell("guarded", "n", 8);
	total += guarded(opaque(8), &options);
	tell("guarded", "n", -8);
	total += guarded(opaque(-8), &options);
	total += indirect(opaque(1) ? even : odd, opaque(4));
	total += fibonacci((unsigned int)opaque(6));
	return total;
}

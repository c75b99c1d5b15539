// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions inlined three deep and into themselves; pointers to variables that have no address any more. */
#include "program.h"

struct point {
	int x;
	long y;
	struct {
		short z;
		unsigned char w[2];
	} inner;
};

INLINE long third(long value, const char *name)
{
	long local = opaque(value + name[0]);
	static int counted = 40;

	counted++;
	return local - counted;
}

INLINE long second(long value, int times)
{
	long local = value * times;

	for (int value = 0; value < times; value++)
		local += third(value, "second");
	return local;
}

INLINE long first(int value)
{
	long local = second(value, 2);

	local += third(local, "first");
	return local + value;
}

static NOINLINE long outermost(long value)
{
	long local = first((int)value);

	local ^= second(local, 1);
	return local + opaque(value);
}

INLINE long area(const struct point *point, long *count)
{
	long product = point->x * point->y;

	(*count)++;
	opaque(product);
	return product + point->inner.z;
}

INLINE void move(struct point *point, const int *by)
{
	point->x += *by;
	opaque(point->x);
	point->y -= *by;
	point->inner.z = (short)*by;
}

/* point, step and count never are in memory: the inlined pointers are implicit */
static NOINLINE long pointed(int x, long y)
{
	struct point point = { .x = x, .y = y };
	int step = (int)opaque(5);
	long count = 0, total;

	total = area(&point, &count);
	move(&point, &step);
	total += area(&point, &count);
	return total + count;
}

INLINE void swap(long *a, long *b)
{
	long kept = *a;

	*a = *b;
	opaque(kept);
	*b = kept;
}

static NOINLINE long swapped(long p, long q)
{
	long r = p + q;

	swap(&p, &q);
	swap(&q, &r);
	opaque(p);
	return p - q + r;
}

static long into_itself(long n)
{
	long half = n / 2;

	if (n < 3)
		return opaque(n);
	tell("into_itself", "n", half);
	tell("into_itself", "half", half / 2);
	return half + into_itself(half) * opaque(half - 1);
}

INLINE bool both_ways(const int *which, long value)
{
	const int **address = &which;

	opaque(value);
	return **address > value;
}

static NOINLINE long pointer_to_pointer(int n)
{
	int limit = n + 2;

	if (both_ways(&limit, opaque(n)))
		limit = (int)opaque(limit);
	return limit;
}

long inlining(void)
{
	long (*volatile recursive)(long) = into_itself;
	long total = 0;

	tell("outermost", "value", 12);
	total += outermost(opaque(12));
	tell("outermost", "value", -13);
	total += outermost(opaque(-13));
	tell("pointed", "x", 6);
	tell("pointed", "y", 70);
	total += pointed((int)opaque(6), opaque(70));
	total += swapped(opaque(1), opaque(2));
	tell("into_itself", "n", 50);
	tell("into_itself", "half", 25);
	total += recursive(opaque(50));
	tell("pointer_to_pointer", "n", 8);
	total += pointer_to_pointer((int)opaque(8));
	return total;
}

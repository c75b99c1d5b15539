// SPDX-License-Identifier: GPL-2.0-or-later
/* Parameters that are gone after their last use: only the function's entry knew them. */
#include "program.h"

struct request {
	long id;
	int size;
};

static NOINLINE long forgets(long a, long b)
{
	long sum = opaque(a + b);

	sum += opaque(sum);
	return sum + opaque(3);
}

static NOINLINE long forgets_more(long a, long b, long c, long d, long e, long f)
{
	long sum = a - b + c - d + e - f;

	sum = opaque(sum);
	sum ^= opaque(sum * 3);
	sum += opaque(sum);
	return sum;
}

static long forgets_small(char c, short s, unsigned char u, bool b, long later)
{
	long sum = c + s + u + b;

	sum = opaque(sum);
	sum += opaque(sum);
	return sum + later;
}

static NOINLINE long descends(long depth, long passed)
{
	long below;

	if (depth == 0)
		return opaque(passed);
	tell("descends", "depth", depth - 1);
	tell("descends", "passed", passed * 2);
	below = descends(depth - 1, passed * 2);
	below += opaque(below);
	return below;
}

static long deep(long value, struct request *request)
{
	request->id = value + 1;
	value = opaque(request->id);
	return value + opaque(request->size);
}

/* the inlined function's parameters are computed from what this one was given */
static NOINLINE long around(struct request *request, long value)
{
	long result = opaque(value + 3);

	result += deep(value * 2, request);
	result += opaque(result);
	return result;
}

static NOINLINE long reassigned(long n)
{
	n = opaque(n);
	n += opaque(n);
	n = opaque(5);
	return n + opaque(n);
}

long entries(void)
{
	static const long arguments[] = { 11, 12, 13, 14, 15, 16 };
	struct request request = { .id = 1, .size = 64 };
	long (*volatile small)(char, short, unsigned char, bool, long) = forgets_small;
	long total = 0;

	tell("forgets", "a", 33);
	tell("forgets", "b", 44);
	total += call_two(forgets, opaque(33), opaque(44));
	tell("forgets", "a", -1);
	tell("forgets", "b", 2);
	total += forgets(opaque(-1), opaque(2));
	tell("forgets_more", "a", 11);
	tell("forgets_more", "b", 12);
	tell("forgets_more", "c", 13);
	tell("forgets_more", "d", 14);
	tell("forgets_more", "e", 15);
	tell("forgets_more", "f", 16);
	total += call_six(forgets_more, arguments);
	tell("forgets_small", "c", -3);
	tell("forgets_small", "s", -300);
	tell("forgets_small", "u", 200);
	tell("forgets_small", "b", 1);
	tell("forgets_small", "later", 77);
	total += small((char)opaque(-3), (short)opaque(-300), (unsigned char)opaque(200), opaque(1), opaque(77));
	tell("descends", "depth", 5);
	tell("descends", "passed", 7);
	total += call_two(descends, 5, opaque(7));
	tell("descends", "depth", 3);
	tell("descends", "passed", -7);
	total += descends(opaque(3), opaque(-7));
	tell("around", "value", 21);
	total += around(&request, opaque(21));
	total += reassigned(opaque(9));
	return total;
}

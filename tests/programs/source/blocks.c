// SPDX-License-Identifier: GPL-2.0-or-later
/* Names that hide names; scopes entered sideways; loops that are turned around. */
#include "program.h"

static long hidden = 1000;

static NOINLINE long shadowing(long outer)
{
	long value = opaque(outer);
	long sum = opaque(value) + hidden;

	{
		int value = (int)opaque(2);

		sum += opaque(value);
		{
			char value = (char)opaque(3);
			short hidden = (short)opaque(4);

			sum += opaque(value + hidden);
		}
		sum += opaque(value * 5);
	}
	for (int value = 0; value < 3; value++) {
		unsigned long sum = opaque(value);

		hidden += sum;
	}
	return sum + value;
}

static NOINLINE long sideways(int where)
{
	long result = 0;

	switch (where) {
		long inside;
	case 1:
		inside = opaque(10);
		result += inside;
		break;
	case 2: {
		long own = opaque(20);

		inside = own + 1;
		result += inside;
	}
		/* fall through */
	default:
		result += opaque(30);
	}
	if (where > 2) {
		long late = result;
again:
		late -= opaque(7);
		if (late > 10)
			goto again;
		result = late;
	}
	return result;
}

static NOINLINE long loops(const int *values, int count)
{
	long best = -1;

	for (int i = 0; i < count; i++) {
		long square = (long)values[i] * values[i];

		if (square > best) {
			long before = best;

			best = square;
			opaque(before);
		}
	}
	for (int i = count; i-- > 0;) {
		unsigned int mask = 1u << i;

		best ^= opaque(mask);
	}
	return best;
}

static NOINLINE unsigned int search(unsigned int wanted)
{
	unsigned int low = 0, high = 1000;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (opaque(middle) < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

long blocks(void)
{
	static int values[] = { 3, -7, 1, 8 };
	long total = 0;

	tell("shadowing", "outer", 100);
	total += shadowing(opaque(100));
	for (int where = 0; where < 5; where++) {
		tell("sideways", "where", where);
		total += sideways((int)opaque(where));
	}
	tell("loops", "count", 4);
	total += loops(values, (int)opaque(4));
	tell("search", "wanted", 737);
	total += search((unsigned int)opaque(737));
	return total;
}

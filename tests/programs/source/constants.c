// SPDX-License-Identifier: GPL-2.0-or-later
/* Variables that are constants, and variables that are computed from others: no place holds them. */
#include "program.h"

enum colour { RED, GREEN = 7, BLUE = -3 };

struct point {
	int x, y;
};

static NOINLINE long known(long n)
{
	const int seven = 7;
	long negative = -12;
	unsigned char byte = 250;
	signed char small = -6;
	enum colour colour = BLUE;
	bool yes = true;
	const char *text = "text";
	struct point origin = { 1, -2 };
	unsigned long long huge = 0xfedcba9876543210ull;
	__int128 widest = -((__int128)3 << 65);

	opaque(n + seven);
	opaque(negative + byte);
	opaque(small + colour + yes);
	use(text);
	opaque(origin.x + origin.y);
	return opaque(n) + (long)(huge >> 60) + (long)(widest >> 64);
}

static NOINLINE long derived(long n, unsigned int m)
{
	long doubled = n * 2;
	long shifted = n - 17;
	unsigned int masked = m & 0xff;
	bool odd = m & 1;
	int narrowed = (int)(n >> 3);
	unsigned short halved = (unsigned short)(m / 3);
	long quotient = n / 7, remainder = n % 7;
	bool less = n < (long)m;
	long chosen = less ? doubled : shifted;

	opaque(n);
	opaque(m);
	if (less)
		opaque(n + m);
	opaque(n - m);
	return n + m + (odd && masked > halved ? narrowed : 0) + (chosen > quotient + remainder);
}

static NOINLINE long derived_narrow(int n, unsigned int m)
{
	int quotient = n / 7, remainder = n % 7;
	int shifted = n >> 2, doubled = n * 2;
	unsigned int divided = m / 3, rest = m % 10;
	unsigned int halved = m >> 1;
	short cut = (short)n;
	long widened = n, extended = m;
	bool negative = n < 0, above = m > 100;

	opaque(n);
	opaque(m);
	return n + m;
}

static NOINLINE unsigned long derived_wide(unsigned long m, long n)
{
	unsigned long divided = m / 10, rest = m % 10, shifted = m >> 4;
	int digit = (int)(m % 10), high = (int)(m >> 40), higher = (int)(m >> 32);
	long quotient = n / 9, remainder = n % 9;
	int distance = (int)(n / 5);
	bool above = m > 1000, below = n < 1000;

	opaque((long)m);
	opaque(n);
	return m + n;
}

static NOINLINE long induction(const int *values, int count)
{
	long sum = 0;

	for (int i = 0; i < count; i++) {
		const int *item = &values[i];
		long index = item - values;
		int thrice = i * 3;

		sum += opaque(*item);
		(void)index;
		(void)thrice;
	}
	return sum;
}

static NOINLINE long phases(long n)
{
	long phase = 1;

	opaque(n);
	phase = 2;
	opaque(n + 1);
	phase = n;
	opaque(n + 2);
	phase = 4;
	return opaque(n) + phase;
}

long constants(void)
{
	static const int values[] = { 5, 6, -7, 8 };
	long total = 0;

	tell("known", "seven", 7);
	tell("known", "negative", -12);
	tell("known", "byte", 250);
	tell("known", "small", -6);
	tell("known", "colour", -3);
	tell("known", "n", 40);
	total += known(opaque(40));
	tell("derived", "n", 101);
	tell("derived", "m", 55);
	tell("derived", "doubled", 202);
	tell("derived", "shifted", 84);
	tell("derived", "masked", 55);
	tell("derived", "odd", 1);
	tell("derived", "narrowed", 12);
	tell("derived", "halved", 18);
	tell("derived", "quotient", 14);
	tell("derived", "remainder", 3);
	tell("derived", "less", 0);
	tell("derived", "chosen", 84);
	total += derived(opaque(101), (unsigned int)opaque(55));
	tell("derived", "n", -101);
	tell("derived", "m", 4000000000);
	tell("derived", "doubled", -202);
	tell("derived", "shifted", -118);
	tell("derived", "masked", 0);
	tell("derived", "odd", 0);
	tell("derived", "narrowed", -13);
	tell("derived", "halved", 3413);
	tell("derived", "quotient", -14);
	tell("derived", "remainder", -3);
	tell("derived", "less", 1);
	tell("derived", "chosen", -202);
	total += derived(opaque(-101), (unsigned int)opaque(4000000000));
	tell("derived_narrow", "n", -101);
	tell("derived_narrow", "m", 4000000000);
	tell("derived_narrow", "quotient", -14);
	tell("derived_narrow", "remainder", -3);
	tell("derived_narrow", "shifted", -26);
	tell("derived_narrow", "doubled", -202);
	tell("derived_narrow", "divided", 1333333333);
	tell("derived_narrow", "rest", 0);
	tell("derived_narrow", "halved", 2000000000);
	tell("derived_narrow", "cut", -101);
	tell("derived_narrow", "widened", -101);
	tell("derived_narrow", "extended", 4000000000);
	tell("derived_narrow", "negative", 1);
	tell("derived_narrow", "above", 1);
	total += derived_narrow((int)opaque(-101), (unsigned int)opaque(4000000000));
	tell("derived_wide", "m", -5);
	tell("derived_wide", "n", -1000);
	tell("derived_wide", "divided", 1844674407370955161);
	tell("derived_wide", "rest", 1);
	tell("derived_wide", "shifted", -5l >> 4 & ~0ul >> 4);
	tell("derived_wide", "digit", 1);
	tell("derived_wide", "high", 0xffffff);
	tell("derived_wide", "higher", -1);
	tell("derived_wide", "quotient", -111);
	tell("derived_wide", "remainder", -1);
	tell("derived_wide", "distance", -200);
	tell("derived_wide", "above", 1);
	tell("derived_wide", "below", 1);
	total += (long)derived_wide((unsigned long)opaque(-5), opaque(-1000));
	tell("induction", "count", 4);
	total += induction(values, (int)opaque(4));
	tell("phases", "n", 60);
	total += phases(opaque(60));
	return total;
}

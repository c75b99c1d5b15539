// SPDX-License-Identifier: GPL-2.0-or-later
/* Every kind of scalar: signedness, width, enums, booleans, pointers, qualifiers, typedefs. */
#include "program.h"

enum plain { NOTHING, SOMETHING = 5 };
enum negative { BELOW = -1000, ABOVE = 1000 };
enum small { SMALL = 200 } __attribute__((packed));
enum large { LARGE = 0x100000000 };
typedef unsigned int natural;
typedef const volatile short *watched;
typedef long operation(long, long);

static long add(long a, long b)
{
	return a + opaque(b);
}

static NOINLINE long chars(char plain, signed char with, unsigned char without, bool yes, short narrow)
{
	char next = (char)(plain + 1);
	signed char negated = (signed char)-with;
	unsigned char wrapped = (unsigned char)(without + 100);
	bool no = !yes;
	unsigned short top = (unsigned short)narrow;
	short late;

	opaque(next + negated);
	opaque(wrapped + no);
	yes = opaque(top) > 3;
	late = (short)opaque(next);
	return late + plain + with + without + yes + narrow + top + no;
}

static NOINLINE long enums(enum plain plain, enum negative negative, enum small small, enum large large)
{
	enum plain other = plain == NOTHING ? SOMETHING : NOTHING;
	enum negative turned = (enum negative)-(int)negative;

	opaque(other);
	opaque(turned);
	small = (enum small)opaque(small - 1);
	return plain + negative + small + (long)large + turned + other;
}

static NOINLINE long pointers(const char *text, watched watched, operation *function, void *anything)
{
	const char *at = text;
	natural length = 0;
	operation *copy = function;

	while (*at++)
		length += (natural)opaque(1);
	length += (natural)*watched;
	length += (natural)copy(length, 3);
	use(anything);
	return length + function(1, 2);
}

static NOINLINE long integers(int i, unsigned int u, long l, unsigned long ul, long long ll, unsigned long long ull)
{
	volatile int kept = i;
	int turned = -i;
	unsigned int rotated = u << 5 | u >> 27;
	long widened = u;
	unsigned long long sign = (unsigned long long)i;

	kept += (int)opaque(turned);
	opaque(rotated);
	opaque(widened);
	l -= opaque((long)sign);
	ul ^= opaque(l);
	return kept + l + (long)ul + ll + (long)ull;
}

static NOINLINE double floating(double d, float f, long n)
{
	double sum = d + f;
	long whole = (long)sum + n;

	opaque(whole);
	return sum * (double)whole;
}

long scalars(void)
{
	static short seen = -4;
	long total = 0;

	tell("chars", "plain", -100);
	tell("chars", "with", -7);
	tell("chars", "without", 200);
	tell("chars", "narrow", -30000);
	total += chars((char)opaque(-100), (signed char)opaque(-7), (unsigned char)opaque(200), opaque(1), (short)opaque(-30000));
	total += enums((enum plain)opaque(5), (enum negative)opaque(-1000), (enum small)opaque(200), (enum large)opaque(0x100000000));
	total += pointers("scalars", &seen, opaque(1) ? add : 0, &total);
	tell("integers", "i", -5);
	tell("integers", "u", 4000000000);
	total += integers((int)opaque(-5), (unsigned int)opaque(4000000000), opaque(-1), (unsigned long)opaque(1) << 63,
			  opaque(-99), (unsigned long long)opaque(-98));
	tell("floating", "n", 3);
	total += (long)floating(1.5, 2.25f, opaque(3));
	return total;
}

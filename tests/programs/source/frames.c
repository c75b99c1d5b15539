// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames: realigned, large, of changing size, with arguments on the stack, without a frame pointer. */
#include "program.h"

static NOINLINE long realigned(long n)
{
	long aligned[4] __attribute__((aligned(64)));
	long kept = n * 3;

	for (int i = 0; i < 4; i++)
		aligned[i] = opaque(n + i);
	use(aligned);
	return aligned[2] + kept;
}

static NOINLINE long realigned_growing(long n, int count)
{
	long aligned[2] __attribute__((aligned(128))) = { n, -n };
	char grown[count];
	long kept = opaque(n);

	use(aligned);
	use(grown);
	grown[0] = (char)n;
	use(grown);
	return aligned[1] + kept + grown[0];
}

static NOINLINE long big(long n)
{
	unsigned char buffer[9000];
	long where = n % 9000;

	buffer[where] = (unsigned char)n;
	use(buffer);
	return buffer[where] + opaque(where);
}

static NOINLINE long many(long a, long b, long c, long d, long e, long f, long g, int h, short i, char j)
{
	long sum = a + b + c + d + e + f;

	opaque(sum);
	sum += g + h;
	opaque(sum);
	return sum + i + j;
}

static NOINLINE long spilled(const long *v)
{
	long a = v[0], b = v[1], c = v[2], d = v[3], e = v[4], f = v[5], g = v[6], h = v[7];
	long i = a + b, j = c + d, k = e + f, l = g + h;

	opaque(a);
	opaque(b ^ c);
	opaque(d ^ e);
	opaque(f ^ g ^ h);
	a += opaque(i);
	b += opaque(j);
	return a + b + c + d + e + f + g + h + i * j * k * l;
}

long frames(void)
{
	static const long values[] = { 1, -2, 3, -4, 5, -6, 7, -8 };
	long total = 0;

	tell("realigned", "n", 70);
	total += realigned(opaque(70));
	tell("realigned_growing", "n", 71);
	tell("realigned_growing", "count", 20);
	total += realigned_growing(opaque(71), (int)opaque(20));
	tell("big", "n", 12345);
	total += big(opaque(12345));
	tell("many", "a", 1);
	tell("many", "b", 2);
	tell("many", "c", 3);
	tell("many", "d", 4);
	tell("many", "e", 5);
	tell("many", "f", 6);
	tell("many", "g", 7);
	tell("many", "h", -8);
	tell("many", "i", 9);
	tell("many", "j", -10);
	total += many(opaque(1), 2, 3, 4, 5, opaque(6), opaque(7), (int)opaque(-8), (short)opaque(9), (char)opaque(-10));
	total += spilled(values);
	return total;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Structs, unions, bit-fields and 128-bit integers that the compiler takes apart; structs by value. */
#include "program.h"

struct pair {
	int left;
	long right;
};

struct bits {
	unsigned int low : 3;
	int middle : 7;
	unsigned int high : 22;
	long long wide : 37;
	bool flag : 1;
};

struct nested {
	struct pair pair;
	union {
		unsigned char bytes[4];
		unsigned int word;
	};
	struct {
		short inner;
		signed char tiny;
	} part;
};

struct large {
	long values[6];
	struct pair pair;
};

struct packed {
	char tag;
	long value;
	short tail;
} __attribute__((packed));

static NOINLINE long split(long n)
{
	struct pair pair = { .left = (int)n * 3, .right = n + 7 };
	struct pair other = pair;
	long i;

	for (i = 0; i < 3; i++) {
		pair.left += (int)opaque(i);
		other.right ^= pair.left;
	}
	pair.right -= opaque(other.left);
	return pair.left * 2 + pair.right + other.left + other.right;
}

static NOINLINE long partly(long n)
{
	struct nested nested;

	nested.pair.left = (int)n;
	nested.word = (unsigned int)n * 0x01010101u;
	nested.part.inner = (short)-n;
	opaque(nested.word);
	nested.part.tiny = (signed char)(n - 100);
	nested.pair.right = opaque(n) + nested.bytes[2];
	return nested.pair.left + nested.pair.right + nested.part.inner + nested.part.tiny;
}

static NOINLINE long fields(long n)
{
	struct bits bits = { .low = 5, .middle = -3 };

	bits.high = (unsigned int)opaque(n);
	bits.wide = -opaque(n + 1);
	bits.flag = n & 1;
	opaque(bits.high);
	bits.low = (unsigned int)n;
	if (bits.flag)
		bits.middle = (int)opaque(11);
	return bits.low + bits.middle + bits.high + bits.wide + bits.flag;
}

static NOINLINE long fields_kept(long n)
{
	struct bits bits = { .low = 2, .middle = -60, .high = 99, .wide = -1, .flag = true };

	use(&bits);
	bits.middle = (int)n;
	bits.wide = n << 20;
	use(&bits);
	return bits.middle + bits.low;
}

static NOINLINE long by_value(struct pair pair, struct large large, struct bits bits)
{
	long sum = pair.left + pair.right;

	sum += opaque(large.values[5]) + large.pair.left;
	opaque(sum);
	return sum + bits.middle + pair.left;
}

static NOINLINE struct pair returned(int left, long right)
{
	struct pair result = { left, right };

	opaque(left);
	result.left += 1;
	return result;
}

static NOINLINE struct large returned_large(long n)
{
	struct large result = { .pair = { 1, 2 } };
	int i;

	for (i = 0; i < 6; i++)
		result.values[i] = opaque(n * i);
	result.pair.right = n;
	return result;
}

static NOINLINE long wide(__int128 a, unsigned __int128 b)
{
	__int128 sum = a + (__int128)b;
	unsigned __int128 product = b * 3;

	opaque((long)(sum >> 64));
	sum -= (__int128)opaque((long)product);
	opaque((long)sum);
	return (long)(sum >> 64) + (long)(product >> 64);
}

static NOINLINE long packed_value(long n)
{
	struct packed packed = { .tag = 'x', .value = n, .tail = -2 };

	opaque(packed.value);
	packed.value += packed.tail;
	use(&packed);
	return packed.value + packed.tag;
}

static NOINLINE long both(long n)
{
	union {
		struct pair pair;
		unsigned long word;
		short shorts[8];
	} both = { .word = (unsigned long)n };

	opaque(both.pair.left);
	both.shorts[1] = (short)n;
	opaque(both.pair.left);
	return (long)both.word;
}

long aggregates(void)
{
	struct large large = returned_large(opaque(17));
	struct bits bits = { .low = 1, .middle = -20, .high = 300, .wide = -5, .flag = false };
	struct pair pair = returned((int)opaque(-9), opaque(1L << 40));
	long total = 0;

	tell("split", "n", 21);
	total += split(opaque(21));
	tell("split", "n", -4);
	total += split(opaque(-4));
	tell("partly", "n", 77);
	total += partly(opaque(77));
	tell("partly", "n", -1);
	total += partly(opaque(-1));
	tell("fields", "n", 1234567);
	total += fields(opaque(1234567));
	tell("fields", "n", -2);
	total += fields(opaque(-2));
	tell("fields_kept", "n", 31);
	total += fields_kept(opaque(31));
	tell("by_value", "pair.left", pair.left);
	tell("by_value", "pair.right", pair.right);
	total += by_value(pair, large, bits);
	total += wide(-((__int128)opaque(5) << 70), (unsigned __int128)opaque(-1) << 3);
	tell("packed_value", "n", 0x1122334455667788);
	total += packed_value(opaque(0x1122334455667788));
	tell("both", "n", 0x7fffeeeeddddcccc);
	total += both(opaque(0x7fffeeeeddddcccc));
	return total;
}

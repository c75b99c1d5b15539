// SPDX-License-Identifier: GPL-2.0-or-later
/* Arrays: of variable length, of several dimensions, taken apart, as parameters; flexible members. */
#include "program.h"

struct counted {
	unsigned char count;
	short items[];
};

static NOINLINE long variable_length(int n, int m)
{
	long row[n];
	short matrix[n][m];
	long sum = 0;
	int i, j;

	for (i = 0; i < n; i++) {
		row[i] = opaque(i * 10);
		for (j = 0; j < m; j++)
			matrix[i][j] = (short)(row[i] + j);
	}
	use(row);
	use(matrix);
	for (i = 0; i < n; i++)
		sum += row[i] + matrix[i][m - 1];
	return sum;
}

static NOINLINE long dimensions(int n)
{
	int grid[3][4];
	char text[] = "grid";
	int i, j;

	for (i = 0; i < 3; i++)
		for (j = 0; j < 4; j++)
			grid[i][j] = n * i - j;
	use(grid);
	use(text);
	text[0] = (char)grid[2][3];
	use(text);
	return grid[1][2] + text[0] + text[3];
}

static NOINLINE long taken_apart(long n)
{
	int two[2] = { (int)n, (int)n + 1 };
	unsigned char bytes[4] = { 1, 2, 3, (unsigned char)n };

	two[0] += (int)opaque(two[1]);
	bytes[1] = (unsigned char)opaque(two[0]);
	two[1] -= (int)opaque(bytes[3]);
	return two[0] * two[1] + bytes[0] + bytes[1] + bytes[2];
}

static NOINLINE long sum_of(const int values[], int count)
{
	long sum = 0;
	const int *end = values + count;

	for (; values < end; values++)
		sum += opaque(*values);
	return sum;
}

static NOINLINE long flexible(int n)
{
	union {
		struct counted counted;
		char room[32];
	} object = { .room = { 0 } };
	struct counted *counted = &object.counted;
	int i;

	counted->count = (unsigned char)n;
	for (i = 0; i < n; i++)
		counted->items[i] = (short)opaque(-i);
	use(counted);
	return counted->items[n - 1];
}

static NOINLINE long on_the_stack(long n)
{
	long *memory = __builtin_alloca(n * sizeof(long));
	long last;

	for (long i = 0; i < n; i++)
		memory[i] = opaque(i);
	last = memory[n - 1];
	use(memory);
	return last + memory[0];
}

long arrays(void)
{
	static const int table[] = { 4, -8, 15, 16, -23, 42 };
	long total = 0;

	tell("variable_length", "n", 3);
	tell("variable_length", "m", 2);
	total += variable_length((int)opaque(3), (int)opaque(2));
	tell("dimensions", "n", 12);
	total += dimensions((int)opaque(12));
	tell("taken_apart", "n", 1000);
	total += taken_apart(opaque(1000));
	tell("taken_apart", "n", -6);
	total += taken_apart(opaque(-6));
	tell("sum_of", "count", 6);
	total += sum_of(table, (int)opaque(6));
	tell("flexible", "n", 5);
	total += flexible((int)opaque(5));
	tell("on_the_stack", "n", 4);
	total += on_the_stack(opaque(4));
	return total;
}

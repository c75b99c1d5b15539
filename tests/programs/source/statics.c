// SPDX-License-Identifier: GPL-2.0-or-later
/* Static variables: of two files by one name, of functions, constant, of structures; globals of another file. */
#include "program.h"

struct state {
	int level;
	unsigned int flags : 5, rest : 11;
	const char *name;
	struct state *next;
};

static int same_name = 111;
static struct state tail = { .level = 2, .flags = 17, .rest = 1025, .name = "tail" };
static struct state head = { .level = 1, .flags = 30, .rest = 7, .name = "head", .next = &tail };
static const long never_changes = 0x123456789;
static unsigned char bytes[5] = { 9, 8, 7, 6, 5 };
long global_here = -55;
extern int global_there;
extern struct state *elsewhere;

static NOINLINE int counter(int by)
{
	static int count = 10;
	static bool started;
	int before = count;

	if (!started)
		started = opaque(1);
	count += by;
	opaque(before);
	return count;
}

static NOINLINE long walk(struct state *state)
{
	long sum = 0;

	for (; state; state = state->next) {
		extern int global_there;

		sum += state->level + state->flags * (int)opaque(state->rest);
		sum += global_there;
		bytes[state->level]++;
	}
	return sum + never_changes;
}

long statics(void)
{
	long total = 0;

	same_name += (int)opaque(1);
	tell("counter", "by", 3);
	total += counter((int)opaque(3));
	tell("counter", "by", -20);
	total += counter((int)opaque(-20));
	elsewhere = &tail;
	total += walk(&head);
	global_here += opaque(total);
	return total + same_name;
}

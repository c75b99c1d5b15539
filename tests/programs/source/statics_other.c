// SPDX-License-Identifier: GPL-2.0-or-later
/* The other file: the same names mean other variables. */
#include "program.h"

struct state {
	long long other_layout;
	short level;
};

static long same_name = -222;
static struct state head = { .other_layout = -1, .level = 77 };
int global_there = 4321;
void *elsewhere;
extern long global_here;

static NOINLINE long counter(long by)
{
	static long count = -10;
	struct state *state = &head;

	count -= opaque(by);
	state->level += (short)count;
	return count + state->other_layout;
}

long statics_other(void)
{
	long total;

	same_name -= opaque(2);
	tell("counter", "by", -224);
	total = counter(same_name);
	tell("counter", "by", 3);
	return total + counter(3) + global_here + head.level;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The stand-in for a kernel: a program that prints its variables, so that a probe can be held to what it says. */
#include <stdio.h>
#include "ledger.h"

/* localvar tells the load slide by this symbol, which every kernel has. */
char init_task[1];

__attribute__((noinline)) long transfer(struct account *from, struct account *to, long amount)
{
	long fee = amount / 100 + 3;
	long total = amount + fee;

	if (from->balance < total)
		from->overdrafts++;
	printf("owner=%s amount=%ld fee=%ld total=%ld balance=%ld overdrafts=%u\n",
	       from->owner, amount, fee, total, from->balance, from->overdrafts);
	from->balance -= total;
	to->balance += amount;
	return fee;
}

int main(void)
{
	struct account one = { "Ada", 1000, 0 }, two = { "Grace", 20, 0 };
	long fees = 0;

	for (long amount = 50; amount < 5000; amount *= 3)
		fees += transfer(&one, &two, amount);
	fees += transfer(&two, &one, -7);
	return fees == 0;
}

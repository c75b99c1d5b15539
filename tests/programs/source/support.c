// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "program.h"

void tell(const char *function, const char *variable, long value)
{
	printf("%s %s %ld\n", function, variable, value);
}

long opaque(long value)
{
	return value;
}

void use(const void *object)
{
	__asm__ volatile("" : : "r"(object) : "memory");
}

void stop(void)
{
	abort();
}

/* All registers that a call may change are changed: what is read afterwards is not what was left there. */
#define SPOIL() __asm__ volatile("mov $-1, %%rdi; mov $-2, %%rsi; mov $-3, %%rdx; mov $-4, %%rcx; mov $-5, %%r8; mov $-6, %%r9" \
				 : : : "rdi", "rsi", "rdx", "rcx", "r8", "r9")

long call_two(long (*function)(long, long), long a, long b)
{
	long result = function(a, b);

	SPOIL();
	return result;
}

long call_six(long (*function)(long, long, long, long, long, long), const long *arguments)
{
	long result = function(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);

	SPOIL();
	return result;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs share.  support.c is compiled without debug info: nobody sees through it. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#define NOINLINE __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))
#define COLD __attribute__((cold, noinline))

/* Says what a variable of a function, never assigned again, holds from now on; called before the function is. */
void tell(const char *function, const char *variable, long value);

/* Its argument, as far as the compiler knows anything. */
long opaque(long value);
void use(const void *object);
void stop(void) __attribute__((cold, noreturn));

/* Calls from where debug info knows no call site. */
long call_two(long (*function)(long, long), long a, long b);
long call_six(long (*function)(long, long, long, long, long, long), const long *arguments);

long aggregates(void);
long arrays(void);
long blocks(void);
long calls(void);
long constants(void);
long entries(void);
long frames(void);
long inlining(void);
long scalars(void);
long statics(void);
long statics_other(void);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>
#include "gives.h"

RETURNED(s8, "%d", it);
RETURNED(u8, "%d", it);
RETURNED(s16, "%d", it);
RETURNED(u16, "%d", it);
RETURNED(int, "%d", it);
RETURNED(u32, "%u", it);
RETURNED(s64, "%lld", it);
RETURNED(bool, "%d", it);
RETURNED(way, "%d", it);
RETURNED(pointer, "%ld", (long)it);
RETURNED(int128, "%lld", (s64)(it >> 66));
RETURNED(small, "%ld", it.a * 10000L + it.b * 100 + it.c);
RETURNED(mixed, "%ld", it.a * 1000000L + it.b * 10 + it.c);
RETURNED(twelve, "%ld", it.a[0] * 10000L + it.a[1] * 100 + it.a[2]);
RETURNED(sixteen, "%lld", it.a * 100000000LL + it.b * 10000 + it.c * 100 + it.d);
RETURNED(large, "%lld", it.a * 100000000LL + it.b.a * 1000000 + it.b.b * 10000 + it.c * 100 + it.d);
RETURNED(union, "%u", it.a);

static int void_at_end(struct pt_regs *regs, void *buf, int bufsize)
{
	return SHOW(nothing, "%d", 0);
}
LOCALVAR_PROBE(void_at_end, "gives:give_nothing%return");

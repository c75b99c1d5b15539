// SPDX-License-Identifier: GPL-2.0-or-later
/* In the middle of transfer(): the line that takes the money away, and the function's first instruction. */
#include <linux/module.h>
#include <localvar.h>
#include "ledger.h"

static int show_transfer(struct pt_regs *regs, void *buf, int bufsize)
{
	struct account *from = GET_LOCAL_VAR(from);

	return scnprintf(buf, bufsize, "owner=%s amount=%ld fee=%ld total=%ld balance=%ld overdrafts=%u",
			 from->owner, GET_LOCAL_VAR(amount, long), GET_LOCAL_VAR(fee), GET_LOCAL_VAR(total),
			 GET_LOCAL_VAR(from->balance), GET_LOCAL_VAR(from->overdrafts));
}
LOCALVAR_PROBE(show_transfer, "kernel.statement(\"transfer@ledger.c+9\")");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");

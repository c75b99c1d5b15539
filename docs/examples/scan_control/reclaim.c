// SPDX-License-Identifier: GPL-2.0-only
/*
 * What kswapd sets out to do: struct scan_control is private to mm/vmscan.c, no
 * header has it.  localvar writes its definition from debug info.
 */
#include <linux/mmzone.h>
#include <linux/module.h>
#include <localvar.h>

static int on_restart(struct pt_regs *regs, void *buf, int bufsize)
{
	struct scan_control sc = GET_LOCAL_VAR(sc);

	return scnprintf(buf, bufsize, "node=%d order=%d priority=%d may_unmap=%u reclaimed=%lu",
			 GET_LOCAL_VAR(pgdat->node_id), sc.order, sc.priority, sc.may_unmap,
			 GET_LOCAL_VAR(sc.nr_reclaimed));
}
LOCALVAR_PROBE(on_restart, "kernel.function(\"balance_pgdat@mm/vmscan.c\").label(\"restart\")");

LOCALVAR_MODULE();
MODULE_DESCRIPTION("localvar example: a variable whose type is private to a C file");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What kswapd sets out to do, and how far reclaim has come: struct scan_control
 * is private to mm/vmscan.c, no header has it.  localvar writes its definition from debug info.
 */
#include <linux/mmzone.h>
#include <linux/module.h>
#include <localvar.h>

static int on_restart(struct pt_regs *regs, void *buf, int bufsize)
{
	struct scan_control sc = GET_LOCAL_VAR(sc);

	return scnprintf(buf, bufsize, "node=%d order=%d priority=%d may_unmap=%u gfp=%u reclaimed=%lu",
			 GET_LOCAL_VAR(pgdat->node_id), sc.order, sc.priority, sc.may_unmap,
			 sc.gfp_mask, GET_LOCAL_VAR(sc.nr_reclaimed));
}
LOCALVAR_PROBE(on_restart, "kernel.function(\"balance_pgdat@mm/vmscan.c\").label(\"restart\")");

/* Each round, of whoever reclaims: how far it has come. */
static int on_shrink(struct pt_regs *regs, void *buf, int bufsize)
{
	struct scan_control *sc = GET_LOCAL_VAR(sc);

	return scnprintf(buf, bufsize, "priority=%d want=%lu reclaimed=%lu scanned=%lu writepage=%u taken=%u slab=%lu",
			 sc->priority, sc->nr_to_reclaim, sc->nr_reclaimed, sc->nr_scanned,
			 sc->may_writepage, sc->nr.file_taken, sc->reclaim_state.reclaimed_slab);
}
LOCALVAR_PROBE(on_shrink, "kernel.function(\"shrink_node\").call");

LOCALVAR_MODULE();
MODULE_DESCRIPTION("localvar example: a variable whose type is private to a C file");
MODULE_LICENSE("GPL");

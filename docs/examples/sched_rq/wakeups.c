// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which task becomes runnable beside which: struct rq and struct cfs_rq are
 * private to the scheduler (kernel/sched/sched.h), no kernel package ships them.
 */
#include <linux/module.h>
#include <linux/sched.h>
#include <localvar.h>

static int on_enqueue(struct pt_regs *regs, void *buf, int bufsize)
{
	struct rq *rq = GET_LOCAL_VAR(rq); /* its lock is held here */
	struct task_struct *woken = GET_LOCAL_VAR(p);

	return scnprintf(buf, bufsize, "cpu=%d running=%u fair=%u switches=%llu weight=%lu curr=%d woken=%d",
			 rq->cpu, rq->nr_running, rq->cfs.nr_running, rq->nr_switches,
			 GET_LOCAL_VAR(rq->cfs.load.weight), rq->curr->pid, woken->pid);
}
LOCALVAR_PROBE(on_enqueue, "kernel.function(\"enqueue_task_fair\").call");

LOCALVAR_MODULE();
MODULE_DESCRIPTION("localvar example: the scheduler's private run queue");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handler of the 2005 mail, on a kernel of today: which address faulted,
 * in whose task.
 *
 * do_page_fault() of the mail is do_user_addr_fault() now, where the kernel
 * refuses probes (NOKPROBE_SYMBOL).  What it calls can be probed: handle_mm_fault()
 * for each fault, __bad_area_nosemaphore() for those that end in a signal.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <localvar.h>

static int begin(void)
{
	pr_info("page_fault: watching\n");
	return 0;
}
LOCALVAR_BEGIN(begin);

static int fault(struct pt_regs *regs, void *buf, int bufsize)
{
	unsigned long address = GET_LOCAL_VAR(address, unsigned long);
	unsigned int flags = GET_LOCAL_VAR(flags);

	return scnprintf(buf, bufsize, "pid=%d uid=%u address=%lx %s", current->pid,
			 from_kuid(&init_user_ns, current_uid()), address,
			 flags & FAULT_FLAG_WRITE ? "write" : "read");
}
LOCALVAR_PROBE(fault, "kernel.function(\"handle_mm_fault\")");

/* In 6.1 this is the line behind the declarations: tsk is known there. */
static int bad_area(struct pt_regs *regs, void *buf, int bufsize)
{
	struct task_struct *task = GET_LOCAL_VAR(tsk);
	unsigned long address = GET_LOCAL_VAR(address);

	if (uid_eq(task_uid(task), GLOBAL_ROOT_UID))
		return 0;
	return scnprintf(buf, bufsize, "pid=%d uid=%u address=%lx error_code=%lx", task->pid,
			 from_kuid(&init_user_ns, task_uid(task)), address,
			 GET_LOCAL_VAR(error_code));
}
LOCALVAR_PROBE(bad_area, "kernel.statement(\"__bad_area_nosemaphore@arch/x86/mm/fault.c:818\")");

static void end(void)
{
	pr_info("page_fault: done\n");
}
LOCALVAR_END(end);

LOCALVAR_MODULE();
MODULE_DESCRIPTION("localvar example: page faults by task");
MODULE_LICENSE("GPL");

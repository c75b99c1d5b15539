// SPDX-License-Identifier: GPL-2.0-only
/* Kprobes at given addresses that record all general registers; what gdb must see there as well. */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/trace.h>
#include <linux/version.h>

#define MAX_SITES 16

static unsigned long sites[MAX_SITES];
static unsigned int nr_sites;
module_param_array(sites, ulong, &nr_sites, 0);
MODULE_PARM_DESC(sites, "addresses to probe");

static struct trace_array *trace;
static struct kprobe probes[MAX_SITES];
static struct kprobe *pointers[MAX_SITES];

static int record(struct kprobe *probe, struct pt_regs *r)
{
	trace_array_printk(trace, _THIS_IP_,
			   "site=%ld rax=%lx rbx=%lx rcx=%lx rdx=%lx rsi=%lx rdi=%lx rbp=%lx rsp=%lx "
			   "r8=%lx r9=%lx r10=%lx r11=%lx r12=%lx r13=%lx r14=%lx r15=%lx\n",
			   (long)(probe - probes), r->ax, r->bx, r->cx, r->dx, r->si, r->di, r->bp, r->sp,
			   r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15);
	return 0;
}

static int __init record_registers_init(void)
{
	unsigned int i;
	int err;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	trace = trace_array_get_by_name("record_registers", NULL);
#else
	trace = trace_array_get_by_name("record_registers");
#endif
	if (!trace)
		return -ENOMEM;
	for (i = 0; i < nr_sites; i++) {
		probes[i].addr = (kprobe_opcode_t *)sites[i];
		probes[i].pre_handler = record;
		pointers[i] = &probes[i];
	}
	err = trace_array_init_printk(trace);
	if (!err)
		err = register_kprobes(pointers, nr_sites);
	if (err)
		trace_array_put(trace);
	return err;
}
module_init(record_registers_init);

static void __exit record_registers_exit(void)
{
	unregister_kprobes(pointers, nr_sites);
	trace_array_put(trace);
	trace_array_destroy(trace);
}
module_exit(record_registers_exit);

MODULE_LICENSE("GPL");

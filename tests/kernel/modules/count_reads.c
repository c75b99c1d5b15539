// SPDX-License-Identifier: GPL-2.0-only
/* A kprobe on vfs_read written by hand: records its parameter count, and how often, for the harness to bring back. */
#include <linux/debugfs.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/trace.h>
#include <linux/version.h>

static struct trace_array *trace;
static struct dentry *counters;
static u32 hits;

static int record(struct kprobe *probe, struct pt_regs *regs)
{
	hits++;
	trace_array_printk(trace, _THIS_IP_, "count=%lu\n", regs->dx);
	return 0;
}

static struct kprobe probe = { .symbol_name = "vfs_read", .pre_handler = record };

static int __init count_reads_init(void)
{
	int err;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	trace = trace_array_get_by_name("count_reads", NULL);
#else
	trace = trace_array_get_by_name("count_reads");
#endif
	if (!trace)
		return -ENOMEM;
	err = trace_array_init_printk(trace);
	if (!err)
		err = register_kprobe(&probe);
	if (err) {
		trace_array_put(trace);
		return err;
	}
	counters = debugfs_create_dir("count_reads", NULL);
	debugfs_create_u32("hits", 0444, counters, &hits);
	return 0;
}
module_init(count_reads_init);

static void __exit count_reads_exit(void)
{
	unregister_kprobe(&probe);
	debugfs_remove(counters);
	trace_array_put(trace);
	trace_array_destroy(trace);
}
module_exit(count_reads_exit);

MODULE_LICENSE("GPL");

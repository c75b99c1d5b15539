// SPDX-License-Identifier: GPL-2.0-only
/* Plain kprobes and kretprobes of an expanded file, registered twice each. */
#include <linux/atomic.h>
#include <linux/module.h>
#include <localvar.h>
#include "places.h"

static struct localvar_entry entry = { .address = VFS_READ, .name = "vfs_read" };

static unsigned long cfa(const struct pt_regs *regs)
{
	return regs->sp + VFS_READ_FRAME;
}

static struct localvar_place places[] = {
	{ .self = &places[0],
	  .site = { .address = IOPRIO_GET, .name = "ioprio_get+0x0", .variant = 7 } },
	{ .self = &places[1],
	  .site = { .address = VFS_READ_LEAVES, .name = "vfs_read (end)", .entry = &entry,
		    .cfa = cfa } },
	{ .self = &places[2],
	  .site = { .address = IOPRIO_GET, .name = "ioprio_get", .variant = 9,
		    .kind = LOCALVAR_RETURN } },
};

static atomic_t by_name_hits, by_place_hits, return_hits, read_known, wrong;

static int by_name(struct kprobe *kp, struct pt_regs *regs)
{
	atomic_inc(&by_name_hits);
	atomic_add(!!localvar_hit(), &wrong);
	return 0;
}

static int by_place(struct kprobe *kp, struct pt_regs *regs)
{
	atomic_inc(&by_place_hits);
	atomic_add(localvar_variant(regs) != 7, &wrong);
	return 0;
}

static int at_end(struct kprobe *kp, struct pt_regs *regs)
{
	atomic_add(localvar_entry_regs()->dx == 1409, &read_known);
	return 0;
}

static int at_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	atomic_inc(&return_hits);
	atomic_add(localvar_variant(regs) != 9 || (long)regs_return_value(regs) != -ESRCH, &wrong);
	return 0;
}

static struct kprobe by_name_kp = { .symbol_name = IOPRIO_GET_NAME, .pre_handler = by_name };
static struct kprobe by_place_kp = { .addr = LOCALVAR_PLACE(&places[0]), .pre_handler = by_place };
static struct kprobe at_end_kp = { .addr = LOCALVAR_PLACE(&places[1]), .pre_handler = at_end };
static struct kretprobe return_rp = {
	.kp = { .addr = LOCALVAR_PLACE(&places[2]) }, .handler = at_return,
};

static struct kprobe *kps[] = { &by_place_kp, &at_end_kp };

static int __init plain_init(void)
{
	int i, err;

	for (i = 0; i < 2; i++) {
		if (i) {
			unregister_kprobes(kps, 2);
			unregister_kretprobe(&return_rp);
		}
		err = register_kprobes(kps, 2);
		if (!err)
			err = register_kretprobe(&return_rp);
		if (err)
			return err;
	}
	return register_kprobe(&by_name_kp);
}

static void __exit plain_exit(void)
{
	unregister_kprobes(kps, 2);
	unregister_kretprobe(&return_rp);
	unregister_kprobe(&by_name_kp);
	pr_info("plain: by_name=%u by_place=%u return=%u read_known=%u wrong=%u\n",
		atomic_read(&by_name_hits), atomic_read(&by_place_hits), atomic_read(&return_hits),
		atomic_read(&read_known), atomic_read(&wrong));
}

module_init(plain_init);
module_exit(plain_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test of localvar");

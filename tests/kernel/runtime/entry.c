// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entry capture against an oracle: functions that call themselves, sleep, move
 * between CPUs and jump to each other; at each site the registers hold what the
 * function was really called with, and its CFA.
 *
 * /sys/kernel/debug/entry_test/run:	"recurse N", "hop N", "hold MS"
 * /sys/kernel/debug/entry_test/armed:	1 or 0
 * /sys/kernel/debug/entry_test/passes:	how often any site was passed
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <localvar.h>
#include "places.h"

static int maxactive;
module_param(maxactive, int, 0);

static atomic_t passes;

#define SITE(name, a, b) do {							\
	asm volatile(name ": nop" : : "a" (__builtin_dwarf_cfa()), "d" (a), "c" (b));	\
	atomic_inc(&passes);							\
} while (0)

extern const char recurse_site[], hop_site[], hold_site[];

static void pause_now_and_then(unsigned int key)
{
	if (key % 7 == 0)
		usleep_range(20, 200);
	else if (key % 3 == 0)
		cond_resched();
}

static noinline __attribute__((__noipa__)) int recurse(int depth, int key)
{
	int ret = 0;

	if (depth)
		ret = recurse(depth - 1, key * 31 + depth);
	pause_now_and_then(key);
	SITE("recurse_site", depth, key);
	return ret + key;
}

int hop_back(int n, int key);

/* These two leave by a jump to each other: all their frames have one CFA. */
static noinline __attribute__((__noipa__)) int hop(int n, int key)
{
	pause_now_and_then(key);
	SITE("hop_site", n, key);
	return n ? hop_back(n - 1, key * 31 + n) : key;
}

noinline __attribute__((__noipa__)) int hop_back(int n, int key)
{
	return hop(n, key + 1);
}

static noinline __attribute__((__noipa__)) int hold(int ms, int key)
{
	msleep(ms);
	SITE("hold_site", ms, key);
	return key;
}

static struct localvar_entry entries[3] = {
	{ .name = "recurse" }, { .name = "hop" }, { .name = "hold" },
};

static unsigned long cfa(const struct pt_regs *regs)
{
	return regs->ax;
}

/* Records only what must never happen. */
static int check(struct pt_regs *regs, void *buf, int bufsize)
{
	const struct pt_regs *entry = localvar_entry_regs();

	if ((int)entry->di == (int)regs->dx && (int)entry->si == (int)regs->cx)
		return 0;
	return scnprintf(buf, bufsize, "%s: wrong: %d, %d for %d, %d", localvar_hit()->site->name,
			 (int)entry->di, (int)entry->si, (int)regs->dx, (int)regs->cx);
}

static struct localvar_site sites[3] = {
	{ .name = "recurse", .entry = &entries[0], .cfa = cfa },
	{ .name = "hop", .entry = &entries[1], .cfa = cfa },
	{ .name = "hold", .entry = &entries[2], .cfa = cfa },
};

static struct localvar_probe check_probe = {
	.name = "check", .handler = check,
	.sites = sites, .nr_sites = 3, .kernel = &localvar_kernel,
};

static ssize_t run_write(struct file *file, const char __user *from, size_t size, loff_t *pos)
{
	char text[32] = "";
	int n;

	if (size >= sizeof(text) || copy_from_user(text, from, size))
		return -EINVAL;
	if (sscanf(text, "recurse %d", &n) == 1)
		recurse(n, current->pid);
	else if (sscanf(text, "hop %d", &n) == 1)
		hop(n, current->pid);
	else if (sscanf(text, "hold %d", &n) == 1)
		hold(n, current->pid);
	else
		return -EINVAL;
	return size;
}

static const struct file_operations run_fops = { .owner = THIS_MODULE, .write = run_write };

static bool armed;

static int armed_set(void *unused, u64 on)
{
	int err = 0;

	if (on == armed)
		return 0;
	if (on)
		err = localvar_register_probe(&check_probe);
	else
		localvar_unregister_probe(&check_probe);
	if (!err)
		armed = on;
	return err;
}
DEFINE_DEBUGFS_ATTRIBUTE(armed_fops, NULL, armed_set, "%llu\n");

static struct dentry *dir;

static int __init entry_init(void)
{
	static const void * const functions[] = { recurse, hop, hold };
	static const char * const labels[] = { recurse_site, hop_site, hold_site };
	int i;

	for (i = 0; i < 3; i++) {
		sites[i].address = (unsigned long)labels[i] - localvar_slide(&localvar_kernel);
		entries[i].address = (unsigned long)functions[i] -
				     localvar_slide(&localvar_kernel);
		entries[i].maxactive = maxactive;
	}
	dir = debugfs_create_dir("entry_test", NULL);
	debugfs_create_file("run", 0200, dir, NULL, &run_fops);
	debugfs_create_file_unsafe("armed", 0200, dir, NULL, &armed_fops);
	debugfs_create_atomic_t("passes", 0400, dir, &passes);
	return 0;
}

static void __exit entry_exit(void)
{
	debugfs_remove(dir);
	armed_set(NULL, 0);
}

module_init(entry_init);
module_exit(entry_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test of localvar");

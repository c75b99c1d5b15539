// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entry capture holds only while each entry is seen. The kernel has two switches
 * that silence kprobes behind our back:
 *
 * kernel.ftrace_enabled stays on while a permanent ftrace_ops is there; the kernel
 * then answers -EBUSY, as it does for live patches.
 *
 * /sys/kernel/debug/kprobes/enabled is watched by that ftrace_ops, since kprobes
 * cannot watch it themselves: once somebody writes to it, no captured entry counts
 * as proven any more, until the last probe that needs one is registered anew.
 */

static bool localvar_silenced;

#if defined(CONFIG_DYNAMIC_FTRACE) && LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
static unsigned int localvar_watchers;

static void notrace localvar_at_switch(unsigned long ip, unsigned long parent_ip,
				       struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	WRITE_ONCE(localvar_silenced, true);
}

static struct ftrace_ops localvar_watch_ops = {
	.func = localvar_at_switch,
	.flags = FTRACE_OPS_FL_PERMANENT,
};

static int localvar_watch(void)
{
	static unsigned char name[] = "write_enabled_file_bool";
	int err;

	if (localvar_watchers++)
		return 0;
	localvar_silenced = false;
	err = ftrace_set_filter(&localvar_watch_ops, name, strlen(name), 1);
	if (!err)
		err = register_ftrace_function(&localvar_watch_ops);
	if (err) {
		localvar_err("cannot watch kprobes by ftrace: error %d", err);
		localvar_watchers--;
	}
	return err;
}

static void localvar_unwatch(void)
{
	if (!--localvar_watchers)
		unregister_ftrace_function(&localvar_watch_ops);
}
#else
static int localvar_watch(void)
{
	return -EOPNOTSUPP;
}

static void localvar_unwatch(void)
{
}
#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers that a function had at its entry, for a site inside of it.
 *
 * A kretprobe keeps them in its instance, which the kernel keeps in a list of the
 * task from the entry until that very activation returns. A site finds its own
 * activation by its CFA: recursion, preemption and migration do not matter, and
 * the frames that were there before the probe are not in the list.
 *
 * One activation can end and another begin at the same CFA without a return
 * between them: by a tail call. Then the newer instance comes first in the list;
 * and where it has none, because all were taken, the older one must not stand in
 * for it: each entry, before anything else, forgets what was there at its CFA.
 */

#ifndef LOCALVAR_MAXACTIVE
#define LOCALVAR_MAXACTIVE	256
#endif

struct localvar_capture {
	unsigned long cfa;
	bool forgotten;
	struct pt_regs regs;
};

#ifdef CONFIG_KRETPROBE_ON_RETHOOK
#define localvar_instances()	(current->rethooks.first)
#define localvar_instance(n)	container_of(n, struct kretprobe_instance, node.llist)
#define localvar_is_of(ri, kr)	((ri)->node.rethook == (kr)->rh)
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
#define localvar_instances()	(current->kretprobe_instances.first)
#define localvar_instance(n)	container_of(n, struct kretprobe_instance, llist)
#define localvar_is_of(ri, kr)	((ri)->rph == (kr)->rph)
#else
/* The kernel does not show its list: localvar_watch() refuses. */
#define localvar_instances()	((struct llist_node *)NULL)
#define localvar_instance(n)	((struct kretprobe_instance *)(n))
#define localvar_is_of(ri, kr)	((ri)->rp == (kr))
#define get_kretprobe(ri)	((ri)->rp)
#endif

/* What the youngest instance at @cfa holds; only the task itself changes its list. */
static struct localvar_capture *localvar_capture(struct localvar_entry *entry,
						 unsigned long cfa)
{
	struct localvar_capture *capture;
	struct kretprobe_instance *ri;
	struct llist_node *node;

	llist_for_each(node, localvar_instances()) {
		ri = localvar_instance(node);
		if (!localvar_is_of(ri, &entry->rp))
			continue;
		capture = (struct localvar_capture *)ri->data;
		if (capture->cfa == cfa)
			return capture;
	}
	return NULL;
}
NOKPROBE_SYMBOL(localvar_capture);

static const struct pt_regs *localvar_find_entry(struct localvar_entry *entry,
						 unsigned long cfa)
{
	struct localvar_capture *capture = localvar_capture(entry, cfa);

	if (!capture || capture->forgotten || READ_ONCE(localvar_silenced))
		return NULL;
	return &capture->regs;
}
NOKPROBE_SYMBOL(localvar_find_entry);

static int localvar_forget(struct kprobe *kp, struct pt_regs *regs)
{
	struct localvar_entry *entry = container_of(kp, struct localvar_entry, forget);
	struct localvar_capture *capture = localvar_capture(entry, localvar_entry_cfa(regs));

	if (capture)
		capture->forgotten = true;
	return 0;
}
NOKPROBE_SYMBOL(localvar_forget);

static int localvar_at_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct localvar_capture *capture = (struct localvar_capture *)ri->data;

	capture->cfa = localvar_entry_cfa(regs);
	capture->forgotten = false;
	capture->regs = *regs;
	return 0;
}
NOKPROBE_SYMBOL(localvar_at_entry);

static int localvar_register_entry(struct localvar_entry *entry)
{
	int err;

	err = localvar_watch();
	if (err)
		return err;
	err = register_kretprobe(&entry->rp);
	if (err)
		goto unwatch;
	/* The kernel calls the one first that was registered last. */
	err = register_kprobe(&entry->forget);
	if (err)
		goto unregister;
	return 0;

unregister:
	unregister_kretprobe(&entry->rp);
unwatch:
	localvar_unwatch();
	return err;
}

static int localvar_get_entry(struct localvar_entry *entry, const struct localvar_kernel *kernel)
{
	kprobe_opcode_t *address =
		(void *)localvar_address(kernel, entry->section, entry->address);
	int err;

	if (entry->users++)
		return 0;

	memset(&entry->rp, 0, sizeof(entry->rp));
	entry->rp.kp.addr = address;
	entry->rp.entry_handler = localvar_at_entry;
	entry->rp.data_size = sizeof(struct localvar_capture);
	entry->rp.maxactive = entry->maxactive ?: LOCALVAR_MAXACTIVE;
	memset(&entry->forget, 0, sizeof(entry->forget));
	entry->forget.addr = address;
	entry->forget.pre_handler = localvar_forget;

	err = localvar_register_entry(entry);
	if (err) {
		localvar_err("the entry of %s cannot be armed: error %d", entry->name, err);
		entry->users--;
	}
	return err;
}

/* Whether this was the last user; localvar_unregister_entries() then takes it. */
static bool localvar_put_entry(struct localvar_entry *entry)
{
	return !--entry->users;
}

/* First what captures, then what forgets. */
static void localvar_unregister_entries(struct kretprobe **rps, struct kprobe **forgets,
					unsigned int nr)
{
	unregister_kretprobes(rps, nr);
	unregister_kprobes(forgets, nr);
	while (nr--)
		localvar_unwatch();
}

#ifdef CONFIG_X86_64
/**
 * localvar_return_address() - where the function with this frame returns to
 * @cfa: the frame's canonical frame address
 *
 * Kretprobes put their own address in its place and remember the real one.
 *
 * Return: the address; 0 where it cannot be read.
 */
unsigned long localvar_return_address(unsigned long cfa)
{
	unsigned long slot = cfa - sizeof(unsigned long);
	unsigned long address;
	struct llist_node __maybe_unused *node;

	localvar_try_read(&address, (void *)slot, sizeof(address));
#ifdef CONFIG_KRETPROBE_ON_RETHOOK
	/* The oldest hook of this frame has it. */
	llist_for_each(node, localvar_instances()) {
		struct rethook_node *hook = container_of(node, struct rethook_node, llist);

		if (hook->frame == slot)
			address = hook->ret_addr;
	}
#endif
	return address;
}
NOKPROBE_SYMBOL(localvar_return_address);
#endif

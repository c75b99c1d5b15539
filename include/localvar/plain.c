// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plain kprobes whose place is a PROBE_LOCATION(). The kernel calls their
 * handler through ours, so that accessors know the hit.
 */

static DEFINE_MUTEX(localvar_plain_mutex);
static LIST_HEAD(localvar_places);

/* The place of a kprobe that is not registered yet; NULL: it has an ordinary one. */
static struct localvar_place *localvar_place(struct kprobe *kp)
{
	struct localvar_place *place = (struct localvar_place *)kp->addr;

	return place && within_module_core((unsigned long)place, THIS_MODULE) &&
	       place->self == place ? place : NULL;
}

/* Preemption is off, and a place leaves only after its last handler. */
static struct localvar_place *localvar_place_of(struct kprobe *kp)
{
	struct localvar_place *place;

	list_for_each_entry_rcu(place, &localvar_places, list)
		if (place->kp == kp)
			return place;
	return NULL;
}
NOKPROBE_SYMBOL(localvar_place_of);

static int localvar_at_place(struct kprobe *kp, struct pt_regs *regs)
{
	struct localvar_place *place = localvar_place_of(kp);
	struct localvar_hit hit = { };
	int ret = 0;

	if (!place || localvar_hit())
		return 0;
	hit.site = &place->site;
	this_cpu_write(localvar_current, &hit);
	if (!place->site.proven || place->site.proven(regs))
		ret = place->pre_handler(kp, regs);
	this_cpu_write(localvar_current, NULL);
	return ret;
}
NOKPROBE_SYMBOL(localvar_at_place);

static void localvar_take_place(struct localvar_place *place, struct kprobe *kp,
				const struct localvar_kernel *kernel)
{
	place->kp = kp;
	place->pre_handler = kp->pre_handler;
	kp->addr = (kprobe_opcode_t *)(place->site.address + localvar_slide(kernel));
	if (kp->pre_handler)
		kp->pre_handler = localvar_at_place;
	mutex_lock(&localvar_plain_mutex);
	list_add_rcu(&place->list, &localvar_places);
	mutex_unlock(&localvar_plain_mutex);
}

/* Once its kprobe is gone: as it was before, so that it can be registered again. */
static void localvar_leave_place(struct kprobe *kp)
{
	struct localvar_place *place;

	mutex_lock(&localvar_plain_mutex);
	list_for_each_entry(place, &localvar_places, list) {
		if (place->kp != kp)
			continue;
		list_del_rcu(&place->list);
		kp->addr = LOCALVAR_PLACE(place);
		kp->pre_handler = place->pre_handler;
		break;
	}
	mutex_unlock(&localvar_plain_mutex);
}

/**
 * localvar_register_kprobe() - register_kprobe() of an expanded file
 * @kernel: the kernel that the file was expanded for
 * @kp: the kprobe
 *
 * Return: as register_kprobe(); -ENOEXEC in another kernel.
 */
int localvar_register_kprobe(const struct localvar_kernel *kernel, struct kprobe *kp)
{
	struct localvar_place *place = localvar_place(kp);
	int err = localvar_check_kernel(kernel);

	if (err)
		return err;
	if (place)
		localvar_take_place(place, kp, kernel);
	err = register_kprobe(kp);
	if (err && place) {
		localvar_err("kprobe cannot be armed at %s: error %d", place->site.name, err);
		localvar_leave_place(kp);
	}
	return err;
}

/**
 * localvar_unregister_kprobe() - unregister_kprobe() of an expanded file
 * @kp: the kprobe
 */
void localvar_unregister_kprobe(struct kprobe *kp)
{
	unregister_kprobe(kp);
	localvar_leave_place(kp);
}

/**
 * localvar_register_kprobes() - register_kprobes() of an expanded file
 * @kernel: the kernel that the file was expanded for
 * @kps: the kprobes
 * @nr: how many
 *
 * Return: as register_kprobes(); -ENOEXEC in another kernel.
 */
int localvar_register_kprobes(const struct localvar_kernel *kernel,
			      struct kprobe **kps, int nr)
{
	int i, err = nr > 0 ? 0 : -EINVAL;

	for (i = 0; !err && i < nr; i++)
		err = localvar_register_kprobe(kernel, kps[i]);
	if (err && i)
		localvar_unregister_kprobes(kps, i - 1);
	return err;
}

/**
 * localvar_unregister_kprobes() - unregister_kprobes() of an expanded file
 * @kps: the kprobes
 * @nr: how many
 */
void localvar_unregister_kprobes(struct kprobe **kps, int nr)
{
	int i;

	unregister_kprobes(kps, nr);
	for (i = 0; i < nr; i++)
		localvar_leave_place(kps[i]);
}

/**
 * localvar_register_kretprobe() - register_kretprobe() of an expanded file
 * @kernel: the kernel that the file was expanded for
 * @rp: the kretprobe
 *
 * Return: as register_kretprobe(); -ENOEXEC in another kernel.
 */
int localvar_register_kretprobe(const struct localvar_kernel *kernel, struct kretprobe *rp)
{
	int err = localvar_check_kernel(kernel);

	return err ?: register_kretprobe(rp);
}

/**
 * localvar_register_kretprobes() - register_kretprobes() of an expanded file
 * @kernel: the kernel that the file was expanded for
 * @rps: the kretprobes
 * @nr: how many
 *
 * Return: as register_kretprobes(); -ENOEXEC in another kernel.
 */
int localvar_register_kretprobes(const struct localvar_kernel *kernel,
				 struct kretprobe **rps, int nr)
{
	int err = localvar_check_kernel(kernel);

	return err ?: register_kretprobes(rps, nr);
}

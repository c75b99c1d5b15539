// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plain kprobes and kretprobes. Where their place is a PROBE_LOCATION() the kernel
 * calls their handler through ours, so that accessors know the hit.
 */

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

	list_for_each_entry_rcu(place, &localvar_places, list,
				lockdep_is_held(&localvar_mutex))
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
	if (hit.site->entry)
		hit.entry_regs = localvar_find_entry(hit.site->entry, hit.site->cfa(regs));
	this_cpu_write(localvar_current, &hit);
	if (localvar_proven(&hit, regs))
		ret = place->pre_handler(kp, regs);
	this_cpu_write(localvar_current, NULL);
	return ret;
}
NOKPROBE_SYMBOL(localvar_at_place);

static int localvar_at_return_place(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct localvar_place *place = localvar_place_of(&get_kretprobe(ri)->kp);
	struct localvar_hit hit = { };
	int ret = 0;

	if (!place || localvar_hit())
		return 0;
	hit.site = &place->site;
	this_cpu_write(localvar_current, &hit);
	if (localvar_proven(&hit, regs))
		ret = place->handler(ri, regs);
	this_cpu_write(localvar_current, NULL);
	return ret;
}
NOKPROBE_SYMBOL(localvar_at_return_place);

/* Give back what localvar_prepare_place() got. */
static void localvar_release_place(struct localvar_site *site)
{
	if (site->has_entry && localvar_put_entry(site->entry)) {
		struct kretprobe *rp = &site->entry->rp;
		struct kprobe *forget = &site->entry->forget;

		localvar_unregister_entries(&rp, &forget, 1);
	}
	if (site->has_object)
		localvar_put_object(site->section->object);
	site->has_entry = false;
	site->has_object = false;
}

static int localvar_prepare_place(struct localvar_site *site, const struct localvar_kernel *kernel)
{
	int err;

	if (site->section) {
		err = localvar_get_object(site->section->object);
		if (err)
			return err;
		site->has_object = true;
		if (!site->section->object->there)
			return -ENOENT;
	}
	if (site->entry) {
		err = localvar_get_entry(site->entry, kernel);
		if (err)
			return err;
		site->has_entry = true;
	}
	return 0;
}

static int localvar_enter_place(struct localvar_place *place, struct kprobe *kp,
				struct kretprobe *rp, const struct localvar_kernel *kernel)
{
	struct localvar_site *site = &place->site;
	int err = localvar_prepare_place(site, kernel);

	if (err) {
		localvar_err("kprobe cannot be armed at %s: error %d", site->name, err);
		localvar_release_place(site);
		return err;
	}
	kp->addr = (kprobe_opcode_t *)localvar_address(kernel, site->section, site->address);
	place->kp = kp;
	place->flags = kp->flags;
	if (rp && rp->handler) {
		place->handler = rp->handler;
		rp->handler = localvar_at_return_place;
	} else if (!rp && kp->pre_handler) {
		place->pre_handler = kp->pre_handler;
		kp->pre_handler = localvar_at_place;
	}
	list_add_rcu(&place->list, &localvar_places);
	return 0;
}

/* Once its kprobe is gone: as it was before, so that it can be registered again. */
static void localvar_leave_place(struct kprobe *kp, struct kretprobe *rp)
{
	struct localvar_place *place;

	mutex_lock(&localvar_mutex);
	place = localvar_place_of(kp);
	if (place) {
		list_del_rcu(&place->list);
		kp->addr = LOCALVAR_PLACE(place);
		kp->flags = place->flags;
		if (rp && rp->handler)
			rp->handler = place->handler;
		else if (!rp && kp->pre_handler)
			kp->pre_handler = place->pre_handler;
		localvar_release_place(&place->site);
	}
	mutex_unlock(&localvar_mutex);
	if (place)
		localvar_unlisten();
}

static int localvar_take_place(struct kprobe *kp, struct kretprobe *rp,
			       const struct localvar_kernel *kernel)
{
	struct localvar_place *place = localvar_place(kp);
	int err;

	if (!place)
		return 0;
	err = localvar_listen();
	if (err)
		return err;
	mutex_lock(&localvar_mutex);
	err = localvar_enter_place(place, kp, rp, kernel);
	mutex_unlock(&localvar_mutex);
	if (err)
		localvar_unlisten();
	return err;
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
	int err = localvar_check_kernel(kernel);

	if (!err)
		err = localvar_take_place(kp, NULL, kernel);
	if (err)
		return err;
	err = register_kprobe(kp);
	if (err)
		localvar_leave_place(kp, NULL);
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
		localvar_leave_place(kps[i], NULL);
}

/**
 * localvar_unregister_kprobe() - unregister_kprobe() of an expanded file
 * @kp: the kprobe
 */
void localvar_unregister_kprobe(struct kprobe *kp)
{
	localvar_unregister_kprobes(&kp, 1);
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
	int i, err;

	if (nr <= 0)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		err = localvar_register_kprobe(kernel, kps[i]);
		if (err) {
			localvar_unregister_kprobes(kps, i);
			return err;
		}
	}
	return 0;
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

	if (!err)
		err = localvar_take_place(&rp->kp, rp, kernel);
	if (err)
		return err;
	err = register_kretprobe(rp);
	if (err)
		localvar_leave_place(&rp->kp, rp);
	return err;
}

/**
 * localvar_unregister_kretprobes() - unregister_kretprobes() of an expanded file
 * @rps: the kretprobes
 * @nr: how many
 */
void localvar_unregister_kretprobes(struct kretprobe **rps, int nr)
{
	int i;

	unregister_kretprobes(rps, nr);
	for (i = 0; i < nr; i++)
		localvar_leave_place(&rps[i]->kp, rps[i]);
}

/**
 * localvar_unregister_kretprobe() - unregister_kretprobe() of an expanded file
 * @rp: the kretprobe
 */
void localvar_unregister_kretprobe(struct kretprobe *rp)
{
	localvar_unregister_kretprobes(&rp, 1);
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
	int i, err;

	if (nr <= 0)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		err = localvar_register_kretprobe(kernel, rps[i]);
		if (err) {
			localvar_unregister_kretprobes(rps, i);
			return err;
		}
	}
	return 0;
}

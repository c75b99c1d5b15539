// SPDX-License-Identifier: GPL-2.0-only
/* From a hit to its handler. All of this runs with preemption off. */

DEFINE_PER_CPU(struct localvar_hit *, localvar_current);

/**
 * localvar_try_read() - read memory that may not be there
 * @to: where to copy it
 * @from: where it is
 * @size: how many bytes
 *
 * Return: whether it was there; where it was not, @to is all zero.
 */
bool localvar_try_read(void *to, const void *from, size_t size)
{
	if (!copy_from_kernel_nofault(to, from, size))
		return true;
	memset(to, 0, size);
	return false;
}
NOKPROBE_SYMBOL(localvar_try_read);

/**
 * localvar_read() - the same as localvar_try_read(), and count a fault
 * @to: where to copy it
 * @from: where it is
 * @size: how many bytes
 *
 * Return: whether it was there; where it was not, @to is all zero.
 */
bool localvar_read(void *to, const void *from, size_t size)
{
	struct localvar_hit *hit = localvar_hit();
	bool ok = localvar_try_read(to, from, size);

	if (!ok && hit && hit->probe)
		localvar_count(hit->probe, LOCALVAR_FAULTS, 1);
	return ok;
}
NOKPROBE_SYMBOL(localvar_read);

/* Is everything there that the handler reads? The hit is the current one. */
static bool localvar_proven(struct localvar_hit *hit, struct pt_regs *regs)
{
	const struct localvar_section *const *needs;
	struct localvar_site *site = hit->site;

	for (needs = site->needs; needs && *needs; needs++)
		if (!READ_ONCE((*needs)->base))
			return false;
	if (site->entry && !hit->entry_regs && !site->entry_optional)
		return false;
	return !site->proven || site->proven(regs);
}
NOKPROBE_SYMBOL(localvar_proven);

/*
 * Call the handler and record what it says. A hit inside of another one's
 * handler is missed, as the kernel's own kprobes have it.
 */
static void localvar_call(struct localvar_hit *hit, struct pt_regs *regs)
{
	struct localvar_probe *probe = hit->probe;
	struct localvar_site *site = hit->site;
	int size;

	if (!READ_ONCE(probe->live))
		return;
	if (localvar_hit()) {
		localvar_count(probe, LOCALVAR_MISSED, 1);
		return;
	}

	localvar_count(probe, LOCALVAR_HITS, 1);
	this_cpu_write(localvar_current, hit);
	if (!localvar_proven(hit, regs)) {
		localvar_count(probe, LOCALVAR_UNPROVEN, 1);
		goto out;
	}
	size = probe->handler(regs, localvar_text(), LOCALVAR_BUFSIZE);
	if (size < 0) {
		localvar_count(probe, LOCALVAR_ERRORS, 1);
	} else if (size > 0) {
		size = min(size, LOCALVAR_BUFSIZE);
		localvar_count(probe, LOCALVAR_RECORDS, 1);
		localvar_count(probe, LOCALVAR_BYTES, size);
		localvar_record(probe, (unsigned long)site->rp.kp.addr, size);
	}
out:
	this_cpu_write(localvar_current, NULL);
}
NOKPROBE_SYMBOL(localvar_call);

/* At the entry of a function: was it called from where the site wants? */
static bool localvar_is_called_so(const struct localvar_site *site, const struct pt_regs *regs)
{
#ifdef CONFIG_X86_64
	unsigned int low = 0, high = site->nr_callers;
	unsigned long caller;

	if (!high)
		return true;
	caller = localvar_return_address(localvar_entry_cfa(regs)) -
		 localvar_slide(site->probe->kernel);
	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (site->callers[middle] == caller)
			return true;
		if (site->callers[middle] < caller)
			low = middle + 1;
		else
			high = middle;
	}
#endif
	return !site->nr_callers;
}
NOKPROBE_SYMBOL(localvar_is_called_so);

static int localvar_at_address(struct kprobe *kp, struct pt_regs *regs)
{
	struct localvar_site *site = container_of(kp, struct localvar_site, rp.kp);
	struct localvar_hit hit = { .probe = site->probe, .site = site };

	if (!localvar_is_called_so(site, regs))
		return 0;
	if (site->entry)
		hit.entry_regs = localvar_find_entry(site->entry, site->cfa(regs));
	localvar_call(&hit, regs);
	return 0;
}
NOKPROBE_SYMBOL(localvar_at_address);

static int localvar_at_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct kretprobe *rp = get_kretprobe(ri);
	struct localvar_site *site = container_of(rp, struct localvar_site, rp);
	struct localvar_hit hit = {
		.probe = site->probe,
		.site = site,
		.entry_regs = (struct pt_regs *)ri->data,
	};

	localvar_call(&hit, regs);
	return 0;
}
NOKPROBE_SYMBOL(localvar_at_return);

/* What the function was called with, for localvar_at_return(). */
static int localvar_before_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct localvar_site *site = container_of(get_kretprobe(ri), struct localvar_site, rp);

	if (!localvar_is_called_so(site, regs))
		return 1;	/* this call's return is none of the site's */
	memcpy(ri->data, regs, sizeof(*regs));
	return 0;
}
NOKPROBE_SYMBOL(localvar_before_return);

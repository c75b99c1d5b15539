// SPDX-License-Identifier: GPL-2.0-only
/* Arming and disarming: all of a set of probes, or none. */

static DEFINE_MUTEX(localvar_mutex);
static LIST_HEAD(localvar_probes);

static int localvar_register_site(struct localvar_site *site)
{
	if (site->kind == LOCALVAR_RETURN)
		return register_kretprobe(&site->rp);
	return register_kprobe(&site->rp.kp);
}

static int localvar_arm_site(struct localvar_site *site, struct localvar_probe *probe)
{
	int err;

	site->probe = probe;
	memset(&site->rp, 0, sizeof(site->rp));
	site->rp.kp.addr = (kprobe_opcode_t *)(site->address + localvar_slide(probe->kernel));
	if (site->kind == LOCALVAR_RETURN) {
		site->rp.handler = localvar_at_return;
		site->rp.entry_handler = localvar_before_return;
		site->rp.data_size = sizeof(struct pt_regs);
		site->rp.maxactive = probe->maxactive;
	} else {
		site->rp.kp.pre_handler = localvar_at_address;
	}

	/* The entry first: what enters from now on is known at the site. */
	if (site->entry) {
		err = localvar_get_entry(site->entry, probe->kernel);
		if (err)
			return err;
		site->has_entry = true;
	}
	err = localvar_register_site(site);
	if (err)
		localvar_err("probe %s cannot be armed at %s: error %d",
			     probe->name, site->name, err);
	site->armed = !err;
	return err;
}

/* All of a kind at once: the kernel waits only once for the last handler to return. */
static void localvar_disarm(struct localvar_probe *probe)
{
	unsigned int i, nr_kps = 0, nr_rps = 0, nr = 0;
	struct localvar_site *site;

	for (i = 0; i < probe->nr_sites; i++) {
		site = &probe->sites[i];
		if (site->armed && site->kind == LOCALVAR_RETURN)
			probe->rps[nr_rps++] = &site->rp;
		else if (site->armed)
			probe->kps[nr_kps++] = &site->rp.kp;
		site->armed = false;
	}
	unregister_kprobes(probe->kps, nr_kps);
	unregister_kretprobes(probe->rps, nr_rps);

	for (i = 0; i < probe->nr_sites; i++) {
		site = &probe->sites[i];
		if (site->has_entry && localvar_put_entry(site->entry)) {
			probe->rps[nr] = &site->entry->rp;
			probe->kps[nr++] = &site->entry->forget;
		}
		site->has_entry = false;
	}
	localvar_unregister_entries(probe->rps, probe->kps, nr);
}

static struct localvar_probe *localvar_find(const char *name)
{
	struct localvar_probe *probe;

	list_for_each_entry(probe, &localvar_probes, list)
		if (!strcmp(probe->name, name))
			return probe;
	return NULL;
}

static void localvar_del_probe(struct localvar_probe *probe)
{
	localvar_disarm(probe);
	debugfs_remove(probe->file);
	list_del(&probe->list);
	kvfree(probe->rps);
	kvfree(probe->kps);
	free_percpu(probe->counters);
	if (list_empty(&localvar_probes))
		localvar_close_output();
}

static int localvar_add_probe(struct localvar_probe *probe)
{
	unsigned int i;
	int err;

	err = localvar_check_kernel(probe->kernel);
	if (err)
		return err;
	if (localvar_find(probe->name)) {
		localvar_err("probe %s is there already", probe->name);
		return -EEXIST;
	}
	if (list_empty(&localvar_probes)) {
		err = localvar_open_output();
		if (err)
			return err;
	}

	probe->live = false;
	list_add_tail(&probe->list, &localvar_probes);
	probe->counters = __alloc_percpu(LOCALVAR_NR_COUNTERS * sizeof(long), sizeof(long));
	probe->kps = kvmalloc_array(probe->nr_sites, sizeof(*probe->kps), GFP_KERNEL);
	probe->rps = kvmalloc_array(probe->nr_sites, sizeof(*probe->rps), GFP_KERNEL);
	probe->file = debugfs_create_file(probe->name, 0444, localvar_dir, probe,
					  &localvar_counters_fops);
	err = probe->counters && probe->kps && probe->rps ? 0 : -ENOMEM;
	for (i = 0; !err && i < probe->nr_sites; i++)
		err = localvar_arm_site(&probe->sites[i], probe);
	if (err)
		localvar_del_probe(probe);
	return err;
}

/* The probes are armed, yet no handler runs before localvar_go_live(). */
static int localvar_add_probes(struct localvar_probe **probes, unsigned int nr)
{
	unsigned int i;
	int err;

	for (i = 0; i < nr; i++) {
		err = localvar_add_probe(probes[i]);
		if (err)
			goto undo;
	}
	return 0;

undo:
	while (i--)
		localvar_del_probe(probes[i]);
	return err;
}

static void localvar_go_live(struct localvar_probe **probes, unsigned int nr)
{
	while (nr--)
		WRITE_ONCE(probes[nr]->live, true);
}

/**
 * localvar_register_probes() - arm a set of probes, or none of them
 * @probes: the probes
 * @nr: how many
 *
 * Return: 0 or a negative errno; then one line in the log says what failed.
 */
int localvar_register_probes(struct localvar_probe **probes, unsigned int nr)
{
	int err;

	mutex_lock(&localvar_mutex);
	err = localvar_add_probes(probes, nr);
	if (!err)
		localvar_go_live(probes, nr);
	mutex_unlock(&localvar_mutex);
	return err;
}

/**
 * localvar_unregister_probes() - disarm a set of probes
 * @probes: the probes
 * @nr: how many
 *
 * When this returns, no handler of theirs runs any more.
 */
void localvar_unregister_probes(struct localvar_probe **probes, unsigned int nr)
{
	mutex_lock(&localvar_mutex);
	while (nr--)
		localvar_del_probe(probes[nr]);
	mutex_unlock(&localvar_mutex);
}

/**
 * localvar_register_probe() - arm one probe
 * @probe: the probe
 *
 * Return: 0 or a negative errno; then one line in the log says what failed.
 */
int localvar_register_probe(struct localvar_probe *probe)
{
	return localvar_register_probes(&probe, 1);
}

/**
 * localvar_unregister_probe() - disarm one probe
 * @probe: the probe
 *
 * When this returns, no handler of its runs any more.
 */
void localvar_unregister_probe(struct localvar_probe *probe)
{
	localvar_unregister_probes(&probe, 1);
}

/* The i-th file of a module; its own comes first. */
static struct localvar_module *localvar_part(struct localvar_module *module, unsigned int i)
{
	return i ? module->others[i - 1] : module;
}

/* Take down the first @nr parts, the last first. */
static void localvar_stop(struct localvar_module *module, unsigned int armed,
			  unsigned int begun)
{
	struct localvar_module *part;

	while (armed--) {
		part = localvar_part(module, armed);
		localvar_unregister_probes(part->probes, part->nr_probes);
	}
	while (begun--) {
		part = localvar_part(module, begun);
		if (part->end)
			part->end();
	}
}

static int localvar_begin(struct localvar_module *part)
{
	int err = localvar_check_kernel(part->kernel);

	if (err || !part->begin)
		return err;
	err = part->begin();
	if (err)
		localvar_err("LOCALVAR_BEGIN function failed: error %d", err);
	/* Whatever is not an errno would let the module load. */
	return err > 0 ? -EINVAL : err;
}

/**
 * localvar_register_module() - what LOCALVAR_MODULE() does at load
 * @module: the module's file that has LOCALVAR_MODULE()
 *
 * Runs the LOCALVAR_BEGIN() functions, then arms all probes, or none.
 *
 * Return: 0 or a negative errno; then one line in the log says what failed.
 */
int localvar_register_module(struct localvar_module *module)
{
	unsigned int armed, begun, i, nr = 1 + module->nr_others;
	int err = 0;

	for (begun = 0; begun < nr; begun++) {
		err = localvar_begin(localvar_part(module, begun));
		if (err) {
			localvar_stop(module, 0, begun);
			return err;
		}
	}

	mutex_lock(&localvar_mutex);
	for (armed = 0; armed < nr; armed++) {
		struct localvar_module *part = localvar_part(module, armed);

		err = localvar_add_probes(part->probes, part->nr_probes);
		if (err)
			break;
	}
	for (i = 0; !err && i < nr; i++)
		localvar_go_live(localvar_part(module, i)->probes,
				 localvar_part(module, i)->nr_probes);
	mutex_unlock(&localvar_mutex);
	if (err)
		localvar_stop(module, armed, begun);
	return err;
}

/**
 * localvar_unregister_module() - what LOCALVAR_MODULE() does at unload
 * @module: the module's file that has LOCALVAR_MODULE()
 */
void localvar_unregister_module(struct localvar_module *module)
{
	unsigned int nr = 1 + module->nr_others;

	localvar_stop(module, nr, nr);
}

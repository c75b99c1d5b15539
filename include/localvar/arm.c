// SPDX-License-Identifier: GPL-2.0-only
/* Arming and disarming one probe. All of this runs with localvar_mutex held. */

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

	localvar_count(probe, LOCALVAR_MISSED, localvar_missed(site));
	memset(&site->rp, 0, sizeof(site->rp));
	site->rp.kp.addr = (kprobe_opcode_t *)localvar_address(probe->kernel, site->section,
							       site->address);
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

/* Where its module is not there, a site is armed when it comes. */
static int localvar_add_site(struct localvar_site *site, struct localvar_probe *probe)
{
	int err;

	site->probe = probe;
	memset(&site->rp, 0, sizeof(site->rp));
	if (site->section) {
		err = localvar_get_object(site->section->object);
		if (err)
			return err;
		site->has_object = true;
		if (!site->section->object->there)
			return 0;
	}
	return localvar_arm_site(site, probe);
}

static bool localvar_is_in(struct localvar_site *site, struct localvar_object *object)
{
	return !object || (site->section && site->section->object == object);
}

/* A module has come; what cannot be armed is left out and named in the log. */
static void localvar_arm(struct localvar_probe *probe, struct localvar_object *object)
{
	unsigned int i;

	for (i = 0; i < probe->nr_sites; i++)
		if (localvar_is_in(&probe->sites[i], object))
			localvar_arm_site(&probe->sites[i], probe);
}

static void localvar_disarm_sites(struct localvar_probe *probe, struct localvar_object *object)
{
	unsigned int i, nr_kps = 0, nr_rps = 0;

	for (i = 0; i < probe->nr_sites; i++) {
		struct localvar_site *site = &probe->sites[i];

		if (!site->armed || !localvar_is_in(site, object))
			continue;
		if (site->kind == LOCALVAR_RETURN)
			probe->rps[nr_rps++] = &site->rp;
		else
			probe->kps[nr_kps++] = &site->rp.kp;
		site->armed = false;
	}
	unregister_kprobes(probe->kps, nr_kps);
	unregister_kretprobes(probe->rps, nr_rps);
}

static void localvar_disarm_entries(struct localvar_probe *probe, struct localvar_object *object)
{
	unsigned int i, nr = 0;

	for (i = 0; i < probe->nr_sites; i++) {
		struct localvar_site *site = &probe->sites[i];

		if (!site->has_entry || !localvar_is_in(site, object))
			continue;
		site->has_entry = false;
		if (localvar_put_entry(site->entry)) {
			probe->rps[nr] = &site->entry->rp;
			probe->kps[nr++] = &site->entry->forget;
		}
	}
	localvar_unregister_entries(probe->rps, probe->kps, nr);
}

/* What is in @object; NULL: all. The kernel waits for the last handler to return. */
static void localvar_disarm(struct localvar_probe *probe, struct localvar_object *object)
{
	localvar_disarm_sites(probe, object);
	localvar_disarm_entries(probe, object);
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
	unsigned int i;

	localvar_disarm(probe, NULL);
	for (i = 0; i < probe->nr_sites; i++) {
		if (probe->sites[i].has_object)
			localvar_put_object(probe->sites[i].section->object);
		probe->sites[i].has_object = false;
	}
	debugfs_remove(probe->file);
	list_del(&probe->list);
	kvfree(probe->rps);
	kvfree(probe->kps);
	free_percpu(probe->counters);
	if (list_empty(&localvar_probes))
		localvar_close_output();
}

static int localvar_arm_all(struct localvar_probe *probe)
{
	unsigned int i;
	int err;

	probe->counters = __alloc_percpu(LOCALVAR_NR_COUNTERS * sizeof(long), sizeof(long));
	probe->kps = kvmalloc_array(probe->nr_sites, sizeof(*probe->kps), GFP_KERNEL);
	probe->rps = kvmalloc_array(probe->nr_sites, sizeof(*probe->rps), GFP_KERNEL);
	if (!probe->counters || !probe->kps || !probe->rps)
		return -ENOMEM;
	probe->file = debugfs_create_file(probe->name, 0444, localvar_dir, probe,
					  &localvar_counters_fops);
	for (i = 0; i < probe->nr_sites; i++) {
		err = localvar_add_site(&probe->sites[i], probe);
		if (err)
			return err;
	}
	return 0;
}

static int localvar_add_probe(struct localvar_probe *probe)
{
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
	probe->file = NULL;
	list_add_tail(&probe->list, &localvar_probes);
	err = localvar_arm_all(probe);
	if (err)
		localvar_del_probe(probe);
	return err;
}

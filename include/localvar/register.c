// SPDX-License-Identifier: GPL-2.0-only
/* What a module calls: all of a set of probes are armed, or none. */

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
	int err = localvar_listen();

	if (err)
		return err;
	mutex_lock(&localvar_mutex);
	err = localvar_add_probes(probes, nr);
	if (!err)
		localvar_go_live(probes, nr);
	mutex_unlock(&localvar_mutex);
	if (err)
		localvar_unlisten();
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
	localvar_unlisten();
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

/* The probes of all files, in one array; NULL: no memory. */
static struct localvar_probe **localvar_all_probes(struct localvar_module *module)
{
	struct localvar_probe **all;
	unsigned int i, nr = 0;

	for (i = 0; i <= module->nr_others; i++)
		nr += localvar_part(module, i)->nr_probes;
	all = kcalloc(nr + 1, sizeof(*all), GFP_KERNEL);
	for (i = 0, nr = 0; all && i <= module->nr_others; i++) {
		struct localvar_module *part = localvar_part(module, i);

		memcpy(all + nr, part->probes, part->nr_probes * sizeof(*all));
		nr += part->nr_probes;
	}
	module->nr_all = nr;
	return all;
}

static void localvar_end(struct localvar_module *module, unsigned int begun)
{
	while (begun--)
		if (localvar_part(module, begun)->end)
			localvar_part(module, begun)->end();
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
 * Runs the LOCALVAR_BEGIN() functions, then arms all probes, or none; then runs the
 * LOCALVAR_END() functions of those that had begun.
 *
 * Return: 0 or a negative errno; then one line in the log says what failed.
 */
int localvar_register_module(struct localvar_module *module)
{
	unsigned int begun;
	int err;

	module->all = localvar_all_probes(module);
	if (!module->all)
		return -ENOMEM;
	for (begun = 0; begun <= module->nr_others; begun++) {
		err = localvar_begin(localvar_part(module, begun));
		if (err)
			goto end;
	}
	err = localvar_register_probes(module->all, module->nr_all);
	if (err)
		goto end;
	return 0;

end:
	localvar_end(module, begun);
	kfree(module->all);
	return err;
}

/**
 * localvar_unregister_module() - what LOCALVAR_MODULE() does at unload
 * @module: the module's file that has LOCALVAR_MODULE()
 */
void localvar_unregister_module(struct localvar_module *module)
{
	localvar_unregister_probes(module->all, module->nr_all);
	localvar_end(module, module->nr_others + 1);
	kfree(module->all);
}

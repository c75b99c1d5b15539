// SPDX-License-Identifier: GPL-2.0-only
/* Probed modules come and go: arm what is in them, and disarm it. */

static DEFINE_MUTEX(localvar_notifier_mutex);
static unsigned int localvar_notifier_users;

static void localvar_module_comes(struct localvar_object *object, struct module *mod)
{
	struct localvar_probe *probe;

	if (localvar_object_comes(object, mod))
		return;
	list_for_each_entry(probe, &localvar_probes, list)
		localvar_arm(probe, object);
}

static void localvar_module_goes(struct localvar_object *object)
{
	struct localvar_probe *probe;

	list_for_each_entry(probe, &localvar_probes, list)
		localvar_disarm(probe, object);
	localvar_object_goes(object);
}

/*
 * MODULE_STATE_LIVE matters for a module that was on its way when we looked for it:
 * too late for MODULE_STATE_COMING, too early to be found.
 */
static int localvar_module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct localvar_object *object;
	struct module *mod = data;

	mutex_lock(&localvar_mutex);
	list_for_each_entry(object, &localvar_objects, list) {
		if (strcmp(object->name, mod->name))
			continue;
		if (event == MODULE_STATE_GOING)
			localvar_module_goes(object);
		else if (!object->there && !object->refused)
			localvar_module_comes(object, mod);
	}
	mutex_unlock(&localvar_mutex);
	return NOTIFY_DONE;
}

static struct notifier_block localvar_notifier = { .notifier_call = localvar_module_event };

/* Not with localvar_mutex held: a callback holds the chain and waits for that. */
static int localvar_listen(void)
{
	int err = 0;

	mutex_lock(&localvar_notifier_mutex);
	if (!localvar_notifier_users)
		err = register_module_notifier(&localvar_notifier);
	if (!err)
		localvar_notifier_users++;
	mutex_unlock(&localvar_notifier_mutex);
	return err;
}

static void localvar_unlisten(void)
{
	mutex_lock(&localvar_notifier_mutex);
	if (!--localvar_notifier_users)
		unregister_module_notifier(&localvar_notifier);
	mutex_unlock(&localvar_notifier_mutex);
}

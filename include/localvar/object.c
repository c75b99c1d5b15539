// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loadable modules whose code is probed: is it the expected one, and where has it
 * been put? All of this runs with localvar_mutex held.
 */

static DEFINE_MUTEX(localvar_mutex);
static LIST_HEAD(localvar_objects);

/* Is there a build-id note with these bytes in the module's read-only data? */
static bool localvar_has_note(const void *start, size_t size, const struct localvar_object *object)
{
	Elf64_Nhdr header = { .n_namesz = 4, .n_descsz = object->build_id_size, .n_type = 3 };
	const void *at;

	for (at = start; size >= sizeof(header) + 4 + object->build_id_size; at += 4, size -= 4)
		if (!memcmp(at, &header, sizeof(header)) &&
		    !memcmp(at + sizeof(header), "GNU", 4) &&
		    !memcmp(at + sizeof(header) + 4, object->build_id, object->build_id_size))
			return true;
	return false;
}

static int localvar_check_object(const struct localvar_object *object, const struct module *mod)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	const void *start = mod->mem[MOD_RODATA].base;
	size_t size = mod->mem[MOD_RODATA].size;
#else
	const void *start = mod->core_layout.base + mod->core_layout.text_size;
	size_t size = mod->core_layout.ro_size - mod->core_layout.text_size;
#endif

	if (localvar_has_note(start, size, object))
		return 0;
	localvar_err("expanded for module %s with build-id %*phN, this is another one",
		     object->name, (int)object->build_id_size, object->build_id);
	return -ENOEXEC;
}

/* The value of the one symbol of that name; 0: there is none, or more than one. */
static unsigned long localvar_symbol(const struct module *mod, const char *name)
{
	const struct mod_kallsyms *kallsyms;
	unsigned long value = 0;
	unsigned int i;

	rcu_read_lock();
	kallsyms = rcu_dereference(mod->kallsyms);
	for (i = 1; i < kallsyms->num_symtab; i++) {
		const Elf_Sym *sym = &kallsyms->symtab[i];

		if (sym->st_shndx == SHN_UNDEF ||
		    strcmp(kallsyms->strtab + sym->st_name, name))
			continue;
		if (value) {
			value = 0;
			break;
		}
		value = sym->st_value;
	}
	rcu_read_unlock();
	return value;
}

static int localvar_place_object(struct localvar_object *object, const struct module *mod)
{
	unsigned int i;

	for (i = 0; i < object->nr_sections; i++) {
		struct localvar_section *section = object->sections[i];
		unsigned long value = localvar_symbol(mod, section->anchor);

		if (!value) {
			localvar_err("module %s has not just one symbol %s",
				     object->name, section->anchor);
			return -ENOENT;
		}
		WRITE_ONCE(section->base, value - section->anchor_offset);
	}
	return 0;
}

/* The module has gone, or goes: no handler may use an address in it any more. */
static void localvar_object_goes(struct localvar_object *object)
{
	unsigned int i;

	for (i = 0; i < object->nr_sections; i++)
		WRITE_ONCE(object->sections[i]->base, 0);
	object->there = false;
	object->refused = false;
	synchronize_rcu();
}

static int localvar_object_comes(struct localvar_object *object, const struct module *mod)
{
	int err = localvar_check_object(object, mod);

	if (!err)
		err = localvar_place_object(object, mod);
	if (err)
		localvar_object_goes(object);
	object->there = !err;
	object->refused = err;
	return err;
}

/* A module that is not loaded, or just on its way, is no error: it will come. */
static int localvar_find_object(struct localvar_object *object)
{
	struct kobject *kobj = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, object->name);
	struct module *mod;
	int err = 0;

	if (!kobj)
		return 0;
	mod = container_of(kobj, struct module_kobject, kobj)->mod;
	if (mod && mod->state != MODULE_STATE_GOING)
		err = localvar_object_comes(object, mod);
	kobject_put(kobj);
	return err;
}

static int localvar_get_object(struct localvar_object *object)
{
	int err;

	if (object->users++)
		return 0;
	err = localvar_find_object(object);
	if (err)
		object->users--;
	else
		list_add(&object->list, &localvar_objects);
	return err;
}

static void localvar_put_object(struct localvar_object *object)
{
	if (--object->users)
		return;
	list_del(&object->list);
	localvar_object_goes(object);
}

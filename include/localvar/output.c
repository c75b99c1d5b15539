// SPDX-License-Identifier: GPL-2.0-only
/* Where records and counters go: a trace instance, and files in debugfs. */

#ifndef LOCALVAR_BUFSIZE
#define LOCALVAR_BUFSIZE	1024
#endif
#define LOCALVAR_PREFIX_MAX	128
#define LOCALVAR_TAIL		2	/* trace_array_puts() looks at the last byte */
#define LOCALVAR_PRINTK_MAX	1022	/* TRACE_BUF_SIZE without "\n" and "\0" */

enum localvar_counter {
	LOCALVAR_HITS,
	LOCALVAR_RECORDS,
	LOCALVAR_BYTES,
	LOCALVAR_MISSED,
	LOCALVAR_UNPROVEN,
	LOCALVAR_FAULTS,
	LOCALVAR_ERRORS,
	LOCALVAR_LOST,
	LOCALVAR_NR_COUNTERS
};

static const char * const localvar_counter_names[LOCALVAR_NR_COUNTERS] = {
	"hits", "records", "bytes", "missed", "unproven", "faults", "errors", "lost",
};

struct localvar_scratch {
	char text[LOCALVAR_PREFIX_MAX + LOCALVAR_BUFSIZE + LOCALVAR_TAIL];
};

static struct localvar_scratch __percpu *localvar_scratch;
static struct trace_array *localvar_trace;
static struct dentry *localvar_dir;

static void localvar_count(struct localvar_probe *probe, enum localvar_counter what,
			   unsigned long nr)
{
	this_cpu_add(probe->counters[what], nr);
}
NOKPROBE_SYMBOL(localvar_count);

/* The hits that the kernel did not hand to us, since the site was armed. */
static unsigned long localvar_missed(const struct localvar_site *site)
{
	return site->rp.kp.nmissed + site->rp.nmissed;
}

static unsigned long localvar_counted(struct localvar_probe *probe, enum localvar_counter what)
{
	unsigned long sum = 0;
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(probe->counters, cpu)[what];

	for (i = 0; what == LOCALVAR_MISSED && i < probe->nr_sites; i++)
		sum += localvar_missed(&probe->sites[i]);
	return sum;
}

static int localvar_counters_show(struct seq_file *m, void *unused)
{
	int i;

	for (i = 0; i < LOCALVAR_NR_COUNTERS; i++)
		seq_printf(m, "%s %lu\n", localvar_counter_names[i],
			   localvar_counted(m->private, i));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(localvar_counters);

/*
 * Write "name: text" to the trace instance. The text stands where localvar_text()
 * said; the address shows up as the symbol in front of the record.
 */
static void localvar_record(struct localvar_probe *probe, unsigned long address, int size)
{
	int prefix = min_t(int, strlen(probe->name) + 2, LOCALVAR_PREFIX_MAX);
	char *text = this_cpu_ptr(localvar_scratch)->text + LOCALVAR_PREFIX_MAX - prefix;

	memcpy(text, probe->name, prefix - 2);
	memcpy(text + prefix - 2, ": ", 2);
	size += prefix;
#ifdef trace_array_puts
	if (!__trace_array_puts(localvar_trace, address, text, size))
#else
	size = min(size, LOCALVAR_PRINTK_MAX);
	if (!trace_array_printk(localvar_trace, address, "%.*s\n", size, text))
#endif
		localvar_count(probe, LOCALVAR_LOST, 1);
}
NOKPROBE_SYMBOL(localvar_record);

/* Where a handler writes its text: behind the room for the probe's name. */
static char *localvar_text(void)
{
	return this_cpu_ptr(localvar_scratch)->text + LOCALVAR_PREFIX_MAX;
}
NOKPROBE_SYMBOL(localvar_text);

static struct trace_array *localvar_open_trace(void)
{
	struct trace_array *tr;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	tr = trace_array_get_by_name(THIS_MODULE->name, NULL);
#else
	tr = trace_array_get_by_name(THIS_MODULE->name);
#endif
	if (tr && trace_array_init_printk(tr)) {
		trace_array_put(tr);
		tr = NULL;
	}
	return tr;
}

/* The directory of all modules is shared and stays; ours is inside. */
static struct dentry *localvar_open_dir(void)
{
	struct dentry *parent, *dir;

	parent = debugfs_lookup("localvar", NULL);
	if (!parent)
		return debugfs_create_dir(THIS_MODULE->name,
					  debugfs_create_dir("localvar", NULL));
	dir = debugfs_create_dir(THIS_MODULE->name, parent);
	dput(parent);
	return dir;
}

static int localvar_open_output(void)
{
	localvar_scratch = alloc_percpu(struct localvar_scratch);
	if (!localvar_scratch)
		return -ENOMEM;

	localvar_trace = localvar_open_trace();
	if (!localvar_trace) {
		localvar_err("no trace instance");
		free_percpu(localvar_scratch);
		return -ENOMEM;
	}
	localvar_dir = localvar_open_dir();
	return 0;
}

/* An instance that somebody still reads is left to them. */
static void localvar_close_output(void)
{
	debugfs_remove(localvar_dir);
	trace_array_put(localvar_trace);
	trace_array_destroy(localvar_trace);
	free_percpu(localvar_scratch);
}

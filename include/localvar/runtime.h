/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The run time of a module that localvar has expanded: its structures, which
 * the expansion fills, and the functions that a module may call by hand.
 */
#ifndef _LOCALVAR_RUNTIME_H
#define _LOCALVAR_RUNTIME_H

#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched/task.h>
#include <linux/types.h>
#include <localvar/arch.h>
#include <localvar/ops.h>

struct dentry;

/**
 * struct localvar_kernel - the kernel that a file was expanded for
 * @release: its release, for messages
 * @build_id: the bytes of its build-id
 * @build_id_size: how many they are
 * @build_id_address: link-time address of these bytes, in the .notes section
 * @anchor_address: link-time address of init_task, which gives the slide
 */
struct localvar_kernel {
	const char *release;
	const char *build_id;
	unsigned int build_id_size;
	unsigned long build_id_address;
	unsigned long anchor_address;
};

/**
 * struct localvar_section - a section of a probed module
 * @object: the module
 * @anchor: a symbol in the section, the only one of its name in the module
 * @anchor_offset: its offset in the section
 *
 * The rest belongs to the run time.
 */
struct localvar_section {
	struct localvar_object *object;
	const char *anchor;
	unsigned long anchor_offset;

	unsigned long base;	/* 0 while the module is not there */
};

/**
 * struct localvar_object - a loadable module that is probed
 * @name: its name, as lsmod has it
 * @build_id: the bytes of its build-id
 * @build_id_size: how many they are
 * @sections: those of its sections that are of interest
 * @nr_sections: how many
 *
 * The rest belongs to the run time.
 */
struct localvar_object {
	const char *name;
	const char *build_id;
	unsigned int build_id_size;
	struct localvar_section **sections;
	unsigned int nr_sections;

	struct list_head list;
	unsigned int users;
	bool there, refused;
};

/**
 * struct localvar_entry - a function whose registers at entry some sites need
 * @section: the section of a module that it is in; NULL: it is in the kernel
 * @address: link-time address of the function, or its offset in the section
 * @name: its name, for messages
 * @maxactive: how many activations are remembered at once; 0: LOCALVAR_MAXACTIVE
 *
 * The rest belongs to the run time.
 */
struct localvar_entry {
	struct localvar_section *section;
	unsigned long address;
	const char *name;
	int maxactive;

	struct kretprobe rp;
	struct kprobe forget;
	unsigned int users;
};

/**
 * enum localvar_kind - what a site is probed with
 * @LOCALVAR_ADDRESS: a kprobe at the site's address
 * @LOCALVAR_RETURN: a kretprobe of the function at the site's address
 */
enum localvar_kind {
	LOCALVAR_ADDRESS,
	LOCALVAR_RETURN,
};

/**
 * struct localvar_site - one place where a probe fires
 * @section: the section of a module that it is in; NULL: it is in the kernel
 * @address: link-time address, or offset in the section
 * @name: "symbol+0xoffset", for messages
 * @kind: what to probe it with
 * @variant: which code the accessors use here
 * @entry: the function whose registers at entry the accessors use; a return
 *	site has those of its own function without
 * @cfa: with @entry: the canonical frame address of that function's frame
 * @entry_optional: call the handler even where the entry was not seen
 * @proven: whether this hit has all that the handler reads; NULL: always
 * @needs: sections of other modules that the handler reads, up to a NULL; NULL: none
 * @callers: of an entry: link-time return addresses in the kernel, ascending; a hit
 *	that returns elsewhere is none of this site's
 * @nr_callers: how many; 0: any caller
 *
 * The rest belongs to the run time.
 */
struct localvar_site {
	struct localvar_section *section;
	unsigned long address;
	const char *name;
	enum localvar_kind kind;
	unsigned int variant;
	struct localvar_entry *entry;
	unsigned long (*cfa)(const struct pt_regs *regs);
	bool entry_optional;
	bool (*proven)(const struct pt_regs *regs);
	const struct localvar_section *const *needs;
	const unsigned long *callers;
	unsigned int nr_callers;

	struct localvar_probe *probe;
	struct kretprobe rp;	/* a kprobe site uses its .kp only */
	bool armed, has_entry, has_object;
};

/**
 * typedef localvar_handler_t - a probe's handler
 *
 * Fills at most @bufsize bytes of @buf and returns how many they are: 0 records
 * nothing, a negative errno is counted as an error. Runs with preemption off.
 */
typedef int (*localvar_handler_t)(struct pt_regs *regs, void *buf, int bufsize);

/**
 * struct localvar_probe - a handler and its sites, as LOCALVAR_PROBE() defines it
 * @name: name of the handler; records and the file of counters carry it
 * @handler: called at each hit
 * @sites: where
 * @nr_sites: how many
 * @kernel: the kernel that the addresses belong to
 * @maxactive: of return probes: see struct kretprobe
 *
 * The rest belongs to the run time.
 */
struct localvar_probe {
	const char *name;
	localvar_handler_t handler;
	struct localvar_site *sites;
	unsigned int nr_sites;
	const struct localvar_kernel *kernel;
	int maxactive;

	struct list_head list;
	unsigned long __percpu *counters;
	struct kprobe **kps;
	struct kretprobe **rps;
	struct dentry *file;
	bool live;
};

/**
 * struct localvar_module - what one file of a module registers
 * @kernel: the kernel that the file was expanded for
 * @probes: its probes
 * @nr_probes: how many
 * @begin: run before the first probe is armed; non-zero stops the load
 * @end: run after the last probe is gone
 * @others: the same of the module's other files, in the one that has
 *	LOCALVAR_MODULE()
 * @nr_others: how many
 *
 * The rest belongs to the run time.
 */
struct localvar_module {
	const struct localvar_kernel *kernel;
	struct localvar_probe **probes;
	unsigned int nr_probes;
	int (*begin)(void);
	void (*end)(void);
	struct localvar_module **others;
	unsigned int nr_others;

	struct localvar_probe **all;
	unsigned int nr_all;
};

/**
 * struct localvar_place - the place of a struct kprobe, as PROBE_LOCATION() gives it
 * @self: this place; tells it from any other address
 * @site: where it is; of a struct kretprobe: of the kind LOCALVAR_RETURN
 *
 * The rest belongs to the run time.
 */
struct localvar_place {
	struct localvar_place *self;
	struct localvar_site site;

	struct list_head list;
	struct kprobe *kp;
	u32 flags;
	kprobe_pre_handler_t pre_handler;
	kretprobe_handler_t handler;
};

/* The .addr of a struct kprobe that is not registered yet. */
#define LOCALVAR_PLACE(place)	((kprobe_opcode_t *)(place))

/**
 * struct localvar_hit - the hit that the running handler was called for
 * @probe: its probe, NULL in a plain kprobe
 * @site: its site
 * @entry_regs: the registers at the entry of the site's function; NULL: not known
 */
struct localvar_hit {
	struct localvar_probe *probe;
	struct localvar_site *site;
	const struct pt_regs *entry_regs;
};

DECLARE_PER_CPU(struct localvar_hit *, localvar_current);

/*
 * The body of a function of a header that reads variables and that no probe of
 * the file calls: it is gone when the compiler is done, or else called.
 */
extern void localvar_unbound(void) __noreturn
	__compiletime_error("it reads variables of probed code, and no probe of this file calls it");

/**
 * localvar_hit() - the hit that the running handler was called for
 *
 * Return: the hit; NULL outside of a handler.
 */
static inline struct localvar_hit *localvar_hit(void)
{
	return this_cpu_read(localvar_current);
}

/**
 * localvar_variant() - which code an accessor has to use for this hit
 * @regs: the handler's registers
 *
 * Return: the variant of the site that was hit.
 */
static inline unsigned int localvar_variant(const struct pt_regs *regs)
{
	return localvar_hit()->site->variant;
}

/**
 * localvar_entry_regs() - the registers at the entry of the function that was hit
 *
 * Return: the registers; NULL where the site has an optional entry that was not
 * seen.
 */
static inline const struct pt_regs *localvar_entry_regs(void)
{
	return localvar_hit()->entry_regs;
}

/**
 * localvar_slide() - how far the running kernel is from its link-time addresses
 * @kernel: the kernel that the file was expanded for
 *
 * Return: what to add to a link-time address.
 */
static inline unsigned long localvar_slide(const struct localvar_kernel *kernel)
{
	return (unsigned long)&init_task - kernel->anchor_address;
}

/**
 * localvar_address() - where something of the kernel, or of a module, is
 * @kernel: the kernel that the file was expanded for
 * @section: the section of a module that it is in; NULL: it is in the kernel
 * @address: link-time address, or offset in the section
 *
 * Return: the address; 0 while the module is not there.
 */
static inline unsigned long localvar_address(const struct localvar_kernel *kernel,
					     const struct localvar_section *section,
					     unsigned long address)
{
	unsigned long base;

	if (!section)
		return address + localvar_slide(kernel);
	base = READ_ONCE(section->base);
	return base ? base + address : 0;
}

/**
 * localvar_percpu() - a per-CPU variable as a pointer for per_cpu_ptr() and its kin
 * @kernel: the kernel that the file was expanded for
 * @address: link-time address of the variable
 *
 * Where the kernel links its per-CPU section at 0 (x86-64 before 6.15), these
 * addresses do not move with it.
 *
 * Return: the pointer.
 */
static inline void __percpu *localvar_percpu(const struct localvar_kernel *kernel,
					     unsigned long address)
{
	if ((long)address < 0)
		address += localvar_slide(kernel);
	return (void __percpu *)address;
}

/**
 * localvar_module_percpu() - where a per-CPU variable of a module is on this CPU
 * @section: the module's per-CPU section
 * @offset: the variable's offset in it
 *
 * The loader gives per-CPU symbols of modules values for this_cpu_ptr().
 *
 * Return: the address; 0 while the module is not there.
 */
static inline unsigned long localvar_module_percpu(const struct localvar_section *section,
						   unsigned long offset)
{
	unsigned long base = READ_ONCE(section->base);

	return base ? (unsigned long)this_cpu_ptr((void __percpu *)(base + offset)) : 0;
}

bool localvar_try_read(void *to, const void *from, size_t size);
bool localvar_read(void *to, const void *from, size_t size);

/**
 * localvar_load() - a value that may not be there
 * @type: its type
 * @address: where it is
 *
 * A fault is counted.
 *
 * Return: the value; zero after a fault.
 */
#define localvar_load(type, address)					\
({									\
	type __localvar_value;						\
									\
	localvar_read(&__localvar_value, (const void *)(address),	\
		      sizeof(__localvar_value));			\
	__localvar_value;						\
})

#ifdef CONFIG_X86_64
unsigned long localvar_return_address(unsigned long cfa);

/**
 * localvar_caller() - where the function with this frame returns to, as debug info counts
 * @kernel: the kernel that the file was expanded for
 * @section: the section of a module that the function is in; NULL: it is in the kernel
 * @cfa: the frame's canonical frame address
 *
 * Return: the link-time address, or the offset in the section.
 */
static inline unsigned long localvar_caller(const struct localvar_kernel *kernel,
					    const struct localvar_section *section,
					    unsigned long cfa)
{
	return localvar_return_address(cfa) - localvar_address(kernel, section, 0);
}
#endif

int localvar_check_kernel(const struct localvar_kernel *kernel);

int localvar_register_probes(struct localvar_probe **probes, unsigned int nr);
void localvar_unregister_probes(struct localvar_probe **probes, unsigned int nr);
int localvar_register_probe(struct localvar_probe *probe);
void localvar_unregister_probe(struct localvar_probe *probe);
int localvar_register_module(struct localvar_module *module);
void localvar_unregister_module(struct localvar_module *module);

int localvar_register_kprobe(const struct localvar_kernel *kernel, struct kprobe *kp);
int localvar_register_kprobes(const struct localvar_kernel *kernel,
			      struct kprobe **kps, int nr);
void localvar_unregister_kprobe(struct kprobe *kp);
void localvar_unregister_kprobes(struct kprobe **kps, int nr);
int localvar_register_kretprobe(const struct localvar_kernel *kernel,
				struct kretprobe *rp);
int localvar_register_kretprobes(const struct localvar_kernel *kernel,
				 struct kretprobe **rps, int nr);
void localvar_unregister_kretprobe(struct kretprobe *rp);
void localvar_unregister_kretprobes(struct kretprobe **rps, int nr);

#ifdef LOCALVAR_RUNTIME
#include <localvar/runtime.c>
#endif

/*
 * The plain kprobes of an expanded file are checked too: their PROBE_LOCATION()
 * is right for one kernel only.
 */
static const struct localvar_kernel localvar_kernel;

#define register_kprobe(kp)		localvar_register_kprobe(&localvar_kernel, kp)
#define register_kprobes(kps, nr)	localvar_register_kprobes(&localvar_kernel, kps, nr)
#define unregister_kprobe(kp)		localvar_unregister_kprobe(kp)
#define unregister_kprobes(kps, nr)	localvar_unregister_kprobes(kps, nr)
#define register_kretprobe(rp)		localvar_register_kretprobe(&localvar_kernel, rp)
#define register_kretprobes(rps, nr)	localvar_register_kretprobes(&localvar_kernel, rps, nr)
#define unregister_kretprobe(rp)	localvar_unregister_kretprobe(rp)
#define unregister_kretprobes(rps, nr)	localvar_unregister_kretprobes(rps, nr)

#endif /* _LOCALVAR_RUNTIME_H */

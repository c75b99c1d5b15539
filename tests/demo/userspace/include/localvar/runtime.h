/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run time of include/localvar/runtime.h for a handler that is loaded into a
 * program instead of a kernel: the same names, as far as an expansion without
 * entry values uses them. See runtime.c beside this folder.
 */
#ifndef _DEMO_LOCALVAR_RUNTIME_H
#define _DEMO_LOCALVAR_RUNTIME_H

#include <linux/module.h>

struct localvar_kernel {
	const char *release;
	const char *build_id;
	unsigned int build_id_size;
	unsigned long build_id_address;
	unsigned long anchor_address;
};

struct localvar_site {
	unsigned long address;
	const char *name;
	unsigned int variant;

	unsigned char original;		/* the byte under the breakpoint */
};

struct localvar_probe {
	const char *name;
	int (*handler)(struct pt_regs *regs, void *buf, int bufsize);
	struct localvar_site *sites;
	unsigned int nr_sites;
	const struct localvar_kernel *kernel;
};

struct localvar_module {
	const struct localvar_kernel *kernel;
	struct localvar_probe **probes;
	unsigned int nr_probes;
	int (*begin)(void);
	void (*end)(void);
};

unsigned int localvar_variant(const struct pt_regs *regs);
unsigned long localvar_slide(const struct localvar_kernel *kernel);
bool localvar_read(void *to, const void *from, size_t size);

#define localvar_load(type, address)						\
({										\
	type __localvar_value;							\
										\
	localvar_read(&__localvar_value, (const void *)(address), sizeof(__localvar_value));	\
	__localvar_value;							\
})

int localvar_register_module(struct localvar_module *module);
void localvar_unregister_module(struct localvar_module *module);

#endif

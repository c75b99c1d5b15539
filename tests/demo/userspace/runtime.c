// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kprobes in one's own process: a breakpoint instruction at each site, SIGTRAP
 * for the hit, a single step over the original instruction. For programs of one
 * thread; x86-64.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <localvar/runtime.h>

#define BREAKPOINT	0xcc
#define TRAP_FLAG	0x100

static struct localvar_module *module;
static struct localvar_site *hit, *stepping;
static int channel[2], records;

static void fail(const char *what)
{
	fprintf(stderr, "probe: %s\n", what);
	exit(3);
}

int scnprintf(char *buf, size_t size, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(buf, size, format, arguments);
	va_end(arguments);
	return n < (int)size ? n : (int)size - 1;
}

unsigned int localvar_variant(const struct pt_regs *regs)
{
	return hit->variant;
}

unsigned long localvar_slide(const struct localvar_kernel *kernel)
{
	return (unsigned long)dlsym(RTLD_DEFAULT, "init_task") - kernel->anchor_address;
}

/* A pipe takes bytes from anywhere: the kernel says EFAULT where there is no memory. */
bool localvar_read(void *to, const void *from, size_t size)
{
	memset(to, 0, size);
	return write(channel[1], from, size) == (ssize_t)size && read(channel[0], to, size) == (ssize_t)size;
}

static unsigned char *place(const struct localvar_site *site)
{
	return (unsigned char *)(site->address + localvar_slide(module->kernel));
}

static void poke(struct localvar_site *site, unsigned char byte)
{
	unsigned long page = sysconf(_SC_PAGESIZE), start = (unsigned long)place(site) & -page;

	if (mprotect((void *)start, page, PROT_READ | PROT_WRITE | PROT_EXEC))
		fail("this system does not let a program change its code");
	*place(site) = byte;
}

static void save(struct pt_regs *regs, const greg_t *from)
{
	*regs = (struct pt_regs) {
		.ax = from[REG_RAX], .bx = from[REG_RBX], .cx = from[REG_RCX], .dx = from[REG_RDX],
		.si = from[REG_RSI], .di = from[REG_RDI], .bp = from[REG_RBP], .sp = from[REG_RSP],
		.r8 = from[REG_R8], .r9 = from[REG_R9], .r10 = from[REG_R10], .r11 = from[REG_R11],
		.r12 = from[REG_R12], .r13 = from[REG_R13], .r14 = from[REG_R14], .r15 = from[REG_R15],
		.ip = from[REG_RIP] - 1, .flags = from[REG_EFL],
	};
}

static void run(struct localvar_probe *probe, const greg_t *from)
{
	struct pt_regs regs;
	char text[256];
	int n;

	save(&regs, from);
	n = probe->handler(&regs, text, sizeof(text));
	if (n > 0)
		dprintf(records, "%s: %.*s\n", probe->name, n, text);
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (stepping) {
		poke(stepping, BREAKPOINT);
		stepping = NULL;
		regs[REG_EFL] &= ~TRAP_FLAG;
		return;
	}
	for (unsigned int p = 0; p < module->nr_probes; p++) {
		struct localvar_probe *probe = module->probes[p];

		for (unsigned int s = 0; s < probe->nr_sites; s++) {
			hit = &probe->sites[s];
			if ((unsigned long)place(hit) != (unsigned long)regs[REG_RIP] - 1)
				continue;
			run(probe, regs);
			stepping = hit;
			poke(hit, hit->original);
			regs[REG_RIP]--;
			regs[REG_EFL] |= TRAP_FLAG;
			return;
		}
	}
	fail("a trap that is none of ours");
}

int localvar_register_module(struct localvar_module *loaded)
{
	const struct localvar_kernel *kernel = loaded->kernel;
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	const char *output = getenv("PROBE_RECORDS");
	FILE *file = output ? fopen(output, "w") : NULL;

	if (!dlsym(RTLD_DEFAULT, "init_task"))
		return 0;	/* another program, started on the way to ours */
	module = loaded;
	if (memcmp((const void *)(kernel->build_id_address + localvar_slide(kernel)), kernel->build_id,
		   kernel->build_id_size))
		fail("this is not the program that the probe was expanded for");
	if (!file || pipe(channel) || sigaction(SIGTRAP, &action, NULL))
		fail("cannot begin");
	records = fileno(file);
	for (unsigned int p = 0; p < module->nr_probes; p++) {
		struct localvar_probe *probe = module->probes[p];

		for (unsigned int s = 0; s < probe->nr_sites; s++) {
			probe->sites[s].original = *place(&probe->sites[s]);
			poke(&probe->sites[s], BREAKPOINT);
		}
	}
	return 0;
}

void localvar_unregister_module(struct localvar_module *loaded)
{
	for (unsigned int p = 0; module && p < module->nr_probes; p++)
		for (unsigned int s = 0; s < module->probes[p]->nr_sites; s++)
			poke(&module->probes[p]->sites[s], module->probes[p]->sites[s].original);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* For handlers that record every variable of a site, hit by hit, beside gdb: see handlers.py. */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/panic.h>
#include <linux/ptrace.h>

#define LOCALVAR_BUFSIZE	3500
#include <localvar.h>

static unsigned int observe_limit = ~0;
module_param_named(limit, observe_limit, uint, 0);
MODULE_PARM_DESC(limit, "records of each handler at each of its sites");

static unsigned int observe_hits[OBSERVE_SITES];

/* A number by which it is told which stop of gdb is the same hit: of all general registers. */
static unsigned long observe_registers(const struct pt_regs *r)
{
	const unsigned long registers[] = {
		r->ax, r->bx, r->cx, r->dx, r->si, r->di, r->bp, r->sp,
		r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15,
	};
	unsigned long sum = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(registers); i++)
		sum = sum * 31 + registers[i];
	return sum;
}

/*
 * Begin a record, or return 0: the workload says when hits are to be recorded. @first is a number of the
 * handler's first site, behind which those of the others follow.
 */
static int observe(const struct pt_regs *regs, char *buf, int bufsize, unsigned int first)
{
	const struct localvar_hit *hit = localvar_hit();
	unsigned int site = first + (hit->site - hit->probe->sites);

	if (panic_timeout != OBSERVE_OPEN || observe_hits[site] >= observe_limit)
		return 0;
	observe_hits[site]++;
	return scnprintf(buf, bufsize, "site=%s registers=%lx", hit->site->name, observe_registers(regs));
}

/* Add @size bytes, in hexadecimal, behind @name. */
static inline int observe_bytes(char *buf, int bufsize, const char *name, const void *bytes,
				int size)
{
	int n = scnprintf(buf, bufsize, " %s=", name);

	if (n + 2 * size >= bufsize)
		return n;
	bin2hex(buf + n, bytes, size);
	return n + 2 * size;
}

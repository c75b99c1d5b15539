/* SPDX-License-Identifier: GPL-2.0-only */
/* What the run time of localvar has to know about an architecture. */
#ifndef _LOCALVAR_ARCH_H
#define _LOCALVAR_ARCH_H

#include <linux/ptrace.h>

#if defined(CONFIG_X86_64)

/* System V ABI: the call pushed the return address, the CFA is above it. */
static inline unsigned long localvar_entry_cfa(const struct pt_regs *regs)
{
	return regs->sp + sizeof(unsigned long);
}

#elif defined(CONFIG_ARM64)

/* AAPCS64: the return address is in x30, the CFA is the stack pointer. */
static inline unsigned long localvar_entry_cfa(const struct pt_regs *regs)
{
	return regs->sp;
}

#else
#error "localvar does not know this architecture"
#endif

#endif /* _LOCALVAR_ARCH_H */

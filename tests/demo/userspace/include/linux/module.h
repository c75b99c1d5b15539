/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a handler file finds in the kernel's headers, for one that is loaded into
 * a program. No header of the C library: libclang's wheel has none of the
 * compiler's own headers, which those need.
 */
#ifndef _DEMO_LINUX_MODULE_H
#define _DEMO_LINUX_MODULE_H

typedef __SIZE_TYPE__ size_t;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long s64;
typedef _Bool bool;

/* arch/x86/include/asm/ptrace.h: what accessors read. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

#undef __always_inline
#define __always_inline		inline __attribute__((__always_inline__))
#define __init
#define __exit
#define module_init(function)	\
	static void __attribute__((constructor)) demo_load(void) { function(); } extern int demo_unused
#define module_exit(function)	\
	static void __attribute__((destructor)) demo_unload(void) { function(); } extern int demo_unused
#define MODULE_LICENSE(text)	_Static_assert(sizeof(text), "")

int scnprintf(char *buf, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif

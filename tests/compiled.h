/* SPDX-License-Identifier: GPL-2.0-only */
/* What generated accessors need of a kernel and of the run time, in a test's own process. */
#include <string.h>

typedef _Bool bool;
#define true 1
#define false 0
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long s64;

#undef __always_inline /* of the C library */
#define __always_inline inline __attribute__((always_inline))

struct pt_regs {
	unsigned long ax, dx, cx, bx, si, di, bp, sp, r8, r9, r10, r11, r12, r13, r14, r15;
};

struct localvar_kernel {
	int unused;
};

static const struct localvar_kernel localvar_kernel;

unsigned long localvar_test_slide, localvar_test_faults, localvar_test_variant;
struct pt_regs localvar_test_entry;
unsigned char localvar_test_memory[1 << 16] __attribute__((aligned(64)));

static inline unsigned long localvar_slide(const struct localvar_kernel *kernel)
{
	return kernel ? localvar_test_slide : 0;
}

static inline unsigned int localvar_variant(const struct pt_regs *regs)
{
	return localvar_test_variant;
}

static inline const struct pt_regs *localvar_entry_regs(void)
{
	return &localvar_test_entry;
}

static inline void localvar_test_read(void *to, unsigned long from, unsigned long size)
{
	unsigned long start = (unsigned long)localvar_test_memory;

	if (from >= start && from - start <= sizeof(localvar_test_memory) - size) {
		memcpy(to, (const void *)from, size);
		return;
	}
	localvar_test_faults++;
	memset(to, 0, size);
}

static inline bool localvar_try_read(void *to, const void *from, unsigned long size)
{
	unsigned long before = localvar_test_faults;

	localvar_test_read(to, (unsigned long)from, size);
	return localvar_test_faults == before;
}

struct localvar_section;

/* What stands in the frame, as the run time has it. */
static inline unsigned long localvar_caller(const struct localvar_kernel *kernel,
					    const struct localvar_section *section,
					    unsigned long cfa)
{
	unsigned long address;

	localvar_test_read(&address, cfa - sizeof(address), sizeof(address));
	return address - (section ? (unsigned long)section : localvar_slide(kernel));
}

#define localvar_load(type, address)						\
({										\
	type __localvar_value;							\
										\
	localvar_test_read(&__localvar_value, (unsigned long)(address),		\
			   sizeof(__localvar_value));				\
	__localvar_value;							\
})

#include <localvar/ops.h>

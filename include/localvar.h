/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * localvar: kprobe handlers that read the variables of the probed code by name.
 *
 * A module includes this header, uses the macros below and is expanded by
 * localvar(1) before it is compiled: each use of a macro becomes straight C for
 * the kernel at hand.
 */
#ifndef _LOCALVAR_H
#define _LOCALVAR_H

#if defined(LOCALVAR_EXPANDED)
#include <localvar/runtime.h>
#elif defined(LOCALVAR_SCAN)
#include <localvar/scan.h>
#else
#error "not expanded by localvar: run 'make ... localvar=1', or 'localvar expand FILE'"

/* Harmless, so that the line above is the only one the compiler prints. */
#define GET_LOCAL_VAR(...)		0
#define GET_LOCAL_VAR_OR(...)		0
#define LOCAL_VAR_AVAILABLE(...)	0
#define LOCAL_VAR_ADDR(...)		((void *)0)
#define SET_LOCAL_VAR(...)		do { } while (0)
#define GET_RETURN_VALUE(...)		0
#define GET_ENTRY_VAR(...)		0
#define GET_STATIC_VAR(...)		0
#define PRINT_LOCAL_VARS(...)		0
#define PRINT_PARAMETERS(...)		0
#define PROBE_LOCATION(...)		.offset = 0
#define LOCALVAR_PROBE(...)		struct localvar_probe
#define LOCALVAR_BEGIN(...)		struct localvar_probe
#define LOCALVAR_END(...)		struct localvar_probe
#define PROBE_ALIAS(...)		struct localvar_probe
#define LOCALVAR_MODULE()		struct localvar_probe
#endif

#endif /* _LOCALVAR_H */

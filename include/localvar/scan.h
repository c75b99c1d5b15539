/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the macros of localvar.h are while libclang reads a handler file.
 *
 * The type of a variable is not known yet, and whatever the handler does with
 * it has to parse.  A member that does not exist gives just that: the compiler
 * complains about the member, by a name that localvar filters, and goes on with
 * an expression that may have any type.  Arguments that are C are evaluated, so
 * that mistakes in them are found and macros in them are expanded.
 */
#ifndef _LOCALVAR_SCAN_H
#define _LOCALVAR_SCAN_H

/* What localvar.h brings when the file is compiled. */
#if __has_include(<linux/kprobes.h>)
#include <localvar/runtime.h>
#else
struct localvar_probe {
	int unused;
};
#endif

struct localvar_scan {
	int unused;
};

extern struct localvar_scan localvar_scan;
int localvar_scan_arguments(int unused, ...);

#define LOCALVAR_SCAN_VALUE		(localvar_scan.localvar_value)
#define LOCALVAR_SCAN_WITH(...)		\
	(localvar_scan_arguments(0, __VA_ARGS__), LOCALVAR_SCAN_VALUE)

#define GET_LOCAL_VAR(...)		LOCALVAR_SCAN_VALUE
#define GET_LOCAL_VAR_OR(path, ...)	LOCALVAR_SCAN_WITH(__VA_ARGS__)
#define LOCAL_VAR_AVAILABLE(...)	LOCALVAR_SCAN_VALUE
#define LOCAL_VAR_ADDR(...)		LOCALVAR_SCAN_VALUE
#define SET_LOCAL_VAR(path, ...)	((void)LOCALVAR_SCAN_WITH(__VA_ARGS__))
#define GET_RETURN_VALUE(...)		LOCALVAR_SCAN_VALUE
#define GET_ENTRY_VAR(...)		LOCALVAR_SCAN_VALUE
#define GET_STATIC_VAR(...)		LOCALVAR_SCAN_VALUE
#define PRINT_LOCAL_VARS(...)		LOCALVAR_SCAN_WITH(__VA_ARGS__)
#define PRINT_PARAMETERS(...)		LOCALVAR_SCAN_WITH(__VA_ARGS__)

#define PROBE_LOCATION(...)		.symbol_name = (__VA_ARGS__)
#define LOCALVAR_PROBE(handler, ...)	static struct localvar_probe handler##_probe
#define LOCALVAR_BEGIN(...)		struct localvar_scan
#define LOCALVAR_END(...)		struct localvar_scan
#define PROBE_ALIAS(...)		struct localvar_scan
#define LOCALVAR_MODULE(...)		struct localvar_scan

#endif /* _LOCALVAR_SCAN_H */

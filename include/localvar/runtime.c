// SPDX-License-Identifier: GPL-2.0-only
/*
 * The run time itself: compiled into the one file of a module that defines
 * LOCALVAR_RUNTIME. Nothing here is exported, so that several modules, each
 * with a copy, live beside each other.
 */
#include <linux/debugfs.h>
#include <linux/elf.h>
#include <linux/ftrace.h>
#include <linux/kobject.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/trace.h>
#include <linux/uaccess.h>
#include <linux/utsname.h>
#include <linux/version.h>

#define localvar_err(fmt, ...)	\
	pr_err("localvar: %s: " fmt "\n", THIS_MODULE->name, ##__VA_ARGS__)

#include <localvar/check.c>
#include <localvar/output.c>
#include <localvar/object.c>
#include <localvar/watch.c>
#include <localvar/entry.c>
#include <localvar/dispatch.c>
#include <localvar/arm.c>
#include <localvar/notifier.c>
#include <localvar/register.c>
#include <localvar/plain.c>

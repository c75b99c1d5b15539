// SPDX-License-Identifier: GPL-2.0-only
/* Who reads what: the parameters of vfs_read() and, in the middle of it, its result. */
#include <linux/fs.h>
#include <linux/module.h>
#include <localvar.h>

static int show_request(struct pt_regs *regs, void *buf, int bufsize)
{
	struct file *file = GET_LOCAL_VAR(file);
	size_t count = GET_LOCAL_VAR(count, size_t);

	return scnprintf(buf, bufsize, "ino=%lu count=%zu", file_inode(file)->i_ino, count);
}
LOCALVAR_PROBE(show_request, "kernel.function(\"vfs_read\")");

/* The line `if (ret > 0)`, 23 lines after the function's first, in 6.1 and in 6.12. */
static int show_result(struct pt_regs *regs, void *buf, int bufsize)
{
	ssize_t ret = GET_LOCAL_VAR(ret);

	return scnprintf(buf, bufsize, "ino=%lu ret=%zd",
			 GET_LOCAL_VAR(file->f_inode->i_ino), ret);
}
LOCALVAR_PROBE(show_result, "kernel.statement(\"vfs_read@fs/read_write.c+23\")");

LOCALVAR_MODULE();
MODULE_DESCRIPTION("localvar example: what is read, and how much of it");
MODULE_LICENSE("GPL");

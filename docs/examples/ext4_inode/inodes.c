// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each ext4 inode on its way to the disk: struct ext4_inode_info and struct
 * ext4_inode are private to fs/ext4 (fs/ext4/ext4.h).
 */
#include <linux/module.h>
#include <linux/types.h>
#include <localvar.h>

/* Behind the declarations, 20 lines after the function's first, in 6.1 and in 6.12. */
static int on_write(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "ino=%lu size=%lld disksize=%lld group=%u reserved=%u old=%u",
			 GET_LOCAL_VAR(ei->vfs_inode.i_ino), GET_LOCAL_VAR(ei->vfs_inode.i_size),
			 GET_LOCAL_VAR(ei->i_disksize), GET_LOCAL_VAR(ei->i_block_group),
			 GET_LOCAL_VAR(ei->i_reserved_data_blocks),
			 le32_to_cpu(GET_LOCAL_VAR(raw_inode->i_size_lo)));
}
LOCALVAR_PROBE(on_write, "kernel.statement(\"ext4_do_update_inode@fs/ext4/inode.c+20\")");

LOCALVAR_MODULE();
MODULE_DESCRIPTION("localvar example: a file system's private inode");
MODULE_LICENSE("GPL");

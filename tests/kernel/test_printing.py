# SPDX-License-Identifier: GPL-2.0-or-later
"""PRINT_LOCAL_VARS and PRINT_PARAMETERS in a booted kernel: every shape of value, held against the workload."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .build import build_module
from .kernels import InstalledKernel
from .vm import Module, VirtualMachine

pytestmark = pytest.mark.vm

#: By kernel: the call of do_filp_open() in do_sys_openat2(), and a line behind the one that fills tcomm.
OPENS, NAMES = {"6.1": 1320, "6.12": 1421}, {"6.1": 113, "6.12": 114}
BYTES = 7
HANDLERS = r"""
#include <linux/module.h>
#include <localvar.h>

static int asked(struct pt_regs *regs, void *buf, int bufsize)
{
	return PRINT_PARAMETERS(buf, bufsize);
}
LOCALVAR_PROBE(asked, "vfs_read");

static int done(struct pt_regs *regs, void *buf, int bufsize)
{
	return PRINT_LOCAL_VARS(buf, bufsize);
}
LOCALVAR_PROBE(done, "kernel.function(\"vfs_read\").return");

static int opened(struct pt_regs *regs, void *buf, int bufsize)
{
	int n = scnprintf(buf, bufsize, "flags=%08x dfd=%d ", swab32(GET_LOCAL_VAR(op.open_flag)), GET_LOCAL_VAR(dfd));

	return n + PRINT_LOCAL_VARS(buf + n, bufsize - n);
}
LOCALVAR_PROBE(opened, "kernel.statement(\"do_sys_openat2@fs/open.c:@OPENS@\")");

static int named(struct pt_regs *regs, void *buf, int bufsize)
{
	return PRINT_LOCAL_VARS(buf, bufsize);
}
LOCALVAR_PROBE(named, "kernel.statement(\"proc_task_name@fs/proc/array.c:@NAMES@\")");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
"""
WORKLOAD = f"dd if=/proc/version of=/dev/null bs={BYTES} count=3 2>&-; cat /proc/self/status > /dev/null"


def test_every_shape_of_value_is_printed(kernel: InstalledKernel, localvar_script: Path, tmp_path: Path) -> None:
    """Numbers, pointers, what was returned, a structure that C has no definition of here, characters, what is absent."""
    source = HANDLERS.replace("@OPENS@", str(OPENS[kernel.name])).replace("@NAMES@", str(NAMES[kernel.name]))
    kbuild = "obj-m := printing.o\ninclude $(shell localvar kbuild)\n"
    path = f"{localvar_script.parent}{os.pathsep}{os.environ['PATH']}"
    ko = build_module(kernel, "printing", {"printing.c": source, "Kbuild": kbuild}, tmp_path, make_args=["localvar=1"],
                      env={"PATH": path})
    result = VirtualMachine(kernel, [Module(ko)], WORKLOAD).run()
    texts = [record.text for record in result.records("printing")]

    asked = r"file=0xff\w{14} buf=0x\w+ count=7 pos=0xff\w{14} "
    assert sum(re.fullmatch(f"asked: {asked}", text) is not None for text in texts) == 3
    done = rf"return={BYTES} file=0xff\w{{14}} buf=0x\w+ count={BYTES} pos=0xff\w{{14}} "
    assert sum(re.fullmatch(f"done: {done}", text) is not None for text in texts) == 3
    opened = [text for text in texts if text.startswith("opened: ")]
    assert len(opened) > 5
    for text in opened:
        rest = r".*\bop=\{(\w{8})\w{32}\} fd=(\d+) tmp=0xff\w{14} "
        found = re.fullmatch(rf"opened: flags=(\w{{8}}) dfd=(-?\d+) .*\bdfd=(-?\d+) {rest}", text)
        assert found is not None, text
        assert found[1] == found[4] and found[2] == found[3] == "-100" and " f=? " in text
    assert [text for text in texts if text.startswith("named: ") and ' tcomm="cat" ' in text] != []

# SPDX-License-Identifier: GPL-2.0-or-later
"""SET_LOCAL_VAR in a booted kernel: the probed function goes on with what was written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .build import build_module
from .kernels import InstalledKernel
from .vm import Module, VirtualMachine

pytestmark = pytest.mark.vm

#: By kernel: the line of ksys_read() that calls vfs_read(), where pos is set.
CALL = {"6.1": 613, "6.12": 712}
ASKED, GIVEN, MOVED = 7, 3, 11
HANDLERS = f"""
#include <linux/module.h>
#include <localvar.h>

static int shorten(struct pt_regs *regs, void *buf, int bufsize)
{{
	if (GET_LOCAL_VAR(count) == {ASKED})
		SET_LOCAL_VAR(count, {GIVEN});
	return 0;
}}
LOCALVAR_PROBE(shorten, "vfs_read");

static int move(struct pt_regs *regs, void *buf, int bufsize)
{{
	if (GET_LOCAL_VAR(count) == {MOVED})
		SET_LOCAL_VAR(pos, GET_LOCAL_VAR(pos) + 5);
	return 0;
}}
LOCALVAR_PROBE(move, "kernel.statement(\\"ksys_read@fs/read_write.c:@LINE@\\")");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
"""
WORKLOAD = f"""
    printf 0123456789abcdefghijklmnop > /tmp/letters
    for size in 6 {ASKED} {MOVED} 12; do
        echo $(dd if=/tmp/letters bs=$size count=1 2>&-)
    done
"""


def test_a_register_and_a_slot_of_the_frame_are_written(kernel: InstalledKernel, localvar_script: Path, tmp_path: Path) -> None:
    source = HANDLERS.replace("@LINE@", str(CALL[kernel.name]))
    kbuild = "obj-m := writing.o\ninclude $(shell localvar kbuild)\n"
    path = f"{localvar_script.parent}{os.pathsep}{os.environ['PATH']}"
    ko = build_module(kernel, "writing", {"writing.c": source, "Kbuild": kbuild}, tmp_path, make_args=["localvar=1"],
                      env={"PATH": path})
    result = VirtualMachine(kernel, [Module(ko)], WORKLOAD).run()
    assert result.step("workload").output.splitlines() == ["012345", "012", "56789abcdef", "0123456789ab"]

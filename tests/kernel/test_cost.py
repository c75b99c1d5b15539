# SPDX-License-Identifier: GPL-2.0-or-later
"""What reading a variable costs: handlers compiled by Kbuild, instruction by instruction beside handlers written by hand.

By hand means what the calling convention says of parameters at the entry of a function (System V ABI, 3.2.3), and C.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from .kernels import InstalledKernel
from .test_callers import build

SOURCES = Path(__file__).with_name("told")
#: Of each handler: where it is bound to, what it passes on with the macros, and by hand.
HANDLERS = {
    "registers": (
        'kernel.function(\\"vfs_read\\")',
        "(long)GET_LOCAL_VAR(file), GET_LOCAL_VAR(count), (long)GET_LOCAL_VAR(pos), 0",
        "(long)(struct file *)regs->di, regs->dx, (long)(loff_t *)regs->cx, 0",
    ),
    "parts_of_registers": (
        'module(\\"told\\").function(\\"recursive\\")',
        "GET_LOCAL_VAR(key), GET_LOCAL_VAR(depth), GET_LOCAL_VAR(more), GET_LOCAL_VAR(pair.third)",
        "regs->di, (int)regs->si, (u16)regs->r8, (short)(regs->cx >> 32)",
    ),
    "frame": (
        'module(\\"told\\").function(\\"in_memory\\")',
        "GET_LOCAL_VAR(large.numbers[2]), GET_LOCAL_VAR(large.pair.second), GET_LOCAL_VAR(large.numbers[0]), 0",
        "*(long *)(regs->sp + 24), *(int *)(regs->sp + 40), *(long *)(regs->sp + 8), 0",
    ),
    "constant": (
        'module(\\"told\\").statement(\\"locals@*:LOCALS\\")',
        "GET_LOCAL_VAR(constant), LOCAL_VAR_AVAILABLE(key), LOCAL_VAR_AVAILABLE(pointer), 0",
        "-77, 1, 0, 0",
    ),
}  # fmt: skip
_FILE = """\
#include <linux/fs.h>
#include <linux/module.h>
#include <localvar.h>

noinline int pass_on(long a, long b, long c, long d);
noinline int pass_on(long a, long b, long c, long d)
{{
	asm volatile("" : : "r" (a), "r" (b), "r" (c), "r" (d));
	return 0;
}}

{handlers}
LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test of localvar");
"""
_HANDLER = """\
static int {name}(struct pt_regs *regs, void *buf, int bufsize)
{{
	return pass_on({read});
}}
LOCALVAR_PROBE({name}, "{coordinate}");

int {name}_by_hand(struct pt_regs *regs, void *buf, int bufsize);
int {name}_by_hand(struct pt_regs *regs, void *buf, int bufsize)
{{
	return pass_on({by_hand});
}}
"""


@pytest.fixture(scope="module")
def module(kernel: InstalledKernel, localvar_script: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module with all the handlers."""
    folder = tmp_path_factory.mktemp("cost")
    source = (SOURCES / "told.c").read_text()
    line = next(n for n, text in enumerate(source.splitlines(), 1) if "/* locals */" in text)
    victim = build(kernel, "told", source, localvar_script, folder)
    handlers = [_HANDLER.format(name=name, coordinate=coordinate.replace("LOCALS", str(line)), read=read, by_hand=by_hand)
                for name, (coordinate, read, by_hand) in HANDLERS.items()]  # fmt: skip
    text = _FILE.format(handlers="\n".join(handlers))
    return build(kernel, "cost", text, localvar_script, folder, f"--module-debug {victim.parent}")


def instructions(ko: Path, function: str) -> list[str]:
    """The instructions of a function, without addresses."""
    command: list[str | Path] = ["objdump", "-dr", "--no-show-raw-insn", f"--disassemble={function}", ko]
    listing = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    body = listing.partition(f"<{function}>:\n")[2].splitlines()
    found = [line.partition(":\t")[2].strip() for line in body if re.match(r"\s*[0-9a-f]+:\t\S", line)]
    return [re.sub(r"^(call|jmp)\s.*", r"\1", text) for text in found if not re.match(r"R_X86_64|nop|xchg +%ax,%ax", text)]


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_is_the_instructions_that_one_written_by_hand_is(module: Path, handler: str) -> None:
    by_hand = instructions(module, f"{handler}_by_hand")
    assert len(by_hand) >= 5 and any(text.startswith("call") for text in by_hand)
    assert instructions(module, handler) == by_hand

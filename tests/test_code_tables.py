# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's tables in a module's file, whose entries are relocations: what the kernel keeps for itself or changes is known."""

from __future__ import annotations

import subprocess

import pytest

from localvar.code.flow import Flow
from localvar.code.patches import read_patches
from localvar.dwarf.elf import ET_REL, Elf
from localvar.probe.probeable import Probeable

RDI, RSI = 5, 4

SOURCE = """\
.section .text.first, "ax"
    nop
.section .text, "ax"
.globl f, branch, far, back, call, trap, end
f:      nop
branch: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00
back:   mov %rdi, %rax
call:   call elsewhere
trap:   ud2
        ret
far:    xor %edi, %edi
        jmp back
end:
.section __jump_table, "aw"
    .long branch - ., far - .
    .quad key - .
.section .static_call_sites, "aw"
    .long call - ., key - .
.section __bug_table, "aw"
    .long trap - ., 0, 0
.section .data
key: .quad 0
.section .note.GNU-stack,"",@progbits
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Elf:
    folder = tmp_path_factory.mktemp("module")
    (folder / "f.s").write_text(SOURCE)
    subprocess.run(["gcc", "-c", "-o", folder / "f.o", folder / "f.s"], check=True)
    elf = Elf.open(folder / "f.o")
    assert elf.type == ET_REL
    return elf


def at(elf: Elf, name: str) -> int:
    [symbol] = elf.symbols_named(name)
    return symbol.value


@pytest.mark.parametrize(("name", "words"), [
    ("branch", "it is a jump label"), ("call", "it is a static call"), ("trap", "it is the trap of a BUG()"), ("f", None),
    ("back", None),
])
def test_place_in_a_module_that_the_kernel_keeps_for_itself_is_refused(module: Elf, name: str, words: str | None) -> None:
    why = Probeable(module).why_not(at(module, name), at(module, "f"))
    assert why is None if words is None else why is not None and why.text.startswith(words)


def test_static_branch_of_a_module_is_a_way_that_its_code_can_go(module: Elf) -> None:
    """The branch that is not taken yet clears rdi before it comes back."""
    patches = read_patches(module)
    assert patches is not None and patches.jumps == {at(module, "branch"): at(module, "far")}
    intact = Flow(module).intact(at(module, "f"), [(at(module, "f"), at(module, "end"))], at(module, "back"))
    assert RSI in intact and RDI not in intact

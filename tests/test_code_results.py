# SPDX-License-Identifier: GPL-2.0-or-later
"""What a clone of a function returns is read only where a caller's code shows that it returns anything."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from localvar.code.x86 import takes_result
from localvar.dwarf.elf import Elf
from localvar.model.plan import Read
from localvar.model.site import SiteKind
from tests.dwarfgen import Ref, Symbol
from tests.test_plan_caller import AT_A, SIZE, A, B, F, World, call, caller, site_of

CHANGES_RAX = b"\x31\xc0"  # xor %eax,%eax
USES, IGNORES = b"\x85\xc0", b"\xb8\x01\x00\x00\x00"  # test %eax,%eax; mov $1,%eax


def assembled(tmp_path: Path, text: str) -> bytes:
    source, linked = tmp_path / "f.s", tmp_path / "f"
    source.write_text(f'.text\n.globl f, end\nf:\n{text}\nend:\n.section .note.GNU-stack,"",@progbits\n')
    subprocess.run(["gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x401000,--build-id=none", "-o", linked, source], check=True,
                   stderr=subprocess.DEVNULL)
    elf = Elf.open(linked)
    start, end = (elf.symbols_named(name)[0].value for name in ("f", "end"))
    return elf.memory(start, end - start) or b""


@pytest.mark.parametrize("text", [
    "test %eax, %eax", "cmp $3, %al", "mov %rax, %rbx", "mov (%rax), %rdx", "movslq %eax, %rdx", "movzbl %al, %ecx", "cltq",
    "cmp %rdx, 8(%rax)", "mov %rdx, (%rax)", "mov $1, %ebx\nnop\nmov %eax, 4(%rsp)",
])
def test_result_is_used(tmp_path: Path, text: str) -> None:
    assert takes_result(assembled(tmp_path, text), 0x401000)


@pytest.mark.parametrize("text", [
    "xor %eax, %eax\nmov %eax, %ebx", "mov $1, %eax\ntest %eax, %eax", "sub %eax, %eax", "sbb %eax, %eax", "push %rax\nret",
    "je 1f\n1: test %eax, %eax", "call end\ntest %eax, %eax", "ret", "nop", "jmp *%rax",
    "mov $1, %al\nmov %al, %bl", "lea 8(%rip), %rax\nmov %rax, %rbx", "pop %rax\nmov %rax, %rbx",
])
def test_result_is_not_seen_to_be_used(tmp_path: Path, text: str) -> None:
    assert not takes_result(assembled(tmp_path, text), 0x401000)


def result(symbol: str, behind: bytes, body: bytes = CHANGES_RAX, target: int = F) -> Read:
    """The return value of a function whose symbol it is, with this code behind a call in its one caller."""
    code = {F + 4: body, A + 0x10: call(A + 0x10, target), AT_A: behind}
    world = World(caller("a", A, site_of(A + 0x10)), code=code, f={"type": Ref("long")}, symbols=[Symbol(symbol, F, SIZE)])
    return world.judge.returned(replace(world.site(F), kind=SiteKind.RETURN))


@pytest.mark.parametrize("symbol", ["f", "f.constprop.0"])
def test_function_that_was_not_made_anew_returns_what_its_type_says(symbol: str) -> None:
    assert result(symbol, IGNORES).readable


@pytest.mark.parametrize("symbol", ["f.isra.0", "f.part.0", "f.constprop.0.isra.0"])
def test_clone_returns_something_where_a_caller_uses_it(symbol: str) -> None:
    assert result(symbol, USES).readable


@pytest.mark.parametrize(("behind", "body", "target"), [
    (IGNORES, CHANGES_RAX, F),
    (USES, b"\x90\x90", F),  # rax may be the caller's own, kept across a function that does not touch it
    (USES, CHANGES_RAX, B),  # that call is of another function
])
def test_clone_whose_result_nobody_is_seen_to_use_has_none(behind: bytes, body: bytes, target: int) -> None:
    read = result("f.isra.0", behind, body, target)
    assert not read.readable and read.reason is not None and read.reason.slug == "no-result"


def test_function_that_clang_has_made_return_nothing_has_no_result() -> None:
    """It says so of a static function whose result nobody uses: DW_CC_nocall (DeadArgumentElimination.cpp)."""
    world = World(f={"type": Ref("long"), "calling_convention": 3}, symbols=[Symbol("f", F, SIZE)])
    read = world.judge.returned(replace(world.site(F), kind=SiteKind.RETURN))
    assert read.reason is not None and read.reason.slug == "no-result"


def test_function_that_returns_nothing_says_so() -> None:
    world = World(symbols=[Symbol("f", F, SIZE)])
    read = world.judge.returned(replace(world.site(F), kind=SiteKind.RETURN))
    assert read.reason is not None and read.reason.slug == "void" and read.variable is not None

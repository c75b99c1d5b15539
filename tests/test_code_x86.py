# SPDX-License-Identifier: GPL-2.0-or-later
"""What each instruction can change and where it goes, as gcc assembles it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from localvar.code.x86 import CALLEE_SAVED, EVERYTHING, Instruction, decode
from localvar.dwarf.elf import Elf

NAMES = ("a", "d", "c", "b", "si", "di", "bp", "sp")
"""In the order of the DWARF numbers (psABI figure 3.36)."""


def assembled(tmp_path: Path, lines: Sequence[str], tracer: int | None = None) -> list[Instruction]:
    """Instructions (AT&T syntax) from address 0 on."""
    (tmp_path / "f.s").write_text("\n".join([*lines, ""]))
    subprocess.run(["gcc", "-c", "-o", tmp_path / "f.o", tmp_path / "f.s"], check=True)
    raw = Elf.open(tmp_path / "f.o").contents(".text")
    found = list(decode(raw.bytes(0, raw.size), 0, tracer))
    assert len(found) == len(lines) and found[-1].end == raw.size
    return found


def forms(number: int) -> list[str]:
    """A register's name, and those of its parts."""
    if number >= 8:
        return [f"r{number}{suffix}" for suffix in ("", "d", "w", "b")]
    name = NAMES[number]
    if len(name) == 1:
        return [f"r{name}x", f"e{name}x", f"{name}x", f"{name}l", f"{name}h"]
    return [f"r{name}", f"e{name}", name, f"{name}l"]


def test_every_name_of_a_register_is_that_register(tmp_path: Path) -> None:
    names = [(number, name) for number in range(16) for name in forms(number)]
    found = assembled(tmp_path, [f"mov $1, %{name}" for _, name in names])
    assert [each.changes for each in found] == [{number} for number, _ in names]


AX, DX, CX, BX, SI, DI, BP, SP = range(8)
CHANGES: list[tuple[str, set[int]]] = [
    *((text, set[int]()) for text in (
        "cmp %rax, %rbx", "test %eax, %eax", "nop", "nopl 8(%rax)", "endbr64", "bt $3, %rax", "prefetcht0 (%rax)", "pause",
        "lfence", "mfence", "sfence", "ud2", "cld", "std", "clac", "stac", "int3", "mov %rax, 8(%rbx)", "movb $1, (%rdi)",
        "add %rax, (%rbx)", "incl (%rax)", "sete (%rax)", "lock incl (%rax)")),
    ("lock xadd %eax, (%rbx)", {AX}), ("xadd %rax, %rbx", {AX, BX}), ("xchg %rcx, %rdx", {CX, DX}), ("xchg %rcx, (%rdx)", {CX}),
    ("push %rax", {SP}), ("pushq (%rax)", {SP}), ("pop %rbx", {BX, SP}), ("popq (%rbx)", {SP}),
    *((f"{text} %rdx", {DX}) for text in ("inc", "dec", "neg", "not", "bswap")),
    *((f"{text} %rcx, %rdx", {DX}) for text in (
        "mov", "add", "sub", "and", "or", "xor", "adc", "sbb", "bts", "btr", "btc", "bsf", "bsr", "tzcnt", "lzcnt", "popcnt",
        "imul", "cmovne", "cmovs", "cmovae")),
    *((f"{text} $3, %rdx", {DX}) for text in ("shl", "shr", "sar", "rol", "ror")),
    *((f"{text} $3, %rcx, %rdx", {DX}) for text in ("shld", "shrd", "imul")),
    ("lea 8(%rax,%rbx), %rdx", {DX}), ("movabs $0x123456789abc, %rdx", {DX}), ("movzbl %al, %edx", {DX}),
    ("movsbl (%rax), %edx", {DX}), ("movslq %eax, %rdx", {DX}), ("sete %dl", {DX}), ("setg %r9b", {9}),
    ("cltq", {AX}), ("cwtl", {AX}), ("cltd", {DX}), ("cqto", {DX}),
    *((text, set(EVERYTHING)) for text in (
        "mul %rdx", "imul %rdx", "div %rdx", "idiv %ecx", "cpuid", "rdtsc", "rep stosq", "movsb", "cmpxchg %rcx, (%rdi)",
        "lock cmpxchg16b (%rdi)", "leave", "enter $8, $0", "syscall", "mov %rax, %cr3", "mov %rax, %ds", "in %dx, %al", "rdmsr",
        "xlat", "lodsq", "rep movsb", "popfq", "mulx %rax, %rbx, %rcx")),
]


def test_an_instruction_changes_what_its_manual_says(tmp_path: Path) -> None:
    found = assembled(tmp_path, [text for text, _ in CHANGES])
    assert {text: each.changes for each, (text, _) in zip(found, CHANGES, strict=True)} == dict(CHANGES)
    assert all(each.known and each.falls_through and not each.targets for each in found)


@pytest.mark.parametrize(("text", "targets", "falls_through", "known"), [
    ("jmp 0x10", (0x10,), False, True), ("jne 0x10", (0x10,), True, True), ("jrcxz 0x10", (0x10,), True, True),
    ("notrack jmp *%rax", (), False, False), ("jmp *(%rax)", (), False, False), ("jmp *%rax", (), False, False),
    ("ret", (), False, True), ("iretq", (), False, True), ("hlt", (), False, True),
    ("loop 0x10", (), True, False), ("loopne 0x10", (), True, False), ("xbegin 0x10", (), True, False),
    ("ljmp *(%rax)", (), False, False),
])
def test_a_jump_goes_where_it_says(tmp_path: Path, text: str, targets: tuple[int, ...], falls_through: bool, known: bool) -> None:
    """A target is an address; where it is not followed nothing is known of what it changes either."""
    (tmp_path / "f.s").write_text(f"{text.replace('0x10', '1f')}\n.org 0x10\n1: nop\n")
    subprocess.run(["gcc", "-c", "-o", tmp_path / "f.o", tmp_path / "f.s"], check=True)
    raw = Elf.open(tmp_path / "f.o").contents(".text")
    found = next(decode(raw.bytes(0, raw.size), 0, None))
    assert (found.targets, found.falls_through, found.known) == (targets, falls_through, known)


def test_a_call_keeps_what_the_convention_says_and_the_tracer_keeps_all(tmp_path: Path) -> None:
    lines = ["1: call 1b", "call *%rax", "call *(%rax)"]
    assert [each.changes for each in assembled(tmp_path, lines)] == [EVERYTHING - CALLEE_SAVED] * 3
    assert [each.changes for each in assembled(tmp_path, lines, 0)] == [frozenset(), *[EVERYTHING - CALLEE_SAVED] * 2]
    assert {BX, BP, SP, 12, 13, 14, 15} == CALLEE_SAVED and set(range(16)) == EVERYTHING


def test_decoding_ends_where_there_is_no_instruction() -> None:
    assert [each.address for each in decode(b"\x90\x90\x06\x90", 8, None)] == [8, 9]
    assert list(decode(b"", 0, None)) == []

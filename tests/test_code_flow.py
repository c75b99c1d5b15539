# SPDX-License-Identifier: GPL-2.0-or-later
"""Registers that hold what they held on entry: proven on every path, or not claimed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localvar.code.flow import Flow
from localvar.code.x86 import EVERYTHING
from localvar.dwarf.elf import Elf

RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP = range(8)
ARGUMENTS = frozenset({RDI, RSI, RDX, RCX, 8, 9})


def intact(tmp_path: Path, body: str, extra: str = "", start: str = "f") -> frozenset[int]:
    """What is proven at the label `here` of a function f with this body (AT&T syntax)."""
    source = tmp_path / "f.s"
    source.write_text(f".text\n.globl f, end, here, __fentry__\n__fentry__: ret\nother: ret\nf:\n{body}\nend:\n{extra}\n"
                      '.section .note.GNU-stack,"",@progbits\n')
    linked = tmp_path / "f"
    subprocess.run(["gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x401000,--build-id=none", "-o", linked, source], check=True,
                   stderr=subprocess.DEVNULL)
    elf = Elf.open(linked)
    place = {name: elf.symbols_named(name)[0].value for name in (start, "end", "here")}
    return Flow(elf).intact(place[start], [(elf.symbols_named("f")[0].value, place["end"])], place["here"])


def in_module(tmp_path: Path, body: str, cold: str = "", extra: str = "") -> frozenset[int]:
    """As intact(), in an object file that is not linked, as modules are: all sections at 0, calls and jumps to other sections
    not yet put in.  cold: the part of f that is in .text.unlikely."""
    source = tmp_path / "m.s"
    source.write_text(f".text\nother: ret\n.globl f, end, here\nf:\n{body}\nend:\n.section .text.unlikely,\"ax\"\nret\n"
                      f"cold:\n{cold}\ncold_end:\n{extra}\n")
    subprocess.run(["gcc", "-c", "-o", tmp_path / "m.ko", source], check=True, stderr=subprocess.DEVNULL)
    elf = Elf.open(tmp_path / "m.ko")
    place = {name: elf.symbols_named(name)[0].value for name in ("f", "end", "here", "cold", "cold_end")}
    cold_ranges = [(place["cold"], place["cold_end"])] if cold else []
    return Flow(elf).intact(place["f"], [(place["f"], place["end"]), *cold_ranges], place["here"])


def test_every_register_holds_at_the_entry_itself(tmp_path: Path) -> None:
    assert intact(tmp_path, "here: ret") == EVERYTHING


def test_a_written_register_is_lost_and_the_others_hold(tmp_path: Path) -> None:
    found = intact(tmp_path, "mov %rdi, %rbx\nxor %eax, %eax\nadd $1, %esi\nhere: ret")
    assert found == EVERYTHING - {RBX, RAX, RSI}


def test_a_write_to_a_part_loses_the_register(tmp_path: Path) -> None:
    assert RDX not in intact(tmp_path, "mov $1, %dh\nhere: ret")
    assert RDI not in intact(tmp_path, "mov $1, %dil\nhere: ret")


def test_a_write_on_one_of_two_paths_loses_the_register(tmp_path: Path) -> None:
    found = intact(tmp_path, "test %edi, %edi\nje 1f\nmov $2, %esi\n1:\nhere: ret")
    assert RSI not in found and RDI in found


def test_a_write_behind_the_place_is_seen_around_a_loop(tmp_path: Path) -> None:
    found = intact(tmp_path, "1:\nhere: cmp %rdx, %rcx\ninc %rcx\njne 1b\nret")
    assert RCX not in found and RDX in found


def test_a_write_on_a_path_that_does_not_lead_here_does_not_count(tmp_path: Path) -> None:
    assert RSI in intact(tmp_path, "test %edi, %edi\nje here\nmov $2, %esi\nret\nhere: ret")


def test_a_call_loses_what_the_convention_does_not_preserve(tmp_path: Path) -> None:
    found = intact(tmp_path, "call other\nhere: ret")
    assert not found & ARGUMENTS
    assert {RBX, RBP, 12, 13, 14, 15} <= found


def test_the_tracer_preserves_every_register(tmp_path: Path) -> None:
    assert intact(tmp_path, "call __fentry__\nhere: ret") >= ARGUMENTS


@pytest.mark.parametrize("instruction", [
    "cpuid", "rdtsc", "rep movsb", "mul %rsi", "div %rsi", "cmpxchg %rcx, (%rdi)", "syscall"])
def test_an_instruction_that_is_not_on_the_lists_loses_everything(tmp_path: Path, instruction: str) -> None:
    assert intact(tmp_path, f"{instruction}\nhere: ret") == frozenset()


def test_nothing_is_proven_in_a_function_with_an_indirect_jump(tmp_path: Path) -> None:
    assert intact(tmp_path, "here: jmp *%rax") == frozenset()


def test_nothing_is_proven_at_an_address_that_is_not_reached(tmp_path: Path) -> None:
    assert intact(tmp_path, "ret\nhere: ret") == frozenset()


ALTERNATIVE = """
.section .altinstructions,"a",@progbits
.globl __alt_instructions, __alt_instructions_end
__alt_instructions:
.long 661b - ., 662f - .
.word 0
.byte 3, 3
__alt_instructions_end:
.section .text.more,"ax",@progbits
662: mov %rcx, %rdi
"""


def test_code_that_the_kernel_rewrites_loses_everything(tmp_path: Path) -> None:
    assert intact(tmp_path, "661: .byte 0x0f, 0x1f, 0x00\nhere: ret", ALTERNATIVE) == frozenset()


def test_code_in_front_of_what_is_rewritten_is_not_affected(tmp_path: Path) -> None:
    assert intact(tmp_path, "here: nop\n661: .byte 0x0f, 0x1f, 0x00\nret", ALTERNATIVE) == EVERYTHING


JUMP_LABEL = """
.section __jump_table,"a",@progbits
.globl __start___jump_table, __stop___jump_table
__start___jump_table:
.long 671b - ., 672b - .
.quad 0
__stop___jump_table:
"""


def test_a_jump_label_can_go_to_its_target(tmp_path: Path) -> None:
    body = "671: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\nret\n672: nop\nhere: ret"
    assert intact(tmp_path, body) == frozenset()
    assert intact(tmp_path, body, JUMP_LABEL) == EVERYTHING
    found = intact(tmp_path, "671: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\nmov $1, %esi\n672: nop\nhere: ret", JUMP_LABEL)
    assert found == EVERYTHING - {RSI}


FIXUP = """
.section __ex_table,"a",@progbits
.globl __start___ex_table, __stop___ex_table
__start___ex_table:
.long 681b - ., 682b - ., 0
__stop___ex_table:
"""


def test_a_fixup_is_reached_with_nothing_proven(tmp_path: Path) -> None:
    assert intact(tmp_path, "681: mov (%rdi), %rax\n682: nop\nhere: ret", FIXUP) == frozenset()


REPLACED = """
.section .altinstructions,"a",@progbits
.globl __alt_instructions, __alt_instructions_end
__alt_instructions:
.long 661b - ., 663f - .
.word 0
.byte 662b - 661b, 664f - 663f
__alt_instructions_end:
.section .altinstr_replacement,"ax",@progbits
{}
"""


@pytest.mark.parametrize("replacement", ["663: jmp target\n664:", "663:\n664:"])
def test_what_the_kernel_puts_in_place_of_a_jump_goes_on_with_nothing_proven(tmp_path: Path, replacement: str) -> None:
    """static_cpu_has() is a jump to where its bit is looked at, until the kernel replaces that by a jump to the other side or
    by nops.  Here both sides are reached by another way too, on which every register holds."""
    body = "test %edi, %edi\nje {}\njs 662f\n661: jmp elsewhere\n662: nop\n{} ret\n{} target: nop\n{} ret\nelsewhere: ret"
    jumps = "jmp" in replacement
    there = body.format("target", "" if jumps else "here:", "", "here:" if jumps else "")
    assert intact(tmp_path, there, REPLACED.format(replacement)) == frozenset()


def test_a_jump_through_a_thunk_may_be_to_a_label_of_the_function(tmp_path: Path) -> None:
    """goto *label of the BPF interpreter; a tail call through a pointer is the same instruction."""
    thunk = ".text\n.globl __x86_indirect_thunk_rax\n__x86_indirect_thunk_rax: jmp *%rax"
    assert intact(tmp_path, "here: jmp __x86_indirect_thunk_rax", thunk) == frozenset()
    assert intact(tmp_path, "call __x86_indirect_thunk_rax\nhere: ret", thunk) == {RBX, RBP, RSP, 12, 13, 14, 15}


@pytest.mark.parametrize("instruction", ["loop 1f", "loopne 1f", "xbegin 1f"])
def test_nothing_is_proven_where_an_instruction_goes_elsewhere_that_is_not_followed(tmp_path: Path, instruction: str) -> None:
    assert intact(tmp_path, f"test %edi, %edi\nje here\n{instruction}\nret\n1: mov $1, %edx\nhere: ret") == frozenset()


# -- modules --------------------------------------------------------------------------------------------------------


def test_a_jump_to_another_section_of_a_module_is_followed_there_and_back(tmp_path: Path) -> None:
    """Before its relocations are done it looks like a jump to the next instruction."""
    found = in_module(tmp_path, "test %edi, %edi\njne cold\nback: nop\nhere: ret", "xor %esi, %esi\njmp back")
    assert found == EVERYTHING - {RSI}
    assert in_module(tmp_path, "test %edi, %edi\njne cold\nmov $1, %esi\nret", "here: ret") == EVERYTHING


def test_a_module_calls_the_tracer_as_the_kernel_does(tmp_path: Path) -> None:
    assert in_module(tmp_path, "call __fentry__\nhere: ret") == EVERYTHING
    assert RDI not in in_module(tmp_path, "call __fentry\nhere: ret")
    assert RDI not in in_module(tmp_path, "call other\nhere: ret")


def test_a_modules_jump_through_a_thunk_of_the_kernel_is_not_followed(tmp_path: Path) -> None:
    assert in_module(tmp_path, "nop\nhere: jmp __x86_indirect_thunk_r11") == frozenset()
    assert in_module(tmp_path, "nop\nhere: jmp __x86_return_thunk") == EVERYTHING


def test_a_jump_label_of_a_module_goes_to_its_target(tmp_path: Path) -> None:
    body = "671: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\nmov $1, %esi\n672: nop\nhere: ret"
    assert in_module(tmp_path, body, extra=JUMP_LABEL) == EVERYTHING - {RSI}
    body = "test %edi, %edi\nje 672f\nmov $1, %esi\n671: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\nret\n672: nop\nhere: ret"
    assert in_module(tmp_path, body, extra=JUMP_LABEL) == EVERYTHING - {RSI}
    assert in_module(tmp_path, body) == EVERYTHING


def test_what_is_replaced_and_where_exceptions_land_in_a_module_is_known(tmp_path: Path) -> None:
    assert in_module(tmp_path, "661: .byte 0x0f, 0x1f, 0x00\nhere: ret", extra=ALTERNATIVE) == frozenset()
    assert in_module(tmp_path, "here: nop\n661: .byte 0x0f, 0x1f, 0x00\nret", extra=ALTERNATIVE) == EVERYTHING
    assert in_module(tmp_path, "681: mov (%rdi), %rax\n682: nop\nhere: ret", extra=FIXUP) == frozenset()

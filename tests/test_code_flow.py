# SPDX-License-Identifier: GPL-2.0-or-later
"""Registers that hold what they held on entry: proven on every path, or not claimed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localvar.code.flow import Flow
from localvar.code.x86 import EVERYTHING
from localvar.dwarf.elf import Elf
from tests.dwarfgen import Image

RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP = range(8)
ARGUMENTS = frozenset({RDI, RSI, RDX, RCX, 8, 9})


def intact(tmp_path: Path, body: str, extra: str = "") -> frozenset[int]:
    """What is proven at the label `here` of a function f with this body (AT&T syntax)."""
    elf, place = linked(tmp_path, body, extra)
    return Flow(elf).intact(place["f"], [(place["f"], place["end"])], place["here"])


def linked(tmp_path: Path, body: str, extra: str) -> tuple[Elf, dict[str, int]]:
    """A program of a function f with this body, and where f, its end and `here` are."""
    source = tmp_path / "f.s"
    source.write_text(f".text\n.globl f, end, here, __fentry__\n__fentry__: ret\nother: ret\nf:\n{body}\nend:\n{extra}\n"
                      '.section .note.GNU-stack,"",@progbits\n')
    linked = tmp_path / "f"
    subprocess.run(["gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x401000,--build-id=none", "-o", linked, source], check=True,
                   stderr=subprocess.DEVNULL)
    elf = Elf.open(linked)
    return elf, {name: elf.symbols_named(name)[0].value for name in ("f", "end", "here")}


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


def _with_places(places: str) -> str:
    """ALTERNATIVE with other entries."""
    return ALTERNATIVE.split(".long")[0] + places + "__alt" + ALTERNATIVE.rsplit("__alt", 1)[1]


def test_code_that_the_kernel_rewrites_loses_everything(tmp_path: Path) -> None:
    assert intact(tmp_path, "661: .byte 0x0f, 0x1f, 0x00\nhere: ret", ALTERNATIVE) == frozenset()


def test_code_in_front_of_what_is_rewritten_is_not_affected(tmp_path: Path) -> None:
    assert intact(tmp_path, "here: nop\n661: .byte 0x0f, 0x1f, 0x00\nret", ALTERNATIVE) == EVERYTHING


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
    assert intact(tmp_path, "681: mov (%rdi), %rax\nhere: ret\n682: jmp here", FIXUP) == frozenset()


def test_a_jump_label_that_is_a_jump_now_can_become_a_nop(tmp_path: Path) -> None:
    assert intact(tmp_path, "671: jmp 672f\nmov $1, %esi\n672: nop\nhere: ret", JUMP_LABEL) == EVERYTHING - {RSI}


def test_code_beside_what_is_rewritten_is_not_affected(tmp_path: Path) -> None:
    assert intact(tmp_path, "nop\njmp 1f\n661: .byte 0x0f, 0x1f, 0x00\n1: nop\nhere: ret", ALTERNATIVE) == EVERYTHING


def test_all_of_what_is_rewritten_is_affected(tmp_path: Path) -> None:
    """Where a place is long, and shorter ones begin in front of it and in it."""
    places = "".join(f".long 66{n}1b - ., 663f - .\n.word 0\n.byte {size}, 0\n" for n, size in enumerate((1, 200, 1)))
    table = ALTERNATIVE.split(".long")[0] + places + "__alt_instructions_end:\n" + REPLACED.format("663:").split("end:\n")[1]
    body = "je 1f\n6601: nop\n6611: " + "nop\n" * 100 + "6621: nop\n" + "nop\n" * 90 + "ret\n1: nop\n{} ret"
    assert intact(tmp_path, body.format("here:"), table) == frozenset()
    assert intact(tmp_path, "je here\nret\n" + body.format("") + "\nhere: ret", table) == EVERYTHING


def test_nothing_is_proven_where_the_form_of_a_table_is_not_known(tmp_path: Path) -> None:
    assert intact(tmp_path, "661: nop\nhere: ret", ALTERNATIVE.replace(".byte 3, 3", ".byte 3, 3, 0")) == frozenset()
    to_data = ALTERNATIVE.replace("661b - .", "__alt_instructions - .")
    assert intact(tmp_path, "661: nop\nhere: ret", to_data) == frozenset()
    six = "".join(f".long 661b - ., 662f - .\n.long {at}\n.byte 3, 3\n" for at in range(6))  # of 14 bytes, or seven of 12
    assert intact(tmp_path, "here: nop\n661: .byte 0x0f, 0x1f, 0x00\nret", _with_places(six)) == EVERYTHING
    assert intact(tmp_path, "661: .byte 0x0f, 0x1f, 0x00\nhere: ret", _with_places(six)) == frozenset()
    larger = ALTERNATIVE.replace(".word 0", ".long 0")  # as since 6.3
    assert intact(tmp_path, "here: nop\n661: .byte 0x0f, 0x1f, 0x00\nret", larger) == EVERYTHING
    assert intact(tmp_path, "661: .byte 0x0f, 0x1f, 0x00\nhere: ret", larger) == frozenset()


@pytest.mark.parametrize(("entry", "ranges", "proven"), [
    (0x1000, [(0x1000, 0x1010)], True), (0x1000, [(0x1000, 0x1009), (0x1009, 0x1010)], True),
    (0x1001, [(0x1000, 0x1010)], False),  # in an instruction
    (0x1000, [(0x1000, 0x1008)], False),  # ends in an instruction
    (0x1000, [(0x1000, 0x1010), (0x9000, 0x9010)], False),  # not in the file
    (0x1000, [(0x1000, 0x1010), (0x1010, 0x1014)], False),  # no instruction
    (0x1000, [], False),
])
def test_a_function_is_followed_where_all_its_code_is_known(entry: int, ranges: list[tuple[int, int]], proven: bool) -> None:
    text = b"\x66\x90" + b"\x90" * 5 + b"\x66\x90" + b"\x90" * 7 + b"\x06" * 16
    assert Flow(Elf("image", Image(text=text).elf())).intact(entry, ranges, entry) == (EVERYTHING if proven else frozenset())
    assert Flow(Elf("image", Image(text=text, machine="aarch64").elf())).intact(entry, ranges, entry) == frozenset()


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


# -- the entry ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "once"), [
    ("nop\nret", True), ("1: nop\njne 1b\nret", False), ("nop\n1: nop\njne 1b\nret", True),
    ("call __fentry__\n1: jne 1b\nret", True),
    ("endbr64\ncall __fentry__\njmp *%rax", True), ("endbr64\njmp *%rax", False), ("call other\njmp *%rax", False),
    ("1: call other\njne 1b\nret", False), ("671: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\nret", True),
])
def test_a_function_comes_back_to_its_beginning_where_a_jump_may_lead_there(tmp_path: Path, body: str, once: bool) -> None:
    elf, place = linked(tmp_path, body + "\nhere: nop", "")
    assert Flow(elf).begins_once(place["f"], [(place["f"], place["end"])]) is once


def test_a_jump_label_may_lead_to_the_first_instruction(tmp_path: Path) -> None:
    elf, place = linked(tmp_path, "672: nop\n671: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\nhere: ret", JUMP_LABEL)
    assert not Flow(elf).begins_once(place["f"], [(place["f"], place["end"])])


def test_nothing_is_known_of_the_entry_of_code_that_is_not_known() -> None:
    for fields in ({"machine": "aarch64"}, {"text": b"\x06" * 16}):
        assert not Flow(Elf("image", Image(**fields).elf())).begins_once(0x1000, [(0x1000, 0x1010)])
    assert Flow(Elf("image", Image().elf())).begins_once(0x1000, [(0x1000, 0x1010)])


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
    for register in ("rax", "rbp", "r8", "r15"):
        assert in_module(tmp_path, f"nop\nhere: jmp __x86_indirect_thunk_{register}") == frozenset()
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

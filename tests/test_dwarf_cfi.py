# SPDX-License-Identifier: GPL-2.0-or-later
"""Call frame information: the rules at a pc, held against pyelftools' tables."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, Literal

import pytest
from elftools.dwarf.callframe import FDE, CFARule, RegisterRule
from hypothesis import given, settings
from hypothesis import strategies as st

from localvar.dwarf.cfi import (
    CallFrames,
    Expression,
    InRegister,
    RegisterOffset,
    SameValue,
    SavedAt,
    Undefined,
)
from localvar.dwarf.cfi import Row as FrameRow
from localvar.dwarf.elf import Elf
from localvar.dwarf.errors import DwarfError
from tests.dwarf_support import their_vmlinux, theirs, vmlinux
from tests.dwarfgen import Addr, Cie, Fde, Image, Raw, Unit, cfa, op
from tests.dwarfgen import Die as Entry

INITIAL = (cfa.def_cfa(7, 8), cfa.offset(16, 1))
BOTH = pytest.mark.parametrize("eh_frame", [False, True], ids=["debug_frame", "eh_frame"])
ROOT = Unit(Entry("compile_unit", name="a.c"))


def image(*entries: Cie | Fde | Raw, eh_frame: bool = False, **fields: Any) -> Image:
    fields["eh_frame" if eh_frame else "debug_frame"] = entries
    return Image(units=[ROOT], **fields)


def frames(built: Image) -> CallFrames:
    return CallFrames(Elf("image", built.elf()))


def row(built: Image, pc: int) -> FrameRow:
    found = frames(built).row(pc)
    assert found is not None
    return found


def as_theirs(rule: Any) -> Any:
    """A rule in pyelftools' words."""
    if isinstance(rule, RegisterOffset):
        return rule.register, rule.offset
    if isinstance(rule, Expression):
        return "VAL_EXPRESSION" if rule.is_value else "EXPRESSION", list(rule.data)
    if isinstance(rule, SavedAt):
        return "VAL_OFFSET" if rule.is_value else "OFFSET", rule.offset
    if isinstance(rule, InRegister):
        return "REGISTER", rule.register
    return {Undefined: "UNDEFINED", SameValue: "SAME_VALUE"}[type(rule)], None


def their_rule(rule: CFARule | RegisterRule) -> Any:
    if isinstance(rule, RegisterRule):
        return rule.type, rule.arg
    return ("EXPRESSION", rule.expr) if rule.expr is not None else (rule.reg, rule.offset)


def their_row(fde: FDE, pc: int) -> dict[Any, Any]:
    """The last row of pyelftools' table that begins at or before pc."""
    return [line for line in fde.get_decoded().table if line["pc"] <= pc][-1]


def assert_same(fde: FDE, found: FrameRow | None, pc: int) -> None:
    assert found is not None and found.low <= pc < found.high
    expected = their_row(fde, pc)
    assert as_theirs(found.cfa) == their_rule(expected["cfa"]), hex(pc)
    registers = {number: their_rule(rule) for number, rule in expected.items() if isinstance(number, int)}
    assert {number: as_theirs(rule) for number, rule in found.registers.items()} == registers, hex(pc)


def their_fdes(built: Image, eh_frame: bool) -> list[FDE]:
    info = theirs(built)
    return [entry for entry in (info.EH_CFI_entries() if eh_frame else info.CFI_entries()) if isinstance(entry, FDE)]


# -- against pyelftools ---------------------------------------------------------------------------------------------

register = st.sampled_from([1, 3, 6, 12])  # few, so that rules change and are restored
instruction = st.one_of(
    st.builds(cfa.advance, st.integers(0, 70)),
    st.builds(cfa.def_cfa, register, st.integers(0, 300)),
    st.builds(cfa.def_cfa_register, register),
    st.builds(cfa.def_cfa_offset, st.integers(0, 300)),
    st.builds(cfa.def_cfa_offset_sf, st.integers(-50, 50)),
    st.builds(cfa.offset, register, st.integers(0, 40)),
    st.builds(cfa.offset_extended, register, st.integers(0, 200)),
    st.builds(cfa.offset_extended_sf, register, st.integers(-200, 200)),
    st.builds(cfa.restore, register),
    st.builds(cfa.restore_extended, register),
    st.builds(cfa.undefined, register),
    st.builds(cfa.same_value, register),
    st.builds(cfa.register, register, register),
    st.builds(cfa.val_offset, register, st.integers(0, 40)),
    st.builds(cfa.val_offset_sf, register, st.integers(-40, 40)),
    st.builds(cfa.expression, register, st.just(op.breg7(-8))),
    st.builds(cfa.val_expression, register, st.just(op.expr(op.breg7(0), op.deref()))),
    st.just(cfa.nop()),
)
saved = st.lists(instruction, max_size=5).map(lambda inner: [cfa.remember_state(), *inner, cfa.restore_state()])
programs = st.lists(st.one_of(instruction.map(lambda one: [one]), saved), max_size=12).map(
    lambda parts: [one for part in parts for one in part])


@settings(max_examples=80, deadline=None)
@given(programs, st.booleans(), st.sampled_from([1, 2]), st.sampled_from([-8, -4, 4]))
def test_any_instructions_give_the_rows_that_pyelftools_has(program: list[Any], eh_frame: bool, code: int, data: int) -> None:
    initial = (*INITIAL, cfa.offset(3, 2), cfa.same_value(6))  # what DW_CFA_restore goes back to
    built = image(Fde(Cie(initial, code_alignment=code, data_alignment=data), 0x1000, 0x400, program), eh_frame=eh_frame)
    (fde,) = their_fdes(built, eh_frame)
    ours = frames(built)
    for pc in {0x1000, *(line["pc"] + at for line in fde.get_decoded().table for at in (-1, 0, 1))}:
        if 0x1000 <= pc < 0x1400:
            assert_same(fde, ours.row(pc), pc)


def test_rules_of_the_kernel_are_those_of_pyelftools() -> None:
    fdes = {entry["initial_location"]: entry for entry in _their_kernel_entries() if isinstance(entry, FDE)}
    ours = CallFrames(vmlinux().elf)
    chosen = random.Random(5).sample(sorted(fdes), 150)
    rows = 0
    for start in chosen:
        for line in fdes[start].get_decoded().table:
            assert_same(fdes[start], ours.row(line["pc"]), line["pc"])
            rows += 1
    assert rows > 600


def _their_kernel_entries() -> Iterable[Any]:
    """The first part of .debug_frame (pyelftools reads 15,000 entries a second, the kernel has 75,000)."""
    from elftools.dwarf.callframe import CallFrameInfo

    info = their_vmlinux()
    section = info.debug_frame_sec
    assert section is not None
    return CallFrameInfo(stream=section.stream, size=400_000, address=0, base_structs=info.structs).get_entries()


# -- rows at their boundaries -----------------------------------------------------------------------------------------


@BOTH
def test_a_row_holds_from_its_first_to_its_last_address(eh_frame: bool) -> None:
    """push %rbp at +0 (one byte): the CFA is rsp+8 at +0, rsp+16 from +1 on, and nothing is said outside."""
    built = image(Fde(Cie(INITIAL), 0x1000, 0x10, (cfa.advance(1), cfa.def_cfa_offset(16), cfa.offset(6, 2))), eh_frame=eh_frame)
    ours = frames(built)
    assert ours.row(0xFFF) is None
    assert row(built, 0x1000) == FrameRow(0x1000, 0x1001, RegisterOffset(7, 8), {16: SavedAt(-8)})
    for pc in (0x1001, 0x100F):
        assert row(built, pc) == FrameRow(0x1001, 0x1010, RegisterOffset(7, 16), {16: SavedAt(-8), 6: SavedAt(-16)})
    assert ours.row(0x1010) is None


@BOTH
def test_each_function_has_its_own_rows(eh_frame: bool) -> None:
    cie = Cie(INITIAL)
    other = Cie((cfa.def_cfa(6, 16),))
    built = image(Fde(cie, 0x1020, 0x10), Fde(other, 0x1000, 0x10), Fde(cie, 0x1010, 8), eh_frame=eh_frame)
    ours = frames(built)
    in_six, in_seven = RegisterOffset(6, 16), RegisterOffset(7, 8)
    expected = {0x1000: in_six, 0x100F: in_six, 0x1010: in_seven, 0x1017: in_seven, 0x1018: None, 0x101F: None, 0x1020: in_seven}
    assert {pc: found.cfa if (found := ours.row(pc)) else None for pc in expected} == expected


def test_signed_factored_offsets_are_multiplied() -> None:
    built = image(Fde(Cie((cfa.def_cfa_sf(6, -3),)), 0x1000, 8))
    assert row(built, 0x1000).cfa == RegisterOffset(6, 24)


def test_eh_frame_serves_where_debug_frame_says_nothing() -> None:
    """The kernel's assembly may be in one section and its C in the other."""
    debug_frame, eh_frame = Fde(Cie(INITIAL), 0x1000, 8), Fde(Cie((cfa.def_cfa(6, 16),)), 0x1000, 16)
    built = Image(units=[ROOT], debug_frame=[debug_frame], eh_frame=[eh_frame])
    assert row(built, 0x1000).cfa == RegisterOffset(7, 8)
    assert row(built, 0x1008).cfa == RegisterOffset(6, 16)


@pytest.mark.parametrize("version", [1, 3, 4])
@pytest.mark.parametrize("offset_size", [4, 8])
def test_every_version_and_format_of_debug_frame_is_read(version: int, offset_size: Literal[4, 8]) -> None:
    cie = Cie(INITIAL, version=version, offset_size=offset_size)
    built = image(Fde(cie, 0x1000, 8, (cfa.advance(2), cfa.def_cfa_offset(64))))
    assert [row(built, pc).cfa for pc in (0x1000, 0x1002)] == [RegisterOffset(7, 8), RegisterOffset(7, 64)]


@pytest.mark.parametrize("offset_size", [4, 8])
@pytest.mark.parametrize("encoding", [0x00, 0x03, 0x0B, 0x0C, 0x10, 0x1B, 0x1C])
def test_every_encoding_of_addresses_in_eh_frame_is_read(encoding: int, offset_size: Literal[4, 8]) -> None:
    built = image(Fde(Cie(INITIAL, encoding=encoding, offset_size=offset_size), 0x1000, 8), eh_frame=True)
    assert row(built, 0x1007).cfa == RegisterOffset(7, 8)
    assert frames(built).row(0x1008) is None


def test_augmentations_of_personalities_and_signal_frames_are_stepped_over() -> None:
    cie = Cie(INITIAL, augmentation="zPLRS", augmentation_data=bytes((0x03, 1, 2, 3, 4, 0x1B, 0x1B)))
    built = image(Fde(cie, 0x1000, 8, augmentation_data=bytes(4)), eh_frame=True)
    assert row(built, 0x1000).cfa == RegisterOffset(7, 8)


@BOTH
def test_a_set_location_begins_a_row(eh_frame: bool) -> None:
    cie = Cie(INITIAL, encoding=0x00)
    built = image(Fde(cie, 0x1000, 0x20, (cfa.set_loc(0x1008), cfa.def_cfa_offset(16))), eh_frame=eh_frame)
    assert [row(built, pc).cfa for pc in (0x1007, 0x1008)] == [RegisterOffset(7, 8), RegisterOffset(7, 16)]


def test_an_encoded_set_location_is_refused() -> None:
    built = image(Fde(Cie(INITIAL), 0x1000, 0x20, (Raw(b"\x01\0\0\0\0"), cfa.def_cfa_offset(16))), eh_frame=True)
    with pytest.raises(DwarfError, match="set_loc"):
        frames(built).row(0x1010)


def test_the_size_of_arguments_and_return_address_signing_change_no_rule() -> None:
    built = image(Fde(Cie(INITIAL), 0x1000, 8, (cfa.GNU_args_size(16), cfa.AARCH64_negate_ra_state())))
    assert row(built, 0x1000) == FrameRow(0x1000, 0x1008, RegisterOffset(7, 8), {16: SavedAt(-8)})


def test_the_cfa_can_be_an_expression_and_a_register_again() -> None:
    wild = op.expr(op.breg7(8), op.deref())
    built = image(Fde(Cie(INITIAL), 0x1000, 8, (cfa.def_cfa_expression(wild), cfa.advance(4), cfa.def_cfa(6, 16))))
    assert row(built, 0x1000).cfa == Expression(b"\x77\x08\x06")
    assert row(built, 0x1004).cfa == RegisterOffset(6, 16)


def test_frames_of_a_module_are_found_by_its_made_up_addresses() -> None:
    built = image(Fde(Cie(INITIAL), Addr(".text", 0x10), 8), file_type="REL")
    elf = Elf("image", built.elf())
    text = elf.section(".text")
    assert text is not None
    ours = CallFrames(elf)
    assert ours.row(text.address + 0xF) is None
    assert ours.row(text.address + 0x10) is not None


# -- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("program", "what"), [
    ((cfa.restore_state(),), "remember_state"),
    ((cfa.def_cfa_expression(op.breg7(8)), cfa.def_cfa_offset(8)), "part of the CFA rule"),
    ((Raw(b"\x3f\x00"),), "0x3f is not known"),
    ((Raw(b"\x0f\x7f"),), "beyond its entry"),
    ((Raw(b"\0" * 7 + b"\x04"),), "beyond its entry"),
])
def test_instructions_that_cannot_be_are_errors(program: tuple[Any, ...], what: str) -> None:
    with pytest.raises(DwarfError, match=what):
        frames(image(Fde(Cie(INITIAL), 0x1000, 8, program))).row(0x1007)


def test_an_augmentation_that_is_not_known_is_an_error() -> None:
    with pytest.raises(DwarfError, match="'eh'"):
        frames(image(Fde(Cie(INITIAL, augmentation="eh"), 0x1000, 8))).row(0x1000)
    with pytest.raises(DwarfError, match="letter 'Q'"):
        frames(image(Fde(Cie(INITIAL, augmentation="zQ"), 0x1000, 8))).row(0x1000)

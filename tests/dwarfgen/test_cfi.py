# SPDX-License-Identifier: GPL-2.0-or-later
"""Call frame information, held against pyelftools and readelf."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.callframe import CIE, FDE, CallFrameInstruction
from elftools.dwarf.dwarf_expr import DWARFExprParser

from tests.dwarfgen import Addr, Cie, Die, Fde, Image, Raw, Section, cfa, op
from tests.dwarfgen.cfa import OPCODES
from tests.dwarfgen.parsed import dwarf, tool_output, unit

INITIAL = (cfa.def_cfa(7, 8), cfa.offset(16, 1))
BOTH = pytest.mark.parametrize("eh_frame", [False, True], ids=["debug_frame", "eh_frame"])
# What pyelftools 0.33 does not decode.
NOT_IN_PYELFTOOLS = {"MIPS_advance_loc8", "GNU_negative_offset_extended", "AARCH64_negate_ra_state_with_pc"}
OPERANDS: dict[str, object] = {
    "low": 5, "addr": 0x1010, "n1": 200, "n2": 60000, "n4": 0x10000, "n8": 8, "uleb": 300, "sleb": -300,
    "expr": op.expr(op.breg7(8), op.deref()),
}  # fmt: skip


def image(*entries: Cie | Fde | Raw, eh_frame: bool = False, **fields: Any) -> Image:
    fields["eh_frame" if eh_frame else "debug_frame"] = entries
    return Image(units=[unit()], **fields)


def entries_of(built: Image, *, eh_frame: bool = False) -> list[Any]:
    info = dwarf(built)
    found = info.EH_CFI_entries() if eh_frame else info.CFI_entries()
    return [entry for entry in found if isinstance(entry, CIE | FDE)]


def table(*instructions: Any, eh_frame: bool = False) -> list[dict[Any, Any]]:
    fde = Fde(Cie(INITIAL), 0x1000, 0x100, instructions)
    found: list[dict[Any, Any]] = (
        entries_of(image(fde, eh_frame=eh_frame), eh_frame=eh_frame)[-1].get_decoded().table
    )
    return found


def rule(row: dict[Any, Any], register: int) -> tuple[str, Any]:
    return row[register].type, row[register].arg


@BOTH
def test_an_fde_has_its_cie_and_its_code(eh_frame: bool) -> None:
    cie, fde = entries_of(image(Fde(Cie(INITIAL), 0x1000, 0x40), eh_frame=eh_frame), eh_frame=eh_frame)
    assert fde.cie.offset == cie.offset
    assert (fde.header.initial_location, fde.header.address_range) == (0x1000, 0x40)
    assert cie.header.data_alignment_factor == -8
    assert cie.header.return_address_register == 16
    assert cie.header.version == (1 if eh_frame else 3)


@BOTH
def test_frames_of_one_cie_share_it(eh_frame: bool) -> None:
    one, other = Cie(INITIAL), Cie((cfa.def_cfa(6, 16),))
    built = image(Fde(one, 0x1000, 8), Fde(other, 0x1008, 8), Fde(one, 0x1010, 8), eh_frame=eh_frame)
    found = entries_of(built, eh_frame=eh_frame)
    assert [type(entry).__name__ for entry in found] == ["CIE", "FDE", "CIE", "FDE", "FDE"]
    assert found[4].cie.offset == found[0].offset != found[3].cie.offset


@BOTH
def test_advances_and_rules_give_the_rows(eh_frame: bool) -> None:
    rows = table(
        cfa.advance(1),
        cfa.def_cfa_offset(16),
        cfa.offset(6, 2),
        cfa.advance(0x3F),
        cfa.def_cfa_register(6),
        cfa.remember_state(),
        cfa.advance(0x40),
        cfa.def_cfa(7, 8),
        cfa.restore(6),
        cfa.advance(1),
        cfa.restore_state(),
        eh_frame=eh_frame,
    )
    assert [(row["pc"], row["cfa"].reg, row["cfa"].offset) for row in rows] == [
        (0x1000, 7, 8),
        (0x1001, 7, 16),
        (0x1040, 6, 16),
        (0x1080, 7, 8),
        (0x1081, 6, 16),
    ]
    assert [rule(row, 6) if 6 in row else None for row in rows] == [
        None, ("OFFSET", -16), ("OFFSET", -16), None, ("OFFSET", -16),
    ]  # fmt: skip


def test_every_kind_of_rule_comes_back() -> None:
    (row,) = table(
        cfa.undefined(1),
        cfa.same_value(2),
        cfa.register(3, 12),
        cfa.offset_extended_sf(4, -1),
        cfa.val_offset(5, 2),
        cfa.val_offset_sf(6, -2),
        cfa.expression(8, op.breg7(-8)),
        cfa.val_expression(9, op.breg7(-16)),
    )
    assert [rule(row, register) for register in (1, 2, 3, 4, 5, 6)] == [
        ("UNDEFINED", None),
        ("SAME_VALUE", None),
        ("REGISTER", 12),
        ("OFFSET", 8),
        ("VAL_OFFSET", -16),
        ("VAL_OFFSET", 16),
    ]
    assert rule(row, 8) == ("EXPRESSION", [0x77, 0x78])
    assert rule(row, 9) == ("VAL_EXPRESSION", [0x77, 0x70])


def test_the_cfa_can_be_an_expression() -> None:
    expression = op.expr(op.breg10(-8), op.deref())
    (row,) = table(cfa.def_cfa_expression(expression))
    info = dwarf(image())
    parsed = DWARFExprParser(info.structs).parse_expr(row["cfa"].expr)
    assert [(item.op_name, item.args) for item in parsed] == [("DW_OP_breg10", [-8]), ("DW_OP_deref", [])]


@pytest.mark.parametrize(
    ("delta", "name"),
    [(63, "advance_loc"), (64, "advance_loc1"), (256, "advance_loc2"), (65536, "advance_loc4")],
)
def test_advance_takes_the_shortest_instruction(delta: int, name: str) -> None:
    assert cfa.advance(delta).name == name
    assert [row["pc"] for row in table(cfa.advance(delta), cfa.def_cfa_offset(16))] == [
        0x1000,
        0x1000 + delta,
    ]


@BOTH
@pytest.mark.parametrize("name", sorted(set(OPCODES) - NOT_IN_PYELFTOOLS - {"set_loc"}))
def test_every_instruction_comes_back_with_its_operands(name: str, eh_frame: bool) -> None:
    kinds = OPCODES[name][1]
    written = getattr(cfa, name)(*(OPERANDS[kind] for kind in kinds.split()))
    *_, fde = entries_of(
        image(Fde(Cie(INITIAL), 0x1000, 0x100, (written,)), eh_frame=eh_frame), eh_frame=eh_frame
    )
    found: CallFrameInstruction = fde.instructions[0]
    expected = {**OPERANDS, "expr": [0x77, 8, 0x06]}
    assert list(found.args) == [expected[kind] for kind in kinds.split()]
    # Two machines have given 0x2d to instructions of their own; pyelftools names one.
    assert found.opcode.name == name.replace("GNU_window_save", "AARCH64_negate_ra_state")
    assert {int(entry.opcode) for entry in fde.instructions[1:]} <= {0}


@BOTH
def test_entries_are_padded_to_their_alignment(eh_frame: bool) -> None:
    fdes = [Fde(Cie(INITIAL), 0x1000, 8, (cfa.nop(),) * count) for count in range(9)]
    boundary = 4 if eh_frame else 8
    found = entries_of(image(*fdes, eh_frame=eh_frame), eh_frame=eh_frame)
    assert {(entry.header.length + 4) % boundary for entry in found} == {0}


def test_set_loc_holds_an_address() -> None:
    assert [row["pc"] for row in table(cfa.set_loc(0x1020), cfa.def_cfa_offset(16))] == [0x1000, 0x1020]


@pytest.mark.parametrize("encoding", [0x00, 0x03, 0x04, 0x0B, 0x0C, 0x1B, 0x1C])
def test_eh_frame_addresses_in_any_encoding(encoding: int, tmp_path: Path) -> None:
    built = image(Fde(Cie(INITIAL, encoding=encoding), 0x1234, 0x40), eh_frame=True)
    _, fde = entries_of(built, eh_frame=True)
    assert (fde.header.initial_location, fde.header.address_range) == (0x1234, 0x40)
    printed = tool_output(["readelf", "-W", "--debug-dump=frames"], built, tmp_path)
    assert "pc=0000000000001234..0000000000001274" in printed


@BOTH
def test_llvm_reads_sixty_four_bit_entries(eh_frame: bool, tmp_path: Path) -> None:
    """pyelftools 0.33 takes the length for the CIE's id, readelf 2.40 has eight bytes of id in .eh_frame."""
    built = image(Fde(Cie(INITIAL, offset_size=8), 0x1000, 0x40), eh_frame=eh_frame)
    tool = ["llvm-dwarfdump", "--eh-frame" if eh_frame else "--debug-frame"]
    printed = tool_output(tool, built, tmp_path)
    assert "Format:                DWARF64" in printed
    assert "cie=00000000 pc=00001000...00001040" in printed


def test_version_four_cies_have_an_address_size(tmp_path: Path) -> None:
    built = image(Fde(Cie(INITIAL, version=4), 0x1000, 0x40))
    printed = tool_output(["readelf", "-W", "--debug-dump=frames"], built, tmp_path)
    assert "Pointer Size:          8" in printed
    assert "pc=0000000000001000..0000000000001040" in printed


def test_a_signal_frame_is_marked(tmp_path: Path) -> None:
    built = image(Fde(Cie(INITIAL, augmentation="zRS"), 0x1000, 0x40), eh_frame=True)
    printed = tool_output(["readelf", "-W", "--debug-dump=frames"], built, tmp_path)
    assert 'Augmentation:          "zRS"' in printed
    assert "pc=0000000000001000..0000000000001040" in printed


@pytest.mark.parametrize(
    ("fields", "conventions"),
    [
        ({"machine": "x86_64"}, (1, -8, 16)),
        ({"machine": "aarch64"}, (4, -8, 30)),
        ({"machine": "i386", "elf_class": 32}, (1, -4, 8)),
        ({"machine": 0x1234}, (1, -8, 16)),
    ],
)
def test_conventions_are_the_machines(fields: dict[str, Any], conventions: tuple[int, int, int]) -> None:
    fde = Fde(Cie((cfa.def_cfa(4, 0),)), 0x1000, 0x40, (cfa.advance(1), cfa.offset(5, 2)))
    found = entries_of(image(fde, **fields))[-1]
    header, table = found.cie.header, found.get_decoded().table
    code, data, register = conventions
    assert (header.code_alignment_factor, header.data_alignment_factor) == (code, data)
    assert header.return_address_register == register
    assert [row["pc"] for row in table] == [0x1000, 0x1000 + code]
    assert rule(table[-1], 5) == ("OFFSET", 2 * data)


def test_conventions_can_be_others() -> None:
    cie = entries_of(image(Cie(code_alignment=2, data_alignment=-16, return_register=300)))[0].header
    assert (cie.code_alignment_factor, cie.data_alignment_factor) == (2, -16)
    assert cie.return_address_register == 300


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@BOTH
def test_a_relocatable_image_has_its_frames_relocated(machine: str, eh_frame: bool, tmp_path: Path) -> None:
    built = image(
        Fde(Cie(INITIAL), Addr(".init.text", 0x10), 0x20),
        eh_frame=eh_frame,
        file_type="REL",
        machine=machine,
        sections=[Section(".init.text", bytes(64))],
    )
    printed = tool_output(["readelf", "-rW"], built, tmp_path)
    line = next(line for line in printed.splitlines() if ".init.text + 10" in line)
    kinds = {"x86_64": ("R_X86_64_PC32", "R_X86_64_64"), "aarch64": ("R_AARCH64_PREL32", "R_AARCH64_ABS64")}
    assert kinds[machine][0 if eh_frame else 1] in line


def test_raw_bytes_stand_among_entries_and_instructions() -> None:
    def frames(*entries: Fde | Raw) -> bytes:
        return image(*entries).assemble().sections[".debug_frame"]

    assert frames(Raw(b"\1\2\3\4"), Raw(b"\5")) == b"\1\2\3\4\5"
    damaged = frames(Fde(Cie(()), 0x1000, 8, (cfa.remember_state(), Raw(b"\x3f"), cfa.restore_state())))
    assert damaged.rstrip(b"\0").endswith((8).to_bytes(8, "little") + b"\x0a\x3f\x0b")


def test_an_operand_of_six_bits_is_held_to_them() -> None:
    with pytest.raises(OverflowError, match="DW_CFA_offset has six bits"):
        image(Fde(Cie((cfa.offset(64, 1),)), 0x1000, 8)).elf()


def test_frames_cannot_refer_to_dies() -> None:
    with pytest.raises(ValueError, match="refers to a DIE"):
        image(Fde(Cie(()), 0x1000, 8, (cfa.def_cfa_expression(op.convert(Die("base_type"))),))).elf()

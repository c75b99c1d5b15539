# SPDX-License-Identifier: GPL-2.0-or-later
"""The assembler, held against pyelftools and binutils."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from tests.dwarfgen import (
    Addr,
    Cie,
    Die,
    Fde,
    Form,
    Image,
    LineTable,
    Ref,
    Row,
    Sequence,
    Symbol,
    Unit,
    cfa,
    loclist,
    op,
    rnglist,
    sleb128,
    uleb128,
)

INT = Die("base_type", label="int", name="int", byte_size=4, encoding="signed")


def elf(image: Image) -> ELFFile:
    return ELFFile(io.BytesIO(image.elf()))


def dwarf(image: Image) -> DWARFInfo:
    return elf(image).get_dwarf_info()


def unit(*children: Die, version: int = 5, **attributes: Any) -> Unit:
    """A compile unit of a.c at 0x1000."""
    root = Die("compile_unit", name="a.c", low_pc=0x1000, high_pc=0x100, children=children, **attributes)
    return Unit(root, version=version)


def dies(info: DWARFInfo) -> list[DIE]:
    return [die for cu in info.iter_CUs() for die in cu.iter_DIEs() if not die.is_null()]


def value(die: DIE, attribute: str) -> Any:
    return die.attributes["DW_AT_" + attribute].value


def small_program(version: int, **fields: Any) -> Image:
    """One function with a parameter, a variable, ranges, lines and frames."""
    start = 0 if fields.get("file_type") == "REL" else 0x1000
    body = [
        Die("formal_parameter", name="argument", type=Ref("int"), location=op.fbreg(-16)),
        Die(
            "variable",
            name="y",
            type=Ref("int"),
            location=loclist(
                (start, start + 0x10, op.reg3()),
                (start + 0x10, start + 0x20, op.expr(op.breg3(1), op.stack_value())),
            ),
        ),
        Die("lexical_block", ranges=rnglist((start, start + 4), (start + 8, start + 12))),
    ]
    function = Die(
        "subprogram",
        label="f",
        name="f",
        low_pc=start,
        high_pc=0x40,
        external=True,
        frame_base=op.call_frame_cfa(),
        children=body,
    )
    rows = [Row(start, 10), Row(start + 4, 12, column=3), Row(start + 0x10, 200, is_stmt=False)]
    root = Die(
        "compile_unit", name="a.c", comp_dir="/src", low_pc=start, high_pc=0x100, children=[INT, function]
    )
    lines = LineTable(program=(Sequence(rows, end=start + 0x40),))
    frame = Fde(
        Cie((cfa.def_cfa(7, 8), cfa.offset(16, 1))), start, 0x40, (cfa.advance(1), cfa.def_cfa_offset(16))
    )
    return Image(
        units=[Unit(root, version=version, line=lines, aranges=((start, 0x100),), siblings=True)],
        symbols=[Symbol("f", start, 0x40)],
        debug_frame=[frame],
        build_id=bytes(range(20)),
        **fields,
    )


@given(st.integers(min_value=0, max_value=1 << 200))
def test_uleb128_round_trips(number: int) -> None:
    data = uleb128(number)
    assert sum((byte & 0x7F) << 7 * at for at, byte in enumerate(data)) == number
    assert [byte >> 7 for byte in data] == [1] * (len(data) - 1) + [0]


@given(st.integers(min_value=-(1 << 200), max_value=1 << 200))
def test_sleb128_round_trips(number: int) -> None:
    data = sleb128(number)
    decoded = sum((byte & 0x7F) << 7 * at for at, byte in enumerate(data))
    assert decoded - (1 << 7 * len(data) if data[-1] & 0x40 else 0) == number
    assert [byte >> 7 for byte in data] == [1] * (len(data) - 1) + [0]


def test_uleb128_refuses_a_negative_number() -> None:
    with pytest.raises(ValueError, match="-1 is not unsigned"):
        uleb128(-1)


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_tree_and_values_come_back(version: int) -> None:
    info = dwarf(small_program(version))
    root, base, function, parameter, variable, _block = dies(info)
    assert value(root, "name") == b"a.c"
    assert (base.tag, value(base, "encoding")) == ("DW_TAG_base_type", 5)
    assert value(function, "low_pc") == 0x1000
    assert value(function, "high_pc") == 0x40
    assert value(parameter, "name") == b"argument"
    assert parameter.get_DIE_from_attribute("DW_AT_type") == base
    assert parameter.get_parent() == function
    assert value(variable, "name") == b"y"


@pytest.mark.parametrize("tool", [["readelf", "-aW", "--debug-dump"], ["objdump", "-WK", "-W"]])
@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"file_type": "REL"},
        {"file_type": "DYN"},
        {"emit_relocs": True},
        {"compress": "zlib"},
        {"compress": "gnu"},
        {"machine": "aarch64"},
        {"machine": "i386", "elf_class": 32},
        {"machine": "s390x", "byteorder": "big"},
    ],
    ids=str,
)
def test_binutils_read_it_without_a_warning(
    tool: list[str], version: int, fields: dict[str, Any], tmp_path: Path
) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    path = small_program(version, **fields).write(tmp_path / "image")
    run = subprocess.run([*tool, path], capture_output=True, text=True, timeout=60, check=True)
    assert run.stderr == ""
    assert "argument" in run.stdout


def test_a_reference_to_no_die_is_an_error() -> None:
    with pytest.raises(LookupError, match="'nowhere'"):
        Image(units=[unit(Die("variable", type=Ref("nowhere")))]).elf()


def test_an_address_names_a_symbol() -> None:
    image = Image(
        units=[unit(Die("variable", name="x", location=op.addr(Addr("x", 4))))],
        symbols=[Symbol("x", 0x1010, 4, "OBJECT")],
    )
    (_, variable) = dies(dwarf(image))
    assert bytes(value(variable, "location")) == b"\x03" + (0x1014).to_bytes(8, "little")


def test_a_forced_form_is_kept() -> None:
    image = Image(units=[unit(Die("variable", name=Form("strx1", "counter")))])
    (root, variable) = dies(dwarf(image))
    assert variable.attributes["DW_AT_name"].form == "DW_FORM_strx1"
    assert value(variable, "name") == b"counter"
    assert value(root, "str_offsets_base") == 8

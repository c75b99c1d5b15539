# SPDX-License-Identifier: GPL-2.0-or-later
"""Images read back with pyelftools and with binutils, for the tests of the assembler."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarf_expr import DWARFExprParser
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.elf.elffile import ELFFile

from tests.dwarfgen import Die, Image, Raw, Unit


def elf(image: Image) -> ELFFile:
    """The image as pyelftools sees it."""
    return ELFFile(io.BytesIO(image.elf()))


def dwarf(image: Image) -> DWARFInfo:
    """The image's DWARF, relocated if it is relocatable."""
    return elf(image).get_dwarf_info()


def section(file: ELFFile, name: str) -> Any:
    """A section that is there."""
    found = file.get_section_by_name(name)
    assert found is not None, f"no section {name}"
    return found


def dies(info: DWARFInfo) -> list[DIE]:
    """All DIEs of .debug_info, in order."""
    return [die for cu in info.iter_CUs() for die in cu.iter_DIEs() if not die.is_null()]


def value(die: DIE, attribute: str) -> Any:
    """An attribute's value."""
    return die.attributes["DW_AT_" + attribute].value


def form(die: DIE, attribute: str) -> str:
    """An attribute's form, without DW_FORM_."""
    return str(die.attributes["DW_AT_" + attribute].form).removeprefix("DW_FORM_")


def operations(die: DIE, attribute: str = "location") -> list[tuple[str, list[Any]]]:
    """An attribute's expression: names without DW_OP_, and operands."""
    return decoded(die, value(die, attribute))


def decoded(die: DIE, data: bytes | list[int]) -> list[tuple[str, list[Any]]]:
    """An expression of a DIE: names without DW_OP_, and operands."""
    parsed = DWARFExprParser(die.cu.structs).parse_expr(data)
    return [(item.op_name.removeprefix("DW_OP_"), item.args) for item in parsed]


def unit(*children: Die | Raw, version: int = 5, low_pc: int = 0x1000, **fields: Any) -> Unit:
    """A compile unit of a.c; fields are the unit's."""
    root = Die("compile_unit", name="a.c", low_pc=low_pc, high_pc=0x100, children=children)
    return Unit(root, version=version, **fields)


def tool_output(tool: list[str], image: Image, folder: Path) -> str:
    """What a tool prints about an image; it must print no warning."""
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    path = image.write(folder / "image")
    run = subprocess.run([*tool, path], capture_output=True, text=True, timeout=60, check=True)
    assert run.stderr == ""
    return run.stdout

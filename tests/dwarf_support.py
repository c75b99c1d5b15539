# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the DWARF readers share: images opened by localvar, and the same things as pyelftools sees them."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.dwarf.enums import ENUM_DW_AT, ENUM_DW_FORM, ENUM_DW_TAG
from elftools.elf.elffile import ELFFile

from localvar.dwarf.elf import Elf
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.unit import Die, Unit
from tests.dwarfgen import Image

VMLINUX = sorted(Path("/usr/lib/debug/boot").glob("vmlinux-6.1.*"))


def debug_info(image: Image | bytes) -> DebugInfo:
    """An image's debug info, read by localvar."""
    return DebugInfo(Elf("image", image if isinstance(image, bytes) else image.elf()))


def below(die: Die) -> Iterator[Die]:
    """A DIE and everything below it, in the order of the section."""
    yield die
    for child in die.children():
        yield from below(child)


def every_die(info: DebugInfo) -> list[Die]:
    """All DIEs of a file, in order, those of .debug_types last."""
    return [die for offset in info.unit_offsets for die in below(info.unit(offset).root)]


def named(info: DebugInfo, name: str) -> Die:
    """The one DIE with that DW_AT_name."""
    (found,) = [die for die in every_die(info) if die.string(3) == name]
    return found


def as_theirs(die: DIE) -> tuple[int, dict[int, tuple[int, int | bytes]]]:
    """A DIE of pyelftools in the shape of (Die.tag, Die.attributes)."""
    found = {}
    for name, attribute in die.attributes.items():
        code = ENUM_DW_AT[name]
        form = ENUM_DW_FORM[attribute.form]
        found[code] = (form, 1 if attribute.form == "DW_FORM_flag_present" else plain(attribute.raw_value))
    return (ENUM_DW_TAG[die.tag] if isinstance(die.tag, str) else int(die.tag or 0)), found


def plain(value: Any) -> int | bytes:
    """A raw value of pyelftools as localvar has it: blocks as bytes, flags as numbers."""
    return value if isinstance(value, bytes) else bytes(value) if isinstance(value, list) else int(value)


def theirs(image: Image | bytes) -> DWARFInfo:
    """An image's DWARF, read by pyelftools."""
    return ELFFile(io.BytesIO(image if isinstance(image, bytes) else image.elf())).get_dwarf_info()


@functools.cache
def vmlinux() -> DebugInfo:
    """The installed 6.1 kernel, read by localvar; the test is skipped where there is none."""
    if not VMLINUX:
        pytest.skip("no 6.1 vmlinux with debug info; run tools/setup-debian.sh test")
    return DebugInfo(Elf.open(VMLINUX[-1]))


@functools.cache
def their_vmlinux() -> DWARFInfo:
    """The installed 6.1 kernel, read by pyelftools.  Its relocations are already applied."""
    vmlinux()
    with VMLINUX[-1].open("rb") as file:
        return ELFFile(file).get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)


def sample_units(count: int, seed: int, least: int = 40_000, most: int = 120_000) -> list[Unit]:
    """Random units of the 6.1 kernel of so many bytes (pyelftools reads 45,000 DIEs a second, of 9 bytes each)."""
    import random

    info = vmlinux()
    offsets = info.unit_offsets
    sizes = [b - a for a, b in zip(offsets, [*offsets[1:], info.contents.size], strict=True)]
    fitting = [offset for offset, size in zip(offsets, sizes, strict=True) if least <= size < most]
    return [info.unit(offset) for offset in random.Random(seed).sample(fitting, count)]

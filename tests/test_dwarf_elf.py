# SPDX-License-Identifier: GPL-2.0-or-later
"""ELF files as localvar maps them: sections, symbols by search, compression, relocation, the build-id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localvar.diagnostics import Failure
from localvar.dwarf import constants as c
from localvar.dwarf.elf import Elf
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.info import DebugInfo
from tests.dwarf_support import every_die, named
from tests.dwarfgen import Addr, Die, Image, Section, Symbol, Unit, op

DATA = Section(".data", bytes(range(64)), 0x4000)
UNIT = Unit(Die("compile_unit", name="a.c", low_pc=0x1000, high_pc=0x100, children=[
    Die("variable", name="counter", location=op.addr(Addr(".data", 16))), Die("label", name="here", low_pc=Addr(".text", 8))]))
SYMBOLS = [Symbol("f", 0x1000, 0x20), Symbol("f.cold", 0x1020, 0x10), Symbol("off", 0x1040),
           Symbol("counter", 0x4010, 4, type="OBJECT"), Symbol("alias", 0x1000, 0x20)]


def elf(**fields: Any) -> Elf:
    fields.setdefault("sections", [DATA])
    fields.setdefault("symbols", SYMBOLS)
    return Elf("image", Image(units=[UNIT], **fields).elf())


def test_sections_are_found_by_name_and_by_address() -> None:
    found = elf()
    text, data = found.section(".text"), found.section(".data")
    assert text is not None and data is not None and found.section(".nothing") is None
    assert (text.address, data.address, data.size) == (0x1000, 0x4000, 64)
    held = {0xFFF: None, 0x1000: ".text", 0x1FFF: ".text", 0x2000: None, 0x403F: ".data", 0x4040: None}
    assert {address: section.name if (section := found.section_at(address)) else None for address in held} == held
    assert found.memory(0x4010, 4) == bytes((16, 17, 18, 19))
    assert found.memory(0x403F, 2) is None and found.memory(0x9000, 1) is None


def test_symbols_are_found_by_exact_name_and_by_exact_address() -> None:
    found = elf()
    assert [(s.name, s.value, s.size) for s in found.symbols_named("f")] == [("f", 0x1000, 0x20)]
    assert found.symbols_named("of") == () and found.symbols_named("cold") == ()
    assert [s.name for s in found.symbols_at(0x1000)] == ["f", "alias"]
    assert found.symbols_at(0x1001) == ()
    assert {s.name for s in found.symbols} >= {"f", "f.cold", "off", "counter", "alias"}


def test_a_symbol_whose_name_is_the_end_of_another_is_found() -> None:
    """String tables share tails: "off" may lie within "turn_off"."""
    found = elf(symbols=[Symbol("turn_off", 0x1000), Symbol("off", 0x1010)])
    assert [s.value for s in found.symbols_named("off")] == [0x1010]


@pytest.mark.parametrize("compress", [None, "zlib"])
def test_compressed_sections_are_read_as_plain_ones(compress: Any) -> None:
    plain, packed = elf(), elf(compress=compress)
    for name in (".debug_info", ".debug_abbrev", ".debug_str"):
        one, other = plain.contents(name), packed.contents(name)
        assert bytes(one.bytes(0, one.size)) == bytes(other.bytes(0, other.size))
    assert [die.tag for die in every_die(DebugInfo(packed))] == [c.DW_TAG_compile_unit, c.DW_TAG_variable, c.DW_TAG_label]


def test_a_module_has_distinct_addresses_for_its_sections() -> None:
    """In an ET_REL file all sections are at 0: one number still has to name one place."""
    found = elf(file_type="REL", symbols=[Symbol("f", 0, 8)])
    text, data = found.section(".text"), found.section(".data")
    assert text is not None and data is not None
    assert text.address != data.address and not (text.address <= data.address < text.address + text.size)
    assert found.split(data.address + 16) == (".data", 16)
    assert found.split(text.address) == (".text", 0)
    assert [s.value for s in found.symbols_named("f")] == [text.address]
    info = DebugInfo(found)
    assert found.split(named(info, "here").address(c.DW_AT_low_pc) or 0) == (".text", 8)
    block = named(info, "counter").block(c.DW_AT_location)
    assert block is not None and found.split(int.from_bytes(block[1:], "little")) == (".data", 16)


def test_applied_relocations_of_a_linked_file_are_left_alone() -> None:
    """The kernel is linked with --emit-relocs: applying 10 million of them again would double every address."""
    found = DebugInfo(elf(emit_relocs=True))
    assert named(found, "here").address(c.DW_AT_low_pc) == 0x1008


@pytest.mark.parametrize("section", [".note.gnu.build-id", ".notes"])
def test_the_build_id_is_found_in_whatever_note_section(section: str) -> None:
    found = elf(build_id=bytes(range(20)), build_id_section=section)
    assert found.build_id == bytes(range(20))
    assert elf().build_id is None


def test_section_bounds_are_kept() -> None:
    contents = elf().contents(".data")
    assert contents.bytes(60, 4) == bytes((60, 61, 62, 63))
    for offset, size in ((61, 4), (64, 1), (-1, 1), (0, -1), (0, 1 << 40)):
        with pytest.raises(DwarfError):
            contents.bytes(offset, size)
    with pytest.raises(DwarfError, match="no end"):
        contents.cstring(1)
    with pytest.raises(DwarfError, match="outside"):
        contents.cstring(64)
    assert contents.cstring(0) == ""


def test_a_section_that_is_not_there_is_empty() -> None:
    assert elf().contents(".debug_types").size == 0


@pytest.mark.parametrize(("change", "slug"), [
    (lambda data: b"", "not-elf"), (lambda data: b"\x1f\x8b" + data[2:], "not-elf"),
    (lambda data: data[:4] + b"\1" + data[5:], "wrong-architecture"),
    (lambda data: data[:5] + b"\2" + data[6:], "wrong-architecture"), (lambda data: data[:0x30], "damaged-elf"),
    (lambda data: data[:4], "damaged-elf"), (lambda data: data[:0x28] + b"\xff" * 8 + data[0x30:], "damaged-elf"),
    (lambda data: data[:0x3A] + b"\7\0" + data[0x3C:], "damaged-elf"), (lambda data: data[:-70], "damaged-elf"),
])
def test_what_is_no_readable_elf_file_is_a_failure_that_says_why(change: Any, slug: str) -> None:
    data = change(Image(units=[UNIT], sections=[DATA]).elf())
    with pytest.raises(Failure) as problem:
        Elf("some/file", data)
    (diagnostic,) = problem.value.diagnostics
    assert diagnostic.slug == slug and "some/file" in str(diagnostic)


def test_a_file_without_debug_info_is_a_failure_with_a_fix() -> None:
    with pytest.raises(Failure) as problem:
        DebugInfo(Elf("some/file", Image(symbols=SYMBOLS, sections=[DATA]).elf()))
    assert problem.value.diagnostics[0].slug == "no-debug-info" and problem.value.diagnostics[0].fix


def test_files_are_mapped_and_missing_ones_are_failures(tmp_path: Path) -> None:
    path = Image(units=[UNIT], sections=[DATA]).write(tmp_path / "vmlinux")
    assert Elf.open(path).section(".text") is not None
    (tmp_path / "empty").write_bytes(b"")
    for name, slug in (("nothing", "unreadable"), ("empty", "not-elf"), (".", "unreadable")):
        with pytest.raises(Failure) as problem:
            Elf.open(tmp_path / name)
        assert problem.value.diagnostics[0].slug == slug

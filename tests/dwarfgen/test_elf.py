# SPDX-License-Identifier: GPL-2.0-or-later
"""The ELF around the DWARF, held against pyelftools and readelf."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from tests.dwarfgen import Addr, Die, Image, Relocation, Section, Symbol, debuglink, nops, op
from tests.dwarfgen.parsed import dies, dwarf, elf, section, tool_output, unit, value


def symbols_of(file: ELFFile) -> list[tuple[str, int, int, str, str]]:
    """Name, value, size, type and section of each symbol that has a name."""
    found = []
    for symbol in section(file, ".symtab").iter_symbols():
        index = symbol["st_shndx"]
        home = file.get_section(index).name if isinstance(index, int) else index.removeprefix("SHN_")
        kind = symbol["st_info"]["type"].removeprefix("STT_")
        if symbol.name:
            found.append((symbol.name, symbol["st_value"], symbol["st_size"], kind, home))
    return found


@pytest.mark.parametrize(
    ("fields", "machine", "elf_class", "little"),
    [
        ({}, "EM_X86_64", 64, True),
        ({"machine": "aarch64"}, "EM_AARCH64", 64, True),
        ({"machine": "i386", "elf_class": 32}, "EM_386", 32, True),
        ({"machine": "s390x", "byteorder": "big"}, "EM_S390", 64, False),
        ({"machine": "arm", "elf_class": 32, "byteorder": "big"}, "EM_ARM", 32, False),
        ({"machine": "ppc64", "byteorder": "big"}, "EM_PPC64", 64, False),
        ({"machine": "riscv"}, "EM_RISCV", 64, True),
        ({"machine": 0x1234}, 0x1234, 64, True),
    ],
)
def test_the_header_tells_the_architecture(
    fields: dict[str, Any], machine: str | int, elf_class: int, little: bool
) -> None:
    file = elf(Image(units=[unit(Die("variable", name="variable"))], **fields))
    assert (file["e_machine"], file.elfclass, file.little_endian) == (machine, elf_class, little)
    assert value(dies(file.get_dwarf_info())[1], "name") == b"variable"


@pytest.mark.parametrize("file_type", ["REL", "EXEC", "DYN"])
def test_the_header_tells_the_file_type(file_type: Any) -> None:
    file = elf(Image(file_type=file_type))
    assert file["e_type"] == "ET_" + file_type
    assert file.num_segments() == (0 if file_type == "REL" else 1)


def test_sections_lie_at_their_addresses_with_the_flags_of_their_names() -> None:
    names = [".data", ".rodata", ".kprobes.text", ".init.text", ".noinstr.text"]
    extra = [Section(name, bytes([n]) * 16, 0x4000 + 0x100 * n) for n, name in enumerate(names)]
    file = elf(Image(text=b"\xc3", text_address=0x2000, sections=extra))
    found = {
        name: (section(file, name)["sh_addr"], section(file, name)["sh_flags"], section(file, name).data())
        for name in [".text", *names]
    }
    assert found == {
        ".text": (0x2000, 6, b"\xc3"),
        ".data": (0x4000, 3, bytes(16)),
        ".rodata": (0x4100, 2, b"\1" * 16),
        ".kprobes.text": (0x4200, 6, b"\2" * 16),
        ".init.text": (0x4300, 6, b"\3" * 16),
        ".noinstr.text": (0x4400, 6, b"\4" * 16),
    }


def test_the_segments_hold_the_sections() -> None:
    file = elf(Image(text=b"\xc3\xc3", sections=[Section(".data", b"data", 0x4000)]))
    loaded = [(s["p_vaddr"], s["p_flags"], s.data()) for s in file.iter_segments("PT_LOAD")]
    assert loaded == [(0x1000, 5, b"\xc3\xc3"), (0x4000, 6, b"data")]


def test_generated_sections_have_the_flags_that_linkers_give_them() -> None:
    variable = Die("variable", name="variable", low_pc=0x1000)
    file = elf(Image(units=[unit(variable)], emit_relocs=True))
    strings, relocations = section(file, ".debug_str"), section(file, ".rela.debug_info")
    assert (strings["sh_flags"], strings["sh_entsize"]) == (0x30, 1)
    assert section(file, ".debug_info")["sh_flags"] == 0
    assert (relocations["sh_flags"], relocations["sh_addralign"]) == (0x40, 8)
    assert file.get_section(relocations["sh_info"]).name == ".debug_info"
    assert file.get_section(relocations["sh_link"]).name == ".symtab"


def test_sections_begin_where_their_alignment_asks() -> None:
    sections = [Section(".a", b"x", 0x4001), Section(".b", b"y", 0x4100, align=256)]
    file = elf(Image(sections=sections))
    assert section(file, ".b")["sh_offset"] % 256 == 0
    assert section(file, ".symtab")["sh_offset"] % section(file, ".symtab")["sh_addralign"] == 0
    assert section(file, ".symtab")["sh_addralign"] == 8


@pytest.mark.parametrize(
    ("machine", "arch", "mode", "size"),
    [("x86_64", "CS_ARCH_X86", "CS_MODE_64", 1), ("aarch64", "CS_ARCH_ARM64", "CS_MODE_ARM", 4)],
)
def test_code_is_nops_unless_it_is_given(machine: str, arch: str, mode: str, size: int) -> None:
    capstone: Any = pytest.importorskip("capstone")
    decoder = capstone.Cs(getattr(capstone, arch), getattr(capstone, mode))
    code = section(elf(Image(machine=machine)), ".text").data()
    decoded = [(insn.mnemonic, insn.size) for insn in decoder.disasm(code, 0x1000)]
    assert decoded == [("nop", size)] * (0x1000 // size)
    assert code == nops(0x1000, machine)


def test_an_image_may_have_no_code() -> None:
    assert elf(Image(text=b"")).get_section_by_name(".text") is None


def test_a_section_without_data_has_a_size() -> None:
    """What objcopy --only-keep-debug leaves of .text."""
    code = Section(".text", address=0x1000, type="NOBITS", size=0x800, flags=6)
    image = Image(text=b"", sections=[code], symbols=[Symbol("f", 0x1010)])
    file = elf(image)
    assert (section(file, ".text")["sh_type"], section(file, ".text")["sh_size"]) == ("SHT_NOBITS", 0x800)
    assert symbols_of(file) == [("f", 0x1010, 0, "FUNC", ".text")]


def test_symbols_come_back_locals_first() -> None:
    file = elf(
        Image(
            sections=[Section(".data", bytes(16), 0x4000)],
            symbols=[
                Symbol("global", 0x1000, 8),
                Symbol("local", 0x1010, 4, binding="LOCAL"),
                Symbol("local", 0x1020, 4, binding="LOCAL"),
                Symbol("object", 0x4008, 8, "OBJECT", "WEAK"),
                Symbol("absolute", 0x77, type="NOTYPE", section="ABS"),
                Symbol("outside", 0x9000, type="NOTYPE"),
                Symbol("undefined", section="UND", type="NOTYPE"),
                Symbol("a.c", type="FILE", binding="LOCAL"),
                Symbol("thread", 0x4000, 8, "TLS"),
                Symbol("common", 16, 8, "COMMON", section="ABS"),
            ],
        )
    )
    assert symbols_of(file) == [
        ("local", 0x1010, 4, "FUNC", ".text"),
        ("local", 0x1020, 4, "FUNC", ".text"),
        ("a.c", 0, 0, "FILE", "ABS"),
        ("global", 0x1000, 8, "FUNC", ".text"),
        ("object", 0x4008, 8, "OBJECT", ".data"),
        ("absolute", 0x77, 0, "NOTYPE", "ABS"),
        ("outside", 0x9000, 0, "NOTYPE", "ABS"),
        ("undefined", 0, 0, "NOTYPE", "UNDEF"),
        ("thread", 0x4000, 8, "TLS", ".data"),
        ("common", 16, 8, "COMMON", "ABS"),
    ]
    table = section(file, ".symtab")
    bindings = [symbol["st_info"]["bind"] for symbol in table.iter_symbols()]
    assert bindings.index("STB_GLOBAL") == table["sh_info"] == bindings.count("STB_LOCAL")


def test_the_symbol_table_can_be_left_out() -> None:
    file = elf(Image(units=[unit()], symbols=[Symbol("f", 0x1000)], symtab=False))
    assert file.get_section_by_name(".symtab") is None
    assert file.has_dwarf_info()


def test_the_build_id_is_a_note(tmp_path: Path) -> None:
    image = Image(build_id=bytes(range(20)))
    (note,) = section(elf(image), ".note.gnu.build-id").iter_notes()
    assert (note["n_name"], note["n_type"]) == ("GNU", "NT_GNU_BUILD_ID")
    assert note["n_desc"] == bytes(range(20)).hex()
    printed = tool_output(["readelf", "-nW"], image, tmp_path)
    assert "Build ID: " + bytes(range(20)).hex() in printed


def test_the_build_id_may_be_among_the_notes_of_the_kernel() -> None:
    notes = section(
        elf(Image(build_id=b"\xaa" * 20, build_id_section=".notes", build_id_address=0x2000)), ".notes"
    )
    assert (notes["sh_type"], notes["sh_addr"]) == ("SHT_NOTE", 0x2000)


def test_a_debug_link_names_a_file_and_its_checksum() -> None:
    data = section(elf(Image(sections=[debuglink("vmlinux.debug", 0x12345678)])), ".gnu_debuglink").data()
    assert data == b"vmlinux.debug\0\0\0" + bytes((0x78, 0x56, 0x34, 0x12))


@pytest.mark.parametrize("elf_class", [32, 64])
@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_compressed_sections_come_back(elf_class: Any, byteorder: Any) -> None:
    fields = {"elf_class": elf_class, "byteorder": byteorder}
    image = Image(units=[unit(Die("variable", name="variable"))], compress="zlib", **fields)
    info = section(elf(image), ".debug_info")
    assert info.compressed
    assert info["sh_flags"] == 0x800
    assert info.data() == image.assemble().sections[".debug_info"]
    assert info.data_size == len(info.data())


def test_the_older_compression_comes_back() -> None:
    image = Image(units=[unit(Die("variable", name="variable"))], compress="gnu")
    file = elf(image)
    assert section(file, ".zdebug_info").data().startswith(b"ZLIB")
    assert value(dies(file.get_dwarf_info())[1], "name") == b"variable"


def test_an_address_counts_from_text_in_a_relocatable_image() -> None:
    image = Image(
        units=[unit(Die("variable", location=op.addr(Addr("counter", 2))), low_pc=0x20)],
        sections=[Section(".data", bytes(32))],
        symbols=[Symbol("counter", 8, 4, "OBJECT", section=".data"), Symbol("elsewhere", section="UND")],
        file_type="REL",
    )
    root, variable = dies(dwarf(image))
    assert value(root, "low_pc") == 0x20
    assert bytes(value(variable, "location"))[1:] == (10).to_bytes(8, "little")


def test_an_undefined_symbol_is_relocated_against(tmp_path: Path) -> None:
    variable = Die("variable", location=op.addr(Addr("elsewhere", 4)))
    image = Image(units=[unit(variable)], symbols=[Symbol("elsewhere", section="UND")], file_type="REL")
    assert "elsewhere + 4" in tool_output(["readelf", "-rW"], image, tmp_path)


def test_a_section_of_the_test_has_relocations(tmp_path: Path) -> None:
    """As _kprobe_blacklist of a module has them."""
    entry = Section("_kprobe_blacklist", bytes(8), flags=2, relocations=(Relocation(0, 8, "f", 0),))
    image = Image(sections=[entry], symbols=[Symbol("f", 0x10)], file_type="REL")
    printed = tool_output(["readelf", "-rW"], image, tmp_path)
    assert "'.rela_kprobe_blacklist'" in printed
    assert "f + 0" in printed


def test_a_symbol_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError, match="no symbol or section 'f'"):
        Image(units=[unit(Die("subprogram", low_pc=Addr("f")))]).elf()


def test_an_image_is_the_same_each_time(tmp_path: Path) -> None:
    def build() -> bytes:
        return Image(units=[unit(Die("variable", name="variable"))], build_id=bytes(20)).elf()

    path = Image(units=[unit(Die("variable", name="variable"))], build_id=bytes(20)).write(tmp_path / "x")
    assert build() == build() == path.read_bytes()
    assert ELFFile(io.BytesIO(build())).num_sections() > 3

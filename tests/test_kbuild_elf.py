# SPDX-License-Identifier: GPL-2.0-or-later
"""Facts of ELF files: what decides whether a file is the vmlinux that is looked for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvar.kbuild.elf import (
    SHT_NOBITS,
    SHT_PROGBITS,
    ElfFacts,
    NotElf,
    build_id_of_notes,
    facts_of,
    read_facts,
    vmlinux_release,
)
from tests.kbuild_files import elf, note, vmlinux, write

DEBUG_VMLINUX = sorted(Path("/usr/lib/debug/boot").glob("vmlinux-*"))


@pytest.mark.parametrize("order", ["<", ">"])
def test_facts_are_read_in_both_byte_orders(order: str) -> None:
    content = vmlinux("6.1.0-56-amd64", "0123456789", order=order)
    assert facts_of(content) == ElfFacts("6.1.0-56-amd64", "0123456789", True)


def test_format_string_before_the_banner_is_not_taken_for_it() -> None:
    assert b"Linux version \0" in vmlinux("6.1.0")
    assert facts_of(vmlinux("6.1.0")).release == "6.1.0"


def test_banner_outside_loaded_sections_does_not_count() -> None:
    assert facts_of(elf([(".comment", SHT_PROGBITS, 0, b"Linux version 6.1.0 (x)")])).release is None


def test_banner_is_found_where_the_architecture_has_it_outside_rodata() -> None:
    assert facts_of(elf([(".init.data", SHT_PROGBITS, 2, b"Linux version 6.1.0 (x)")])).release == "6.1.0"


@pytest.mark.parametrize(("name", "kind", "content", "expected"), [
    (".debug_info", SHT_PROGBITS, b"x", True), (".zdebug_info", SHT_PROGBITS, b"x", True),
    (".debug_info", SHT_NOBITS, b"x", False), (".debug_info", SHT_PROGBITS, b"", False),
    (".BTF", SHT_PROGBITS, b"x", False),
])
def test_debug_info_is_a_section_with_content(name: str, kind: int, content: bytes, expected: bool) -> None:
    assert facts_of(elf([(name, kind, 0, content)])).has_debug_info is expected


def test_build_id_is_found_behind_notes_of_other_owners() -> None:
    assert build_id_of_notes(note("c0ffee"), "<") == "c0ffee"
    assert build_id_of_notes(note("c0ffee")[:20], "<") is None


@pytest.mark.parametrize(("content", "why"), [
    (b"", "empty"), (b"MZ" + bytes(100), "boot image"), (b"\x1f\x8b" + bytes(9), "boot image"),
    (b"int main;", "not an ELF file"), (b"\x7fELF\x01" + bytes(60), "not a 64-bit"),
    (b"\x7fELF\x02\x01" + b"\xff" * 60, "damaged"),
])
def test_other_files_are_refused_with_what_they_are(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(NotElf, match=why):
        read_facts(write(tmp_path / "file", content))


@given(st.integers(0, len(vmlinux()) - 8), st.binary(min_size=1, max_size=8))
def test_damage_is_an_error_or_other_facts_but_no_crash(at: int, damage: bytes) -> None:
    damaged = bytearray(vmlinux())
    damaged[at:at + len(damage)] = damage
    try:
        facts = facts_of(bytes(damaged))
    except NotElf:
        return
    assert isinstance(facts, ElfFacts)


@given(st.integers(0, len(vmlinux()) - 1))
def test_file_that_was_cut_off_is_refused(length: int) -> None:
    with pytest.raises(NotElf):
        facts_of(vmlinux()[:length])


@pytest.mark.skipif(not DEBUG_VMLINUX, reason="no debug vmlinux installed")
def test_installed_vmlinux_tells_its_release_and_the_build_id_that_readelf_tells() -> None:
    for path in DEBUG_VMLINUX:
        facts = read_facts(path)
        assert facts.release == vmlinux_release(path) == path.name.removeprefix("vmlinux-")
        done = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True, timeout=60)
        assert f"Build ID: {facts.build_id}" in done.stdout
        assert facts.has_debug_info

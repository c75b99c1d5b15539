# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls and jumps of a module's code, which are not put in before it is loaded."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localvar.arch import X86_64
from localvar.code.code import Code
from localvar.code.tails import Tails
from localvar.code.x86 import decode
from localvar.dwarf.elf import Elf
from localvar.dwarf.scope import function_at
from localvar.dwarf.unit import Die
from localvar.images import Image

SOURCE = """
int other(int);
int another(int);
#define cold __attribute__((noipa, section(".text.unlikely")))

static __attribute__((noipa)) int leaf(int a) { asm volatile("" : : "r" (a)); return a + 1; }
static cold int cold_leaf(int a) { asm volatile("" : : "r" (a)); return a + 2; }
int calls(int a) { return leaf(a) + cold_leaf(a) + other(a) + 1; }
cold int calls_back(int a) { return leaf(a) + 1; }
int leads_to_cold(int a) { asm volatile(""); return cold_leaf(a + 3); }
__attribute__((noipa)) int leads_elsewhere(int a) { asm volatile(""); return another(a + 4); }
int again(int a) { asm volatile(""); return other(a) ? leads_elsewhere(a) : 0; }
cold int back_and_forth(int a);
__attribute__((noipa)) int forth_and_back(int a) { asm volatile(""); return back_and_forth(a + 5); }
cold int back_and_forth(int a) { asm volatile(""); return forth_and_back(a - 5); }
__attribute__((noipa)) int around(int a);
cold int and_around(int a) { asm volatile(""); return around(a - 6); }
int around(int a) { asm volatile(""); return and_around(a + 6); }
int leads_to_a_circle(int a) { asm volatile(""); return around(a + 7); }
__attribute__((section(".init.text"))) int at_first(int a) { return leaf(a) + 1; }
__attribute__((section(".exit.text"))) int at_last(int a) { return leaf(a) + 1; }
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return compiled(tmp_path_factory.mktemp("module"))


def compiled(folder: Path, more: str = "") -> Image:
    """The module of SOURCE and more."""
    (folder / "m.c").write_text(SOURCE + more)
    flags = ["-O2", "-g", "-mno-red-zone", "-fcf-protection=none"]
    subprocess.run(["gcc", "-c", *flags, "-o", folder / "m.ko", folder / "m.c"], check=True)
    return Image(Elf.open(folder / "m.ko"), X86_64, "m", 1 << 40)


def entry(module: Image, name: str) -> int:
    return module.elf.symbols_named(name)[0].value


def die(module: Image, name: str) -> Die:
    unit = module.info.unit_of_pc(entry(module, name))
    found = function_at(unit, entry(module, name)) if unit else None
    assert found is not None
    return found


def calls(module: Image, name: str) -> dict[int, int]:
    """By the address that it returns to, the target of each call of a function."""
    symbol = module.elf.symbols_named(name)[0]
    raw = module.flow.code.bytes(symbol.value, symbol.size)
    assert raw is not None
    return {each.end: each.end + int.from_bytes(raw[each.end - symbol.value - 4 : each.end - symbol.value], "little", signed=True)
            for each in decode(raw, symbol.value, None) if raw[each.address - symbol.value] == 0xE8}


def test_calls_go_to_functions_of_all_sections_and_of_other_files(module: Image) -> None:
    code = module.flow.code
    other = code.address_of("other")
    assert other is not None and code.elsewhere(other) == "other"
    assert set(calls(module, "calls").values()) == {entry(module, "leaf"), entry(module, "cold_leaf"), other}
    assert set(calls(module, "calls_back").values()) == {entry(module, "leaf")}


def test_what_is_elsewhere_is_at_no_place_of_the_module(module: Image) -> None:
    code = module.flow.code
    places = [code.address_of(name) for name in ("other", "another")]
    assert len({*places, None}) == 3
    assert all(place is not None and module.elf.section_at(place) is None for place in places)
    assert code.elsewhere(entry(module, "leaf")) is None and code.address_of("leaf") == entry(module, "leaf")
    assert code.address_of("nothing") is None


def test_the_last_bytes_of_a_section_are_relocated_too(module: Image) -> None:
    code = module.flow.code
    symbol = module.elf.symbols_named("leads_to_cold")[0]
    end = symbol.value + symbol.size
    raw = code.bytes(end - 4, 4)
    assert raw is not None and end + int.from_bytes(raw, "little", signed=True) == entry(module, "cold_leaf")
    assert code.bytes(0x10, 4) is None
    section = module.elf.section(".text")
    assert section is not None and code.bytes(section.address + section.size - 2, 4) is None


def test_code_of_a_linked_file_is_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "f.s").write_text(".globl f\nf: call f\n ret\n")
    subprocess.run(["gcc", "-nostdlib", "-static", "-Wl,--emit-relocs,-e,f", "-o", tmp_path / "f", tmp_path / "f.s"], check=True)
    elf = Elf.open(tmp_path / "f")
    assert Code(elf).bytes(elf.symbols_named("f")[0].value, 6) == b"\xe8\xfb\xff\xff\xff\xc3"


def test_a_call_counts_where_it_is_of_this_function(module: Image) -> None:
    tails: Tails = module.tails
    for caller in ("calls", "calls_back"):
        for returns_to, target in calls(module, caller).items():
            for name in ("leaf", "cold_leaf"):
                assert tails.is_call(returns_to, entry(module, name)) is (target == entry(module, name))
    assert not tails.is_call(entry(module, "calls"), entry(module, "leaf"))
    assert not tails.is_call(0x10, entry(module, "leaf"))


@pytest.mark.parametrize("name", ["at_first", "at_last"])
def test_a_call_in_code_that_is_freed_does_not_count(module: Image, name: str) -> None:
    """Another module's code may be there later."""
    (returns_to,) = calls(module, name)
    assert not module.tails.is_call(returns_to, entry(module, "leaf"))


def test_nothing_is_told_where_it_is_not_known_what_the_kernel_changes(tmp_path: Path) -> None:
    found = compiled(tmp_path, 'asm(".pushsection .altinstructions,\\"a\\"; .long 1; .popsection");')
    assert "not known what the kernel changes" in (found.tails.beginning_again(die(found, "leaf")) or "")
    assert not any(found.tails.is_call(returns_to, target) for returns_to, target in calls(found, "calls").items())


@pytest.mark.parametrize(("name", "why"), [
    ("leaf", None), ("leads_to_cold", None), ("calls", None), ("leads_to_a_circle", None),
    ("around", "and_around can jump to its beginning"), ("leads_elsewhere", "ends in a jump to another"),
    ("again", "leads_elsewhere ends in a jump to another"), ("forth_and_back", "back_and_forth can jump to its beginning"),
])
def test_a_function_begins_again_where_a_jump_can_lead_back(module: Image, name: str, why: str | None) -> None:
    found = module.tails.beginning_again(die(module, name))
    assert found is None if why is None else why in (found or "")

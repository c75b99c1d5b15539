# SPDX-License-Identifier: GPL-2.0-or-later
"""Short ways of doing much at once, held against the plain ones: symbols, functions of many names, types as text."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from localvar.ctext import declare
from localvar.ctext.names import Unspeakable
from localvar.dwarf import constants as c
from localvar.dwarf import manynames, scope
from localvar.dwarf import unit as dwarf
from localvar.dwarf.elf import STT_FUNC, Elf
from localvar.dwarf.scope import functions_named
from localvar.model.ctype import (
    Array,
    BaseType,
    CType,
    Declared,
    Encoding,
    Enumeration,
    FunctionType,
    Pointer,
    Qualified,
    Qualifier,
    Record,
    Typedef,
    UnknownType,
    Void,
)
from localvar.probe.functions import glob_names
from tests.dwarf_support import vmlinux
from tests.dwarfgen import Addr, Die, Form, Image, Symbol, Unit

SEED = 20260101


def test_symbols_by_name_and_address_are_those_of_the_whole_table() -> None:
    elf = Elf.open(vmlinux().elf.path)
    every = elf.symbols
    chosen = random.Random(SEED).sample(every, 12)
    for symbol in chosen:
        assert elf.symbols_named(symbol.name) == tuple(s for s in every if s.name == symbol.name)
        at = tuple(s for s in every if s.value == symbol.value and s.type <= STT_FUNC)
        assert elf.symbols_at(symbol.value) == at
    first = elf.first_symbols([*(symbol.name for symbol in chosen), "no_such_symbol"])
    assert first == {symbol.name: elf.symbols_named(symbol.name)[0] for symbol in chosen}
    assert elf.function_names == {s.name for s in every if s.type == STT_FUNC}


def test_a_name_that_ends_in_another_is_not_that_other() -> None:
    """Linkers keep "read" in the end of "vfs_read"; here both have their own place in the table, and a symbol each."""
    image = Image(units=[Unit(Die("compile_unit", name="a.c"))],
                  symbols=[Symbol("vfs_read", 0x1000, 8), Symbol("read", 0x1010, 8), Symbol("vfs_read", 0x1020, 8)])
    elf = Elf("image", image.elf())
    assert {name: symbol.value for name, symbol in elf.first_symbols(["read", "vfs_read", "ead"]).items()} == {
        "read": 0x1010, "vfs_read": 0x1000}


def test_functions_of_many_names_are_those_of_a_search_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    info = vmlinux()
    names = [*random.Random(SEED).sample(sorted(info.elf.function_names), 14), "kmalloc", "vfs_read", "no_such_function"]
    at_once = [die.key for die in functions_named(info, sorted(names))]
    monkeypatch.setattr(scope, "_MANY", 1 << 30)
    one_by_one = [die.key for die in functions_named(info, sorted(names))]
    assert at_once == one_by_one and len(at_once) > 700


@pytest.mark.parametrize("pattern", ["tcp_*", "get_page*"])
def test_functions_of_a_glob_are_those_of_a_walk_of_all_units(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of the names are ends of others, some in hundreds of units, some not in debug info at all."""
    info = vmlinux()
    names = [*glob_names(info.elf, pattern), "no_such_function", "kmalloc"]
    monkeypatch.setattr(scope, "_MANY", 1)
    assert len(manynames.units_naming(info, manynames.name_offsets(info, names))) < len(info.unit_offsets)
    plain: dict[str, list[int]] = {name: [] for name in sorted(names)}
    for offset in info.unit_offsets:
        unit = info.unit(offset)
        for die in (dwarf.Die(unit, entry) for entry in unit.functions):
            name = die.string(c.DW_AT_name)
            if name in plain and not die.flag(c.DW_AT_declaration):
                plain[name].append(die.key)
    found = [die.key for die in functions_named(info, names)]
    assert found == [key for keys in plain.values() for key in keys] and len(found) > 700
    monkeypatch.setattr(manynames, "MOST", 0)
    assert found == [die.key for die in functions_named(info, names)]


@pytest.mark.parametrize("form", ["string", "strp", "strx1"])
def test_functions_are_found_by_many_names_in_whatever_form_they_are(form: str) -> None:
    from localvar.dwarf.info import DebugInfo

    units = [Unit(Die("compile_unit", name="a.c", children=[Die("subprogram", name=Form("strp", "first"), inline=1),
                                                            Die("subprogram", name=Form(form, name), external=True, inline=1)]))
             for name in ("f", "function", "and_function")]
    info = DebugInfo(Elf("image", Image(units=units).elf()))
    for names in (["f"], ["function"], ["and_function"], ["unction", "and_function", "f"]):
        found = {die.unit.offset for name in names for die in scope.function_dies(info, name)}
        assert found <= set(manynames.units_naming(info, manynames.name_offsets(info, names)))


def test_declarations_are_no_functions_of_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    from localvar.dwarf.info import DebugInfo

    def function(name: str, **more: object) -> Die:
        return Die("subprogram", name=name, external=True, **more)  # type: ignore[arg-type]

    units = [Unit(Die("compile_unit", name="a.c", low_pc=Addr(".text", 0), high_pc=0x100, children=[
        function("f", declaration=True), function("g", low_pc=Addr(".text", 0), high_pc=8), function("h", inline=1)]))]
    info = DebugInfo(Elf("image", Image(units=units).elf()))
    monkeypatch.setattr(scope, "_MANY", 1)
    assert [die.string(3) for die in functions_named(info, ["f", "g", "h"])] == ["g", "h"]


INT = BaseType(1, "int", 4, Encoding.SIGNED)
NOWHERE = Declared("a.c", 1)


def types() -> list[CType]:
    """Types with names, and what C makes of them, two steps deep."""
    def record(kind: str, name: str | None) -> CType:
        return Record(2, kind, name, 4, False, NOWHERE, "a.c", None, lambda: ())

    plain: list[CType] = [
        INT, BaseType(3, "long unsigned int", 8, Encoding.UNSIGNED), Void(), record("struct", "s"), record("union", "u"),
        record("struct", None), Typedef(4, "size_t", NOWHERE, lambda: INT), UnknownType(5, "no such type"),
        Enumeration(6, "e", 4, False, False, NOWHERE, "a.c", lambda: ()),
    ]

    def makers() -> list[Callable[[CType], CType]]:
        return [lambda t: Pointer(7, 8, lambda: t), lambda t: Array(8, 3, False, lambda: t),
                lambda t: FunctionType(9, False, True, lambda: t, lambda: (INT,)),
                *(lambda t, q=q: Qualified(10, q, lambda: t) for q in Qualifier)]

    once = [make(one) for one in plain for make in makers()]
    twice = [make(one) for one in once for make in makers()]
    return [*plain, *once, *twice, *(make(one) for one in twice for make in makers())]


def written(ctype: CType) -> tuple[str, str]:
    try:
        return declare.declaration(ctype, "name"), declare.type_name(ctype)
    except Unspeakable as problem:
        return "Unspeakable", str(problem)


def test_simple_types_are_written_as_pycparser_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    every = types()
    short = [written(one) for one in every]
    plain = sum(1 for one, (text, _) in zip(every, short, strict=True) if text != "Unspeakable" and declare._plain(one, "name"))
    monkeypatch.setattr(declare, "_plain", lambda ctype, name: None)
    assert short == [written(one) for one in every]
    assert plain > 800

# SPDX-License-Identifier: GPL-2.0-or-later
"""Debug info that is damaged or cut short: DwarfError, Failure or an absent location, never another exception or a hang."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localvar.arch import X86_64
from localvar.diagnostics import Failure
from localvar.dwarf import constants as c
from localvar.dwarf.elf import Elf
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.line import LineTable as OurTable
from localvar.dwarf.locate import Locator
from localvar.dwarf.loclists import location_entries
from localvar.dwarf.names import dies_named
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import SCOPE_TAGS, VARIABLE_TAGS, chain_at, function_at, function_dies, instances
from localvar.dwarf.types import type_at, type_of
from localvar.dwarf.unit import Die as OurDie
from localvar.model.ctype import Array, CType, Pointer, Record, Typedef, size_of, strip
from localvar.model.path import parse_path
from localvar.model.site import NOWHERE
from localvar.plan.read import NoSuchMember, plan_read
from tests.dwarf_support import below
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
    Section,
    Sequence,
    Signature,
    Symbol,
    Unit,
    cfa,
    ctype,
    loclist,
    op,
    rnglist,
)

EXPECTED = (DwarfError, Failure)
SECTIONS = (".debug_info", ".debug_abbrev", ".debug_loclists", ".debug_loc", ".debug_rnglists", ".debug_ranges", ".debug_line",
            ".debug_frame", ".debug_aranges", ".debug_addr", ".debug_str_offsets", ".debug_str", ".debug_types")


@functools.cache
def image(version: int, offset_size: Any = 4, file_type: Any = "EXEC") -> Image:
    """A program with something of everything."""
    start = 0x1000 if file_type == "EXEC" else 0
    types = [
        ctype.base("int", 4, "signed"), ctype.base("u64", 8, "unsigned"), ctype.typedef("number", "int"),
        ctype.struct("pair", 16, ctype.member("left", "int", 0), ctype.bit_field("bits", "int", 35, 5),
                     ctype.member("right", "to", 8)),
        ctype.pointer("to", "pair"), ctype.array("ints", "int", 4), ctype.enumeration("kind", 4, "int", A=-1, B=200),
        Die("structure_type", label="far", name="far", declaration=True, signature=Signature(77)),
    ]
    shifted = op.expr(op.breg3(0), op.const1u(9), op.shl(), op.stack_value())
    pieces = op.expr(op.reg1(), op.piece(8), op.fbreg(-16), op.piece(8))
    moved = loclist((start, start + 8, op.reg3()), (start + 8, start + 16, shifted), (start + 16, start + 32, pieces))
    chosen = op.expr(op.breg0(0), op.bra("yes"), op.lit3(), op.skip("end"), op.label("yes"), op.regval_type(1, "int"),
                     op.convert(0), op.label("end"), op.stack_value())
    variables = [
        Die("formal_parameter", name="p", type=Ref("to"), location=moved),
        Die("variable", label="x", name="x", type=Ref("pair"), location=op.fbreg(-24)),
        Die("variable", name="y", type=Ref("number"), location=chosen),
        Die("variable", name="z", type=Ref("to"), location=op.expr(op.implicit_pointer("x", 0))),
        Die("variable", name="e", type=Ref("u64"), location=op.expr(op.entry_value(op.reg5()), op.stack_value())),
        Die("variable", name="s", type=Ref("ints"), location=op.addr(Addr(".data", 16))),
        Die("variable", name="k", type=Ref("kind"), const_value=200),
        Die("lexical_block", ranges=rnglist((start + 4, start + 8), (start + 16, start + 20)), children=[
            Die("variable", name="x", type=Ref("far"), location=op.reg2())]),
        Die("inlined_subroutine", abstract_origin=Ref("g"), low_pc=start + 32, high_pc=8, children=[
            Die("formal_parameter", abstract_origin=Ref("n"), location=op.GNU_parameter_ref("n"))]),
    ]
    if version >= 5:
        variables.append(Die("variable", name=Form("strx", "indexed"), type=Ref("int"), location=Form("loclistx", moved)))
    n = Die("formal_parameter", label="n", name="n", type=Ref("int"))
    g = Die("subprogram", label="g", name="g", inline="inlined", children=[n])
    f = Die("subprogram", label="f", name="f", low_pc=start, high_pc=0x40, external=True, frame_base=op.call_frame_cfa(),
            children=variables)
    lines = LineTable(program=(Sequence([Row(start, 10), Row(start + 4, 12), Row(start + 16, 200)], end=start + 0x40),))
    root = Die("compile_unit", name="a.c", comp_dir="/src", low_pc=start, high_pc=0x100, children=[*types, g, f])
    unit = Unit(root, version=version, offset_size=offset_size, line=lines, aranges=((start, 0x100),), siblings=version == 4)
    far = Unit(Die("type_unit", children=[ctype.struct("far", 8, ctype.member("m", "i", 0)),
                                          Die("base_type", label="i", name="int", byte_size=4, encoding="signed")]),
               version=version, signature=77, type_die="far")
    steps = (cfa.advance(1), cfa.def_cfa_offset(16), cfa.remember_state(), cfa.advance(9), cfa.restore_state())
    frame = Fde(Cie((cfa.def_cfa(7, 8), cfa.offset(16, 1))), start, 0x40, steps)
    return Image(units=[unit, far], symbols=[Symbol("f", start, 0x40)], debug_frame=[frame], file_type=file_type,
                 sections=[Section(".data", bytes(64), 0x4000)])


@functools.cache
def assembled(version: int, offset_size: Any = 4, file_type: Any = "EXEC") -> tuple[bytes, dict[str, tuple[int, int]]]:
    """The file's bytes, and where its debug sections lie in them."""
    data = image(version, offset_size, file_type).elf()
    elf = Elf("image", data)
    return data, {s.name: (s.offset, s.size) for s in elf.sections if s.name in SECTIONS}


def use_everything(data: bytes) -> int:
    """Ask for all that there is, as far as it can be had; gives how many variables had a place."""
    elf = Elf("image", data)
    info = DebugInfo(elf)
    locator = Locator(info, X86_64)
    found = 0
    for die in guarded(functools.partial(_dies, info)):
        guarded(functools.partial(_look_at, die))
        if die.tag in VARIABLE_TAGS:
            found += sum(bool(guarded(functools.partial(_locate, locator, die, pc))) for pc in (0x1000, 0x1008, 0x1010, 0x1020))
    for pc in (0x1000, 0x1005, 0x1020):
        guarded(functools.partial(_look_up, locator, pc))
    for name in ("f", "x", "far", "indexed"):
        guarded(functools.partial(_by_name, info, name))
    return found


def guarded(work: Any) -> Any:
    """The result of a piece of work, [] where it says that the debug info is damaged."""
    try:
        return work()
    except EXPECTED:
        return []


def _dies(info: DebugInfo) -> list[OurDie]:
    return [die for offset in info.unit_offsets for die in guarded(lambda at=offset: list(below(info.unit(at).root)))]


def _look_at(die: OurDie) -> None:
    die.string(c.DW_AT_name), die.address(c.DW_AT_low_pc), die.block(c.DW_AT_location), die.flag(c.DW_AT_external)
    for attribute in (c.DW_AT_type, c.DW_AT_abstract_origin, c.DW_AT_signature):
        guarded(functools.partial(die.reference, attribute))
    guarded(functools.partial(die_ranges, die))
    if c.DW_AT_location in die:
        guarded(functools.partial(location_entries, die, c.DW_AT_location))
    guarded(lambda: _walk(type_at(die)))
    assert die.unit.path_to(die.offset) is not None


def _walk(ctype: CType, depth: int = 0) -> None:
    size_of(ctype), strip(ctype)
    following: Iterator[CType] = iter(())
    if isinstance(ctype, (Pointer, Typedef)):
        following = iter([ctype.target()])
    elif isinstance(ctype, Array):
        following = iter([ctype.element()])
    elif isinstance(ctype, Record):
        following = (member.type() for member in ctype.members())
    for inner in following:
        if depth < 3:
            _walk(inner, depth + 1)


def _locate(locator: Locator, die: OurDie, pc: int) -> int:
    function = function_at(die.unit, pc)
    assert locator.location(die, (function or die,), pc)[1]
    variable = locator._variable(die, "x", "f", (function or die,), pc)
    for path in ("x", "x.left", "x->right->left", "x[2]", "x.bits"):
        try:
            read = plan_read(NOWHERE, variable, parse_path(path), X86_64)
        except NoSuchMember:
            continue
        assert read.readable == (read.reason is None)
    return 1


def _look_up(locator: Locator, pc: int) -> None:
    unit = locator.info.unit_of_pc(pc)
    if unit is None:
        return
    OurTable(unit).row_at(pc)
    guarded(lambda: locator.frames.row(pc))
    function = function_at(unit, pc)
    if function is not None:
        for scope in chain_at(function, pc):
            assert scope.tag in SCOPE_TAGS
            type_of(scope)


def _by_name(info: DebugInfo, name: str) -> None:
    dies_named(info, name, {c.DW_TAG_variable, c.DW_TAG_structure_type})
    for die in function_dies(info, name):
        list(instances(die))


SHAPES: list[Any] = [(4, 4, "EXEC"), (5, 4, "EXEC"), (5, 8, "EXEC"), (3, 4, "EXEC"), (5, 4, "REL")]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sound_image_is_read_whole(shape: Any) -> None:
    assert use_everything(assembled(*shape)[0]) >= 4 * 9


@settings(max_examples=120, deadline=10_000)
@given(st.data())
def test_flipped_bytes_give_errors_or_absence(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from(SHAPES))
    whole, places = assembled(*shape)
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        start, size = places[data.draw(st.sampled_from(sorted(places)))]
        at = start + data.draw(st.integers(0, size - 1))
        changed[at] = data.draw(st.one_of(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]), st.integers(0, 255)))
    guarded(lambda: use_everything(bytes(changed)))


@settings(max_examples=40, deadline=10_000)
@given(st.data())
def test_sections_cut_short_give_errors_or_absence(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from(SHAPES))
    built = image(*shape)
    _, places = assembled(*shape)
    name = data.draw(st.sampled_from(sorted(places)))
    cut = data.draw(st.integers(0, places[name][1]))
    shorter = Image(**{**built.__dict__, "damage": {name: lambda whole: whole[:cut]}})
    guarded(lambda: use_everything(shorter.elf()))


@settings(max_examples=40, deadline=10_000)
@given(st.data())
def test_a_file_cut_short_or_with_damaged_headers_is_a_failure_at_worst(data: st.DataObject) -> None:
    whole, _ = assembled(5)
    changed = bytearray(whole)
    table = int.from_bytes(whole[0x28:0x30], "little")
    places = [*range(0x10, 0x40), *range(table, len(whole))]
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.sampled_from(places))] = data.draw(st.integers(0, 255))
    kept = data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))
    guarded(lambda: use_everything(bytes(changed[:kept])))


# -- damage that goes in circles --------------------------------------------------------------------------------------------


def only(*dies: Die) -> DebugInfo:
    root = Die("compile_unit", name="a.c", low_pc=0x1000, high_pc=0x100, children=dies)
    return DebugInfo(Elf("image", Image(units=[Unit(root)]).elf()))


def test_types_that_refer_to_themselves_end() -> None:
    loops = [ctype.typedef("a", "b"), ctype.typedef("b", "a"), ctype.array("arrays", "arrays", 2),
             ctype.qualified("q", "const", "q"), ctype.struct("s", 8, ctype.member(None, "s", 0))]
    info = only(*loops)
    for die in info.unit(0).root.children():
        found = type_at(die)
        assert size_of(found) is None or isinstance(strip(found), Record)


def test_a_struct_that_holds_itself_has_no_member_of_another_name() -> None:
    from localvar.plan.read import find_member, member_names

    (die,) = only(ctype.struct("s", 8, ctype.member("m", "s", 0), ctype.member(None, "s", 0))).unit(0).root.children()
    record = type_at(die)
    assert isinstance(record, Record)
    assert find_member(record, "nothing") is None
    assert set(member_names(record)) == {"m"}


def test_a_signature_that_leads_back_is_an_error() -> None:
    units = [Unit(Die("compile_unit", name="a.c", children=[Die("structure_type", declaration=True, signature=Signature(5))])),
             Unit(Die("type_unit", children=[Die("structure_type", label="s", declaration=True, signature=Signature(5))]),
                  signature=5, type_die="s")]
    info = DebugInfo(Elf("image", Image(units=units).elf()))
    (die,) = info.unit(0).root.children()
    with pytest.raises(DwarfError, match="leads to no definition"):
        type_at(die)


def test_a_number_without_an_end_is_refused_quickly() -> None:
    info = only(Die("variable", name="x", location=Form("exprloc", b"\x10" + b"\x80" * 200_000)))
    (die,) = info.unit(0).root.children()
    location, _ = Locator(info, X86_64).location(die, (die,), 0x1000)
    assert type(location).__name__ == "Absent"

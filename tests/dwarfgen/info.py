# SPDX-License-Identifier: GPL-2.0-or-later
"""Units and their DIEs: .debug_info, .debug_types, .debug_abbrev, and the tables that a unit refers to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from elftools.dwarf.enums import ENUM_DW_AT, ENUM_DW_TAG, ENUM_DW_UT

from .buffer import Buffer
from .context import Assembly, UnitContext
from .forms import SectionOffset, form_code, form_of, write_form
from .line import write_line_table
from .loclists import write_location_lists
from .rnglists import write_range_lists
from .values import Attribute, Die, Form, NextSibling, Raw

# Table, the attribute that says where it begins.
BASES = {
    ".debug_str_offsets": "str_offsets_base",
    ".debug_addr": "addr_base",
    ".debug_loclists": "loclists_base",
    ".debug_rnglists": "rnglists_base",
}


def walk(die: Die) -> Iterator[Die]:
    """The DIE and everything below it, in the order it is written."""
    yield die
    for child in die.children:
        if isinstance(child, Die):
            yield from walk(child)


def tag_code(tag: str | int) -> int:
    """The number of a tag; KeyError for a name DWARF does not have."""
    return tag if isinstance(tag, int) else int(ENUM_DW_TAG["DW_TAG_" + tag])


def attribute_code(name: str | int) -> int:
    """The number of an attribute; KeyError for a name DWARF does not have."""
    return name if isinstance(name, int) else int(ENUM_DW_AT["DW_AT_" + name])


@dataclass(frozen=True)
class Abbreviation:
    """The shape of a DIE: tag, whether it has children, and (attribute, form, implicit value) triples."""

    tag: int
    has_children: bool
    attributes: tuple[tuple[int, int, int | None], ...]


@dataclass
class Abbreviations:
    """An abbreviation table, filled as the DIEs of its units are written."""

    units: list[int] = field(default_factory=list)
    codes: dict[Abbreviation, int] = field(default_factory=dict)

    def code(self, abbreviation: Abbreviation) -> int:
        return self.codes.setdefault(abbreviation, len(self.codes) + 1)

    def write(self, buffer: Buffer) -> None:
        for abbreviation, code in self.codes.items():
            buffer.uleb(code)
            buffer.uleb(abbreviation.tag)
            buffer.number(1, int(abbreviation.has_children))
            for name, form, implicit in abbreviation.attributes:
                buffer.uleb(name)
                buffer.uleb(form)
                if implicit is not None:
                    buffer.sleb(implicit)
            buffer.raw(b"\0\0")
        buffer.uleb(0)


def write_unit(context: UnitContext, shared: Abbreviations | None = None) -> None:
    """Write a unit and all the tables it uses; ``shared`` abbreviations are for the caller to write."""
    unit, assembly = context.unit, context.assembly
    buffer = assembly.section(unit.section)
    abbreviations = Abbreviations() if shared is None else shared
    abbreviations.units.append(context.index)
    assembly.places.mark(("unit", context.index), len(buffer))
    with buffer.initial_length(unit.offset_size):
        _write_header(buffer, context)
        _write_die(unit.root, buffer, context, abbreviations)
        buffer.raw(bytes(unit.padding))
    if unit.line is not None:
        write_line_table(unit.line, context)
    if shared is None:
        write_abbreviations(abbreviations, assembly)
    write_location_lists(context)
    write_range_lists(context)
    _write_strings(context)
    _write_addresses(context)
    _write_aranges(context)


def _write_header(buffer: Buffer, context: UnitContext) -> None:
    """The unit header (DWARF 5, 7.5.1; DWARF 4, 7.5.1 orders it otherwise)."""
    unit = context.unit
    abbreviations = context.place("abbreviations")
    buffer.number(2, unit.version)
    if unit.version >= 5:
        buffer.number(1, int(ENUM_DW_UT["DW_UT_" + unit.unit_kind]))
        buffer.number(1, buffer.target.address_size)
        buffer.offset(".debug_abbrev", abbreviations, unit.offset_size)
    else:
        buffer.offset(".debug_abbrev", abbreviations, unit.offset_size)
        buffer.number(1, buffer.target.address_size)
    if unit.unit_kind in ("type", "split_type"):
        buffer.number(8, unit.signature)
        buffer.number(unit.offset_size, 0 if unit.type_die is None else context.unit_offset(unit.type_die))
    elif unit.version >= 5 and unit.unit_kind in ("skeleton", "split_compile"):
        buffer.number(8, unit.dwo_id)


def _write_die(die: Die, buffer: Buffer, context: UnitContext, abbreviations: Abbreviations) -> None:
    root = die is context.unit.root
    context.mark(len(buffer), "die", id(die))
    forms = [(name, form_of(name, value, context, root=root)) for name, value in _attributes(die, context)]
    shape = tuple((attribute_code(name), form_code(form.name), _implicit(form)) for name, form in forms)
    buffer.uleb(abbreviations.code(Abbreviation(tag_code(die.tag), die.has_children, shape)))
    for _, form in forms:
        write_form(form, buffer, context, sibling=id(die))
    for child in die.children:
        if isinstance(child, Raw):
            buffer.raw(child.data)
        else:
            _write_die(child, buffer, context, abbreviations)
    if die.has_children:
        buffer.uleb(0)
    context.mark(len(buffer), "after", id(die))


def _implicit(form: Form) -> int | None:
    value: Any = form.value
    return int(value) if form.name == "implicit_const" else None


def _attributes(die: Die, context: UnitContext) -> list[Attribute]:
    """A DIE's attributes and those that are added: DW_AT_sibling, the root's references to its tables."""
    attributes = list(die.attributes)
    unit = context.unit
    if die is not unit.root:
        if unit.siblings and die.has_children and die.attribute("sibling") is None:
            attributes.insert(0, ("sibling", NextSibling()))
        return attributes
    if unit.line is not None and die.attribute("stmt_list") is None:
        offset = context.assembly.places["line", id(unit.line)]
        attributes.append(("stmt_list", _offset_into(".debug_line", offset, context)))
    for section, name in BASES.items():
        if unit.version >= 5 and context.marked(section) and die.attribute(name) is None:
            attributes.append((name, _offset_into(section, context.place(section), context)))
    return attributes


def _offset_into(section: str, offset: int, context: UnitContext) -> Form:
    form = "sec_offset" if context.version >= 4 else f"data{context.offset_size}"
    return Form(form, SectionOffset(section, offset))


def write_abbreviations(abbreviations: Abbreviations, assembly: Assembly) -> None:
    """Write a table of abbreviations that is complete."""
    buffer = assembly.section(".debug_abbrev")
    for unit in abbreviations.units:
        assembly.places.mark(("abbreviations", unit), len(buffer))
    abbreviations.write(buffer)


def _write_strings(context: UnitContext) -> None:
    """The unit's contribution to .debug_str_offsets (DWARF 5, 7.26)."""
    if not context.string_table.entries:
        return
    buffer = context.assembly.section(".debug_str_offsets")
    with buffer.initial_length(context.offset_size):
        buffer.number(2, 5)
        buffer.number(2, 0)
        context.mark(len(buffer), ".debug_str_offsets")
        for text in context.string_table.entries:
            assert isinstance(text, str | bytes)
            buffer.offset(".debug_str", context.assembly.strings.offset(text), context.offset_size)


def _write_addresses(context: UnitContext) -> None:
    """The unit's contribution to .debug_addr (DWARF 5, 7.27)."""
    if not context.address_table.entries:
        return
    buffer = context.assembly.section(".debug_addr")
    with buffer.initial_length(context.offset_size):
        buffer.number(2, 5)
        buffer.number(1, buffer.target.address_size)
        buffer.number(1, 0)
        context.mark(len(buffer), ".debug_addr")
        for addr in context.address_table.entries:
            buffer.addr(addr)  # type: ignore[arg-type]


def _write_aranges(context: UnitContext) -> None:
    """The unit's table in .debug_aranges (DWARF 5, 6.1.2); tuples are aligned to their own size."""
    if context.unit.aranges is None:
        return
    buffer = context.assembly.section(".debug_aranges")
    word = buffer.target.address_size
    with buffer.initial_length(context.offset_size):
        buffer.number(2, 2)
        buffer.offset(".debug_info", context.assembly.places["unit", context.index], context.offset_size)
        buffer.number(1, word)
        buffer.number(1, 0)
        buffer.align(2 * word)
        for addr, length in context.unit.aranges:
            buffer.addr(addr)
            buffer.number(word, length)
        buffer.raw(bytes(2 * word))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Abbreviation tables (DWARF 5 section 7.5.3), prepared so that a DIE can be stepped over without being decoded.

A step is a number of bytes to add, or the code of one of the forms whose size stands in the data.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain

from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.leb128 import sleb, uleb

ADDRESS, OFFSET, REF_ADDR = -1, -2, -3
"""Sizes that depend on the unit: of an address, of an offset, of a DW_FORM_ref_addr."""

FIXED: dict[int, int] = {
    c.DW_FORM_addr: ADDRESS, c.DW_FORM_data1: 1, c.DW_FORM_data2: 2, c.DW_FORM_data4: 4, c.DW_FORM_data8: 8,
    c.DW_FORM_data16: 16, c.DW_FORM_flag: 1, c.DW_FORM_flag_present: 0, c.DW_FORM_implicit_const: 0,
    c.DW_FORM_ref1: 1, c.DW_FORM_ref2: 2, c.DW_FORM_ref4: 4, c.DW_FORM_ref8: 8, c.DW_FORM_ref_sig8: 8,
    c.DW_FORM_ref_addr: REF_ADDR, c.DW_FORM_sec_offset: OFFSET, c.DW_FORM_strp: OFFSET, c.DW_FORM_line_strp: OFFSET,
    c.DW_FORM_strp_sup: OFFSET, c.DW_FORM_GNU_ref_alt: OFFSET, c.DW_FORM_GNU_strp_alt: OFFSET,
    c.DW_FORM_ref_sup4: 4, c.DW_FORM_ref_sup8: 8,
    c.DW_FORM_strx1: 1, c.DW_FORM_strx2: 2, c.DW_FORM_strx3: 3, c.DW_FORM_strx4: 4,
    c.DW_FORM_addrx1: 1, c.DW_FORM_addrx2: 2, c.DW_FORM_addrx3: 3, c.DW_FORM_addrx4: 4,
}
"""Size of each form whose size does not stand in the data."""

LEB = frozenset({
    c.DW_FORM_udata, c.DW_FORM_sdata, c.DW_FORM_strx, c.DW_FORM_addrx, c.DW_FORM_ref_udata, c.DW_FORM_loclistx,
    c.DW_FORM_rnglistx, c.DW_FORM_GNU_addr_index, c.DW_FORM_GNU_str_index,
})
"""Forms that are one LEB128 number."""

SIZED: dict[int, int] = {
    c.DW_FORM_block1: 1, c.DW_FORM_block2: 2, c.DW_FORM_block4: 4, c.DW_FORM_block: 0, c.DW_FORM_exprloc: 0,
}
"""Forms that begin with a size of so many bytes (0: a LEB128 number)."""


@dataclass(frozen=True)
class Abbreviation:
    """One declaration: tag, whether children follow, attributes as (name, form, implicit constant), and how to step
    over the attributes.  sibling: where a DW_FORM_ref4 DW_AT_sibling stands: (number of sized-in-data forms before it,
    bytes behind the last of them), or None.  size: of the attributes where no form's size stands in the data, else -1;
    alone: the same where there are no children either; jump: where the DW_AT_sibling of a DIE with children stands, behind
    nothing whose size stands in the data, else -1."""

    tag: int
    has_children: bool
    attributes: tuple[tuple[int, int, int], ...]
    steps: tuple[int, ...]
    forms: tuple[int, ...]
    sibling: tuple[int, int] | None
    sizes: tuple[int, int, int]
    size: int
    alone: int
    jump: int

    @cached_property
    def is_definition(self) -> bool:
        """Whether DIEs have a name and are not declared to be declarations."""
        names = [name for name, _, _ in self.attributes]
        return c.DW_AT_name in names and c.DW_AT_declaration not in names

    @cached_property
    def fronts(self) -> dict[int, int]:
        """Bytes of the attributes in front of each one, by its name: -1 where the data tells."""
        found, before = dict[int, int](), 0
        for name, form, _ in self.attributes:
            found.setdefault(name, before)
            size = form_size(form, *self.sizes)
            before = -1 if size is None or before < 0 else before + size
        return found

    @cached_property
    def name_place(self) -> int:
        """Bytes in front of a DW_AT_name of four bytes in .debug_str; -1 where it is something else."""
        named = any(name == c.DW_AT_name and form == c.DW_FORM_strp for name, form, _ in self.attributes)
        return self.fronts[c.DW_AT_name] if named and self.sizes[1] == 4 else -1

    @cached_property
    def layout(self) -> tuple[dict[int, tuple[int, int]], tuple[Run, ...]]:
        """How to decode the attributes: those that take no byte (name to form and value), and runs of the others."""
        constants = {name: (form, 1 if form == c.DW_FORM_flag_present else constant)
                     for name, form, constant in self.attributes if FIXED.get(form) == 0}
        return constants, tuple(_runs(self.attributes, self.sizes))


Run = tuple[struct.Struct, tuple[tuple[int, int], ...], tuple[int, int] | None]
"""Values of fixed sizes with the name and form of each, then (or None) the name and form of one of another size."""

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q", 16: "16s"}


def _runs(attributes: tuple[tuple[int, int, int], ...], sizes: tuple[int, int, int]) -> Iterator[Run]:
    layout, keys = "<", []
    for name, form, _ in attributes:
        size = form_size(form, *sizes)
        if size == 0:
            continue
        if size in _CODES:
            layout += _CODES[size]
            keys.append((name, form))
            continue
        yield struct.Struct(layout), tuple(keys), (name, form)
        layout, keys = "<", []
    yield struct.Struct(layout), tuple(keys), None


def form_size(form: int, address_size: int, offset_size: int, version: int) -> int | None:
    """Bytes that a form takes, or None where the data tells."""
    size = FIXED.get(form)
    if size is None or size >= 0:
        return size
    if size == ADDRESS:
        return address_size
    return address_size if size == REF_ADDR and version == 2 else offset_size


_DECLARATION = re.compile(rb"([\x80-\xff]*[\x01-\x7f])([\x80-\xff]*[\x01-\x7f][\x00\x01][^\0]*(?:\0[^\0]+)*"
                          rb"(?:(?:(?<=[\x01-\x20\x22-\x7f]\x21)|(?<=\x21[\x80-\xff]))\0(?=\0\0))?)\0\0")
"""A declaration with its numbers as short as compilers write them: code, what it declares, the two null bytes.  Only an implicit
constant can have a null byte, at its end; the last one may stand in front of the two."""

_END = re.compile(rb"\0\0\0(?<!\0\0[\x01-\x7f][\x01-\x7f]\0\0\0)(?<!\0\0[\x80-\xff][\x01-\x7f][\x01-\x7f]\0\0\0)"
                  rb"(?<![\x01-\x20\x22-\x7f]\x21\0\0\0)")
"""What can be the end of a table: three null bytes that are not those of a code and a tag without children and attributes, and
not an implicit constant of 0 with the end of its declaration."""


class _Codes(dict[bytes, int]):
    """Codes by how they are written."""

    def __missing__(self, written: bytes) -> int:
        self[written] = uleb(written, 0)[0]
        return self[written]


class _Prepared(dict[bytes, Abbreviation]):
    """Abbreviations by what stands between the code and the two null bytes of their declaration, for units of the same sizes.

    What units declare is mostly the same under other codes: 300,000 declarations of a kernel are 8,000 different ones.
    """

    def __init__(self, sizes: tuple[int, int, int]) -> None:
        super().__init__()
        self._sizes = sizes

    def __missing__(self, body: bytes) -> Abbreviation:
        text = b"\x01" + body + b"\0\0"
        _, behind, abbreviation = _parse(text, 0, self._sizes)
        if abbreviation is None or behind != len(text):
            raise DwarfError("this is more than one declaration")
        self[body] = abbreviation
        return abbreviation


_codes = _Codes()
_prepared = lru_cache(maxsize=16)(_Prepared)


def parse_abbreviations(data: bytes, at: int, address_size: int, offset_size: int, version: int) -> dict[int, Abbreviation]:
    """The table at offset `at` of .debug_abbrev, for units of the given sizes.  Raises Truncated, DwarfError."""
    sizes = (address_size, offset_size, version)
    prepared, (declarations, behind) = _prepared(sizes), _declarations(data, at)
    table: dict[int, Abbreviation] = {}
    with suppress(DwarfError):  # then it is read again, one number after the other
        table = {_codes[written]: prepared[body] for written, body in declarations}
        at = behind
    while True:
        code, at, abbreviation = _parse(data, at, sizes)
        if abbreviation is None:
            return table
        table[code] = abbreviation


def _declarations(data: bytes, at: int) -> tuple[list[tuple[bytes, bytes]], int]:
    """Code and what it declares of all declarations of the table at an offset, where compilers' ways show its end, else none; the
    offset behind them."""
    end = _END.search(data, at)
    found = _DECLARATION.findall(data, at, end.start() + 2) if end is not None else []
    behind = at + len(b"".join(chain.from_iterable(found))) + 2 * len(found)
    # there each begins at the end of the one before
    return (found, behind) if end is not None and behind == end.start() + 2 else ([], at)


def parse_one(data: bytes, wanted: bytes, address_size: int, offset_size: int, version: int) -> Abbreviation | None:
    """The declaration of a code, written as ULEB128, in the table at the start of data, those in front of it not read; None
    where that is not certain.

    Two null bytes and another byte are where a declaration ends and the next one begins: no attribute's name or form is null,
    and an implicit constant of 0 stands behind a form.
    """
    at = 0 if data.startswith(wanted) else data.find(b"\0\0" + wanted) + 2
    match = _DECLARATION.match(data, at)
    if at == 1 or match is None or match[1] != wanted or _END.search(data, 0, at):
        return None
    with suppress(DwarfError):
        return _prepared((address_size, offset_size, version))[match[2]]
    return None


def _parse(data: bytes, at: int, sizes: tuple[int, int, int]) -> tuple[int, int, Abbreviation | None]:
    """(code, offset behind, declaration) at `at`; code 0 and None at the end of the table."""
    code, at = uleb(data, at)
    if code == 0:
        return code, at, None
    tag, at = uleb(data, at)
    has_children, at = uleb(data, at)  # one byte, 0 or 1
    attributes: list[tuple[int, int, int]] = []
    while True:
        name, at = uleb(data, at)
        form, at = uleb(data, at)
        constant = 0
        if form == c.DW_FORM_implicit_const:
            constant, at = sleb(data, at)
        if name == 0 and form == 0:
            return code, at, _prepare(tag, bool(has_children), tuple(attributes), sizes)
        attributes.append((name, form, constant))


def _prepare(tag: int, has_children: bool, attributes: tuple[tuple[int, int, int], ...],
             sizes: tuple[int, int, int]) -> Abbreviation:
    steps: list[int] = []
    forms: list[int] = []
    fixed = 0
    sibling: tuple[int, int] | None = None
    for name, form, _ in attributes:
        if name == c.DW_AT_sibling and form == c.DW_FORM_ref4:
            sibling = (len(forms), fixed)
        size = form_size(form, *sizes)
        if size is not None:
            fixed += size
        elif form in LEB or form in SIZED or form in (c.DW_FORM_string, c.DW_FORM_indirect):
            steps.append(fixed)
            forms.append(form)
            fixed = 0
        else:
            raise DwarfError(f"form {form:#x} is not known")
    steps.append(fixed)
    size = -1 if forms else fixed
    jump = sibling[1] if has_children and sibling is not None and sibling[0] == 0 else -1
    return Abbreviation(tag, has_children, attributes, tuple(steps), tuple(forms), sibling, sizes, size,
                        -1 if has_children else size, jump)

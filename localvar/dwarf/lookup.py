# SPDX-License-Identifier: GPL-2.0-or-later
"""Types by name: the definitions that debug info has for a typedef or a tag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate

from localvar.dwarf import constants as c
from localvar.dwarf.btf import type_names
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.names import dies_named, distinct_types
from localvar.dwarf.types import type_at
from localvar.model.ctype import CType

_TAGS = {"struct": c.DW_TAG_structure_type, "union": c.DW_TAG_union_type, "enum": c.DW_TAG_enumeration_type}
_IDENTIFIER = re.compile(rb"(?<=\0)[A-Za-z_]\w*(?=\0)", re.ASCII)


class TypeLookup:
    """Finds named types in one file's debug info; each name is searched once."""

    def __init__(self, info: DebugInfo) -> None:
        self._info = info
        self._found: dict[tuple[str, str], CType | None] = {}

    def typedef(self, name: str) -> CType | None:
        """The typedef of that name; None where there is none."""
        return self._find("typedef", name, c.DW_TAG_typedef)

    def tagged(self, kind: str, name: str) -> CType | None:
        """The definition of `struct`, `union` or `enum` name; None where there is none."""
        return self._find(kind, name, _TAGS[kind])

    def definitions(self, kind: str, name: str) -> tuple[CType, ...]:
        """The definitions of `typedef`, `struct`, `union` or `enum` name that differ in size or place, one of each."""
        tag = c.DW_TAG_typedef if kind == "typedef" else _TAGS[kind]
        return tuple(type_at(die) for die in distinct_types(self._info, name, tag))

    def strings(self) -> Iterator[str]:
        """Every identifier in .debug_str: names of types among others."""
        contents = self._info.elf.contents(".debug_str")
        for match in _IDENTIFIER.finditer(contents.bytes(0, contents.size)):
            yield match[0].decode()

    def matching(self, pattern: str) -> list[tuple[str, str]]:
        """Kind (`struct`, `union`, `enum`, `typedef`) and name of the types that a glob matches, sorted by name.

        From .BTF where the kernel has it (a module's counts on from the kernel's); else each name that anything has is searched.
        """
        match = re.compile(translate(pattern)).match
        listed = self._info.elf.section(".BTF") is not None and self._info.module is None
        known = {pair for pair in type_names(self._info.elf) if match(pair[1])} if listed else set()
        if not known and not listed:
            tags = {*_TAGS.values(), c.DW_TAG_typedef}
            names = [name for name in sorted({name for name in self.strings() if match(name)})
                     if dies_named(self._info, name, tags, limit=1, skip_declarations=True)]
            known = {(kind, name) for name in names for kind in (*_TAGS, "typedef") if self._is_type(kind, name)}
        return sorted(known, key=lambda pair: (pair[1], pair[0]))

    def _is_type(self, kind: str, name: str) -> bool:
        return self._find(kind, name, _TAGS.get(kind, c.DW_TAG_typedef)) is not None

    def _find(self, kind: str, name: str, tag: int) -> CType | None:
        if (kind, name) not in self._found:
            dies = dies_named(self._info, name, {tag}, limit=1, skip_declarations=True)
            self._found[kind, name] = type_at(dies[0]) if dies else None
        return self._found[kind, name]

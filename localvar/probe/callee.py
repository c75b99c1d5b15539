# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions called from a function: copies inlined into it, and calls of code out of line (DWARF 5 sections 3.3.8, 3.4)."""

from __future__ import annotations

from collections.abc import Iterator

from localvar.dwarf import constants as c
from localvar.dwarf.scope import SCOPE_TAGS, Chain, name_of
from localvar.dwarf.unit import Die

_CALLS = frozenset({c.DW_TAG_call_site, c.DW_TAG_GNU_call_site})
_ORIGINS = (c.DW_AT_call_origin, c.DW_AT_abstract_origin)


def inlined_callees(chain: Chain) -> Iterator[tuple[str, Chain]]:
    """(name, scopes) of the copies inlined directly into the innermost function of a chain."""
    for child in chain[0].children():
        if child.tag == c.DW_TAG_inlined_subroutine:
            yield name_of(child) or "?", (child, *chain)
        elif child.tag == c.DW_TAG_lexical_block:
            yield from inlined_callees((child, *chain))


def called(scope: Die) -> Iterator[str]:
    """Names of the functions that a function calls out of line, as far as its call sites say."""
    for child in scope.children():
        if child.tag in _CALLS:
            target = next((die for attribute in _ORIGINS if (die := child.reference(attribute)) is not None), None)
            name = name_of(target) if target is not None else None
            if name:
                yield name
        elif child.tag in SCOPE_TAGS and child.tag == c.DW_TAG_lexical_block:
            yield from called(child)

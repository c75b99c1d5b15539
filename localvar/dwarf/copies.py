# SPDX-License-Identifier: GPL-2.0-or-later
"""All copies of the functions of a unit, from one walk of its scopes: for who asks for many of them.

References to one function are searched for (names.references_to), and each is then looked up from the top of its unit; for all
functions of a file that is as much work as there are functions times copies.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from localvar.dwarf import constants as c
from localvar.dwarf.names import forms_of, may_refer_across
from localvar.dwarf.nest import FUNCTION_TAGS, Nest, nest_of
from localvar.dwarf.unit import Die

if TYPE_CHECKING:
    from localvar.dwarf.unit import Unit

_C = frozenset({c.DW_LANG_C89, c.DW_LANG_C, c.DW_LANG_C99, c.DW_LANG_C11, c.DW_LANG_C17})
"""Languages in which functions are at the top level or within functions."""


def has_index(unit: Unit) -> bool:
    """Whether copies_in() has all copies: of a C unit whose references stay within it and are written as gcc and clang do."""
    language = unit.root.constant(c.DW_AT_language)
    forms = forms_of(unit, c.DW_AT_abstract_origin, FUNCTION_TAGS)
    return language in _C and forms <= {c.DW_FORM_ref4} and not may_refer_across(unit.info, c.DW_AT_abstract_origin)


@cache
def copies_in(unit: Unit) -> dict[int, list[tuple[Die, ...]]]:
    """By the offset of a function's DIE the scopes of each DIE whose DW_AT_abstract_origin it is: that DIE first, then what it
    is in."""
    found: dict[int, list[tuple[Die, ...]]] = {}
    pending: list[tuple[Nest, ...]] = [(nest_of(Die(unit, entry)),) for entry in reversed(unit.functions)]
    while pending:
        chain = pending.pop()
        die = chain[0].die
        if die.tag in FUNCTION_TAGS and (origin := die.integer(c.DW_AT_abstract_origin)) is not None:
            found.setdefault(origin, []).append(tuple(nest.die for nest in chain))
        pending += [(inner, *chain) for inner in reversed(chain[0].inner)]
    return found

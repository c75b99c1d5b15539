# SPDX-License-Identifier: GPL-2.0-or-later
"""Labels of a function instance (DWARF 5 section 3.6)."""

from __future__ import annotations

from collections.abc import Iterator

from localvar.dwarf import constants as c
from localvar.dwarf.scope import FUNCTION_TAGS, SCOPE_TAGS, Chain, holds
from localvar.dwarf.unit import Die


def labels_of(chain: Chain) -> Iterator[tuple[Chain, Die]]:
    """Labels of a function instance, each with its scopes; those of functions inlined into it are left out."""
    for child in chain[0].children():
        if child.tag == c.DW_TAG_label:
            yield chain, child
        elif child.tag in SCOPE_TAGS and child.tag not in FUNCTION_TAGS:
            yield from labels_of((child, *chain))


def narrow(chain: Chain, pc: int) -> Chain:
    """chain without inner blocks whose code does not hold pc (a label of one may stand at its very end)."""
    scopes = list(chain)
    while len(scopes) > 1 and scopes[0].tag == c.DW_TAG_lexical_block and not holds(scopes[0], pc):
        scopes.pop(0)
    return tuple(scopes)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Which named types the text of an expansion mentions, and whether it needs them complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from localvar.model.ctype import Array, CType, Enumeration, FunctionType, Pointer, Qualified, Record, Typedef


@dataclass(frozen=True)
class Need:
    """A named type; complete: its definition, else a declaration will do (but a definition lets handlers look inside)."""

    type: Typedef | Record | Enumeration
    complete: bool


def needs(ctype: CType, complete: bool = True) -> Iterator[Need]:
    """The named types that writing ctype takes, in the order they have to be known."""
    if isinstance(ctype, Qualified):
        yield from needs(ctype.target(), complete)
    elif isinstance(ctype, Pointer):
        yield from needs(ctype.target(), False)
    elif isinstance(ctype, Array):
        yield from needs(ctype.element(), complete)
    elif isinstance(ctype, FunctionType):
        yield from needs(ctype.result(), False)
        for parameter in ctype.parameters():
            yield from needs(parameter, False)
    elif isinstance(ctype, Typedef):
        yield Need(ctype, True)
    elif isinstance(ctype, (Record, Enumeration)) and ctype.name is not None:
        yield Need(ctype, complete or isinstance(ctype, Enumeration))

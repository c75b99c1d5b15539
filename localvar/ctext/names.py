# SPDX-License-Identifier: GPL-2.0-or-later
"""Names from debug info, checked before they reach C text."""

from __future__ import annotations

import re

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
_KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool _Complex "
    "_Alignas _Alignof _Atomic _Generic _Noreturn _Static_assert _Thread_local asm typeof".split()
)
_ARITHMETIC = frozenset("char short int long signed unsigned _Bool __int128 float double _Complex bool".split())


class Unspeakable(Exception):
    """C has no way to say this type here; the text says which."""


def identifier(name: str | None) -> str:
    """name, where it is a C identifier and no keyword.  Raises Unspeakable."""
    if name is None or not _IDENTIFIER.match(name) or name in _KEYWORDS:
        raise Unspeakable("a type without a name" if name is None else f"{name!a} is no C name")
    return name


def arithmetic(name: str) -> str:
    """The name of a base type, where it is made of C's own words.  Raises Unspeakable."""
    words = name.split()
    if not words or any(word not in _ARITHMETIC for word in words):
        raise Unspeakable(f"{name!a} is no C type")
    return " ".join(words)

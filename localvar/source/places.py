# SPDX-License-Identifier: GPL-2.0-or-later
"""Where text at file scope can be put into a file: at the start of a line, between two declarations."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Sequence

from localvar.source.lexer import Token

_REST_OF_LINE = re.compile(r"(?:[ \t\f\r]|/\*.*?\*/|//(?:\\[ \t]*\r?\n|[^\n])*)*\n", re.S)


def places(text: str, tokens: Sequence[Token], starts: Iterable[int]) -> tuple[int, ...]:
    """For each declaration that begins at one of starts, the first line behind the one before it, as offset.

    tokens: those of text that are compiled, directives among them.  A comment that explains a declaration stays with it,
    one that follows the declaration before on its line with that.  A declaration that begins in the line where another
    ends has no place.
    """
    begins = [token.start for token in tokens]
    found = set()
    for start in starts:
        before = bisect.bisect_left(begins, start) - 1
        if before < 0:
            found.add(0)
            continue
        rest = _REST_OF_LINE.match(text, tokens[before].end, start)
        if rest is not None:
            found.add(rest.end())
    return tuple(sorted(found))

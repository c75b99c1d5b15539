# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes what an output was made from as a rule that make reads.

Escapes are those that GNU make undoes (manual, "Rule Syntax" and "Using Wildcard Characters").  What it
cannot read in any form is refused: a dependency that is silently another file is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from localvar.diagnostics import environment_failure

# make strips a leading ./ and then takes ~ for a home directory.
_UNWRITABLE = re.compile(r"[\n\r=;()&\x00]|\\(?:[*?\[|:%]|$)|^(?:\./+)*~")
_WILDCARD = re.compile(r"[*?\[]")
_BACKSLASHES_COUNT = re.compile(r"(\\*)([ \t#])")
_SPECIAL = re.compile(r"[:*?\[|]")


def depfile_text(target: str, dependencies: Iterable[str]) -> str:
    """The rule `target: dependencies`, first the source, and an empty rule for each of the others.

    The empty rules (as of gcc -MP) let a build go on after a header was removed.  Duplicates are written
    once. Failure where a name cannot be written so that make reads it.
    """
    names = list(dict.fromkeys(dependencies))
    lines = [f"{escape(target, pattern=True)}: \\", *(f"  {escape(name)} \\" for name in names)]
    lines[-1] = lines[-1].removesuffix(" \\")
    phony = [f"\n{escape(name, pattern=True)}:" for name in names[1:]
             if name != target and not _WILDCARD.search(name)]
    return "\n".join([*lines, *phony]) + "\n"


def escape(name: str, *, pattern: bool = False) -> str:
    """name as make reads it; pattern: as a target, where `%` makes a pattern rule and no wildcard can be."""
    if not name or _UNWRITABLE.search(name) or (pattern and _WILDCARD.search(name)):
        raise environment_failure("unwritable-dependency", f"make cannot read the name {name!r} in a depfile",
                                  fix="rename the file or its directory, or leave out --depfile")
    name = name.replace("$", "$$")
    name = _BACKSLASHES_COUNT.sub(lambda match: match.group(1) * 2 + "\\" + match.group(2), name)
    name = _SPECIAL.sub(lambda match: "\\" + match.group(), name)
    if pattern:
        name = name.replace("%", "\\%")
    return name

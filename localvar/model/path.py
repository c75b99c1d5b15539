# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths as users write them: `sc.nr_to_reclaim`, `file->f_inode->i_ino`, `nr[2]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_STEP = re.compile(r"\s*(?:(\.|->)\s*([A-Za-z_]\w*)|\[\s*(0[xX][0-9a-fA-F]+|\d+)\s*\])", re.ASCII)


@dataclass(frozen=True)
class MemberStep:
    """`.name`, or `->name` where through_pointer."""

    name: str
    through_pointer: bool


@dataclass(frozen=True)
class IndexStep:
    """`[index]` of an array, or through a pointer."""

    index: int


Step = MemberStep | IndexStep


@dataclass(frozen=True)
class Path:
    """A variable's name and the steps from it."""

    name: str
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        text = self.name
        for step in self.steps:
            if isinstance(step, IndexStep):
                text += f"[{step.index}]"
            else:
                text += f"{'->' if step.through_pointer else '.'}{step.name}"
        return text


def parse_path(text: str) -> Path:
    """The path that text says.  Raises ValueError naming the first character that does not belong to one."""
    match = _IDENTIFIER.match(text.strip())
    text = text.strip()
    if match is None:
        raise ValueError(f"'{text}' does not begin with a variable's name")
    steps: list[Step] = []
    at = match.end()
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f"'{text[at:]}' is no member (.name, ->name) or constant index ([2])")
        operator, name, index = found.groups()
        steps.append(IndexStep(int(index, 0)) if index else MemberStep(name, operator == "->"))
        at = found.end()
    return Path(match.group(), tuple(steps))

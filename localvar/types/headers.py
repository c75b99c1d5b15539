# SPDX-License-Identifier: GPL-2.0-or-later
"""From the file that declares a type to the #include that brings it, where the kernel's build directory ships it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class IncludePath:
    """The directories that the compiler searches for `<...>`, in order, absolute."""

    directories: tuple[str, ...]

    def spelling(self, declared: str) -> str | None:
        """What to write between < and > for a header that debug info names `declared` (relative to the source tree);
        None where no directory has it."""
        for directory in self.directories:
            for root in _roots(directory):
                if declared.startswith(root + "/"):
                    name = declared[len(root) + 1 :]
                    if os.path.isfile(os.path.join(directory, name)):
                        return name
        return None


def _roots(directory: str) -> tuple[str, ...]:
    """Tails of an include directory that can stand at the front of a path in the source tree, longest first."""
    parts = directory.strip("/").split("/")
    for start, part in enumerate(parts):
        if part in ("include", "arch") and start:
            return ("/".join(parts[start:]),)
    return ()


def include_path(flags: Sequence[str]) -> IncludePath:
    """The search path of gcc's flags, whose paths are absolute."""
    found = []
    words = iter(flags)
    for word in words:
        if word in ("-I", "-isystem"):
            found.append(next(words, ""))
        elif word.startswith("-I"):
            found.append(word[2:])
    return IncludePath(tuple(directory for directory in found if directory))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the headers and the makefile fragment are: in the installed package, or beside it in a checkout."""

from __future__ import annotations

import os
from pathlib import Path


def _data(name: str, mark: str) -> Path:
    package = Path(os.path.abspath(__file__)).parent
    candidates = (package / "data" / name, package.parent / name)
    return next((c for c in candidates if (c / mark).is_file()), candidates[-1])


def include_directory() -> Path:
    """The directory that holds localvar.h."""
    return _data("include", "localvar.h")


def kbuild_fragment() -> Path:
    """The makefile fragment that a Kbuild file includes."""
    return _data("kbuild_plugin", "localvar.mk") / "localvar.mk"

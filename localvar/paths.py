# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the files are that localvar brings besides Python: the C headers and the makefile fragment.

A wheel has them in localvar/data/; a checkout (an editable install is one) has them beside the package.  In both
include/ and kbuild_plugin/ are siblings: the fragment finds the headers as ../include.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from localvar.diagnostics import environment_failure

_PACKAGE = Path(__file__).resolve().parent


def include_directory() -> Path:
    """The directory that holds localvar.h, absolute.  Raises Failure where the installation lacks it."""
    return _data_directory() / "include"


def kbuild_fragment() -> Path:
    """The makefile fragment that a Kbuild file includes, absolute.  Raises Failure where the installation lacks it."""
    return _data_directory() / "kbuild_plugin" / "localvar.mk"


@cache
def _data_directory() -> Path:
    for candidate in (_PACKAGE / "data", _PACKAGE.parent):
        if (candidate / "include" / "localvar.h").is_file() and (candidate / "kbuild_plugin" / "localvar.mk").is_file():
            return candidate
    raise environment_failure(
        "no-headers", f"this localvar has no localvar.h and localvar.mk, neither in {_PACKAGE / 'data'} nor in {_PACKAGE.parent}",
        fix="install it again: pip install --force-reinstall localvar")

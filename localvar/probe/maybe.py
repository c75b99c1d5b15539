# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a file can have what a coordinate names: told by its strings, before its debug info is relocated and read.

`module("*")` is a thousand files, of which a few have the function.
"""

from __future__ import annotations

from localvar.dwarf.elf import Elf
from localvar.probe.coordinate import AbsoluteAddress
from localvar.probe.functions import glob_names, last_name
from localvar.probe.names import is_glob
from localvar.probe.target import Target

_STRINGS = (".debug_str", ".debug_line_str", ".debug_info", ".debug_types", ".debug_line")
"""Sections in which names of functions and files can stand."""


def may_have(elf: Elf, target: Target) -> bool:
    """Whether the file may have a place that target names; right where it says no."""
    if isinstance(target, AbsoluteAddress):
        return True
    if not is_glob(target.name):
        return _ends_a_string(elf, target.name) or bool(elf.symbols_named(target.name))
    return bool(glob_names(elf, target.name)) if target.file is None else _ends_a_string(elf, last_name(target.file))


def _ends_a_string(elf: Elf, text: str) -> bool:
    """Whether a string of debug info ends in text."""
    needle = text.encode() + b"\0"
    return any(next(elf.unrelocated(name).find_all(needle), None) is not None for name in _STRINGS)

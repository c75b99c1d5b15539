# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions by name and file: every out-of-line body, clone and inlined copy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import islice

from localvar.dwarf import constants as c
from localvar.dwarf.elf import Elf
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.line import FileTest, LineTable
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import Instance, function_at, functions_named, instances, name_of, origin
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die, Unit
from localvar.probe.names import is_glob

PADDING = "__pfx_"
"""Begins the names of symbols for the padding in front of functions (scripts/link-vmlinux.sh and objtool, since 6.2)."""


def matching_functions(info: DebugInfo, name: str, file: str | None, limit: int | None = None) -> list[Die]:
    """DIEs of the functions named by the glob `name` that are declared in, or belong to a unit of, the glob `file`; of a
    glob in files at most `limit`."""
    if is_glob(name) and file is not None and not is_clone(name):
        matching = (die for unit in units_of_file(info, file) for die in _functions_of(unit, name) if in_file(die, file))
        return list(islice(matching, limit))
    names = glob_names(info.elf, name) if is_glob(name) else (name,)
    found = [] if is_clone(name) else functions_named(info, names)
    if not found and (is_clone(name) or not is_glob(name)):
        found = list({die.key: die for one in names for die in _behind_symbol(info, one)}.values())
    return [die for die in found if file is None or in_file(die, file)]


def is_clone(name: str) -> bool:
    """Whether a name or glob is one of symbols that the compiler made of a function's name (f.isra.0, *.cold)."""
    return "." in name


def _functions_of(unit: Unit, pattern: str) -> Iterator[Die]:
    """Functions of a unit that a glob matches: definitions and what is only inlined."""
    for entry in unit.functions:
        if entry[1].is_definition:
            die = Die(unit, entry)
            name = die.string(c.DW_AT_name)
            if name is not None and fnmatchcase(name, pattern) and not die.flag(c.DW_AT_declaration):
                yield die


def units_of_file(info: DebugInfo, file: str) -> list[Unit]:
    """Units that were compiled from a file that `file` names; where there are none, units that have lines of it (headers,
    included .c files)."""
    units = [unit for offset in info.unit_offsets if (unit := info.unit(offset)).root.tag == c.DW_TAG_compile_unit]
    own = [unit for unit in units if path_matches(unit.root.string(c.DW_AT_name) or "", file)]
    return own or [unit for unit in units if LineTable(unit).indices(file_test(file))]


def last_name(file: str) -> str:
    """What the last name of each path must end in that `file` names."""
    return re.split(r"[*?\[\]/]", file)[-1]


@lru_cache(maxsize=64)
def file_test(file: str) -> FileTest:
    """The files of line tables that `file` names."""
    last = last_name(file)
    if is_glob(file):
        return FileTest(lambda name: name.endswith(last), lambda path: path_matches(path, file))
    return FileTest(lambda name: name.rpartition("/")[2] in (last, ".", ".."), lambda path: path_matches(path, file))


def _behind_symbol(info: DebugInfo, name: str) -> list[Die]:
    """The functions whose code begins at the symbols of that name: of an alias, or of one clone (vfs_read.isra.0)."""
    found = []
    for symbol in info.elf.symbols_named(name):
        unit = info.unit_of_pc(symbol.value)
        function = function_at(unit, symbol.value) if unit else None
        if function is not None and any(low == symbol.value for low, _ in die_ranges(function)):
            found.append(function)
    return found


def is_exported(elf: Elf, function: Die) -> bool:
    """Whether a function is exported to modules: EXPORT_SYMBOL makes a symbol __ksymtab_<name>."""
    name = name_of(function)
    return name is not None and bool(elf.symbols_named(f"__ksymtab_{name}"))


@lru_cache(maxsize=8)
def glob_names(elf: Elf, pattern: str) -> tuple[str, ...]:
    """Names of function symbols that a glob matches, sorted: those of clones where it has a dot, else without their suffixes."""
    names = {name if is_clone(pattern) else name.split(".")[0] for name in elf.function_names if not name.startswith(PADDING)}
    return tuple(sorted(name for name in names if fnmatchcase(name, pattern)))


def function_file(die: Die) -> str | None:
    """The file that declares a function."""
    source = origin(die)
    return line_table(source.unit).file(source.constant(c.DW_AT_decl_file))


def in_file(die: Die, pattern: str) -> bool:
    """Whether a function is declared in, or its unit is, a file that a path, its tail or a glob names."""
    return any(path is not None and path_matches(path, pattern) for path in (function_file(die), line_table(die.unit).name))


def path_matches(path: str, pattern: str) -> bool:
    """Whether path is `pattern`, or ends in it at a directory boundary; globs are taken as SystemTap does."""
    if is_glob(pattern):
        return fnmatchcase(path, pattern) or fnmatchcase(path, "*/" + pattern)
    return path == pattern or path.endswith("/" + pattern)


def all_instances(functions: list[Die]) -> Iterator[Instance]:
    """All code of the functions, each place once."""
    seen = set()
    for function in functions:
        for instance in instances(function):
            if instance.chain[0].key not in seen:
                seen.add(instance.chain[0].key)
                yield instance


def begun_at_symbols(info: DebugInfo, name: str, found: list[Instance]) -> list[Instance]:
    """The code of instances that begins at symbols which a name, or a glob, of symbols names: each begins there, so that
    `f.cold` is the place where that part of f begins, not where f does."""
    names = glob_names(info.elf, name) if is_glob(name) else [name]
    starts = {symbol.value for one in names for symbol in info.elf.symbols_named(one)}
    return [replace(instance, entry=low) for instance in found if not instance.inlined
            for low, _ in instance.ranges if low in starts]


def close_names(elf: Elf, name: str) -> list[str]:
    """Function names that are spelled nearly like name."""
    import difflib

    plain = [n for n in sorted(elf.function_names) if "." not in n and not n.startswith(PADDING)]
    shared = [n for n in plain if abs(len(n) - len(name)) <= 3]
    return difflib.get_close_matches(name, shared, 3, 0.75)

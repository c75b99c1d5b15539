# SPDX-License-Identifier: GPL-2.0-or-later
"""From the file that declares a type to the #include that brings it, where the kernel's build directory ships it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from localvar.model.ctype import CType, Declared, Enumeration, Record, Typedef
from localvar.types.trial import Outcome, Trial

ROUNDS = 6
"""How many missing types are looked up, one after the other, for a header that does not stand alone."""

DEPTH = 2
"""How far that goes on for the headers of missing types."""

THROUGH = {"asm-generic/int-ll64.h": "linux/types.h", "asm-generic/posix_types.h": "linux/types.h",
           "uapi/linux/types.h": "linux/types.h", "uapi/linux/posix_types.h": "linux/types.h",
           "linux/posix_types.h": "linux/types.h"}
"""Headers that kernel code takes through another."""

BASICS = "linux/types.h"
"""What a header misses most: tried first."""

STOCK = (BASICS, "linux/errno.h", "linux/module.h")
"""What brings the macros that a header misses, which debug info does not know: every handler has the last."""

PARENTS = 12
"""How many headers that include the wanted one are tried."""

MADE = ("trace_event_raw_", "trace_event_data_offsets_")
"""Types that TRACE_EVENT() makes where a .c file includes the header with CREATE_TRACE_POINTS, and nowhere else
(include/trace/stages): debug info names the header."""

_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*[<"]([^">\n]+)[">]', re.MULTILINE)
_MISSING = re.compile(
    r"unknown type name '(?P<typedef>\w+)'"
    r"|incomplete (?:result |element )?type '(?:const |volatile )*(?P<tag>(?:struct|union|enum) \w+)'"
    r"|incomplete definition of type '(?P<body>(?:struct|union|enum) \w+)'")


class Names(Protocol):
    """Definitions by name, as debug info has them."""

    def typedef(self, name: str) -> CType | None:
        """The typedef of that name."""

    def tagged(self, kind: str, name: str) -> CType | None:
        """The struct, union or enum of that tag."""

@dataclass(frozen=True)
class IncludePath:
    """The directories that the compiler searches for `<...>`, in order, absolute."""

    directories: tuple[str, ...]

    def spellings(self, declared: str | None) -> tuple[str, ...]:
        """What can be written between < and > for a header that debug info names `declared` (relative to the source
        tree), best first; nothing where no directory has it.

        include/uapi/linux/x.h is <linux/x.h>, as the kernel's own code writes it, then <uapi/linux/x.h>.
        """
        found: dict[str, int] = {}
        for directory in self.directories if declared else ():
            for root in _roots(directory):
                name = declared[len(root) + 1 :] if declared and declared.startswith(root + "/") else ""
                if name and os.path.isfile(os.path.join(directory, name)):
                    found.setdefault(name, -len(root))
        best = sorted(found, key=lambda name: found[name])
        return tuple(dict.fromkeys((*(THROUGH[name] for name in best if name in THROUGH), *best)))

    def bring(self, ctype: Record | Enumeration | Typedef) -> tuple[str, ...]:
        """spellings() of the header that declares a type; nothing where it is none of any header's: see MADE."""
        return () if (ctype.name or "").startswith(MADE) else self.spellings(ctype.declared.file)

    def spelling(self, declared: str | None) -> str | None:
        """The best of spellings(), None where there is none."""
        return next(iter(self.spellings(declared)), None)

    def files(self, spelling: str) -> tuple[str, ...]:
        """The files that <spelling> can mean, the one it means first."""
        paths = (os.path.join(directory, spelling) for directory in self.directories)
        return tuple(path for path in paths if os.path.isfile(path))

    @cached_property
    def included_by(self) -> dict[str, tuple[str, ...]]:
        """Spelling of a header to the spellings of the headers that include it, those of linux/ first."""
        found: dict[str, list[str]] = {}
        for name, path in self._headers():
            try:
                with open(path, "rb") as file:
                    text = file.read()
            except OSError:
                continue
            for match in _INCLUDE.finditer(text):
                wanted = match[1].decode("latin-1")
                found.setdefault(wanted, []).append(name)
        return {wanted: tuple(sorted(set(names), key=_preference)) for wanted, names in found.items()}

    def _headers(self) -> Iterator[tuple[str, str]]:
        seen = set()
        for directory in self.directories:
            for folder, folders, files in os.walk(directory):
                folders[:] = [f for f in folders if f not in ("config", "dt-bindings")]
                for file in files:
                    path = os.path.join(folder, file)
                    name = os.path.relpath(path, directory)
                    if file.endswith(".h") and name not in seen:
                        seen.add(name)
                        yield name, path


def _preference(name: str) -> tuple[int, int, str]:
    order = ("linux/", "asm/", "net/", "uapi/", "asm-generic/")
    return next((n for n, start in enumerate(order) if name.startswith(start)), len(order)), len(name), name


def _roots(directory: str) -> Iterator[str]:
    """The tails of an include directory that can stand at the front of a path in the source tree."""
    parts = directory.strip("/").split("/")
    for start, part in enumerate(parts):
        if part in ("include", "arch"):
            yield "/".join(parts[start:])


def include_path(flags: Sequence[str], directory: str) -> IncludePath:
    """The search path of gcc's flags; directory: gcc's working directory."""
    found = []
    words = iter(flags)
    for word in words:
        option = next((o for o in ("-isystem", "-I") if word.startswith(o)), None)
        if option:
            found.append(word[len(option) :] or next(words, ""))
    return IncludePath(tuple(dict.fromkeys(os.path.normpath(os.path.join(directory, path)) for path in found if path)))


def complete(name: str) -> str:
    """A line of C that compiles where the type of that name is complete."""
    return f"typedef char localvar_types_{re.sub(r'[^0-9A-Za-z_]', '_', name)}[sizeof({name})];"


Includes = tuple[str, ...]
"""What stands between < and >, in order."""


@dataclass(frozen=True)
class Chooser:
    """Finds the includes that make types known, by trying them."""

    path: IncludePath
    names: Names
    trial: Trial

    def choose_all(self, includes: Includes, wanted: Mapping[str, Declared]) -> tuple[Includes, frozenset[str]]:
        """includes and more, behind which all of these check lines compile, by where what they name is declared; and the
        lines for which no headers were found.

        What the headers so far have brought along is not included again: some have no guard.  All that is left is tried at
        once, and where that does not compile the one half, then what the other half still lacks.
        """
        outcome = self.run(includes, tuple(wanted))
        left = {c: wanted[c] for c, problem in zip(wanted, outcome.lines[len(includes) :], strict=True) if problem}
        more = self._joined(includes, (self.path.spellings(declared.file)[0] for declared in left.values()))
        if not left or self.run(more, tuple(left)).ok:
            return more, frozenset()
        if len(left) > 1:
            halves = list(left.items())[: len(left) // 2], list(left.items())[len(left) // 2 :]
            includes, refused = self.choose_all(includes, dict(halves[0]))
            includes, others = self.choose_all(includes, dict(halves[1]))
            return includes, refused | others
        ((check, declared),) = left.items()
        more = self._joined(includes, self.choose(declared, [check]) or ())
        return (more, frozenset()) if self.run(more, [check]).ok else (includes, frozenset([check]))

    def _joined(self, includes: Includes, more: Iterable[str]) -> Includes:
        return tuple(dict.fromkeys((*includes, *more)))

    def choose(self, declared: Declared, checks: Sequence[str], depth: int = 0) -> tuple[str, ...] | None:
        """The shortest includes found behind which all of the check lines compile; None where none was found.

        The header itself, else with the headers of what it misses in front, else a header that includes it.
        """
        spellings = self.path.spellings(declared.file)
        for spelling in spellings:
            if self.run((spelling,), checks).ok:
                return (spelling,)
        for front in ((BASICS,), STOCK):
            for spelling in spellings if depth < DEPTH else ():
                found = self._with_prerequisites(front, spelling, checks, depth)
                if found is not None:
                    return found
        for spelling in spellings:
            for parent in self._parents(spelling):
                if self.run((parent,), checks).ok:
                    return (parent,)
        return None

    def run(self, includes: Sequence[str], checks: Sequence[str]) -> Outcome:
        """The outcome of the includes and then the checks."""
        return self.trial.run([*(f"#include <{name}>" for name in includes), *checks])

    def _with_prerequisites(self, front: Includes, spelling: str, checks: Sequence[str], depth: int) -> Includes | None:
        tried: set[str] = set()
        for _ in range(ROUNDS):
            outcome = self.run((*front, spelling), checks)
            if outcome.ok:
                return self._shortened((*front, spelling), checks)
            missing = self._missing(outcome, tried, depth)
            if not missing:
                return None
            front = tuple(dict.fromkeys((*front, *missing)))
        return None

    def _missing(self, outcome: Outcome, tried: set[str], depth: int) -> tuple[str, ...]:
        """The includes for the first type that the compiler misses and debug info knows."""
        for text in (*outcome.elsewhere, *(line for line in outcome.lines if line)):
            for match in _MISSING.finditer(text):
                name = match["typedef"] or match["tag"] or match["body"]
                if name in tried:
                    continue
                tried.add(name)
                ctype = self.names.typedef(name) if match["typedef"] else self.names.tagged(*name.split())
                if isinstance(ctype, (Record, Enumeration, Typedef)):
                    found = self.choose(ctype.declared, [complete(name)], depth + 1)
                    if found:
                        return found
        return ()

    def _shortened(self, includes: tuple[str, ...], checks: Sequence[str]) -> tuple[str, ...]:
        """Without the includes that do nothing."""
        for name in includes:
            fewer = tuple(other for other in includes if other != name)
            if self.run(fewer, checks).ok:
                includes = fewer
        return includes

    def _parents(self, spelling: str) -> list[str]:
        """Headers that include this one, nearest first."""
        found: list[str] = []
        pending = [spelling]
        own = os.path.basename(spelling)
        while pending and len(found) < PARENTS:
            parents = self.path.included_by.get(pending.pop(0), ())
            for parent in sorted(parents, key=lambda parent: os.path.basename(parent) != own):  # linux/x.h for asm/x.h
                if parent not in found and parent != spelling:
                    found.append(parent)
                    pending.append(parent)
        return found[:PARENTS]

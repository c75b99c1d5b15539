# SPDX-License-Identifier: GPL-2.0-or-later
"""What `localvar type` and `localvar headers` show: a type's definition as it would be written, the includes that bring it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from localvar.ctext.names import Unspeakable
from localvar.diagnostics import Note, source_failure
from localvar.model.ctype import CType, Enumeration, Record, Typedef, size_of
from localvar.types.closure import Closure, Forward, Named, spelling
from localvar.types.define import define, origin
from localvar.types.headers import Chooser, IncludePath, complete
from localvar.types.layout import Layouts
from localvar.types.same import same_type
from localvar.types.trial import Parser, Trial

KINDS = ("struct", "union", "enum", "typedef")


class Names(Protocol):
    """Types by name, as debug info has them."""

    def typedef(self, name: str) -> CType | None:
        """The typedef of that name."""

    def tagged(self, kind: str, name: str) -> CType | None:
        """The first definition of that tag."""

    def definitions(self, kind: str, name: str) -> tuple[CType, ...]:
        """The definitions of `typedef`, `struct`, `union` or `enum` name that differ."""

    def strings(self) -> Iterable[str]:
        """All names that debug info has, of anything."""


@dataclass(frozen=True)
class TypeDefinition:
    """A type by name: where it is declared, its size in bytes (None: none), the includes and the C text that define it."""

    name: str
    file: str | None
    line: int
    size: int | None
    includes: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class HeaderAdvice:
    """The includes that make a type known, found by trying; reason: why there is none (it is written out then)."""

    name: str
    file: str | None
    line: int
    includes: tuple[str, ...]
    reason: str | None


def type_definition(names: Names, name: str, file: str | None = None, *, layout: bool = False,
                    path: IncludePath | None = None) -> TypeDefinition:
    """The definition of `struct x`, `union x`, `enum x` or plain `x` with everything it needs.

    file: of several types of that name the one declared there (the end of a path will do).  layout: with offset and
    size of each member, holes and padding in comments, and without what it needs.  path: what headers there declare is
    included, not written; None: all is written.  Raises Failure: unknown, or several types of that name.
    """
    ctype = find_type(names, name, file)
    layouts = Layouts()
    try:
        title = spelling(ctype)
        if layout:
            text = f"/* {origin(ctype)} */\n{define(ctype, layouts, offsets=True)}\n"
            return TypeDefinition(title, ctype.declared.file, ctype.declared.line, size_of(ctype), (), text)
        includes, text = _written(ctype, layouts, path)
    except Unspeakable as problem:
        raise source_failure("type-without-name", f"{name} cannot be written in C: {problem}") from None
    return TypeDefinition(title, ctype.declared.file, ctype.declared.line, size_of(ctype), includes, text)


def _written(ctype: Named, layouts: Layouts, path: IncludePath | None) -> tuple[tuple[str, ...], str]:
    """Includes and text of a type and what it needs; the type itself is written even where a header has it."""
    def is_given(other: Named) -> bool:
        return path is not None and other.key != ctype.key and bool(path.spellings(other.declared.file))

    closure = Closure(is_given)
    closure.add(ctype)
    needed = [given for given, whole in closure.given.values() if whole or not isinstance(given, Record)]
    forward = [f"{name};\n" for name, (given, whole) in closure.given.items() if isinstance(given, Record) and not whole]
    includes = tuple(dict.fromkeys(path.spellings(given.declared.file)[0] for given in needed)) if path else ()
    parts = [*forward]
    for item in closure.items:
        if isinstance(item, Forward):
            parts.append(f"{item.kind} {item.name};\n")
        else:
            parts.append(f"/* {origin(item)} */\n{define(item, layouts)}\n")
    return includes, "".join(parts)


def headers_for(names: Names, name: str, path: IncludePath, parser: Parser, file: str | None = None) -> HeaderAdvice:
    """The shortest includes found behind which the type is complete; parser: an empty file under the kernel's flags.

    Raises Failure as type_definition does.
    """
    ctype = find_type(names, name, file)
    title = spelling(ctype)
    declared = ctype.declared

    def advice(includes: tuple[str, ...], reason: str | None) -> HeaderAdvice:
        return HeaderAdvice(title, declared.file, declared.line, includes, reason)

    if not path.spellings(declared.file):
        private = (declared.file or "").endswith(".c")
        why = f"private to {declared.file}" if private else f"{declared.file} is not shipped with the kernel's headers"
        return advice((), why)
    check = complete(title) if size_of(ctype) is not None else f"typedef __typeof__({title}) localvar_types_{ctype.name};"
    includes = Chooser(path, names, Trial(parser, b"")).choose(declared, [check])
    if includes is None:
        return advice((), f"{declared.file} does not compile by itself, nor behind what it misses")
    return advice(includes, None)


def find_type(names: Names, name: str, file: str | None = None) -> Named:
    """The one type of a name.  Raises Failure where there is none, or where there are several."""
    words = name.split()
    kinds: Sequence[str] = sorted(KINDS, key=lambda kind: kind != "typedef") if name.endswith("_t") else KINDS
    if len(words) != 1:
        kinds = words[:1]
    if len(words) not in (1, 2) or any(kind not in KINDS for kind in kinds):
        raise source_failure("type-name", f"'{name}' is no name of a type",
                             fix="write struct NAME, union NAME, enum NAME or NAME")
    for kind in kinds:
        found = _of_kind(names, kind, words[-1], file)
        if len(found) > 1:
            notes = tuple(Note(f"{origin(ctype)}: {size_of(ctype)} bytes") for ctype in found)
            raise source_failure("ambiguous-type", f"{name} is {len(found)} types", notes=notes, fix="name the file: --file FILE")
        if found:
            return found[0]
    where = f" in {file}" if file else ""
    close = close_names(names, words[-1], kinds)
    notes = (Note(f"close names: {', '.join(close)}"),) if close else ()
    raise source_failure("no-such-type", f"debug info has no type {name}{where}", notes=notes)


def _of_kind(names: Names, kind: str, name: str, file: str | None) -> list[Named]:
    first = names.typedef(name) if kind == "typedef" else names.tagged(kind, name)
    if not isinstance(first, (Record, Enumeration, Typedef)):
        return []
    if file is None and not (first.declared.file or "").endswith(".c"):
        return [first]  # of a header: all units mean the same
    found: list[Named] = []
    for ctype in names.definitions(kind, name):
        if not isinstance(ctype, (Record, Enumeration, Typedef)) or (file is not None and not _is_file(ctype, file)):
            continue
        if not any(same_type(ctype, other) for other in found):
            found.append(ctype)
    return found


def _is_file(ctype: Named, file: str) -> bool:
    wanted = file.lstrip("./")
    unit = ctype.unit if isinstance(ctype, (Record, Enumeration)) else ""
    return any(path == wanted or path.endswith("/" + wanted) for path in (ctype.declared.file or "", unit))


def close_names(names: Names, name: str, kinds: Sequence[str], limit: int = 5) -> list[str]:
    """Names of types that a mistyped one may mean, closest first."""
    candidates = [text for text in names.strings() if abs(len(text) - len(name)) <= 4 or (len(name) >= 4 and name in text)]
    close = difflib.get_close_matches(name, candidates, 12, 0.75)
    close += sorted((text for text in candidates if name in text and text not in close), key=len)[:6] if len(name) >= 4 else []
    found: list[str] = []
    for text in close:
        for kind in kinds:
            if (names.typedef(text) if kind == "typedef" else names.tagged(kind, text)) is not None:
                found.append(text if kind == "typedef" else f"{kind} {text}")
        if len(found) >= limit:
            break
    return found[:limit]

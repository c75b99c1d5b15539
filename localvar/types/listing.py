# SPDX-License-Identifier: GPL-2.0-or-later
"""What `localvar type` and `localvar headers` show: a type's definition as it would be written, the includes that bring it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from localvar.ctext.declare import display
from localvar.ctext.names import Unspeakable
from localvar.diagnostics import Note, source_failure
from localvar.model.ctype import CType, Enumeration, Record, Typedef, size_of, strip
from localvar.types.closure import Closure, Forward, Named, spelling
from localvar.types.define import define, origin
from localvar.types.headers import Chooser, IncludePath, complete
from localvar.types.layout import Field, Layouts, object_size
from localvar.types.same import same_type
from localvar.types.trial import Parser, Trial

KINDS = ("struct", "union", "enum", "typedef")
MOST = 500
"""How many types a glob may name."""
_NAME = re.compile(r"[\w*?\[\]!$-]+", re.ASCII)


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

    def matching(self, pattern: str) -> list[tuple[str, str]]:
        """Kind and name of the types that a glob matches."""


@dataclass(frozen=True)
class MemberPlace:
    """A member: its C type, where it is in bits and bytes, the bits of a bit-field, and the bits behind it that nothing has."""

    name: str | None
    type: str
    offset: int
    bit_offset: int
    size: int
    bit_size: int | None
    hole_bits: int


@dataclass(frozen=True)
class TypeDefinition:
    """A type by name: where it is declared, its size in bytes (None: none), the includes and the C text that define it.

    members: of a struct or union.
    """

    name: str
    file: str | None
    line: int
    size: int | None
    includes: tuple[str, ...]
    text: str
    members: tuple[MemberPlace, ...] = ()


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
    ctype, layouts = find_type(names, name, file), Layouts()
    try:
        includes, text = ((), _alone(ctype, layouts, True)) if layout else _written(ctype, layouts, path)
        return _definition(ctype, layouts, includes, text)
    except Unspeakable as problem:
        raise source_failure("type-without-name", f"{name} cannot be written in C: {problem}") from None


def type_definitions(names: Names, pattern: str, file: str | None = None, *, layout: bool = False) -> list[TypeDefinition]:
    """The definitions of all types that a glob names, each without what it needs; those that C cannot write are left out.

    Raises Failure: none, or too many.
    """
    layouts, found = Layouts(), []
    for ctype in find_types(names, pattern, file):
        try:
            found.append(_definition(ctype, layouts, (), _alone(ctype, layouts, layout)))
        except Unspeakable:
            continue
    return found


def _definition(ctype: Named, layouts: Layouts, includes: tuple[str, ...], text: str) -> TypeDefinition:
    declared = ctype.declared
    return TypeDefinition(spelling(ctype), declared.file, declared.line, size_of(ctype), includes, text,
                          tuple(_members(ctype, layouts)))


def _alone(ctype: Named, layouts: Layouts, offsets: bool) -> str:
    return f"/* {origin(ctype)} */\n{define(ctype, layouts, offsets=offsets)}\n"


def _members(ctype: Named, layouts: Layouts) -> Iterator[MemberPlace]:
    record = strip(ctype)
    fields = [item for item in layouts.of(record).items if isinstance(item, Field)] if isinstance(record, Record) else []
    for number, field in enumerate(fields):
        member, size = field.member, object_size(field.member.type())
        end = member.bit_offset + (8 * size if member.bit_size is None else member.bit_size)
        following = fields[number + 1].member.bit_offset if number + 1 < len(fields) else 8 * (size_of(ctype) or 0)
        hole = following - end if isinstance(record, Record) and record.kind == "struct" else 0
        yield MemberPlace(member.name, display(member.type()), member.offset, member.bit_offset, size, member.bit_size, hole)


def _written(ctype: Named, layouts: Layouts, path: IncludePath | None) -> tuple[tuple[str, ...], str]:
    """Includes and text of a type and what it needs; the type itself is written even where a header has it."""
    def is_given(other: Named) -> bool:
        return path is not None and other.key != ctype.key and bool(path.bring(other))

    closure = Closure(is_given)
    closure.add(ctype)
    needed = [given for given, whole in closure.given.values() if whole or not isinstance(given, Record)]
    forward = [f"{name};\n" for name, (given, whole) in closure.given.items() if isinstance(given, Record) and not whole]
    includes = tuple(dict.fromkeys(path.bring(given)[0] for given in needed)) if path else ()
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
    return _advice(names, find_type(names, name, file), path, parser)


def headers_for_all(names: Names, pattern: str, path: IncludePath, parser: Parser, file: str | None = None) -> list[HeaderAdvice]:
    """headers_for of each type that a glob names.  Raises Failure as type_definitions does."""
    return [_advice(names, ctype, path, parser) for ctype in find_types(names, pattern, file)]


def _advice(names: Names, ctype: Named, path: IncludePath, parser: Parser) -> HeaderAdvice:
    title = spelling(ctype)
    declared = ctype.declared

    def advice(includes: tuple[str, ...], reason: str | None) -> HeaderAdvice:
        return HeaderAdvice(title, declared.file, declared.line, includes, reason)

    if not path.bring(ctype):
        private = (declared.file or "").endswith(".c")
        if path.spellings(declared.file):
            return advice((), f"TRACE_EVENT() in {declared.file} makes it, only where the event is defined")
        why = f"private to {declared.file}" if private else f"{declared.file} is not shipped with the kernel's headers"
        return advice((), why)
    check = complete(title) if size_of(ctype) is not None else f"typedef __typeof__({title}) localvar_types_{ctype.name};"
    includes = Chooser(path, names, Trial(parser, b"")).choose(declared, [check])
    if includes is None:
        return advice((), f"{declared.file} does not compile by itself, nor behind what it misses")
    return advice(includes, None)


def find_type(names: Names, name: str, file: str | None = None) -> Named:
    """The one type of a name.  Raises Failure where there is none, or where there are several."""
    kinds, bare = _kinds_and_name(name)
    for kind in kinds:
        found = _of_kind(names, kind, bare, file)
        if len(found) > 1:
            notes = tuple(Note(f"{origin(ctype)}: {size_of(ctype)} bytes") for ctype in found)
            raise source_failure("ambiguous-type", f"{name} is {len(found)} types", notes=notes, fix="name the file: --file FILE")
        if found:
            return found[0]
    elsewhere = [origin(ctype) for kind in kinds for ctype in _of_kind(names, kind, bare, None)] if file else []
    if elsewhere:
        raise source_failure("no-such-type", f"debug info has no type {name} in {file}",
                             notes=(Note(f"it is declared at {', '.join(elsewhere)}"),))
    close = close_names(names, bare, kinds)
    notes = (Note(f"close names: {', '.join(close)}"),) if close else ()
    raise source_failure("no-such-type", f"debug info has no type {name}", notes=notes)


def find_types(names: Names, pattern: str, file: str | None = None) -> list[Named]:
    """All types that a glob names, by name; of one name all that differ.  Raises Failure: none, or too many."""
    kinds, bare = _kinds_and_name(pattern)
    pairs = [(kind, name) for kind, name in names.matching(bare) if kind in kinds]
    if len(pairs) > MOST:
        raise source_failure("too-many-types", f"{pattern} is {len(pairs)} types", fix=f"narrow it down to {MOST}")
    found = [ctype for kind, name in pairs for ctype in _of_kind(names, kind, name, file)]
    if not found:
        raise source_failure("no-such-type", f"debug info has no type {pattern}{f' in {file}' if file else ''}")
    return found


def is_glob(name: str) -> bool:
    """Whether a name of types has a character that matches more than itself."""
    return any(character in name for character in "*?[")


def _kinds_and_name(name: str) -> tuple[Sequence[str], str]:
    """The kinds that a name can be of, the likeliest first, and the name without its kind.  Raises Failure."""
    words = name.split()
    kinds: Sequence[str] = sorted(KINDS, key=lambda kind: kind != "typedef") if name.endswith("_t") else KINDS
    if len(words) == 2:
        kinds = words[:1]
    named = bool(words) and _NAME.fullmatch(words[-1]) and words[-1] not in KINDS
    if len(words) > 2 or not named or any(kind not in KINDS for kind in kinds):
        raise source_failure("type-name", f"'{name}' is no name of a type",
                             fix="write struct NAME, union NAME, enum NAME or NAME; globs have *, ? and [...]")
    return kinds, words[-1]


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
    candidates = [text for text in dict.fromkeys(names.strings())
                  if abs(len(text) - len(name)) <= 4 or (len(name) >= 4 and name in text)]
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

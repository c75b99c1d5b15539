# SPDX-License-Identifier: GPL-2.0-or-later
"""GET_LOCAL_VAR(var, type): whether the asked-for type takes the variable's value without loss (C11 6.3)."""

from __future__ import annotations

import re
from typing import Protocol

from localvar.ctext.declare import display
from localvar.diagnostics import Log, Note, Span
from localvar.model.ctype import (
    Array,
    BaseType,
    CType,
    Declared,
    Encoding,
    Enumeration,
    Pointer,
    Qualified,
    Qualifier,
    Record,
    Void,
    is_signed,
    size_of,
    strip,
)
from localvar.model.plan import Read

_TYPE_NAME = re.compile(r"([^*]*)((?:\s*\*\s*(?:const|volatile|restrict|__user|__rcu|__percpu|\s)*)*)$", re.ASCII)
_WORDS = frozenset("char short int long signed unsigned _Bool bool void __int128 const volatile".split())


class TypeNames(Protocol):
    """Types by name, as debug info knows them."""

    def typedef(self, name: str) -> CType | None:
        """The typedef of that name."""

    def tagged(self, kind: str, name: str) -> CType | None:
        """The struct, union or enum of that tag."""


def parse_type(text: str, names: TypeNames) -> CType | None:
    """The type that a C type name without declarators other than `*` says; None where it is not known here."""
    match = _TYPE_NAME.match(text.strip())
    if match is None:
        return None
    base, stars = match.groups()
    words = base.split()
    found = _base(words, names)
    for qualifier in (Qualifier.CONST, Qualifier.VOLATILE):
        if found is not None and qualifier.value in words:
            found = _qualified(qualifier, found)
    for _ in range(stars.count("*")):
        if found is None:
            return None
        found = _pointer(found)
    return found


def _pointer(target: CType) -> Pointer:
    return Pointer(-2, 8, lambda: target)


def _qualified(qualifier: Qualifier, target: CType) -> Qualified:
    return Qualified(-2, qualifier, lambda: target)


def _base(words: list[str], names: TypeNames) -> CType | None:
    words = [word for word in words if word not in ("const", "volatile", "__user", "__rcu", "__percpu")]
    if len(words) == 2 and words[0] in ("struct", "union", "enum"):
        return names.tagged(words[0], words[1]) or Record(-3, words[0], words[1], 0, True, Declared(None, 0), "", None, tuple)
    if len(words) == 1 and words[0] not in _WORDS:
        return names.typedef(words[0])
    return _arithmetic(words)


def _arithmetic(words: list[str]) -> CType | None:
    if not words or any(word not in _WORDS for word in words):
        return None
    if words == ["void"]:
        return Void()
    unsigned = "unsigned" in words
    if "_Bool" in words or "bool" in words:
        return BaseType(-4, "_Bool", 1, Encoding.BOOLEAN)
    if "char" in words:
        return BaseType(-4, " ".join(words), 1, Encoding.UNSIGNED_CHAR if unsigned else Encoding.SIGNED_CHAR)
    size = 16 if "__int128" in words else 2 if "short" in words else 8 if "long" in words else 4
    return BaseType(-4, " ".join(words), size, Encoding.UNSIGNED if unsigned else Encoding.SIGNED)


def check_conversion(read: Read, text: str, names: TypeNames, span: Span, log: Log) -> None:
    """Log an error where a conversion to the type `text` would lose value or confuse pointer and integer.

    A type that debug info does not know (of the module's own) is left to the compiler.
    """
    wanted = parse_type(text, names)
    if wanted is None:
        return
    problem = conversion_problem(read.type, wanted)
    if problem is not None:
        log.error("type-mismatch", f"'{read.path}' is {display(read.type)}, which {text} cannot take: {problem}", span,
                  notes=(Note(f"GET_LOCAL_VAR({read.path}) without a type has the variable's own"),))


def conversion_problem(actual: CType, wanted: CType) -> str | None:
    """Why a value of type actual is not kept by a conversion to wanted; None where it is."""
    a, w = strip(actual), strip(wanted)
    if isinstance(w, Void):
        return "void has no values"
    a_pointer, w_pointer = isinstance(a, (Pointer, Array)), isinstance(w, Pointer)
    if a_pointer != w_pointer:
        return "one is a pointer, the other is not"
    if isinstance(a, (Pointer, Array)) and isinstance(w, Pointer):
        return _pointers(a.element() if isinstance(a, Array) else a.target(), w.target())
    if isinstance(a, Record) or isinstance(w, Record):
        same = isinstance(a, Record) and isinstance(w, Record) and (a.kind, a.name) == (w.kind, w.name)
        return None if same else "a struct or union converts to no other type"
    if isinstance(w, BaseType) and w.encoding is Encoding.BOOLEAN and not _is_bool(a):
        return "a _Bool keeps only whether it is zero"
    return _integers(a, w)


def _is_bool(ctype: CType) -> bool:
    return isinstance(ctype, BaseType) and ctype.encoding is Encoding.BOOLEAN


def _integers(a: CType, w: CType) -> str | None:
    have, want = size_of(a), size_of(w)
    if have is None or want is None:
        return None
    if want < have:
        return f"it has {want} bytes, the variable {have}"
    if is_signed(a) and not is_signed(w) and want > have:
        return None if isinstance(w, Enumeration) else "negative values would change when they are widened without a sign"
    return None


def _pointers(a: CType, w: CType) -> str | None:
    """Compatible as C's assignment takes it, qualifiers of the target aside; void * takes and gives all."""
    lost = [q.value for q in _qualifiers(a) - _qualifiers(w)]
    if lost:
        return f"it would drop {', '.join(sorted(lost))}"
    a, w = strip(a), strip(w)
    if isinstance(a, Void) or isinstance(w, Void):
        return None
    if isinstance(a, Record) and isinstance(w, Record):
        return None if (a.kind, a.name) == (w.kind, w.name) else "they point to different structs"
    if isinstance(a, Pointer) and isinstance(w, Pointer):
        return _pointers(a.target(), w.target())
    if isinstance(a, BaseType) and isinstance(w, BaseType):
        same = a.size == w.size and is_signed(a) == is_signed(w)
        return None if same else "they point to different types"
    return None if type(a) is type(w) else "they point to different types"


def _qualifiers(ctype: CType) -> set[Qualifier]:
    found: set[Qualifier] = set()
    while isinstance(ctype, Qualified):
        if ctype.qualifier in (Qualifier.CONST, Qualifier.VOLATILE):
            found.add(ctype.qualifier)
        ctype = ctype.target()
    return found

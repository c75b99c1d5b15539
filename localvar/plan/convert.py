# SPDX-License-Identifier: GPL-2.0-or-later
"""GET_LOCAL_VAR(var, type): whether the asked-for type takes the variable's value without loss (C11 6.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
    FunctionType,
    Pointer,
    Qualified,
    Qualifier,
    Record,
    Typedef,
    Void,
    is_floating,
    is_signed,
    size_of,
    strip,
)
from localvar.model.plan import Read

_TYPE_NAME = re.compile(r"([^*]*)((?:\*[\s\w]*)*)$", re.ASCII)
_SPACES = frozenset(("restrict", "__restrict", "__user", "__rcu", "__percpu"))
"""Words that say nothing of a value."""
_QUALIFIERS = {qualifier.value: qualifier for qualifier in (Qualifier.CONST, Qualifier.VOLATILE)}
_WORDS = frozenset("char short int long signed unsigned _Bool bool void __int128".split())


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
    base, *stars = (part.split() for part in match[0].split("*"))
    found = _base([word for word in base if word not in _SPACES and word not in _QUALIFIERS], names)
    for level, words in enumerate((base, *stars)):
        if found is None or (level and any(word not in _SPACES and word not in _QUALIFIERS for word in words)):
            return None
        if level:
            found = _pointer(found)
        for qualifier in dict.fromkeys(_QUALIFIERS[word] for word in words if word in _QUALIFIERS):
            found = _qualified(qualifier, found)
    return found


def _pointer(target: CType) -> Pointer:
    return Pointer(-2, 8, lambda: target)


def _qualified(qualifier: Qualifier, target: CType) -> Qualified:
    return Qualified(-2, qualifier, lambda: target)


def _base(words: list[str], names: TypeNames) -> CType | None:
    if len(words) == 2 and words[0] in ("struct", "union"):
        return names.tagged(words[0], words[1]) or Record(-3, words[0], words[1], 0, True, Declared(None, 0), "", None, tuple)
    if len(words) == 2 and words[0] == "enum":
        return names.tagged(words[0], words[1])
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


def check_conversion(reads: Iterable[Read], text: str, names: TypeNames, span: Span, log: Log) -> None:
    """Log an error where a conversion to the type `text` would lose value or confuse pointer and integer, at any site.

    A type that debug info does not know (of the module's own) is left to the compiler.
    """
    wanted = parse_type(text, names)
    if wanted is None:
        return
    seen = set()
    for read in reads:
        problem = conversion_problem(read.type, wanted, read.bit_field[1] if read.bit_field else None)
        name = display(read.type)
        if problem is not None and name not in seen:
            seen.add(name)
            log.error("type-mismatch", f"'{read.path}' is {name}, which {text} cannot take: {problem}", span,
                      notes=(Note(f"GET_LOCAL_VAR({read.path}) without a type has the variable's own"),))


def conversion_problem(actual: CType, wanted: CType, bits: int | None = None) -> str | None:
    """Why a value of type actual (a bit-field of so many bits) is not kept by a conversion to wanted; None where it is."""
    a, w = strip(actual), strip(wanted)
    if isinstance(w, Void):
        return "void has no values"
    if isinstance(a, (Pointer, Array)) != isinstance(w, Pointer):
        return "one is a pointer, the other is not"
    if isinstance(a, (Pointer, Array)) and isinstance(w, Pointer):
        return _pointers(a.element() if isinstance(a, Array) else a.target(), w.target(), True)
    if isinstance(a, Record) or isinstance(w, Record):
        return None if _same_record(actual, wanted) else "a struct or union converts to no other type"
    if isinstance(w, BaseType) and w.encoding is Encoding.BOOLEAN and not _is_bool(a) and (bits != 1 or is_signed(a)):
        return "a _Bool keeps only whether it is zero"
    return _integers(a, w, bits)


def _is_bool(ctype: CType) -> bool:
    return isinstance(ctype, BaseType) and ctype.encoding is Encoding.BOOLEAN


def _integers(a: CType, w: CType, bits: int | None) -> str | None:
    size, want = size_of(a), size_of(w)
    if size is None or want is None:
        return None
    have = bits if bits is not None else 8 * size
    signed = is_signed(a)
    if 8 * want < have or (bits is not None and 8 * want == have and is_signed(w) and not signed):
        return f"it has {want} byte{'s' * (want != 1)}, the variable {f'{bits} bits' if bits is not None else size}"
    if signed and not is_signed(w) and 8 * want > have:
        return None if isinstance(w, Enumeration) else "negative values would change when they are widened without a sign"
    return None


def _pointers(a: CType, w: CType, outermost: bool) -> str | None:
    """Compatible as C's assignment takes it (6.5.16.1, 6.7.6.1), qualifiers of the target aside; a void * takes and gives
    all.  Integers count by size and sign: the kernel's u64 is a long of one name or another."""
    lost = [q.value for q in _qualifiers(a) - _qualifiers(w)]
    if lost:
        return f"it would drop {', '.join(sorted(lost))}"
    return None if _compatible(a, w, outermost) else _DIFFERENT.get(type(strip(a)), "they point to different types")


_DIFFERENT: dict[type, str] = {Record: "they point to different structs", FunctionType: "they point to different functions"}


def _compatible(a: CType, w: CType, outermost: bool) -> bool:
    """Whether what two pointers point to is of one type."""
    outer_a, outer_w = a, w
    a, w = strip(a), strip(w)
    if isinstance(a, Void) or isinstance(w, Void):
        return outermost or type(a) is type(w)
    if isinstance(a, Record) or isinstance(w, Record):
        return _same_record(outer_a, outer_w)
    if isinstance(a, Pointer) and isinstance(w, Pointer):
        return _pointers(a.target(), w.target(), False) is None
    if isinstance(a, (BaseType, Enumeration)) and isinstance(w, (BaseType, Enumeration)):
        return _shape(a) == _shape(w)
    if isinstance(a, Array) and isinstance(w, Array):
        return _compatible(a.element(), w.element(), False) and (a.count is None or w.count is None or a.count == w.count)
    if isinstance(a, FunctionType) and isinstance(w, FunctionType):
        left, right = (a.result(), *a.parameters()), (w.result(), *w.parameters())
        return len(left) == len(right) and all(_compatible(x, y, False) for x, y in zip(left, right, strict=True))
    return type(a) is type(w)


def _shape(ctype: BaseType | Enumeration) -> tuple[object, ...]:
    """What counts behind a pointer.  No sign where it is one byte: whether char has one depends on the kernel, which has
    been compiled with -funsigned-char since 6.2."""
    return ctype.size, ctype.size > 1 and is_signed(ctype), _is_bool(ctype), is_floating(ctype)


def _same_record(a: CType, w: CType) -> bool:
    """By kind and tag; unnamed ones by the typedef that names them."""
    bare_a, bare_w = strip(a), strip(w)
    if not isinstance(bare_a, Record) or not isinstance(bare_w, Record) or bare_a.kind != bare_w.kind:
        return False
    return bare_a.name == bare_w.name and (bare_a.name is not None or _last_typedef(a) == _last_typedef(w))


def _last_typedef(ctype: CType) -> str | None:
    """The name of the typedef right in front of a type without one."""
    name = None
    while isinstance(ctype, (Typedef, Qualified)):
        name = ctype.name if isinstance(ctype, Typedef) else name
        ctype = ctype.target()
    return name


def _qualifiers(ctype: CType) -> set[Qualifier]:
    found: set[Qualifier] = set()
    while isinstance(ctype, (Qualified, Typedef)):
        if isinstance(ctype, Qualified) and ctype.qualifier in (Qualifier.CONST, Qualifier.VOLATILE):
            found.add(ctype.qualifier)
        ctype = ctype.target()
    return found

# SPDX-License-Identifier: GPL-2.0-or-later
"""C types as debug info describes them (DWARF 5 chapter 5), resolved step by step: a type graph is cyclic and large.

`key` names the DIE (its offset in .debug_info), so types are the same where their keys are.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Declared:
    """Where the source declares something: file as the compiler named it, normalised, and line (0: unknown)."""

    file: str | None
    line: int


class Encoding(enum.Enum):
    """How the bits of a base type are read (DW_AT_encoding)."""

    BOOLEAN = "boolean"
    SIGNED = "signed"
    UNSIGNED = "unsigned"
    SIGNED_CHAR = "signed char"
    UNSIGNED_CHAR = "unsigned char"
    FLOAT = "float"
    OTHER = "other"


@dataclass(frozen=True)
class Void:
    """No type: the target of `void *`, the result of a void function."""

    key: int = -1


@dataclass(frozen=True)
class BaseType:
    """An arithmetic type; size in bytes."""

    key: int
    name: str
    size: int
    encoding: Encoding


@dataclass(frozen=True)
class Pointer:
    """A pointer; target() is what it points to."""

    key: int
    size: int
    target: Callable[[], CType] = field(compare=False, repr=False)


class Qualifier(enum.Enum):
    """Type qualifiers, as C writes them."""

    CONST = "const"
    VOLATILE = "volatile"
    RESTRICT = "restrict"
    ATOMIC = "_Atomic"


@dataclass(frozen=True)
class Qualified:
    """A qualified type."""

    key: int
    qualifier: Qualifier
    target: Callable[[], CType] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Typedef:
    """A typedef name.  alignment: from DW_AT_alignment where the source gives one, which may be less than the target's."""

    key: int
    name: str
    declared: Declared
    target: Callable[[], CType] = field(compare=False, repr=False)
    alignment: int | None = None


@dataclass(frozen=True)
class Member:
    """A member of a record.  bit_offset is from the start of the record in memory order (little endian: from the
    least significant bit of byte 0); bit_size is None for members that are no bit-fields.  alignment: from
    DW_AT_alignment, or None."""

    name: str | None
    bit_offset: int
    bit_size: int | None
    alignment: int | None
    type: Callable[[], CType] = field(compare=False, repr=False)

    @property
    def offset(self) -> int:
        """Byte offset of a member that is no bit-field."""
        return self.bit_offset // 8


@dataclass(frozen=True)
class Record:
    """A struct or union.  size in bytes; declaration: incomplete where the unit only declares it."""

    key: int
    kind: str
    name: str | None
    size: int
    declaration: bool
    declared: Declared
    unit: str
    alignment: int | None
    members: Callable[[], tuple[Member, ...]] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Enumeration:
    """An enum: size in bytes; signed where debug info's underlying type or a negative enumerator says so."""

    key: int
    name: str | None
    size: int
    signed: bool
    declaration: bool
    declared: Declared
    unit: str
    enumerators: Callable[[], tuple[tuple[str, int], ...]] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Array:
    """An array of one dimension (more are arrays of arrays); count None: flexible or of unknown length;
    variable: a variable-length array, whose count is known only at run time; vector: gcc's vector_size (DW_AT_GNU_vector)."""

    key: int
    count: int | None
    variable: bool
    element: Callable[[], CType] = field(compare=False, repr=False)
    vector: bool = False


@dataclass(frozen=True)
class FunctionType:
    """A function type."""

    key: int
    variadic: bool
    prototyped: bool
    result: Callable[[], CType] = field(compare=False, repr=False)
    parameters: Callable[[], tuple[CType, ...]] = field(compare=False, repr=False)


@dataclass(frozen=True)
class UnknownType:
    """A type that C cannot say or debug info does not tell; text says which."""

    key: int
    text: str


CType = Void | BaseType | Pointer | Qualified | Typedef | Record | Enumeration | Array | FunctionType | UnknownType


NESTING_LIMIT = 64
"""Typedefs of typedefs, arrays of arrays: more are damage."""


def strip(ctype: CType) -> CType:
    """ctype without typedefs and qualifiers; UnknownType where damaged debug info has them refer to each other."""
    for _ in range(NESTING_LIMIT):
        if not isinstance(ctype, (Typedef, Qualified)):
            return ctype
        ctype = ctype.target()
    return UnknownType(ctype.key, "a type that refers to itself")


def size_of(ctype: CType, depth: int = 0) -> int | None:
    """Size in bytes; None for incomplete types, functions and void."""
    ctype = strip(ctype)
    if isinstance(ctype, (BaseType, Pointer)):
        return ctype.size
    if isinstance(ctype, (Record, Enumeration)):
        return None if ctype.declaration else ctype.size
    if isinstance(ctype, Array):
        element = size_of(ctype.element(), depth + 1) if depth < NESTING_LIMIT else None
        return None if ctype.count is None or element is None else ctype.count * element
    return None


def is_signed(ctype: CType) -> bool:
    """Whether an integer, character or enum type holds negative values."""
    ctype = strip(ctype)
    if isinstance(ctype, BaseType):
        return ctype.encoding in (Encoding.SIGNED, Encoding.SIGNED_CHAR)
    return isinstance(ctype, Enumeration) and ctype.signed


def is_floating(ctype: CType) -> bool:
    """Whether the bits of a base type are no integer's: floating point, complex, decimal."""
    ctype = strip(ctype)
    return isinstance(ctype, BaseType) and ctype.encoding in (Encoding.FLOAT, Encoding.OTHER)


def is_scalar(ctype: CType) -> bool:
    """Whether C converts the type with a cast: arithmetic, enum, pointer."""
    return isinstance(strip(ctype), (BaseType, Pointer, Enumeration))

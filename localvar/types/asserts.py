# SPDX-License-Identifier: GPL-2.0-or-later
"""Assertions that the compiler's idea of a type is vmlinux's: wrong headers or another .config stop the build."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from localvar.ctext.names import Unspeakable, identifier
from localvar.model.ctype import Array, Enumeration, Member, Record, Typedef, size_of, strip

MACROS = "\n".join((
    "#define LOCALVAR_SAME_(name, line, ours, theirs) \\",
    "\ttypedef char name##line[ours]; typedef char name##line[theirs]",
    "#define LOCALVAR_SAME(name, line, ours, theirs) LOCALVAR_SAME_(name, line, ours, theirs)",
    "#define LOCALVAR_SIZE(type, bytes) \\",
    "\t_Static_assert(sizeof(type) == (bytes), \\",
    '\t\t       "vmlinux has " #type " with " #bytes " bytes, these headers do not: theirs is the char[] below"); \\',
    "\tLOCALVAR_SAME(localvar_size_, __LINE__, bytes, sizeof(type))",
    "#define LOCALVAR_OFFSET(type, member, at) \\",
    "\t_Static_assert(__builtin_offsetof(type, member) == (at), \\",
    '\t\t       "vmlinux has " #member " of " #type " at " #at ", these headers do not: theirs is the char[] below"); \\',
    "\tLOCALVAR_SAME(localvar_offset_, __LINE__, at, __builtin_offsetof(type, member))",
    "#define LOCALVAR_MEMBER(type, member, at, bytes) \\",
    "\tLOCALVAR_OFFSET(type, member, at); \\",
    "\t_Static_assert(sizeof(((type *)0)->member) == (bytes), \\",
    '\t\t       "vmlinux has " #member " of " #type " with " #bytes " bytes, these headers do not: theirs is the char[] below"); '
    "\\",
    "\tLOCALVAR_SAME(localvar_size_, __LINE__, bytes, sizeof(((type *)0)->member))",
))
"""What assertions are written with: a message has the type, the member and what vmlinux says.

A message is a literal (C11 6.7.10).  What the headers say shows in a second error: two typedefs of one name, of arrays of so
many char, which compilers print (`conflicting types for 'localvar_size_203'; have 'char[48]'`).
"""


@dataclass(frozen=True)
class Assertion:
    """What vmlinux says of a type, or of a member of it: its offset (None: of the type) and size (None: no fixed one)."""

    type: str
    member: str | None
    offset: int | None
    size: int | None

    def __str__(self) -> str:
        if self.member is None:
            return f"LOCALVAR_SIZE({self.type}, {self.size});"
        if self.size is None:
            return f"LOCALVAR_OFFSET({self.type}, {self.member}, {self.offset});"
        return f"LOCALVAR_MEMBER({self.type}, {self.member}, {self.offset}, {self.size});"


def assertions(ctype: Record | Enumeration | Typedef, name: str, members: Collection[str] | None = None) -> Iterator[Assertion]:
    """The size of a type that C calls `name`; of a record offset and size of its members, or of those named.

    Bit-fields have no offset in C (6.5.3.4, 7.19): the size and their neighbours hold them.
    """
    size = size_of(ctype)
    if size is None:
        return
    yield Assertion(name, None, None, size)
    bare = strip(ctype)
    if isinstance(bare, Record):
        for member, offset, width in named_members(bare):
            if members is None or member in members:
                yield Assertion(name, member, offset, width)


def all_members(record: Record) -> Iterator[Member]:
    """The members, those of unnamed members in place of these."""
    for member in record.members():
        bare = strip(member.type())
        if member.name is None and isinstance(bare, Record):
            yield from all_members(bare)
        else:
            yield member


def named_members(record: Record, base: int = 0) -> Iterator[tuple[str, int, int | None]]:
    """Name, byte offset and size (None: no fixed one) of what can follow `.`: members of unnamed members included."""
    for member in record.members():
        bare = strip(member.type())
        if member.name is None:
            if isinstance(bare, Record):
                yield from named_members(bare, base + member.offset)
        elif member.bit_size is None:
            try:
                name = identifier(member.name)
            except Unspeakable:
                continue
            flexible = isinstance(bare, Array) and bare.count is None
            yield name, base + member.offset, None if flexible else size_of(bare)

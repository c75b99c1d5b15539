# SPDX-License-Identifier: GPL-2.0-or-later
"""Assertions that the compiler's idea of a type is vmlinux's: wrong headers or another .config stop the build."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from localvar.ctext.names import Unspeakable, identifier
from localvar.model.ctype import Array, Enumeration, Record, Typedef, size_of, strip


@dataclass(frozen=True)
class Assertion:
    """A condition that holds where compiler and vmlinux agree, and what is wrong where it does not."""

    condition: str
    message: str

    def __str__(self) -> str:
        return f'_Static_assert({self.condition}, "{self.message}");'


def assertions(ctype: Record | Enumeration | Typedef, name: str, members: Collection[str] | None = None) -> Iterator[Assertion]:
    """The size of a type that C calls `name`; of a record offset and size of its members, or of those named.

    Bit-fields have no offset in C (6.5.3.4, 7.19): the size and their neighbours hold them.
    """
    size = size_of(ctype)
    if size is None:
        return
    yield Assertion(f"sizeof({name}) == {size}", f"{name} has {size} bytes in vmlinux, not here")
    bare = strip(ctype)
    if isinstance(bare, Record):
        for path, offset, width in named_members(bare):
            if members is None or path in members:
                condition = f"__builtin_offsetof({name}, {path}) == {offset}"
                if width is not None:
                    condition += f" && sizeof((({name} *)0)->{path}) == {width}"
                where = f"at {offset}" + (f" with {width} bytes" if width is not None else "")
                yield Assertion(condition, f"{name}: {path} is {where} in vmlinux, not here")


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

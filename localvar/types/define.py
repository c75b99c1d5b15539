# SPDX-License-Identifier: GPL-2.0-or-later
"""The definition of one type as C: what debug info says of it, through pycparser's nodes and generator."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from localvar.ctext.declare import declarator, specifier
from localvar.ctext.names import Unspeakable, identifier
from localvar.model.ctype import BaseType, CType, Encoding, Enumeration, Pointer, Record, Typedef, size_of, strip
from localvar.types.layout import Field, Layout, Layouts, Pad, object_size

BYTE = BaseType(-5, "unsigned char", 1, Encoding.UNSIGNED_CHAR)
COMMENTS = 72
"""The column that comments behind members keep to, where their declarations end before it."""
_WORDS = {1: "char", 2: "short int", 4: "int", 8: "long int"}
_MODES = {1: "QI", 2: "HI", 4: "SI", 8: "DI"}


def define(ctype: Record | Enumeration | Typedef, layouts: Layouts, *, offsets: bool = False) -> str:
    """The definition with its semicolon; offsets: with byte offset and size of each member, and holes, in comments.

    Raises Unspeakable where the type has no C name.
    """
    from localvar.ctext.generator import Generator, attributes

    definer = _Definer(layouts, offsets)
    if isinstance(ctype, Typedef):
        from pycparser import c_ast

        target = declarator(ctype.target(), identifier(ctype.name), specify=definer.specify)
        node = c_ast.Decl(ctype.name, [], [], [], [], target, None, None)
        stated = (f"aligned({ctype.alignment})",) if ctype.alignment else ()
        return f"typedef {Generator().visit(node)}{attributes(stated)};"
    identifier(ctype.name)
    text: str = Generator().visit(definer.enumeration(ctype) if isinstance(ctype, Enumeration) else definer.record(ctype))
    return f"{_aligned(text) if offsets else text};"


def _aligned(text: str) -> str:
    """Comments behind members in one column, as far as that is not too far right."""
    rows = [line.partition("\t/* ") if ";\t/* " in line else (line, "", "") for line in text.split("\n")]
    widths = [len(code.expandtabs(8)) for code, _, _ in rows]
    column = max((width for width, (_, tab, _) in zip(widths, rows, strict=True) if tab and width <= COMMENTS), default=0)
    return "\n".join(f"{code}{' ' * max(0, column - width)} /* {note}" if tab else code
                     for width, (code, tab, note) in zip(widths, rows, strict=True))


class _Definer:
    """Nodes of one definition, with the unnamed types that stand in it."""

    def __init__(self, layouts: Layouts, offsets: bool) -> None:
        self._layouts = layouts
        self._offsets = offsets
        self._written: set[int] = set()
        self._base = 0

    def specify(self, ctype: CType) -> Any:
        """The node of a type: by its name, or written out where it has none."""
        if isinstance(ctype, Record) and ctype.name is None:
            return self.record(ctype)
        if isinstance(ctype, Enumeration) and ctype.name is None:
            if ctype.key in self._written:  # enumerators can be declared once
                return specifier(integer(ctype))
            return self.enumeration(ctype)
        return specifier(ctype)

    def record(self, record: Record) -> Any:
        """A struct or union with all members.  Raises Unspeakable."""
        from localvar.ctext.generator import StructBody

        layout = self._layouts.of(record)
        decls, hole = [], 0
        for item in layout.items:
            if isinstance(item, Pad):
                decls += self._padding(item, record)
            else:
                if self._offsets and record.kind == "struct" and item.member.bit_offset > hole:
                    gap = item.member.bit_offset - hole
                    decls[-1:] = [_with_hole(decls[-1], gap)] if decls else []
                decls.append(self._member(item, layout))
            hole = _end(item)
        return StructBody(record.kind, _tag(record), decls, _attributes(layout), self._summary(record, layout, hole))

    def enumeration(self, enum: Enumeration) -> Any:
        """An enum with all enumerators.  Raises Unspeakable."""
        from localvar.ctext.generator import EnumBody

        self._written.add(enum.key)
        pairs = enum.enumerators()
        if not pairs:
            raise Unspeakable("an enum without enumerators")
        values = [(identifier(name), _number(value)) for name, value in pairs]
        size = _enum_size([value for _, value in pairs])
        mode = () if size == enum.size else (f"mode({_MODES[enum.size]})",)
        return EnumBody(_tag(enum), values, mode)

    # -- members --------------------------------------------------------------------------------------------------

    def _member(self, field: Field, layout: Layout) -> Any:
        from pycparser import c_ast

        from localvar.ctext.generator import MemberDecl

        member = field.member
        ctype = member.type()
        stated: tuple[str, ...] = () if field.aligned is None else (f"aligned({field.aligned})",)
        bits = None if member.bit_size is None else c_ast.Constant("int", str(member.bit_size))
        before = self._base
        self._base += member.offset
        try:
            name = None if member.name is None else identifier(member.name)
            node = declarator(ctype, name, specify=self.specify)
            if name is None and isinstance(strip(ctype), Record):
                node = node.type  # C11 6.7.2.1 paragraph 13: no declarator
        except Unspeakable:
            name, node, own = self._opaque(field)
            stated = stated or (() if layout.packed else own)
        finally:
            self._base = before
        return MemberDecl(name, node, bits, stated, self._note(field))

    def _opaque(self, field: Field) -> tuple[str, Any, tuple[str, ...]]:
        """Bytes in place of a member whose name or type C cannot say; pointers stay pointers."""
        member = field.member
        ctype = member.type()
        try:
            name = identifier(member.name)
        except Unspeakable:
            name = f"member_at_{member.offset}"
        if member.bit_size is not None:
            return name, declarator(BaseType(-5, f"unsigned {_WORDS[size_of(ctype) or 4]}", 4, Encoding.UNSIGNED), name), ()
        from pycparser import c_ast

        if isinstance(strip(ctype), Pointer):
            return name, c_ast.PtrDecl([], c_ast.TypeDecl(name, [], None, c_ast.IdentifierType(["void"]))), ()
        node = c_ast.ArrayDecl(declarator(BYTE, name), c_ast.Constant("int", str(object_size(ctype))), [])
        return name, node, (f"aligned({self._layouts.alignment(ctype)})",)

    def _padding(self, pad: Pad, record: Record) -> list[Any]:
        """Members that take the bits of a gap: unnamed bit-fields up to and from a byte's boundary, bytes between."""
        from pycparser import c_ast

        from localvar.ctext.generator import MemberDecl

        taken = {member.name for member in record.members()}
        decls, at, left = [], pad.bit_offset, pad.bits
        while left:
            first = min(left, -at % 8) if at % 8 else 0 if left >= 8 else left
            if first:
                decls.append(MemberDecl(None, declarator(BYTE, None), c_ast.Constant("int", str(first))))
            else:
                first = left - left % 8
                name = next(n for n in (f"pad_at_{at // 8}" + "_" * i for i in range(9)) if n not in taken)
                node = c_ast.ArrayDecl(declarator(BYTE, name), c_ast.Constant("int", str(first // 8)), [])
                decls.append(MemberDecl(name, node))
            at, left = at + first, left - first
        return decls

    # -- comments -------------------------------------------------------------------------------------------------

    def _note(self, field: Field) -> str:
        if not self._offsets:
            return ""
        member = field.member
        bits = "" if member.bit_size is None else f":{member.bit_offset % 8}"
        size = object_size(member.type()) if member.bit_size is None else _bits(member.bit_size)
        return f"{self._base + member.offset}{bits}  {size}"

    def _summary(self, record: Record, layout: Layout, end: int) -> str:
        if not self._offsets:
            return ""
        fields = [item for item in layout.items if isinstance(item, Field)]
        text = f"size: {record.size}, alignment: {layout.alignment}, members: {len(fields)}"
        if record.kind != "struct":
            return text
        holes = [gap for one, two in pairwise(fields) if (gap := two.member.bit_offset - _end(one)) > 0]
        left = 8 * record.size - end
        return (text + (f", holes: {len(holes)} of {_amount(sum(holes))}" if holes else "")
                + (f", padding: {_amount(left)}" if left > 0 else ""))


def _with_hole(decl: Any, bits: int) -> Any:
    decl.note = f"{decl.note}; then a hole of {_amount(bits)}"
    return decl


def _amount(bits: int) -> str:
    count, unit = (bits, "bit") if bits % 8 else (bits // 8, "byte")
    return f"{count} {unit}{'s' * (count != 1)}"


def _bits(count: int) -> str:
    return f"{count} bit{'s' * (count != 1)}"


def _end(item: Field | Pad) -> int:
    if isinstance(item, Pad):
        return item.bit_offset + item.bits
    bits = item.member.bit_size
    return item.member.bit_offset + (8 * object_size(item.member.type()) if bits is None else bits)


def _tag(ctype: Record | Enumeration) -> str | None:
    return None if ctype.name is None else identifier(ctype.name)


def _attributes(layout: Layout) -> tuple[str, ...]:
    return ("packed",) * layout.packed + ((f"aligned({layout.aligned})",) if layout.aligned is not None else ())


def integer(enum: Enumeration) -> BaseType:
    """The integer type that an enum is stored as."""
    name = _WORDS[enum.size]
    return BaseType(enum.key, name if enum.signed else f"unsigned {name}", enum.size,
                    Encoding.SIGNED if enum.signed else Encoding.UNSIGNED)


def _enum_size(values: list[int]) -> int:
    """The size gcc gives an enum of these values (C11 6.7.2.2, extended to 64 bits)."""
    low, high = min(values), max(values)
    return 4 if (low >= -(1 << 31) and high < (1 << 31)) or (low >= 0 and high < 1 << 32) else 8


def _number(value: int) -> str:
    if value == -(1 << 63):
        return "-9223372036854775807 - 1"
    return f"{value}U" if value >= 1 << 63 else str(value)


def origin(ctype: Record | Enumeration | Typedef) -> str:
    """Where the source declares a type, as file:line."""
    return f"{ctype.declared.file or 'unknown file'}:{ctype.declared.line}"

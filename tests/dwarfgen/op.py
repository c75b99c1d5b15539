# SPDX-License-Identifier: GPL-2.0-or-later
"""DWARF expressions: ``op.expr(op.fbreg(-16), op.deref())``.

Every operation of DWARF 5, section 7.7.1, and GNU's is a function of this module, named without ``DW_OP_``
(``op.and_`` for a Python keyword). Operands are numbers, except:

- a DIE is a label, a ``Die``, a ``Ref`` or the offset itself;
- the target of ``bra`` and ``skip`` is the name of an ``op.label``, or the distance in bytes;
- an address is an ``Addr`` or a number; ``addrx`` and ``constx`` take an ``Addr`` (``Addr(None, 5)`` for the
  constant 5, which no relocation may touch), or the index itself;
- ``entry_value`` takes an expression or operations;
- ``implicit_value`` and the second operand of ``const_type`` are bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from .buffer import Buffer
from .values import AddrLike, DieRef


@dataclass(frozen=True)
class Op:
    """One operation and its operands."""

    name: str
    operands: tuple[object, ...]


@dataclass(frozen=True)
class Label:
    """A place in an expression that ``bra`` and ``skip`` can go to."""

    name: str


@dataclass(frozen=True)
class Expr:
    """An expression: operations, labels and raw bytes."""

    items: tuple[Op | Label | bytes, ...]


Item: TypeAlias = "Op | Label | Expr | bytes"


class Scope(Protocol):
    """What an expression needs of the unit it stands in."""

    @property
    def version(self) -> int: ...
    @property
    def offset_size(self) -> int: ...
    def unit_offset(self, target: DieRef) -> int: ...
    def section_offset(self, target: DieRef) -> tuple[str, int]: ...
    def address_index(self, addr: AddrLike) -> int: ...


def expr(*items: Item) -> Expr:
    """Join operations, labels, bytes and other expressions."""
    flat: list[Op | Label | bytes] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Expr) else (item,))
    return Expr(tuple(flat))


def label(name: str) -> Label:
    """Mark this place of the expression."""
    return Label(name)


def as_expr(value: Item) -> Expr:
    """Take a lone operation, or bytes, for an expression."""
    return value if isinstance(value, Expr) else expr(value)


def _numbered(name: str, code: int, operands: str = "") -> dict[str, tuple[int, str]]:
    return {f"{name}{n}": (code + n, operands) for n in range(32)}


# Name: opcode and the kinds of its operands, which are the keys of _OPERANDS.
OPERATIONS: dict[str, tuple[int, str]] = {
    "addr": (0x03, "addr"), "deref": (0x06, ""),
    "const1u": (0x08, "n1"), "const1s": (0x09, "n1"), "const2u": (0x0A, "n2"), "const2s": (0x0B, "n2"),
    "const4u": (0x0C, "n4"), "const4s": (0x0D, "n4"), "const8u": (0x0E, "n8"), "const8s": (0x0F, "n8"),
    "constu": (0x10, "uleb"), "consts": (0x11, "sleb"),
    "dup": (0x12, ""), "drop": (0x13, ""), "over": (0x14, ""), "pick": (0x15, "n1"), "swap": (0x16, ""),
    "rot": (0x17, ""), "xderef": (0x18, ""),
    "abs": (0x19, ""), "and": (0x1A, ""), "div": (0x1B, ""), "minus": (0x1C, ""), "mod": (0x1D, ""),
    "mul": (0x1E, ""), "neg": (0x1F, ""), "not": (0x20, ""), "or": (0x21, ""), "plus": (0x22, ""),
    "plus_uconst": (0x23, "uleb"), "shl": (0x24, ""), "shr": (0x25, ""), "shra": (0x26, ""),
    "xor": (0x27, ""), "bra": (0x28, "branch"),
    "eq": (0x29, ""), "ge": (0x2A, ""), "gt": (0x2B, ""), "le": (0x2C, ""),
    "lt": (0x2D, ""), "ne": (0x2E, ""), "skip": (0x2F, "branch"),
    **_numbered("lit", 0x30), **_numbered("reg", 0x50), **_numbered("breg", 0x70, "sleb"),
    "regx": (0x90, "uleb"), "fbreg": (0x91, "sleb"), "bregx": (0x92, "uleb sleb"), "piece": (0x93, "uleb"),
    "deref_size": (0x94, "n1"), "xderef_size": (0x95, "n1"), "nop": (0x96, ""),
    "push_object_address": (0x97, ""), "call2": (0x98, "die2"), "call4": (0x99, "die4"),
    "call_ref": (0x9A, "die_section"),
    "form_tls_address": (0x9B, ""), "call_frame_cfa": (0x9C, ""), "bit_piece": (0x9D, "uleb uleb"),
    "implicit_value": (0x9E, "block"), "stack_value": (0x9F, ""),
    "implicit_pointer": (0xA0, "die_section sleb"),
    "addrx": (0xA1, "addrx"), "constx": (0xA2, "addrx"), "entry_value": (0xA3, "expr"),
    "const_type": (0xA4, "die block1"), "regval_type": (0xA5, "uleb die"), "deref_type": (0xA6, "n1 die"),
    "xderef_type": (0xA7, "n1 die"), "convert": (0xA8, "die"), "reinterpret": (0xA9, "die"),
    "GNU_push_tls_address": (0xE0, ""), "GNU_uninit": (0xF0, ""),
    "GNU_implicit_pointer": (0xF2, "die_section sleb"), "GNU_entry_value": (0xF3, "expr"),
    "GNU_const_type": (0xF4, "die block1"), "GNU_regval_type": (0xF5, "uleb die"),
    "GNU_deref_type": (0xF6, "n1 die"), "GNU_convert": (0xF7, "die"), "GNU_reinterpret": (0xF9, "die"),
    "GNU_parameter_ref": (0xFA, "die4"), "GNU_addr_index": (0xFB, "addrx"),
    "GNU_const_index": (0xFC, "addrx"),
    "GNU_variable_value": (0xFD, "die_section"),
}  # fmt: skip


def __getattr__(name: str) -> Callable[..., Op]:
    bare = name.rstrip("_")
    if bare not in OPERATIONS:
        raise AttributeError(f"no operation DW_OP_{bare}")
    wanted = len(OPERATIONS[bare][1].split())

    def make(*operands: object) -> Op:
        if bare.endswith("entry_value"):
            operands = (expr(*operands),)  # type: ignore[arg-type]
        if len(operands) != wanted:
            raise TypeError(f"DW_OP_{bare} takes {wanted} operands, not {len(operands)}")
        return Op(bare, operands)

    return make


def write(expression: Expr, buffer: Buffer, scope: Scope) -> None:
    """Encode an expression; branches to labels are filled in last. LookupError for an unknown label."""
    part = buffer.part()
    labels: dict[str, int] = {}
    branches: list[tuple[int, str]] = []
    for item in expression.items:
        if isinstance(item, Label):
            labels[item.name] = len(part)
        elif isinstance(item, bytes):
            part.raw(item)
        else:
            code, kinds = OPERATIONS[item.name]
            part.number(1, code)
            for kind, operand in zip(kinds.split(), item.operands, strict=True):
                if kind == "branch" and isinstance(operand, str):
                    branches.append((len(part), operand))
                    operand = 0
                _OPERANDS[kind](part, scope, operand)
    for at, name in branches:
        if name not in labels:
            raise LookupError(f"no label {name!r} in this expression")
        distance = labels[name] - (at + 2)
        part.data[at : at + 2] = distance.to_bytes(2, part.target.byteorder, signed=True)
    buffer.append(part)


def _die_section(buffer: Buffer, scope: Scope, target: Any) -> None:
    # DWARF 2 had these references as wide as an address.
    size = scope.offset_size if scope.version > 2 else buffer.target.address_size
    if isinstance(target, int):
        buffer.number(size, target)
    else:
        buffer.offset(*scope.section_offset(target), size)


def _nested(buffer: Buffer, scope: Scope, nested: Any) -> None:
    part = buffer.part()
    write(as_expr(nested), part, scope)
    buffer.counted(part)


def _address_index(buffer: Buffer, scope: Scope, addr: Any) -> None:
    buffer.uleb(addr if isinstance(addr, int) else scope.address_index(addr))


def _block(size: int | None) -> Callable[[Buffer, Scope, Any], None]:
    def write_block(buffer: Buffer, _: Scope, data: Any) -> None:
        part = buffer.part()
        part.raw(data)
        buffer.counted(part, size)

    return write_block


def _number(size: int) -> Callable[[Buffer, Scope, Any], None]:
    return lambda buffer, _, value: buffer.number(size, value)


_OPERANDS: dict[str, Callable[[Buffer, Scope, Any], None]] = {
    "addr": lambda buffer, _, addr: buffer.addr(addr),
    "n1": _number(1),
    "n2": _number(2),
    "n4": _number(4),
    "n8": _number(8),
    "uleb": lambda buffer, _, value: buffer.uleb(value),
    "sleb": lambda buffer, _, value: buffer.sleb(value),
    "branch": _number(2),
    "block": _block(None),
    "block1": _block(1),
    "expr": _nested,
    "die": lambda buffer, scope, target: buffer.uleb(scope.unit_offset(target)),
    "die2": lambda buffer, scope, target: buffer.number(2, scope.unit_offset(target)),
    "die4": lambda buffer, scope, target: buffer.number(4, scope.unit_offset(target)),
    "die_section": _die_section,
    "addrx": _address_index,
}

# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside gdb: reads registers and every variable in scope at the pc, as values for JSON.

Only what gdb reads from one compilation unit is asked of it: looking a name or a type up in all units of a
vmlinux takes 25 s, and a name that is nowhere 50 ms each time.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gdb  # type: ignore[import-untyped,import-not-found,unused-ignore]

_MAX_BYTES = 4096
_IDENTIFIER = re.compile(r"(?<![\w$.])(?<!->)(?<!struct )(?<!union )(?<!enum )[A-Za-z_]\w*")


@dataclass(frozen=True)
class Scope:
    """A block around the pc: the (inlined) function, whether a block in its body, its variables."""

    function: str
    lexical: bool
    symbols: dict[str, Any]


def snapshot(expressions: list[str], *, scopes: bool) -> dict[str, Any]:
    """The newest frame: pc, registers, the values of `expressions`, and, if `scopes`, every variable."""
    frame = gdb.newest_frame()
    around = scopes_at(frame.pc())
    in_scope = {name: symbol for scope in reversed(around) for name, symbol in scope.symbols.items()}
    return {
        "pc": frame.pc(),
        "registers": registers(frame),
        "values": {e: described(partial(evaluate, e, in_scope, frame)) for e in expressions},
        "scopes": [scope_record(scope, frame) for scope in around if scopes],
    }


def scope_record(scope: Scope, frame: Any) -> dict[str, Any]:
    variables = [variable(symbol, frame) for symbol in scope.symbols.values()]
    return {"function": scope.function, "lexical": scope.lexical, "variables": variables}


def registers(frame: Any) -> dict[str, int]:
    """The general registers, unsigned."""
    found = {}
    for register in frame.architecture().registers("general"):
        try:
            found[register.name] = int(frame.read_register(register)) % 2**64
        except (gdb.error, TypeError):
            continue  # not an integer, or not known to qemu
    return found


def scopes_at(pc: int) -> list[Scope]:
    """The blocks around `pc`, innermost first, up to the concrete function.

    From the pc, not from the frame: at the first instruction of an inlined copy gdb still shows the frame
    around it.
    """
    scopes = []
    block = gdb.block_for_pc(pc)
    while block is not None and not block.is_static and not block.is_global:
        symbols = {symbol.name: symbol for symbol in block if is_variable(symbol)}
        scopes.append(Scope(function_around(block), block.function is None, symbols))
        block = block.superblock
    return scopes


def is_variable(symbol: Any) -> bool:
    """Whether `symbol` is a parameter or variable, maybe a constant one, not an enumerator."""
    if not symbol.is_constant:
        return bool(symbol.is_argument or symbol.is_variable)
    a_type = symbol.type.strip_typedefs()
    return a_type.code != gdb.TYPE_CODE_ENUM or symbol.name not in {field.name for field in a_type.fields()}


def function_around(block: Any) -> str:
    """The name of the function, maybe inlined, that `block` is part of."""
    while block.function is None:
        block = block.superblock
    return str(block.function.name)


def evaluate(expression: str, in_scope: dict[str, Any], frame: Any) -> Any:
    """The value of a C expression; names in scope at the pc are handed to gdb as convenience variables."""

    def replace(match: re.Match[str]) -> str:
        name = match[0]
        if name not in in_scope:
            return name
        gdb.set_convenience_variable(f"in_scope_{name}", value_of(in_scope[name], frame))
        return f"$in_scope_{name}"

    if expression in in_scope:
        return value_of(in_scope[expression], frame)
    return gdb.parse_and_eval(_IDENTIFIER.sub(replace, expression))


def value_of(symbol: Any, frame: Any) -> Any:
    return symbol.value(frame) if symbol.needs_frame else symbol.value()


def variable(symbol: Any, frame: Any) -> dict[str, Any]:
    """A variable in scope with its value."""
    found = described(partial(value_of, symbol, frame))
    found.update(
        name=symbol.name, parameter=symbol.is_argument, type=str(symbol.type), size=symbol.type.sizeof
    )
    return found


def described(get: Callable[[], Any]) -> dict[str, Any]:
    """A value: type, size, bytes in hex ("??": not known), address, whether optimised out; or gdb's error."""
    found: dict[str, Any] = {
        "hex": None,
        "integer": None,
        "address": None,
        "optimized_out": False,
        "error": None,
    }
    try:
        value = get()
        found.update(type=str(value.type), size=value.type.sizeof)
        if value.address is not None:
            found["address"] = int(value.address) % 2**64
        found["hex"] = hexadecimal(value)
        found["optimized_out"] = bool(value.is_optimized_out) and "??" * value.type.sizeof == found["hex"]
        if is_scalar(value.type):
            found["integer"] = int(value)
    except (gdb.error, ValueError, OverflowError, TypeError, RuntimeError) as error:
        found["error"] = str(error)
    return found


def is_scalar(a_type: Any) -> bool:
    scalars = (
        gdb.TYPE_CODE_INT,
        gdb.TYPE_CODE_PTR,
        gdb.TYPE_CODE_ENUM,
        gdb.TYPE_CODE_BOOL,
        gdb.TYPE_CODE_CHAR,
    )
    return a_type.strip_typedefs().code in scalars


def hexadecimal(value: Any) -> str:
    """The bytes of `value` as they are in memory, or would be."""
    size = value.type.sizeof
    if size > _MAX_BYTES:
        raise ValueError(f"{size} bytes are too many")
    if value.address is not None:
        return bytes(gdb.selected_inferior().read_memory(value.address, size)).hex() if size else ""
    bits = Bits()
    bits.add(value, 0, size * 8)
    return bits.hexadecimal(size)


def float_bits(value: Any) -> int:
    """The IEEE 754 representation of a float or double; ValueError for others."""
    size = value.type.sizeof
    if size not in (4, 8):
        raise ValueError(f"floating-point number of {size} bytes")
    return int.from_bytes(struct.pack("<f" if size == 4 else "<d", float(value)), "little")


class Bits:
    """A value that is in no one place of memory, put together from its scalars; each bit known or not."""

    def __init__(self) -> None:
        self.value = 0
        self.known = 0

    def add(self, value: Any, position: int, width: int) -> None:
        """Add `value`, of `width` bits, at bit `position`."""
        a_type = value.type.strip_typedefs()
        if a_type.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
            for member in a_type.fields():
                member_width = member.bitsize or member.type.sizeof * 8
                self.add(value[member], position + member.bitpos, member_width)
        elif a_type.code == gdb.TYPE_CODE_ARRAY:
            element = a_type.target().sizeof * 8
            first, last = a_type.range()
            for index in range(first, last + 1):
                self.add(value[index], position + (index - first) * element, element)
        elif not value.is_optimized_out:
            number = float_bits(value) if a_type.code == gdb.TYPE_CODE_FLT else int(value)
            mask = (1 << width) - 1
            self.value |= (number & mask) << position
            self.known |= mask << position

    def hexadecimal(self, size: int) -> str:
        """Bytes of which any bit is not known appear as ``??``."""
        pairs = zip(self.value.to_bytes(size, "little"), self.known.to_bytes(size, "little"), strict=True)
        return "".join(f"{byte:02x}" if known == 0xFF else "??" for byte, known in pairs)

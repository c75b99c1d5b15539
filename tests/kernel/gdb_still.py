# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside gdb, started by still.py: goes from pc to pc and notes every variable there, one JSON object a line.

Beside them, as expressions: the members of those that are structs (``name.member``), and some of the unit's variables outside
of functions (``::name``, ``::name.member``).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gdb  # type: ignore[import-untyped,import-not-found,unused-ignore]

from .gdb_script import connect, write
from .gdb_values import described, is_scalar, scopes_at, snapshot, value_of

_MEMBERS = 6


def main(config_path: str) -> None:
    """The file `config_path` is JSON: a folder, the pcs, and how many variables outside of functions to take at each."""
    config = json.loads(Path(config_path).read_text())
    folder = Path(config["folder"])
    for setting in ("pagination off", "confirm off", "print frame-arguments none", "stack-cache off", "code-cache off",
                    "backtrace limit 40"):
        gdb.execute(f"set {setting}")
    with open(folder / "output", "w") as output:
        connect(folder / "socket")
        for pc in config["pcs"]:
            gdb.execute(f"set $pc = {pc:#x}")
            gdb.execute("maintenance flush register-cache", to_string=True)
            record = snapshot([], scopes=True)
            record["values"] = dict([*members_at(pc), *statics_at(pc, config["statics"])])
            write(output, {"watch": 0, "hit": 0, "cpu": 0} | record)


def members_at(pc: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Members of structs in scope, where one variable only has the name."""
    symbols = [symbol for scope in scopes_at(pc) for symbol in scope.symbols.values()]
    names = [symbol.name for symbol in symbols]
    for symbol in symbols:
        if names.count(symbol.name) == 1:
            yield from members(symbol.name, partial(value_of, symbol, gdb.newest_frame()), symbol.type, pc)


def statics_at(pc: int, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Some variables of the pc's unit."""
    block = gdb.block_for_pc(pc)
    if block is None or not number:
        return
    symbols = sorted((s for b in (block.static_block, block.global_block) for s in b if s.is_variable), key=lambda s: s.name)
    for symbol in random.Random(pc).sample(symbols, min(number, len(symbols))):
        yield f"::{symbol.name}", described(symbol.value)
        yield from members(f"::{symbol.name}", symbol.value, symbol.type, pc)


def members(name: str, get: Any, a_type: Any, pc: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Some members of a struct that are numbers, bit-fields before others."""
    bare = a_type.strip_typedefs()
    if bare.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        return
    fields = [field for field in bare.fields() if field.name and is_scalar(field.type)]
    chosen = random.Random(pc).sample(fields, min(2 * _MEMBERS, len(fields)))
    for field in sorted(chosen, key=lambda field: not field.bitsize)[:_MEMBERS]:
        yield f"{name}.{field.name}", described(partial(_member, get, field))


def _member(get: Any, field: Any) -> Any:
    return get()[field]

# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions that tell by the return address whether a hit's caller said what is read."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from localvar.arch import Architecture
from localvar.codegen.expr import c_expression
from localvar.codegen.text import c_comment
from localvar.model.plan import Callers, ReadPlan
from localvar.model.source import is_optional

_SHOWN = 8


@dataclass(frozen=True)
class Called:
    """Definitions of the functions, and the one that proves a hit of each (probe, site) whose handler cannot do without, by
    their indices in the plan."""

    text: str
    proofs: dict[tuple[int, int], str]


def called_name(callers: Callers, arch: Architecture) -> str:
    """The function `bool name(const struct pt_regs *regs)` for these callers: the same for the same."""
    return f"localvar_called_{zlib.crc32(_body(callers, arch).encode()):08x}"


def make_called(plan: ReadPlan, arch: Architecture) -> Called:
    """The functions of a plan."""
    definitions: dict[str, str] = {}
    needed: dict[tuple[int, int], Callers] = {}
    for use, index, read, probes in plan.reads():
        if read.callers is None:
            continue
        _define(read.callers, arch, definitions)
        for probe in probes if not is_optional(use.use) else ():
            known = needed.get((probe, index), read.callers)
            calls = tuple(call for call in read.callers.calls if call in known.calls)
            needed[probe, index] = Callers(read.callers.returns_to, calls)
    for callers in needed.values():
        _define(callers, arch, definitions)
    return Called("\n".join(definitions.values()), {place: called_name(callers, arch) for place, callers in needed.items()})


def _define(callers: Callers, arch: Architecture, definitions: dict[str, str]) -> None:
    names = [name for _, name in callers.calls]
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    name, body = called_name(callers, arch), _body(callers, arch)
    text = f"{c_comment([f'whether it returns to {shown}'])}\nstatic bool {name}(const struct pt_regs *regs)\n{{\n{body}}}\n"
    assert definitions.setdefault(name, text).endswith(body + "}\n"), "two functions of one name"


def _body(callers: Callers, arch: Architecture) -> str:
    cases = "".join(f"\tcase {address:#x}:\n" for address, _ in callers.calls)
    if not cases:
        return "\treturn false;\n"
    return f"\tswitch ({c_expression(callers.returns_to, arch)}) {{\n{cases}\t\treturn true;\n\t}}\n\treturn false;\n"

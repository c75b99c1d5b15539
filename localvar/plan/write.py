# SPDX-License-Identifier: GPL-2.0-or-later
"""SET_LOCAL_VAR: where writing one place changes the variable, and nothing else."""

from __future__ import annotations

from localvar.arch import Architecture
from localvar.model.ctype import is_scalar
from localvar.model.expr import Load
from localvar.model.location import Reason, Register
from localvar.model.memory import is_safe
from localvar.model.plan import How, Read, Scalar
from localvar.plan.read import walk


def _last_loads(read: Read) -> list[Load]:
    """The loads that fetch the value itself: protected where it may lie outside of the variable."""
    nodes = walk(read.source.expr) if isinstance(read.source, Scalar) else []
    return [node for node in nodes if isinstance(node, Load)]


def unwritable(read: Read, arch: Architecture) -> Reason | None:
    """Why the variable cannot be written at the site of a readable read; None where it can.

    A whole variable in a register, or a whole or bit-field member of one in memory; anything else is a copy, a
    computed value, or has parts elsewhere.
    """
    variable = read.variable
    if variable is None or read.how is not How.DIRECT:
        return Reason("not-writable", "it is not in a place of its own here")
    if not is_scalar(read.type):
        return Reason("not-writable", "only scalars can be written")
    if read.address is not None:
        mapped = is_safe(read.address, arch) and all(load.safe for load in _last_loads(read))
        return None if mapped else Reason("not-writable", "a write through a pointer could fault")
    if isinstance(variable.location, Register) and not read.path.steps:
        return None
    return Reason("not-writable", f"it has no place to write to here: {variable.dwarf}")

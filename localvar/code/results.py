# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a clone of a function returns what debug info says that the function does.

gcc leaves a result that no caller uses out of the clones that it makes (ipa-sra.cc, m_return_ignored; ipa-split.cc): rax is then
what the last instruction happened to leave there, while the clone's DIE has the type of the function.  A caller that uses rax
behind its call shows that the result is there.
"""

from __future__ import annotations

from collections.abc import Iterable

from localvar.code.flow import EM_X86_64
from localvar.code.tails import Tails
from localvar.code.x86 import takes_result
from localvar.dwarf.elf import Elf
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.unit import Die
from localvar.model.calls import Call

_BEHIND_CALL = 64
"""Bytes behind a call in which its result is looked for."""

_RAX = 0


def is_remade(elf: Elf, entry: int) -> bool:
    """Whether the function at entry is one that gcc can have left the result out of."""
    return any({"isra", "part"} & set(symbol.name.split(".")[1:]) for symbol in elf.symbols_at(entry))


def returns_value(function: Die, entry: int, calls: Iterable[Call], tails: Tails, elf: Elf) -> bool:
    """Whether one of the calls shows that the function at entry returns something.

    That a caller does not just keep a value of its own in rax across the call (-fipa-ra), it does itself: the function
    changes rax.
    """
    code = tails.instructions(die_ranges(function)) if elf.machine == EM_X86_64 else None
    changed = code is not None and any(_RAX in one.changes and not one.is_call for one in code)
    return changed and any(_is_used(call.returns_to, tails) for call in calls if tails.is_call(call.returns_to, entry))


def _is_used(returns_to: int, tails: Tails) -> bool:
    size = next((size for size in range(_BEHIND_CALL, 0, -16) if tails.code(returns_to, size) is not None), 0)
    code = tails.code(returns_to, size) if size else None
    return code is not None and takes_result(code, returns_to)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a function or an inlined copy is entered, and whether a hit there tells that it was."""

from __future__ import annotations

from localvar.code.arrivals import Arrivals
from localvar.dwarf.scope import Instance
from localvar.model.location import Reason
from localvar.probe.lines import JOINED


def entry_place(instance: Instance, arrivals: Arrivals) -> tuple[int, Reason | None]:
    """The address where an instance is entered; why that is no place, None where it is one.

    Where an inlined copy has no instruction at the address that debug info gives, and other code jumps to what stands
    there, the copy's own code in front of it that runs straight there tells as well.  Raises DwarfError on damage.
    """
    entry, function = instance.entry, instance.chain[-1]
    own = any(low <= entry < high for low, high in instance.ranges)
    if not instance.inlined or own or not arrivals.are_mixed(function, entry):
        return entry, None
    before = (low for low, _ in sorted(instance.ranges) if arrivals.lead_only(function, low, entry))
    first = next(before, None)
    return (entry, JOINED) if first is None else (first, None)

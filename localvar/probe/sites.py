# SPDX-License-Identifier: GPL-2.0-or-later
"""Making a Site of a pc and its scopes: symbol, offset, source line, inlined frames."""

from __future__ import annotations

from localvar.dwarf.elf import STT_FUNC, Elf, Symbol
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import Chain, entry_of, inlined_names, name_of, own_function
from localvar.dwarf.types import line_table
from localvar.model.location import Reason
from localvar.model.site import ScopeRef, Site, SiteKind
from localvar.probe.functions import function_file
from localvar.probe.probeable import Probeable

OVERRIDDEN = Reason("overridden", "no symbol leads there: the linker took another definition of this weak function, and this "
                    "code never runs")
"""Why a function without a symbol is no place: __weak in the kernel is how an architecture replaces a function, and the
weak definition's code and debug info stay in the linked file."""


def make_site(info: DebugInfo, chain: Chain, pc: int, probeable: Probeable, kind: SiteKind = SiteKind.INSTRUCTION,
              outer: bool = False, line: int | None = None) -> Site:
    """The site at pc in the scopes of chain (innermost first); line: which line of its function it was asked for, None: that
    of the instruction.  Raises DwarfError on damage."""
    function = chain[-1]
    ranges = die_ranges(function)
    start = next((low for low, high in ranges if low <= pc < high), pc)
    symbol = best_symbol(info.elf, start, name_of(function))
    base = symbol.value if symbol else start
    file, own_line = line_table(function.unit).place_at(pc) or (None, 0)
    if line is not None and line != own_line:
        file = function_file(own_function(chain))
    section, offset = info.elf.split(pc)
    entry = entry_of((function,))
    entry_section, entry_offset = info.elf.split(entry)
    return Site(
        kind=kind, pc=pc, symbol=symbol.name if symbol else f"{start:#x}", offset=pc - base, module=info.module,
        section=section, section_offset=offset, function=name_of(own_function(chain)) or "?",
        file=file, line=own_line if line is None else line,
        inlined=inlined_names(chain), scope=ScopeRef(tuple(die.key for die in chain)), entry=entry,
        entry_section=entry_section, entry_offset=entry_offset,
        entry_why_not=probeable.why_not(entry, entry), outer=outer and bool(inlined_names(chain)),
        why_not=probeable.why_not(pc, base) if symbol or not info.elf.has_symbols else OVERRIDDEN,
    )


def best_symbol(elf: Elf, address: int, name: str | None) -> Symbol | None:
    """The symbol that names the code at exactly address: the function's own name, then a clone of it, then a global."""
    found = [s for s in elf.symbols_at(address) if not s.name.startswith((".L", "__pfx_", "$"))]

    def rank(symbol: Symbol) -> tuple[bool, bool, bool, str]:
        own = symbol.name == name
        clone = name is not None and symbol.name.startswith(name + ".")
        return not own, not clone, symbol.type != STT_FUNC, symbol.name

    return min(found, key=rank, default=None)



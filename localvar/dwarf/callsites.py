# SPDX-License-Identifier: GPL-2.0-or-later
"""Call sites of a function, with what they pass (DWARF 5 section 3.4; GNU's extension in DWARF 4, the same by other names).

They are searched for by the DIE that they name, the function's own or a declaration of it in another unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from localvar.arch import Architecture
from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError, Unreadable
from localvar.dwarf.expression import evaluate_value
from localvar.dwarf.locate import Locator
from localvar.dwarf.names import dies_named, references_to
from localvar.dwarf.op import Operation, decode
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import entry_of, name_of, origin
from localvar.dwarf.stack import Context
from localvar.dwarf.unit import Die
from localvar.model.calls import Call
from localvar.model.expr import Expr
from localvar.model.location import Location, absent

DECLARATIONS_LIMIT = 64
"""Units that declare a function before its calls are not searched for: each costs a search."""

_ORIGINS = {c.DW_TAG_call_site: c.DW_AT_call_origin, c.DW_TAG_GNU_call_site: c.DW_AT_abstract_origin}
_PARAMETERS = {
    c.DW_TAG_call_site_parameter: (c.DW_AT_call_value, c.DW_AT_call_parameter),
    c.DW_TAG_GNU_call_site_parameter: (c.DW_AT_GNU_call_site_value, c.DW_AT_abstract_origin),
}


@dataclass(frozen=True)
class CallSites:
    """Finds call sites in one file's debug info."""

    locator: Locator
    arch: Architecture

    def calls(self, function: Die, declared: bool) -> Iterator[Call]:
        """The calls, but no tail calls, that debug info says to be of a concrete function or of another instance of the
        same one: what an instruction really calls is for its code to tell.  declared: it may be called by name from other
        units.  Raises Unreadable where these are too many."""
        seen: set[int] = set()
        for target in self._named(function, declared):
            for tag, attribute in _ORIGINS.items():
                for chain in references_to(target, attribute, {tag}):
                    call = self._call(chain)
                    if call is not None and call.returns_to not in seen:
                        seen.add(call.returns_to)
                        yield call

    def _named(self, function: Die, declared: bool) -> Iterator[Die]:
        """The DIEs that a call site can name the function by."""
        found = {function.key: function}
        die: Die | None = function
        while die is not None and len(found) < 16:
            die = die.reference(c.DW_AT_abstract_origin) or die.reference(c.DW_AT_specification)
            if die is not None:
                found[die.key] = die
        name = name_of(function)
        if declared and name:
            others = dies_named(function.unit.info, name, {c.DW_TAG_subprogram}, limit=DECLARATIONS_LIMIT + 1)
            if len(others) > DECLARATIONS_LIMIT:
                raise Unreadable("caller-unknown", f"it is called from more than {DECLARATIONS_LIMIT} files, too many to search")
            found |= {die.key: die for die in others}
        yield from found.values()

    def _call(self, chain: tuple[Die, ...]) -> Call | None:
        site = chain[0]
        if site.flag(c.DW_AT_call_tail_call) or site.flag(c.DW_AT_GNU_tail_call):
            return None
        new = site.tag == c.DW_TAG_call_site
        returns_to = site.address(c.DW_AT_call_return_pc if new else c.DW_AT_low_pc)
        functions = [die for die in chain if die.tag == c.DW_TAG_subprogram]
        if not returns_to or not functions or not die_ranges(functions[-1]):
            return None
        caller = functions[-1]
        registers, stack, parameters = dict[int, Expr](), dict[int, Expr](), dict[int, Expr]()
        for child in site.children():
            value = self._passed(child, caller, returns_to) if child.tag in _PARAMETERS else None
            if value is None:
                continue
            parameter = child.reference(_PARAMETERS[child.tag][1])
            if parameter is not None:
                parameters.setdefault(origin(parameter).key, value)
            elif (number := self._register(child)) is not None:
                registers.setdefault(number, value)
            elif (distance := self._on_stack(child)) is not None:
                stack.setdefault(distance, value)
        return Call(returns_to, self._name(caller, returns_to), registers, parameters, stack)

    def _name(self, caller: Die, returns_to: int) -> str:
        name, ranges = name_of(caller) or "?", die_ranges(caller)
        entry = entry_of((caller,))
        beside = any(low <= entry < high and low < returns_to <= high for low, high in ranges)
        return f"{name}+{returns_to - entry:#x}" if beside else f"{name} at {returns_to:#x}"

    def _passed(self, die: Die, caller: Die, returns_to: int) -> Expr | None:
        """What a DW_TAG_call_site_parameter states; None where it cannot be read."""
        data = die.block(_PARAMETERS[die.tag][0])
        try:
            return None if data is None else evaluate_value(data, self._at_call(caller, returns_to))
        except (Unreadable, DwarfError):
            return None

    def _operation(self, die: Die) -> Operation | None:
        """The one operation that says where a parameter is passed."""
        location = die.block(c.DW_AT_location)
        try:
            operations = decode(location, *die.unit.sizes[:2]) if location else ()
        except DwarfError:
            return None
        return operations[0] if len(operations) == 1 else None

    def _on_stack(self, die: Die) -> int | None:
        """The distance from the stack pointer at the call to where a parameter is passed; None for one elsewhere."""
        operation = self._operation(die)
        at_stack = operation is not None and operation.code == c.DW_OP_breg0 + self.arch.stack_pointer
        return operation.number() if operation is not None and at_stack and operation.number() >= 0 else None

    def _register(self, die: Die) -> int | None:
        """The register that a parameter is passed in; None for one in memory."""
        operation = self._operation(die)
        if operation is None:
            return None
        code = operation.code
        if code == c.DW_OP_regx:
            return operation.number()
        return code - c.DW_OP_reg0 if c.DW_OP_reg0 <= code <= c.DW_OP_reg31 else None

    def _at_call(self, caller: Die, returns_to: int) -> Context:
        """What an expression of the caller sees at the call.  Rules are looked up inside of the call instruction, as
        unwinders do: what is behind it may be another function."""
        pc = returns_to - 1

        def no_variable(_: int) -> Location:
            return absent("caller-unknown", "it depends on a variable of the caller")

        return Context(caller.unit, self.arch, lambda: self.locator.frame_base((caller,), pc),
                       lambda: self.locator.cfa(caller, pc), no_variable)

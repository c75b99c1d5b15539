# SPDX-License-Identifier: GPL-2.0-or-later
"""From a name and a site to a Variable: its type and its Location at exactly that pc (DWARF 5 sections 2.6, 3.3, 4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from localvar.arch import Architecture
from localvar.dwarf import constants as c
from localvar.dwarf.addresses import link_address, pointer_value
from localvar.dwarf.body import behind_frame, is_bound_register, not_there, uses_registers
from localvar.dwarf.cfi import CallFrames, RegisterOffset
from localvar.dwarf.convention import on_entry, returned
from localvar.dwarf.describe import describe
from localvar.dwarf.errors import DwarfError, Unreadable
from localvar.dwarf.expression import evaluate, evaluate_value
from localvar.dwarf.forms import ADDRESSES, CONSTANTS, STRINGS
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.loclists import expressions_at
from localvar.dwarf.names import dies_named, references_to
from localvar.dwarf.op import decode
from localvar.dwarf.scope import (
    VARIABLE_TAGS,
    Chain,
    attribute_of,
    chain_at,
    entry_of,
    holds,
    name_of,
    origin,
    own_function,
)
from localvar.dwarf.stack import Context, rule_context
from localvar.dwarf.types import declared, line_table, type_of
from localvar.dwarf.unit import Die
from localvar.model import fold
from localvar.model.ctype import BaseType, CType, size_of, strip
from localvar.model.expr import Address, Entry, Expr, Parameter, PerCpu, Reg, contains
from localvar.model.location import (
    Absent,
    Constant,
    EntryValue,
    Location,
    Memory,
    Pieces,
    Reason,
    Register,
    Value,
    absent,
)
from localvar.model.plan import Variable, VariableKind
from localvar.model.site import ScopeRef, Site

POINTER_LIMIT = 16
"""Variables that are looked up for the location of one: implicit pointers to implicit pointers."""


class Locator:
    """Finds variables in one file's debug info.  All answers are for one pc: that of the site asked about."""

    def __init__(self, info: DebugInfo, arch: Architecture) -> None:
        self.info = info
        self.arch = arch
        self._pending: set[int] = set()

    @cached_property
    def frames(self) -> CallFrames:
        """The file's call frame information."""
        return CallFrames(self.info.elf)

    def chain(self, scope: ScopeRef) -> Chain:
        """The scope's DIEs."""
        return tuple(self.info.die(offset) for offset in scope.dies)

    # -- names ----------------------------------------------------------------------------------------------------

    def variables(self, site: Site) -> list[Variable]:
        """The variables of the site's own function that are in scope there, innermost scope first, in the order of
        declaration; one that an inner scope hides is left out."""
        chain = self.chain(site.scope)
        seen: set[str] = set()
        found = []
        for die, scope in self._visible(chain, site.outer):
            name = name_of(die)
            if name and name not in seen:
                seen.add(name)
                found.append(self._variable(die, name, scope, chain, site.pc))
        return found

    def variable(self, site: Site, name: str) -> Variable | None:
        """The variable that a name means at a site: own function first, then file scope; None where there is none."""
        chain = self.chain(site.scope)
        for die, scope in self._visible(chain, site.outer):
            if name_of(die) == name:
                return self._variable(die, name, scope, chain, site.pc)
        unit = chain[-1].unit
        at_file_scope = [die for entry in unit.top_level if entry[1].tag == c.DW_TAG_variable
                         and name_of(die := Die(unit, entry)) == name]
        if not at_file_scope:
            return None
        # a definition behind a declaration refers to it (DW_AT_specification)
        die = next((die for die in at_file_scope if _holder(die) is not None), at_file_scope[0])
        return self._variable(die, name, line_table(unit).name, chain, site.pc)

    def held(self, site: Site) -> list[Variable]:
        """Every variable of every scope that holds the site's pc, and of the site's own, which need not (a copy that is entered
        outside its code); those among them that C does not see there, once for each of the locations that hold there."""
        found, seen = [], set[int]()
        for chain in (chain_at(self.info.die(site.scope.dies[-1]), site.pc), self.chain(site.scope)):
            for index, scope in enumerate(chain):
                if scope.key not in seen:
                    seen.add(scope.key)
                    found += self._declared_in(scope, chain[index:], chain, site.pc)
        return found

    def _declared_in(self, scope: Die, around: Chain, chain: Chain, pc: int) -> list[Variable]:
        """The variables of one scope of a chain, with each location that holds at pc.  around: the scope and those around it."""
        function = name_of(own_function(around)) or "?"
        return [Variable(name_of(die) or "?", _kind(die, location), type_of(_typed(die)), function, location, words, die.key,
                         declared(origin(die)))
                for die in scope.children() if die.tag in VARIABLE_TAGS
                for location, words in dict(self._guarded(die, chain, pc)).items()]

    def _visible(self, chain: Chain, outer: bool) -> Iterator[tuple[Die, str]]:
        """Variable DIEs with the name of their function: those of the scopes up to and with the innermost function (C
        does not see its caller's names), of the functions around it too where outer."""
        for index, scope in enumerate(chain):
            function = own_function(chain[index:])
            name = name_of(function) or "?"
            concrete = [die for die in scope.children() if die.tag in VARIABLE_TAGS]
            for die in (*concrete, *_left_out(scope, concrete)):
                yield die, name
            if scope is function and not outer:
                return

    def _variable(self, die: Die, name: str, scope: str, chain: Chain, pc: int) -> Variable:
        location, words = self.location(die, chain, pc)
        return Variable(name, _kind(die, location), type_of(_typed(die)), scope, location, words, die.key,
                        declared(origin(die)))

    # -- statics --------------------------------------------------------------------------------------------------

    def static_variable(self, name: str, file: str | None) -> Variable | Reason:
        """The variable with static storage of that name, at file scope or in a function, in a file whose path ends in
        `file`.  Several different ones, or none, or one that is nowhere, is a Reason."""
        found: dict[object, Variable] = {}
        gone: Reason | None = None
        for die in self._definitions(name, file):
            table = line_table(die.unit)
            variable = self._variable(die, name, table.file(origin(die).constant(c.DW_AT_decl_file)) or table.name, (die,), 0)
            if isinstance(variable.location, Memory) and isinstance(variable.location.address, (Address, PerCpu)):
                found.setdefault(variable.location.address, variable)
            elif isinstance(variable.location, Constant) and _is_at_file_scope(die):
                # within a function debug info does not tell whether a constant is static
                found.setdefault(die.key, variable)
            elif isinstance(variable.location, Absent) and (_is_at_file_scope(die) or _has_address(die)):
                gone = gone or variable.location.reason
        if len(found) == 1:
            return next(iter(found.values()))
        where = f" in '{file}'" if file else ""
        if not found and gone is not None:
            return Reason(gone.slug, f"variable '{name}'{where} has no value: {gone.text}")
        if not found:
            return Reason("no-such-variable", f"no variable '{name}' with static storage{where}")
        files = ", ".join(sorted(f"{v.scope}:{v.declared.line}" for v in found.values()))
        return Reason("ambiguous", f"'{name}'{where} is more than one variable: {files}")

    def _definitions(self, name: str, file: str | None) -> Iterator[Die]:
        """DIEs that define a variable of that name: with a place or a value, in a unit or declared in a file that `file`
        names.  gcc puts the name on the declaration where there is one (DW_AT_specification)."""
        for die in dies_named(self.info, name, {c.DW_TAG_variable}):
            if file is not None and not _is_in(die, file):
                continue
            if c.DW_AT_location in die or c.DW_AT_const_value in die:
                yield die
            elif die.flag(c.DW_AT_declaration):
                for chain in references_to(die, c.DW_AT_specification, {c.DW_TAG_variable}):
                    yield chain[0]

    # -- entry and return -----------------------------------------------------------------------------------------

    def entry_variables(self, site: Site) -> list[Variable]:
        """The parameters of the containing concrete function, as they were on its entry."""
        function = self.info.die(site.scope.dies[-1])
        found = []
        for die in function.children():
            name = name_of(die)
            if die.tag == c.DW_TAG_formal_parameter and name:
                location, words = self.location(die, (function,), site.entry)
                ctype = type_of(_typed(die))
                found.append(Variable(name, VariableKind.PARAMETER, ctype, name_of(function) or "?",
                                      on_entry(location, ctype, self.arch), f"on entry: {words}", die.key, declared(origin(die))))
        return found

    def entry_variable(self, site: Site, name: str) -> Variable | None:
        """The parameter of that name of the containing concrete function, as it was on its entry."""
        return next((variable for variable in self.entry_variables(site) if variable.name == name), None)

    def return_value(self, site: Site) -> Variable:
        """What the concrete function returns, at its return (the psABI's rules for results of class INTEGER and MEMORY)."""
        function = self.info.die(site.scope.dies[-1])
        ctype = type_of(_typed(function))
        location = returned(ctype, self.arch)
        if function.constant(c.DW_AT_calling_convention) == c.DW_CC_nocall:
            location = absent("no-result", "by debug info its function does not follow the calling convention (DW_CC_nocall)")
        return Variable("return", VariableKind.LOCAL, ctype, name_of(function) or "?", location, "return value",
                        function.key, declared(origin(function)))

    def frame(self, site: Site) -> Expr | Reason:
        """The canonical frame address at a site, or why it is not known."""
        try:
            return self.cfa(self.info.die(site.scope.dies[-1]), site.pc)
        except Unreadable as problem:
            return problem.reason
        except DwarfError as problem:
            return Reason("damaged", f"damaged call frame information: {problem}")

    # -- locations ------------------------------------------------------------------------------------------------

    def location(self, die: Die, chain: Chain, pc: int) -> tuple[Location, str]:
        """Where a variable is at pc, and that in words.  Damage is Absent with the reason, never an exception."""
        return min(self._guarded(die, chain, pc), key=lambda candidate: _rank(candidate[0]))

    def _guarded(self, die: Die, chain: Chain, pc: int) -> list[tuple[Location, str]]:
        if die.key in self._pending or len(self._pending) > POINTER_LIMIT:
            return [(absent("too-complex", "its location refers to itself"), "circular")]
        self._pending.add(die.key)
        try:
            return self._candidates(die, chain, pc)
        except DwarfError as problem:
            return [(absent("damaged", f"damaged debug info: {problem}"), "damaged")]
        finally:
            self._pending.discard(die.key)

    def _candidates(self, die: Die, chain: Chain, pc: int) -> list[tuple[Location, str]]:
        """All locations that hold at pc, one at least."""
        holder = _holder(die)
        if holder is None:
            return [self._without_location(die)]
        if c.DW_AT_location not in holder:
            return [(self._constant(holder, type_of(_typed(die))), "DW_AT_const_value")]
        expressions = expressions_at(holder, c.DW_AT_location, pc, lambda: _is_passed(die, chain[-1], pc))
        if not expressions:
            return [(absent("no-range", "it has no value at this address (not yet assigned, or no longer needed)"), "no range")]
        if (found := self._of_body(holder, chain, pc, type_of(_typed(die)))) is not None:
            return [(found, self._words(expressions[0], holder))]
        context = self._context(holder, chain, pc)
        return [(evaluate(data, context), self._words(data, holder)) for data in expressions]

    def _of_body(self, holder: Die, chain: Chain, pc: int, ctype: CType) -> Location | None:
        """A location that is the same in all of a function, and so not quite true at pc; a location list knows the pc."""
        data = holder.block(c.DW_AT_location)
        if data is None:
            return None
        own = decode(data, *holder.unit.sizes[:2])
        if uses_registers(own) and _is_outside(holder, chain, pc):
            return absent("no-range", "this address is before or behind the code of its scope")
        if is_bound_register(own, holder.tag, holder.unit.root.string(c.DW_AT_producer) or ""):
            return absent("not-tracked", "it is a register variable of an asm statement, which holds its value there only")
        base = chain[-1].block(c.DW_AT_frame_base) if any(one.code == c.DW_OP_fbreg for one in own) else None
        of_base = decode(base, *chain[-1].unit.sizes[:2]) if base is not None else ()
        reason = not_there(self.frames, pc, self.arch, own, of_base, isinstance(strip(ctype), BaseType))
        behind = behind_frame(self.frames, pc, self.arch, own) if reason is not None else None
        if behind is None:
            return None if reason is None else Absent(reason)
        try:
            return Memory(fold.add(self.cfa(holder, pc), behind))
        except Unreadable as problem:
            return Absent(problem.reason)

    def _without_location(self, die: Die) -> tuple[Location, str]:
        first = origin(die)
        if any(one.flag(attribute) for one in (die, first) for attribute in (c.DW_AT_declaration, c.DW_AT_external)):
            return absent("declaration", "it is only declared here; GET_STATIC_VAR reads variables of other files"), "declaration"
        return absent("optimized-out", "the compiler kept no location for it (optimized out)"), "no location"

    def _constant(self, holder: Die, ctype: CType) -> Location:
        """DW_AT_const_value (section 4.1, item 10): a block or string holds the bytes; gcc and clang write negative
        numbers as sdata, others zero-extend; gcc writes addresses too (dwarf2out.cc, add_const_value_attribute)."""
        size = size_of(ctype)
        form, value = holder.attributes[c.DW_AT_const_value]
        if form in ADDRESSES:
            try:
                address = link_address(holder.address(c.DW_AT_const_value) or 0, self.info, self.arch)
            except Unreadable as problem:
                return Absent(problem.reason)
            return Value(pointer_value(address))
        block = holder.block(c.DW_AT_const_value)
        if form in STRINGS:
            block = (holder.string(c.DW_AT_const_value) or "").encode("utf-8", "surrogateescape") + b"\0"
            block = block if size is None else block[:size].ljust(size, b"\0")
        if block is None and isinstance(value, bytes):
            block = value
        if block is None:
            if size is None or size > 16 or form not in CONSTANTS or not isinstance(value, int):
                return absent("damaged", f"a constant of form {form:#x} for a type of {size} bytes")
            block = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        if size is not None and len(block) != size:
            return absent("damaged", f"a constant of {len(block)} bytes for a type of {size}")
        return Constant(block)

    def _words(self, data: bytes, die: Die) -> str:
        address_size, offset_size, _ = die.unit.sizes
        return describe(data, self.arch, address_size, offset_size)

    def _context(self, die: Die, chain: Chain, pc: int) -> Context:
        def frame_base() -> Expr:
            return self.frame_base(chain, pc)

        def cfa() -> Expr:
            return self.cfa(die, pc)

        def variable(offset: int) -> Location:
            return self.location(self.info.die(offset), chain, pc)[0]

        return Context(die.unit, self.arch, frame_base, cfa, variable)

    def frame_base(self, chain: Chain, pc: int) -> Expr:
        """The frame base of the containing concrete function (section 3.3.5).  Raises Unreadable."""
        function = chain[-1]
        if c.DW_AT_frame_base not in function:
            raise Unreadable("no-frame-base", "debug info gives its function no frame base")
        expressions = expressions_at(function, c.DW_AT_frame_base, pc)
        if not expressions:
            raise Unreadable("no-frame-base", "debug info gives its function no frame base at this address")
        location = evaluate(expressions[0], replace(self._context(function, chain, pc), frame_base=_no_frame_base))
        if isinstance(location, Register):
            return Reg(location.number, self.arch.address_bits)
        if isinstance(location, Memory):
            return location.address
        if isinstance(location, Value):
            return location.expr
        if isinstance(location, Absent):
            raise Unreadable(location.reason.slug, f"of the frame of its function: {location.reason.text}")
        raise Unreadable("no-frame-base", "the frame base of its function is no address")

    def cfa(self, die: Die, pc: int) -> Expr:
        """The canonical frame address at pc, from call frame information (section 6.4).  Raises Unreadable."""
        row = self.frames.row(pc)
        if row is None or row.cfa is None:
            raise Unreadable("no-cfi", "no call frame information covers this address")
        if isinstance(row.cfa, RegisterOffset):
            if row.cfa.register not in self.arch.pt_regs:
                raise Unreadable("register", f"the frame is in {self.arch.register_name(row.cfa.register)}, not saved at a probe")
            return fold.add(Reg(row.cfa.register, self.arch.address_bits), row.cfa.offset)
        return evaluate_value(row.cfa.data, rule_context(die.unit, self.arch))


def _is_at_file_scope(die: Die) -> bool:
    """Whether a variable is not within a function."""
    return any(Die(die.unit, entry).key == die.key for entry in die.unit.top_level if entry[1].tag == c.DW_TAG_variable)


def _has_address(die: Die) -> bool:
    """Whether a variable's place is one that the linker gave."""
    data = die.block(c.DW_AT_location)
    operations = decode(data, *die.unit.sizes[:2]) if data else ()
    return bool(operations) and operations[0].code in (c.DW_OP_addr, c.DW_OP_addrx, c.DW_OP_GNU_addr_index)


def _is_in(die: Die, file: str) -> bool:
    """Whether a variable's unit, or the file that declares it, is `file` or ends in it."""
    unit = die.unit.root.string(c.DW_AT_name) or ""
    if unit == file or unit.endswith("/" + file):
        return True
    if die.flag(c.DW_AT_declaration):
        return False
    path = line_table(die.unit).file(die.constant(c.DW_AT_decl_file)) or ""
    return path == file or path.endswith("/" + file)


def _rank(location: Location) -> int:
    """Of several locations that hold at once (section 2.6.2), the one that takes least to read."""
    if isinstance(location, Absent):
        return 9
    expr = location.expr if isinstance(location, Value) else location.address if isinstance(location, Memory) else None
    if expr is not None and contains(expr, Parameter):
        return 8
    if isinstance(location, EntryValue) or (expr is not None and contains(expr, Entry)):
        return 6
    return {Register: 0, Constant: 1, Memory: 2, Value: 3, Pieces: 4}.get(type(location), 5)


def _is_passed(die: Die, function: Die, pc: int) -> bool:
    """Whether die is a parameter of a concrete function that begins at pc."""
    return (die.tag == c.DW_TAG_formal_parameter and entry_of((function,)) == pc
            and any(child.key == die.key for child in function.children()))


def _holder(die: Die) -> Die | None:
    """The DIE that says where a variable is or what its value is: itself, or the abstract instance for what is the same
    in all concrete ones (section 3.3.8.2: constants, static variables)."""
    for _ in range(16):
        if c.DW_AT_location in die or c.DW_AT_const_value in die:
            return die
        following = die.reference(c.DW_AT_abstract_origin) or die.reference(c.DW_AT_specification)
        if following is None:
            return None
        die = following
    return None


def _is_outside(die: Die, chain: Chain, pc: int) -> bool:
    """Whether pc is outside the code of the scope that a variable is declared in: at the entry of an inlined copy."""
    return not holds(chain[0], pc) and any(die in scope.children() and not holds(scope, pc) for scope in chain)


def _no_frame_base() -> Expr:
    raise Unreadable("no-frame-base", "the frame base of its function refers to itself")


def _kind(die: Die, location: Location) -> VariableKind:
    if die.tag == c.DW_TAG_formal_parameter:
        return VariableKind.PARAMETER
    static = isinstance(location, Memory) and isinstance(location.address, (Address, PerCpu))
    return VariableKind.STATIC if static or origin(die).flag(c.DW_AT_external) else VariableKind.LOCAL


def _typed(die: Die) -> Die:
    """The DIE that states the type: a concrete instance of a variable-length array states its own."""
    return attribute_of(die, c.DW_AT_type) or die


def _left_out(scope: Die, concrete: list[Die]) -> Iterator[Die]:
    """Variables of the abstract instance that the concrete one does not mention: in scope, without a location."""
    abstract = origin(scope)
    if abstract == scope:
        return
    mentioned = {origin(die).key for die in concrete}
    for die in abstract.children():
        if die.tag in VARIABLE_TAGS and die.key not in mentioned:
            yield die

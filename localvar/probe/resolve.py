# SPDX-License-Identifier: GPL-2.0-or-later
"""The resolve stage: what a coordinate means in one kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import islice

from localvar.code.arrivals import Arrivals
from localvar.code.instructions import instruction_starts
from localvar.diagnostics import Failure, Note, Span, source_failure
from localvar.dwarf import constants as c
from localvar.dwarf.elf import SHF_EXECINSTR
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.scope import (
    Chain,
    Instance,
    blocks_within,
    chain_at,
    entry_of,
    function_at,
    instance_of,
    name_of,
    origin,
    own_function,
)
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die, Unit
from localvar.model.location import Reason
from localvar.model.site import Site, SiteKind
from localvar.probe.callee import OF_COMPILER, direct_calls, inlined_callees, named_calls
from localvar.probe.coordinate import (
    AbsoluteAddress,
    ByteOffset,
    Coordinate,
    Function,
    Lines,
    RelativeLine,
    Statement,
    Variant,
    Where,
)
from localvar.probe.entries import entry_place
from localvar.probe.functions import (
    all_instances,
    begun_at_symbols,
    close_names,
    function_file,
    glob_names,
    is_clone,
    is_exported,
    matching_functions,
    units_of_file,
)
from localvar.probe.labels import labels_of, narrow
from localvar.probe.lineplaces import (
    asked_line,
    first_line,
    in_files,
    in_functions,
    nearest_in_files,
    nearest_in_functions,
    wanted_lines,
)
from localvar.probe.lines import LinePlace
from localvar.probe.names import is_glob
from localvar.probe.probeable import Probeable
from localvar.probe.sites import OVERRIDDEN, make_site
from localvar.probe.statements import Wanted

FUNCTION_LIMIT = 1000
"""Functions that one glob may match: each is a search of the debug info, and a probe."""

SITE_LIMIT = 10000
"""Places that one coordinate may name, and functions that a glob may match in files: arming more takes minutes."""

_NARROWER = "a narrower pattern or file"


class Resolver:
    """Resolves coordinates against one file's debug info."""

    def __init__(self, info: DebugInfo, arrivals: Arrivals) -> None:
        self.info = info
        self.arrivals = arrivals
        self.probeable = Probeable(info.elf)
        self._whole = "this kernel" if info.module is None else f"module {info.module}"

    def resolve(self, coordinate: Coordinate, span: Span | None = None) -> list[Site]:
        """The sites that a coordinate names, by address: where that code runs, so not in weak functions that were replaced,
        unless there is nothing else.  Raises Failure, at span, where there is none."""
        target = coordinate.target
        if isinstance(target, AbsoluteAddress):
            sites = [self._at_address(target.address, span)]
        else:
            found = self._function(target, span) if isinstance(target, Function) else self._statement(target, span)
            sites = list(islice(found, SITE_LIMIT + 1))
            refuse_too_many(sites, span)
        live = [site for site in sites if site.why_not is not OVERRIDDEN]
        unique = {(site.pc, site.scope, site.kind): site for site in live or sites}
        return sorted(unique.values(), key=lambda site: (site.pc, site.scope.dies))

    # -- functions ------------------------------------------------------------------------------------------------

    def _functions(self, name: str, file: str | None, span: Span | None) -> list[Die]:
        if is_glob(name) and file is None:
            matched = len(glob_names(self.info.elf, name))
            if matched > FUNCTION_LIMIT:
                raise source_failure("too-many", f"'{name}' matches {matched} functions; no more than {FUNCTION_LIMIT} at once",
                                     span, fix=f"a narrower pattern, or a file: '{name}@file.c:*'")
        found = matching_functions(self.info, name, file, SITE_LIMIT + 1)
        if len(found) > SITE_LIMIT:
            raise source_failure("too-many", f"'{name}' matches more than {SITE_LIMIT} functions in '{file}'", span,
                                 fix=_NARROWER)
        if found:
            return found
        raise self._no_function(name, file, span)

    def _no_function(self, name: str, file: str | None, span: Span | None) -> Failure:
        if file is not None and is_glob(name):
            if not units_of_file(self.info, file):
                raise self._no_file(file, span)
            return source_failure("no-such-function", f"no function of '{file}' is '{name}'", span)
        elsewhere = matching_functions(self.info, name, None) if file is not None else []
        if elsewhere:
            files = sorted({path for die in elsewhere if (path := function_file(die))})
            return source_failure("no-such-function", f"function '{name}' is not in '{file}'", span,
                                  notes=(Note(f"it is in {', '.join(files[:5])}"),))
        if not is_glob(name) and self.info.elf.symbols_named(name):
            return source_failure("no-debug-info", f"'{name}' is a symbol of this kernel, but debug info does not describe it "
                                  "(assembler code, or an alias)", span)
        close = close_names(self.info.elf, name)
        notes = (Note(f"close names: {', '.join(close)}"),) if close else ()
        return source_failure("no-such-function", f"no function '{name}' in {self._whole}", span, notes=notes)

    def _no_file(self, file: str, span: Span | None) -> Failure:
        return source_failure("no-such-file", f"no source file '{file}' in debug info of {self._whole}", span)

    def _instances(self, target: Function | Statement, span: Span | None) -> list[Instance]:
        functions = self._functions(target.name, target.file, span)
        if isinstance(target, Function) and target.exported:
            functions = [die for die in functions if is_exported(self.info.elf, die)]
            if not functions:
                raise source_failure("not-exported", f"function '{target.name}' is not exported to modules", span)
        found = list(all_instances(functions))
        if _is_of_symbols(target.name, functions):
            found = begun_at_symbols(self.info, target.name, found)
        if not found:
            raise source_failure("no-code", f"function '{target.name}' has no code in this kernel (every use was optimized out)",
                                 span)
        return found

    def _function(self, target: Function, span: Span | None) -> Iterator[Site]:
        if target.callee is not None:
            yield from self._callee(target, span)
            return
        if target.lines is not None:
            yield from self._around_lines(target, span)
            return
        if target.label is not None:
            yield from self._label(target, span)
            return
        found = self._instances(target, span)
        if target.variant in (Variant.CALL, Variant.RETURN):
            found = self._only(found, False, target, span)
        elif target.variant is Variant.INLINE:
            found = self._only(found, True, target, span)
        kind = SiteKind.RETURN if target.variant is Variant.RETURN else SiteKind.INSTRUCTION
        for instance in self._beginning(found, target, span):
            yield self._entered(instance, kind)

    def _entered(self, instance: Instance, kind: SiteKind = SiteKind.INSTRUCTION) -> Site:
        """The site where an instance is entered."""
        entry, why_not = entry_place(instance, self.arrivals)
        site = self._site(blocks_within(instance.chain, entry), entry, kind)
        return _with_reason(site, why_not)

    def _around_lines(self, target: Function, span: Span | None) -> Iterator[Site]:
        """Entries of the functions and inlined copies that have code of the lines."""
        found = False
        for inside in self._statement(Statement(target.name, target.file, target.lines), span):
            chain = tuple(self.info.die(key) for key in inside.scope.dies)
            own = own_function(chain)
            inlined = own is not chain[-1]
            if target.variant is not Variant.ANY and inlined is not (target.variant is Variant.INLINE):
                continue
            found = True
            kind = SiteKind.RETURN if target.variant is Variant.RETURN else SiteKind.INSTRUCTION
            instance = instance_of(chain[chain.index(own) :])
            if instance is not None:
                yield self._entered(instance, kind)
        if not found:
            raise source_failure("no-code", f"no such code of '{target.name}' at line {target.lines}", span)

    def _only(self, found: list[Instance], inlined: bool, target: Function, span: Span | None) -> list[Instance]:
        kept = [instance for instance in found if instance.inlined is inlined]
        if not kept:
            lacking, way = ("inlined copy", "never") if inlined else ("code out of line", "always")
            raise source_failure("no-code", f"function '{target.name}' has no {lacking} in this kernel: it is {way} inlined",
                                 span)
        return kept

    def _beginning(self, found: list[Instance], target: Function | Statement, span: Span | None) -> list[Instance]:
        """The instances that begin where their function begins, or at the symbols that the target names."""
        if is_clone(target.name):
            if not (isinstance(target, Function) and target.variant is Variant.RETURN):
                return found
            called = [instance for instance in found if not self._is_piece(instance, "cold")]
            if not called:
                raise source_failure("no-return", f"'{target.name}' is entered by a jump: there is no return address where it "
                                     "begins", span, fix="probe the return of the whole function")
            return called
        begins = [i for i in found if i.inlined or not (self._is_piece(i, "part") or self._is_piece(i, "cold"))]
        if not begins:
            raise source_failure("no-code", f"function '{target.name}' begins nowhere out of line in this kernel: only parts "
                                 "of it were left (.part, .cold)", span, fix="probe its lines, or its inlined copies (.inline)")
        return begins

    def _is_piece(self, instance: Instance, kind: str) -> bool:
        """Whether an instance begins as a `.part` or `.cold` piece, which is not where its function begins."""
        return any(kind in symbol.name.split(".")[1:] for symbol in self.info.elf.symbols_at(instance.entry))

    def _site(self, chain: Chain, pc: int, kind: SiteKind = SiteKind.INSTRUCTION, outer: bool = False) -> Site:
        return make_site(self.info, chain, pc, self.probeable, kind, outer)

    # -- callees --------------------------------------------------------------------------------------------------

    def _callee(self, target: Function, span: Span | None) -> Iterator[Site]:
        """What a function calls: copies inlined into it, and entries of functions where a hit counts when it returns to a
        call in that function."""
        wanted, found, inlined, named = target.callee or "", False, False, set[str]()
        callers: dict[int, set[int]] = {}
        for instance in self._instances(replace(target, callee=None, variant=Variant.ANY), span):
            for name, chain in inlined_callees(instance.chain):
                copy = instance_of(chain) if fnmatchcase(name, wanted) else None
                if copy is not None:
                    inlined = True
                    if target.variant in (Variant.ANY, Variant.INLINE):
                        found = True
                        yield self._entered(copy)
            named |= {name for name in named_calls(instance.chain[0]) if fnmatchcase(name, wanted)}
            if target.variant is not Variant.INLINE:
                self._calls(instance, wanted, callers)
        kind = SiteKind.RETURN if target.variant is Variant.RETURN else SiteKind.INSTRUCTION
        for pc, addresses in sorted(callers.items()):
            site = self._at_entry(pc, kind)
            if site is not None:
                found = True
                yield replace(site, callers=tuple(sorted(addresses)))
        if not found and named and target.variant is not Variant.INLINE:
            one = sorted(named)[0]
            why = "in a module this is not supported" if self.info.module is not None else "they are tail calls, or indirect"
            raise source_failure("not-supported", f"calls of '{one}' in '{target.name}' cannot be told from others: {why}", span,
                                 fix=f'probe kernel.function("{one}") and look at the caller, or the line of the call')
        if not found and (inlined or named):
            how = "inlined into" if inlined else "called out of line by"
            raise source_failure("no-code", f"'{wanted}' is only {how} '{target.name}'", span)
        if not found:
            raise source_failure("no-such-function", f"function '{target.name}' neither calls nor inlines '{wanted}'", span)

    def _calls(self, instance: Instance, wanted: str, callers: dict[int, set[int]]) -> None:
        """Add to callers, by the address called, where the calls that an instance itself makes return to."""
        function = instance.chain[-1]
        for return_pc, called in direct_calls(self.info.elf, function):
            names = {symbol.name.split(".")[0] for symbol in self.info.elf.symbols_at(called)}
            wants = any(fnmatchcase(name, wanted) for name in names) and not any(name.startswith(OF_COMPILER) for name in names)
            if wants and own_function(chain_at(function, return_pc - 1)) == instance.chain[0]:
                callers.setdefault(called, set()).add(return_pc)

    def _at_entry(self, pc: int, kind: SiteKind) -> Site | None:
        """The entry of the function that begins at pc; None where none does."""
        unit = self.info.unit_of_pc(pc)
        function = function_at(unit, pc) if unit else None
        begins = function is not None and entry_of((function,)) == pc
        return self._site(blocks_within((function,), pc), pc, kind) if function is not None and begins else None

    # -- labels ---------------------------------------------------------------------------------------------------

    def _label(self, target: Function, span: Span | None) -> Iterator[Site]:
        wanted, names, found = target.label or "", set(), False
        without_code = False
        for instance in self._instances(target, span):
            for chain, label in labels_of(instance.chain):
                name = name_of(label) or ""
                names.add(name)
                if not fnmatchcase(name, wanted):
                    continue
                pc = label.address(c.DW_AT_low_pc)
                if pc is None:
                    without_code = True
                    continue
                found = True
                yield self._site(blocks_within(narrow(chain, pc), pc), pc)
        if not found and without_code:
            raise source_failure(
                "no-code", f"label '{wanted}' of function '{target.name}' has no address: its code was merged away", span)
        if not found:
            note = f"its labels: {', '.join(sorted(names))}" if names else "it has no labels"
            raise source_failure("no-such-label", f"function '{target.name}' has no label '{wanted}'", span, notes=(Note(note),))

    # -- statements -----------------------------------------------------------------------------------------------

    def _statement(self, target: Statement, span: Span | None) -> Iterator[Site]:
        if target.where is None:
            yield from self._function(Function(target.name, target.file), span)
        elif isinstance(target.where, ByteOffset):
            yield from self._offset(target, target.where.offset, span)
        else:
            yield from self._lines(target, span)

    def _offset(self, target: Statement, offset: int, span: Span | None) -> Iterator[Site]:
        found = self._only(self._instances(target, span), False, Function(target.name, target.file), span)
        for instance in self._beginning(found, target, span):
            pc = instance.entry + offset
            function = instance.chain[-1]
            low, high = next(r for r in instance.ranges if r[0] <= instance.entry < r[1])
            size = high - instance.entry
            if not low <= pc < high:
                raise source_failure("outside-function", f"offset {offset:#x} is outside function '{target.name}' "
                                     f"({size:#x} bytes)", span)
            self._check_boundary(instance, pc, span)
            yield self._site(chain_at(function, pc), pc, outer=True)

    def _check_boundary(self, instance: Instance, pc: int, span: Span | None) -> None:
        """Refuse an address that is not where an instruction begins: a breakpoint there would corrupt the code."""
        low, high = next(r for r in instance.ranges if r[0] <= pc < r[1])
        if pc == low:
            return
        code = self.info.elf.memory(low, high - low)
        starts = instruction_starts(code, low, self.info.elf.machine) if code else set()
        if pc not in starts:
            before = max((s for s in starts if s < pc), default=low)
            after = min((s for s in starts if s > pc), default=None)
            near = f"{before - low:#x}" + (f" and {after - low:#x}" if after is not None else "")
            raise source_failure("not-an-instruction", f"offset {pc - low:#x} is not the start of an instruction", span,
                                 notes=(Note(f"instructions begin at {near}"),))

    def _lines(self, target: Statement, span: Span | None) -> Iterator[Site]:
        if is_glob(target.name) and target.file is not None:
            yield from self._file_lines(target, target.file, span)
            return
        functions = self._functions(target.name, target.file, span)
        sites = self._lines_of(functions, target.where)
        if not sites:
            asked = asked_line(target.where, first_line(functions[0]))
            near = nearest_in_functions(self.arrivals, functions, asked)
            if not target.nearest or not near:
                raise source_failure("no-such-line", f"function '{target.name}' has no code at line {asked}", span,
                                     notes=_near(near))
            sites = self._lines_of(functions, Lines(((near[0], near[0]),)))
        yield from sites

    def _lines_of(self, functions: list[Die], where: Where | None) -> list[Site]:
        return [self._line_site(place) for place in in_functions(self.arrivals, functions, where)]

    def _file_lines(self, target: Statement, file: str, span: Span | None) -> Iterator[Site]:
        """Lines of a file in whichever functions they have code."""
        if isinstance(target.where, RelativeLine):
            raise source_failure("coordinate", f"lines after the first of which function? '{target.name}' can be several", span,
                                 fix="name the function, or write the line's number in the file")
        units = units_of_file(self.info, file)
        if not units:
            raise self._no_file(file, span)
        found = self._in_files(units, file, target, wanted_lines(target.where, 0))
        if not found:
            if target.name != "*" and not matching_functions(self.info, target.name, file, 1):
                raise self._no_function(target.name, file, span)
            asked = asked_line(target.where, 0)
            near = nearest_in_files(self.arrivals, units, file, target.name, asked)
            if not target.nearest or not near:
                which = f"at line {asked} of" if isinstance(target.where, Lines) else "of functions that it names in"
                raise source_failure("no-such-line", f"no code {which} '{file}'", span, notes=_near(near))
            found = self._in_files(units, file, target, lambda line: line == near[0])
        yield from found

    def _in_files(self, units: list[Unit], file: str, target: Statement, wanted: Wanted) -> list[Site]:
        places = in_files(self.arrivals, units, file, target.name, wanted)
        return [self._line_site(place) for place in islice(places, SITE_LIMIT + 1)]

    def _line_site(self, place: LinePlace) -> Site:
        site = make_site(self.info, place.chain, place.pc, self.probeable, line=place.line)
        return _with_reason(site, place.why_not)

    def statements(self, site: Site) -> list[Site]:
        """Sites at the statement addresses of the function instance (body, clone or inlined copy) that holds a site."""
        chain = tuple(self.info.die(offset) for offset in site.scope.dies)
        own = own_function(chain)
        instance = next((i for i in all_instances([origin(own)]) if i.chain[0] == own), None)
        if instance is None:
            return []
        addresses = {row.address for row in line_table(own.unit).rows if row.is_stmt and not row.end_sequence
                     and any(low <= row.address < high for low, high in instance.ranges)}
        found = []
        for pc in sorted(addresses, key=lambda address: abs(address - site.pc)):
            inner = chain_at(chain[-1], pc)
            if own_function(inner) == own:
                found.append(self._site(inner, pc))
        return found

    # -- addresses ------------------------------------------------------------------------------------------------

    def _no_address(self, address: int, span: Span | None) -> Failure:
        """No function holds an address: what is there?"""
        elf = self.info.elf
        section = elf.section_at(address)
        if section is None:
            return source_failure("not-text", f"address {address:#x} is in no section of this kernel", span,
                                  fix="write a link-time address, as System.map has it; in a module, module(\"name\")"
                                      ".statement(\"function+0xoffset\")")
        if not section.flags & SHF_EXECINSTR:
            return source_failure("not-text", f"address {address:#x} is in {section.name}, which holds no code", span)
        holding = (symbol for symbol in elf.symbols if symbol.value <= address < symbol.value + max(symbol.size, 1))
        symbol = max(holding, key=lambda one: one.value, default=None)
        where = f" ({symbol.name}+{address - symbol.value:#x})" if symbol else ""
        return source_failure("no-debug-info", f"no function in debug info holds address {address:#x}{where}", span)

    def _at_address(self, address: int, span: Span | None) -> Site:
        unit = self.info.unit_of_pc(address)
        function = function_at(unit, address) if unit else None
        if function is None:
            raise self._no_address(address, span)
        chain = chain_at(function, address)
        site = self._site(chain, address, outer=True)
        for instance in all_instances([function]):
            if any(low <= address < high for low, high in instance.ranges) and not instance.inlined:
                self._check_boundary(instance, address, span)
        return site


def refuse_too_many(sites: list[Site], span: Span | None) -> None:
    """Raise Failure, at span, where a coordinate names more places than SITE_LIMIT."""
    if len(sites) > SITE_LIMIT:
        raise source_failure("too-many", f"it names more than {SITE_LIMIT} places", span, fix=_NARROWER)


def _is_of_symbols(name: str, functions: list[Die]) -> bool:
    """Whether functions were found by symbols of that name, which debug info does not know: an alias, a clone."""
    return is_clone(name) or (not is_glob(name) and all(name_of(die) != name for die in functions))


def _with_reason(site: Site, why_not: Reason | None) -> Site:
    """site, with one more reason why it is no place where it has none yet."""
    return site if why_not is None or site.why_not is not None else replace(site, why_not=why_not)


def _near(lines: list[int]) -> tuple[Note, ...]:
    return (Note(f"nearest lines with code: {', '.join(map(str, sorted(lines)))}"),) if lines else ()

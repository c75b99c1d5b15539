# SPDX-License-Identifier: GPL-2.0-or-later
"""The resolve stage: what a coordinate means in one kernel."""

from __future__ import annotations

from collections.abc import Iterator

from localvar.diagnostics import Failure, Note, Span, source_failure
from localvar.dwarf import constants as c
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.scope import (
    FUNCTION_TAGS,
    SCOPE_TAGS,
    Chain,
    Instance,
    blocks_within,
    chain_at,
    function_at,
    holds,
    name_of,
    origin,
    own_function,
)
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die
from localvar.model.site import Site, SiteKind
from localvar.probe.coordinate import (
    AbsoluteAddress,
    AllLines,
    ByteOffset,
    Coordinate,
    Function,
    Lines,
    RelativeLine,
    Statement,
    Variant,
)
from localvar.probe.functions import all_instances, close_names, function_file, matching_functions
from localvar.probe.names import is_glob
from localvar.probe.probeable import Probeable, instruction_starts
from localvar.probe.sites import make_site
from localvar.probe.statements import line_starts


class Resolver:
    """Resolves coordinates against one file's debug info."""

    def __init__(self, info: DebugInfo) -> None:
        self.info = info
        self.probeable = Probeable(info.elf)

    def resolve(self, coordinate: Coordinate, span: Span | None = None) -> list[Site]:
        """The sites that a coordinate names, by address.  Raises Failure, at span, where there is none."""
        target = coordinate.target
        if coordinate.module is not None and self.info.module is None:
            raise _not_yet("module(…) coordinates are", span)
        if isinstance(target, AbsoluteAddress):
            sites = [self._at_address(target.address, span)]
        elif isinstance(target, Function):
            sites = list(self._function(target, span))
        else:
            sites = list(self._statement(target, span))
        unique = {(site.pc, site.scope, site.kind): site for site in sites}
        return sorted(unique.values(), key=lambda site: (site.pc, site.scope.dies))

    # -- functions ------------------------------------------------------------------------------------------------

    def _functions(self, name: str, file: str | None, span: Span | None) -> list[Die]:
        found = matching_functions(self.info, name, file)
        if found:
            return found
        raise self._no_function(name, file, span)

    def _no_function(self, name: str, file: str | None, span: Span | None) -> Failure:
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
        return source_failure("no-such-function", f"no function '{name}' in this kernel", span, notes=notes)

    def _instances(self, target: Function | Statement, span: Span | None) -> list[Instance]:
        functions = self._functions(target.name, target.file, span)
        found = list(all_instances(functions))
        if not found:
            raise source_failure("no-code", f"function '{target.name}' has no code in this kernel (every use was optimized out)",
                                 span)
        return found

    def _function(self, target: Function, span: Span | None) -> Iterator[Site]:
        if target.callee is not None:
            raise _not_yet(".callee(…) coordinates are", span)
        if target.exported:
            raise _not_yet(".exported coordinates are", span)
        if target.lines is not None:
            yield from self._statement(Statement(target.name, target.file, target.lines), span)
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
        for instance in found:
            if not self._is_part(instance):
                yield self._site(blocks_within(instance.chain, instance.entry), instance.entry, kind)

    def _only(self, found: list[Instance], inlined: bool, target: Function, span: Span | None) -> list[Instance]:
        kept = [instance for instance in found if instance.inlined is inlined]
        if not kept:
            lacking, way = ("inlined copy", "never") if inlined else ("code out of line", "always")
            raise source_failure("no-code", f"function '{target.name}' has no {lacking} in this kernel: it is {way} inlined",
                                 span)
        return kept

    def _is_part(self, instance: Instance) -> bool:
        """Whether an instance is a `.part` or `.cold` piece, which does not begin where its function begins."""
        symbols = self.info.elf.symbols_at(instance.entry)
        return not instance.inlined and any(s.name.split(".")[1:2] in (["part"], ["cold"]) for s in symbols)

    def _site(self, chain: Chain, pc: int, kind: SiteKind = SiteKind.INSTRUCTION, outer: bool = False) -> Site:
        return make_site(self.info, chain, pc, self.probeable, kind, outer)

    # -- labels ---------------------------------------------------------------------------------------------------

    def _label(self, target: Function, span: Span | None) -> Iterator[Site]:
        from fnmatch import fnmatchcase

        wanted, names, found = target.label or "", set(), False
        without_code = False
        for instance in self._instances(target, span):
            for chain, label in _labels(instance.chain):
                name = name_of(label) or ""
                names.add(name)
                if not fnmatchcase(name, wanted):
                    continue
                pc = label.address(c.DW_AT_low_pc)
                if pc is None:
                    without_code = True
                    continue
                found = True
                yield self._site(blocks_within(_narrow(chain, pc), pc), pc)
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
        whole = [instance for instance in found if not self._is_part(instance)]
        for instance in whole:
            pc = instance.entry + offset
            function = instance.chain[-1]
            if not holds(function, pc):
                size = next((high - low for low, high in instance.ranges if low <= instance.entry < high), 0)
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
        functions = [None] if target.name == "*" else self._functions(target.name, target.file, span)
        if functions == [None]:
            raise _not_yet("coordinates of a file without a function are", span)
        found = False
        for function in functions:
            assert function is not None
            for site in self._lines_of(function, target):
                found = True
                yield site
        if not found:
            raise self._no_line(target, [f for f in functions if f is not None], span)

    def _lines_of(self, function: Die, target: Statement) -> Iterator[Site]:
        source = origin(function)
        file = function_file(function) or ""
        first = source.constant(c.DW_AT_decl_line) or 0
        wanted = _wanted_lines(target.where, first)
        starts = list(line_starts(function.unit, file, wanted))
        for instance in all_instances([function]):
            for _, pc in starts:
                if any(low <= pc < high for low, high in instance.ranges):
                    chain = chain_at(instance.chain[-1], pc)
                    if own_function(chain) == instance.chain[0]:
                        yield self._site(chain, pc)

    def _no_line(self, target: Statement, functions: list[Die], span: Span | None) -> Failure:
        lines: set[int] = set()
        for function in functions:
            file = function_file(function) or ""
            starts = {pc: line for line, pc in line_starts(function.unit, file, lambda _: True)}
            for instance in all_instances([function]):
                for pc, line in starts.items():
                    inside = any(low <= pc < high for low, high in instance.ranges)
                    if inside and own_function(chain_at(instance.chain[-1], pc)) == instance.chain[0]:
                        lines.add(line)
        first = origin(functions[0]).constant(c.DW_AT_decl_line) or 0
        asked = _asked_line(target.where, first)
        near = sorted(sorted(lines), key=lambda line: abs(line - asked))[:4]
        notes = (Note(f"nearest lines with code: {', '.join(map(str, sorted(near)))}"),) if near else ()
        return source_failure("no-such-line", f"function '{target.name}' has no code at line {asked}", span, notes=notes)

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

    def _at_address(self, address: int, span: Span | None) -> Site:
        unit = self.info.unit_of_pc(address)
        function = function_at(unit, address) if unit else None
        if function is None:
            raise source_failure("no-debug-info", f"no function in debug info holds address {address:#x}", span)
        chain = chain_at(function, address)
        site = self._site(chain, address, outer=True)
        for instance in all_instances([function]):
            if any(low <= address < high for low, high in instance.ranges) and not instance.inlined:
                self._check_boundary(instance, address, span)
        return site


def _not_yet(what: str, span: Span | None) -> Failure:
    return source_failure("not-supported", f"{what} not supported yet", span)


def _wanted_lines(where: object, first: int):  # type: ignore[no-untyped-def]
    if isinstance(where, AllLines):
        return lambda line: True
    if isinstance(where, RelativeLine):
        return lambda line: line == first + where.offset
    assert isinstance(where, Lines)
    return lambda line: any(a <= line <= b for a, b in where.ranges)


def _asked_line(where: object, first: int) -> int:
    if isinstance(where, RelativeLine):
        return first + where.offset
    return where.ranges[0][0] if isinstance(where, Lines) else first


def _labels(chain: Chain) -> Iterator[tuple[Chain, Die]]:
    """Labels of a function instance, each with its scopes; those of functions inlined into it are left out."""
    for child in chain[0].children():
        if child.tag == c.DW_TAG_label:
            yield chain, child
        elif child.tag in SCOPE_TAGS and child.tag not in FUNCTION_TAGS:
            yield from _labels((child, *chain))


def _narrow(chain: Chain, pc: int) -> Chain:
    """chain without inner blocks whose code does not hold pc (a label of one may stand at its very end)."""
    scopes = list(chain)
    while len(scopes) > 1 and scopes[0].tag == c.DW_TAG_lexical_block and not holds(scopes[0], pc):
        scopes.pop(0)
    return tuple(scopes)


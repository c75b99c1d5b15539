# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds what handlers recorded against what gdb saw at the same hits, and counts what was compared."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from localvar.model.ctype import Array, BaseType, CType, Encoding, Record, is_signed, size_of, strip
from localvar.model.expr import Entry, Extend, Reg
from localvar.model.plan import How, LocationClass, Scalar
from localvar.model.site import Site

from .handlers import Form, Handler, ObservedSite, Recorded
from .oracle import Stop, Value
from .trace import TraceRecord

#: Class and way of reading, as listings name them.
Way = tuple[str, str]

#: As observe_registers() in modules/observe.h has them.
_REGISTERS = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
_RECORD = re.compile(r"(?P<handler>\w+): site=(?P<site>\S+) registers=(?P<registers>[0-9a-f]+)(?P<values>.*)")
#: Numbers of the registers that arguments are passed in (System V ABI, figures 3.4 and 3.36).
_DWARF_REGISTERS = {5: "rdi", 4: "rsi", 1: "rdx", 2: "rcx", 8: "r8", 9: "r9"}
#: Of a task's kernel stack, THREAD_SIZE: they are aligned to it.
_STACK = 16384
#: Ways of reading that some hits only have: not those in frames entered before the probe was armed, or of another caller.
_NOT_ALWAYS = frozenset({How.ENTRY_CAPTURE, How.CALLER})


@dataclass(frozen=True)
class Hit:
    """One hit as a handler recorded it."""

    handler: str
    site: str
    registers: int
    values: dict[str, str]


def parse(record: TraceRecord) -> Hit:
    """The hit in a record of a handler of handlers.py."""
    match = _RECORD.fullmatch(record.text)
    assert match, f"not a record of a handler: {record.text!r}"
    values = dict(word.split("=", 1) for word in match["values"].split())
    return Hit(match["handler"], match["site"], int(match["registers"], 16), values)


@dataclass(frozen=True)
class Mismatch:
    """A value that gdb sees differently."""

    handler: str
    site: ObservedSite
    recorded: Recorded
    hit: int
    ours: str
    gdb: str

    def __str__(self) -> str:
        read = self.recorded.read
        dwarf = read.variable.dwarf if read.variable else "?"
        return (
            f"{self.site.site.name} ({self.handler}, {self.site.coordinate}), hit {self.hit}: {self.recorded.name} is "
            f"{self.ours} for us, {self.gdb} for gdb; {' '.join(_way(self.recorded))}, {dwarf}"
        )


@dataclass
class Comparison:
    """What came of comparing."""

    #: Values that are equal, by class and way of reading; those compared with what gdb saw at the entry are apart.
    equal: Counter[Way] = field(default_factory=Counter)
    equal_at_entry: Counter[Way] = field(default_factory=Counter)
    mismatches: list[Mismatch] = field(default_factory=list)
    #: gdb has no value: class, way and what gdb says.
    ours_only: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    #: We record no value where gdb has one: why.
    gdb_only: Counter[str] = field(default_factory=Counter)
    #: Of handlers that ask: values that some hits only have, and had not; names asked for where they are not readable; and of
    #: these the ones that were recorded all the same, or names that should have been.
    not_then: int = 0
    asked_in_vain: int = 0
    invented: list[str] = field(default_factory=list)
    #: An example of each kind of the last two.
    examples: dict[str, str] = field(default_factory=dict)
    #: Sites and functions with hits that were compared, and how many these are.
    sites: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    hits: int = 0
    #: Stops that a handler has no record of, records that gdb saw no stop of.
    missed: int = 0
    unmatched: list[str] = field(default_factory=list)
    #: Variables that we say are in scope and gdb does not: site and name.
    unknown: set[tuple[str, str]] = field(default_factory=set)

    def add(self, handlers: Sequence[Handler], records: Sequence[TraceRecord], stops: Sequence[Stop]) -> None:
        """Compare all that was recorded in one run with all stops of that run."""
        hits: defaultdict[tuple[str, str], list[Hit]] = defaultdict(list)
        for hit in map(parse, records):
            hits[hit.handler, hit.site].append(hit)
        activations = Activations(stops)
        at: defaultdict[int, list[Stop]] = defaultdict(list)
        for stop in stops:
            at[stop.pc].append(stop)
        for handler in handlers:
            for site in handler.sites:
                pairs = list(self._aligned(hits[handler.name, site.site.name], at[site.site.pc]))
                for hit, stop in pairs:
                    self._compare(handler, site, hit, stop, activations)
                if pairs and (len(handler.sites) == 1 or handler.asks):
                    self._note(site, pairs[0][1], len(pairs))

    def _aligned(self, hits: Sequence[Hit], stops: Sequence[Stop]) -> Iterator[tuple[Hit, Stop]]:
        """Each hit with the stop that has the same registers; both are in the order in which they happened."""
        left = list(reversed(hits))
        without = []
        for stop in stops:
            if not left:
                return
            if left[-1].registers == fingerprint(stop):
                yield left.pop(), stop
            else:
                self.missed += 1
                without.append(fingerprint(stop))
        # Each stop that the probe missed lets it record one hit more, after gdb has left the address.
        if stops and len(stops) == stops[0].watch.limit and not {hit.registers for hit in left} & set(without):
            del left[: len(without)]
        self.unmatched += [f"{hit.handler} at {hit.site}: registers {hit.registers:x}" for hit in left]

    def _note(self, site: ObservedSite, stop: Stop, hits: int) -> None:
        self.sites.add(site.site.name)
        self.functions.add(site.site.symbol.partition(".")[0])
        self.hits += hits
        for name in {read.path.name for read in site.reads} - set(visible(stop, site.site)):
            self.unknown.add((site.site.name, name))

    def _compare(self, handler: Handler, site: ObservedSite, hit: Hit, stop: Stop, entries: Activations) -> None:
        self._check_names(handler, site, hit, stop)
        for one in handler.recorded(site):
            if handler.asks and one.read.how in _NOT_ALWAYS and int(hit.values.get(one.name, "0"), 16) == 0:
                self.not_then += 1
                continue
            way, ours, theirs = _way(one), hit.values[one.name], _value(one, stop, site.site)
            counter = self.equal
            if not _known(theirs) and (found := entries.value(site, stop, one)):
                theirs, counter = found, self.equal_at_entry
            if not _known(theirs):
                said = "optimized out" if theirs.optimized_out else theirs.error or "no value"
                self.ours_only[(*way, said)] += 1
                self.examples.setdefault(f"{' '.join(way)} {said}", f"{site.site.name} {one.name}")
            elif agree(one, ours, theirs):
                counter[way] += 1
            else:
                shown = f"{theirs.integer:#x}" if theirs.integer is not None else str(theirs.hex)
                self.mismatches.append(Mismatch(handler.name, site, one, stop.hit, ours, shown))
        if len(handler.sites) == 1:
            self._count_gdb_only(site, stop)

    def _check_names(self, handler: Handler, site: ObservedSite, hit: Hit, stop: Stop) -> None:
        """Of a handler that asks: what it has no value of at this site is not in the record, or is the fallback."""
        readable = {one.name: one for one in handler.recorded(site)}
        for name in handler.names if handler.asks else ():
            if name not in readable:
                self.asked_in_vain += 1
                if int(hit.values.get(name, "0"), 16):
                    self.invented.append(f"{site.site.name} ({handler.name}) {name}={hit.values[name]}")
            elif name not in hit.values and readable[name].read.how not in _NOT_ALWAYS:
                self.invented.append(f"{site.site.name} ({handler.name}) {name}: not recorded")

    def _count_gdb_only(self, site: ObservedSite, stop: Stop) -> None:
        recorded = {one.read.path.name for one in site.recorded if not one.at_entry}
        reads = {read.path.name: read for read in site.reads}
        for name, value in visible(stop, site.site).items():
            if name in recorded or value.raw is None:
                continue
            if name in site.nowhere and name not in reads:
                why = "its block has no code; gdb counts it to the one around"
            elif name not in reads:
                why = "not in our scope"
            elif name in site.left_out:
                why = f"not recorded: {site.left_out[name]}"
            else:
                why = str(reads[name].reason)
            self.gdb_only[why] += 1
            self.examples.setdefault(why, f"{site.site.name} {name}")

    def __str__(self) -> str:
        equal = sum(self.equal.values()) + sum(self.equal_at_entry.values())
        lines = [
            f"{equal} values equal, {len(self.mismatches)} different, at {len(self.sites)} sites in "
            f"{len(self.functions)} functions, {self.hits} hits"
        ]
        lines += [f"  {n:6} equal: {kind}, {how}" for (kind, how), n in sorted(self.equal.items())]
        lines += [
            f"  {n:6} equal: {kind}, {how}; by what gdb saw at the entry of the function"
            for (kind, how), n in sorted(self.equal_at_entry.items())
        ]
        lines += [
            f"  {n:6} only ours: {kind}, {how}; gdb: {said} (as {self.examples[f'{kind} {how} {said}']})"
            for (kind, how, said), n in sorted(self.ours_only.items())
        ]
        lines += [
            f"  {n:6} only gdb's: {why} (as {self.examples[why]})" for why, n in sorted(self.gdb_only.items())
        ]
        return "\n".join(lines)


class Activations:
    """Finds the stop at the entry of a function for a stop inside of it: gdb's word for entry values.

    gdb itself works an entry value out from the caller's debug info, often in vain, and never behind a return
    probe, which hides the caller.
    """

    def __init__(self, stops: Sequence[Stop]) -> None:
        self.order = {id(stop): number for number, stop in enumerate(stops)}
        self.entries: defaultdict[int, list[Stop]] = defaultdict(list)
        for stop in stops:
            self.entries[stop.pc].append(stop)

    def value(self, site: ObservedSite, stop: Stop, one: Recorded) -> Value | None:
        """What `one`, an entry value, was at the entry of the function that `stop` is in: the parameter that it is, else
        the register that debug info says to look at there. None where it is no such value, or the entry was not seen.

        The entry is the last one before on the same stack: the functions watched do not call themselves.
        """
        entries = self.entries[site.site.entry]
        if one.read.location_class is not LocationClass.ENTRY_VALUE or not entries:
            return None
        stack = stop.registers["rsp"] // _STACK
        before = [e for e in entries if self.order[id(e)] < self.order[id(stop)] and e.registers["rsp"] // _STACK == stack]
        unseen = len(entries) >= entries[0].watch.limit and self.order[id(stop)] > self.order[id(entries[-1])]
        if not before or unseen:
            return None
        return _parameter(before[-1], one) or _register(before[-1], one)


def _parameter(entry: Stop, one: Recorded) -> Value | None:
    """`one` at the entry of its function, where it is a parameter of that function and not of one inlined there."""
    variable = one.read.variable
    own = variable is not None and variable.scope == one.read.site.symbol.partition(".")[0]
    if not own or one.read.path.steps:
        return None
    value = visible(entry).get(one.read.path.name)
    return value if value is not None and value.parameter and _known(value) else None


def _register(entry: Stop, one: Recorded) -> Value | None:
    """`one` from the register at the entry of the function that debug info names, where it names one and no more."""
    source = one.read.source
    expr = source.expr if isinstance(source, Scalar) else None
    while isinstance(expr, (Extend, Entry)):
        expr = expr.operand
    if not isinstance(expr, Reg) or expr.number not in _DWARF_REGISTERS:
        return None
    raw = entry.registers[_DWARF_REGISTERS[expr.number]].to_bytes(8, "little")[: one.size]
    number = int.from_bytes(raw, "little", signed=is_signed(one.read.type))
    return Value(one.name, None, one.size, raw.hex(), number, None, optimized_out=False, error=None)


def fingerprint(stop: Stop) -> int:
    """What a record calls ``registers``."""
    total = 0
    for name in _REGISTERS:
        total = (total * 31 + stop.registers[name]) % 2**64
    return total


def visible(stop: Stop, site: Site | None = None) -> dict[str, Value]:
    """The variables in scope by name, the innermost of each name; those that `site`'s coordinate asks for: of its own function,
    and not of one that is inlined there and begins at the same pc, nor of those around it unless it is an address."""
    scopes = list(stop.scopes)
    if site is not None:
        # A function may be inlined into itself: what tells its scopes apart is how deep they are.
        deeper = sum(not scope.lexical for scope in scopes) - len(site.inlined) - 1
        while deeper > 0:
            deeper -= not scopes.pop(0).lexical
        if not site.outer:
            own = next((index for index, scope in enumerate(scopes) if not scope.lexical), 0)
            scopes = scopes[: own + 1]
    return {value.name: value for scope in reversed(scopes) for value in scope.variables}


def agree(one: Recorded, ours: str, theirs: Value) -> bool:
    """Whether our text of a value is gdb's value, as far as gdb knows it and it has a meaning."""
    if one.form is Form.NUMBER:
        if theirs.integer is None:
            return False
        # C makes a _Bool of the byte; gcc lets some be where the integer is that they were made of.
        expected = bool(theirs.integer) if is_bool(one.read.type) else theirs.integer
        return int(ours, 16) == expected % 2**64
    assert theirs.hex is not None
    meaning = [position for byte in meaningful(one.read.type) for position in (2 * byte, 2 * byte + 1)]
    if len(theirs.hex) < len(ours) and holds_flexible_array(one.read.type):
        meaning = [at for at in meaning if at < len(theirs.hex)]  # gdb works its size out anew, without the padding at its end
    elif len(theirs.hex) != len(ours):
        return False
    return all(theirs.hex[at] in (ours[at], "?") for at in meaning)


def meaningful(ctype: CType, start: int = 0) -> set[int]:
    """The bytes of a value that are not padding: to copy a struct need not copy its padding (C11 6.2.6.1)."""
    bare, size = strip(ctype), size_of(ctype) or 0
    if isinstance(bare, Record):
        found: set[int] = set()
        for member in bare.members():
            at = start + member.bit_offset // 8
            last = start + (member.bit_offset + member.bit_size - 1) // 8 if member.bit_size else None
            found |= set(range(at, last + 1)) if last is not None else meaningful(member.type(), at)
        return found
    if isinstance(bare, Array):
        step = size_of(bare.element()) or 1
        return {byte for at in range(0, size, step) for byte in meaningful(bare.element(), start + at)}
    return set(range(start, start + size))


def holds_flexible_array(ctype: CType) -> bool:
    """Whether a struct has an array without a size somewhere within: gdb takes its type for a dynamic one."""
    bare = strip(ctype)
    if isinstance(bare, Array):
        return not bare.count or holds_flexible_array(bare.element())
    return isinstance(bare, Record) and any(holds_flexible_array(member.type()) for member in bare.members())


def is_bool(ctype: CType) -> bool:
    """Whether C makes 0 or 1 of each value."""
    bare = strip(ctype)
    return isinstance(bare, BaseType) and bare.encoding is Encoding.BOOLEAN


def _known(value: Value) -> bool:
    return value.error is None and value.hex is not None and not value.optimized_out


def _way(one: Recorded) -> Way:
    assert one.read.how is not None
    return one.read.location_class.value, one.read.how.value


def _value(one: Recorded, stop: Stop, site: Site) -> Value:
    """gdb's value of what was recorded, where it is one of this stop."""
    if one.at_entry:
        return _unknown(one, "it is one of the function's entry")
    if not one.read.path.steps:
        return visible(stop, site)[one.name]
    if visible(stop)[one.read.path.name] is not visible(stop, site)[one.read.path.name]:
        return _unknown(one, "gdb evaluated the innermost variable of that name")
    return stop.values[one.name]


def _unknown(one: Recorded, why: str) -> Value:
    return Value(one.name, None, None, None, None, None, optimized_out=False, error=why)

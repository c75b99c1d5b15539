# SPDX-License-Identifier: GPL-2.0-or-later
"""Handlers that record every variable they can read: sites chosen with a seed, and the C text of a module.

A record is ``HANDLER: site=NUMBER registers=HEX name=HEX ...``. Scalars are converted to ``unsigned long``;
structs, unions, arrays and 128-bit integers are their bytes. The C around the handlers is
``modules/observe.h``.
"""

from __future__ import annotations

import enum
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path as FilePath

from localvar.ctext.declare import display, type_name
from localvar.ctext.names import Unspeakable
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import FUNCTION_TAGS, SCOPE_TAGS, VARIABLE_TAGS, name_of, origin
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die
from localvar.kernel import Kernel as DebugFile
from localvar.model.ctype import Array, BaseType, Encoding, Enumeration, Pointer, Record, size_of, strip
from localvar.model.path import IndexStep, Path, parse_path
from localvar.model.plan import How, LocationClass, Read
from localvar.model.site import Site
from localvar.plan.read import find_member, member_names

from .build import build_module
from .kernels import InstalledKernel
from .oracle import Gate

#: Bytes of a value beyond which it is not recorded as a whole.
MAX_BYTES = 256
#: Characters of a record.
MAX_RECORD = 3000
MODULE = "observe"
#: The kernel's variable, and its value, with which the workload says that hits are to be recorded.
GATE = Gate("panic_timeout", -7)


class Form(enum.Enum):
    """How a value is recorded."""

    NUMBER = "number"
    BYTES = "bytes"
    ELEMENTS = "elements"


@dataclass(frozen=True)
class Recorded:
    """A value in a record: a variable, or a member of one; `at_entry`: what a parameter was at the function's entry."""

    read: Read
    form: Form
    at_entry: bool = False

    @property
    def name(self) -> str:
        """What it is called in a record."""
        return f"{self.read.path}@entry" if self.at_entry else str(self.read.path)

    @property
    def macro(self) -> str:
        """How a handler reads it."""
        return f"{'GET_ENTRY_VAR' if self.at_entry else 'GET_LOCAL_VAR'}({self.read.path})"

    @property
    def size(self) -> int:
        """Bytes of a value that is recorded as such."""
        return size_of(self.read.type) or 0


@dataclass(frozen=True)
class ObservedSite:
    """A site, and what can be recorded there."""

    number: int
    coordinate: str
    site: Site
    #: Every variable in scope, as `localvar vars` lists it.
    reads: tuple[Read, ...]
    recorded: tuple[Recorded, ...]
    #: Readable, yet not recorded: name, why.
    left_out: dict[str, str]
    #: Variables of the function's blocks that have no code, so are in scope nowhere.
    nowhere: frozenset[str]


@dataclass(frozen=True)
class Handler:
    """A handler, of one site or of several; with several it records what can be read at all of them, or, if it asks first,
    at each what can be read there."""

    name: str
    sites: tuple[ObservedSite, ...]
    #: Names of what it records.
    names: tuple[str, ...]
    #: What it is bound to; None: the coordinates of its sites.
    coordinate: str | None = None
    #: It asks at each hit what there is: every other name with LOCAL_VAR_AVAILABLE, else with GET_LOCAL_VAR_OR.
    asks: bool = False

    def recorded(self, site: ObservedSite) -> list[Recorded]:
        """What it records at one of its sites."""
        return [one for one in site.recorded if one.name in self.names]


class Writer:
    """Chooses sites of one kernel, at random but always the same for one seed."""

    def __init__(self, kernel: InstalledKernel, seed: int) -> None:
        self.kernel = kernel
        self.random = random.Random(seed)
        self._count = 0
        self._chosen: Counter[tuple[LocationClass, How | None]] = Counter()

    @cached_property
    def debug(self) -> DebugFile:
        return DebugFile(self.kernel.vmlinux, self.kernel.release)

    def handlers(self, function: str, statements: int) -> list[Handler]:
        """Handlers for the entry of `function`, for so many of its statements (inlined functions' among them), and
        one for all of these statements.
        """
        entry, *more = self.debug.sites(f'kernel.function("{function}").call')
        assert not more, f"{function} is defined several times"
        first = self._observed(f'kernel.function("{function}").call', entry)
        inside = [self._inside(function, site) for site in self._choice(entry, statements)]
        found = [Handler(f"site_{s.number}", (s,), tuple(r.name for r in s.recorded)) for s in (first, *inside)]
        if len(inside) > 1 and (names := _common(inside)):
            found.append(Handler(f"sites_of_{first.number}", tuple(inside), names))
        return found

    def statement_addresses(self, entry: Site) -> list[int]:
        """Where statements of the function at `entry` begin, what is inlined there included, if it can be probed."""
        function = self.debug.info.die(entry.scope.dies[-1])
        ranges = die_ranges(function)
        rows = [row for row in line_table(function.unit).rows if row.is_stmt and not row.end_sequence]
        inside = {row.address for row in rows if any(low <= row.address < high for low, high in ranges)}
        why_not = self.debug.resolver.probeable.why_not
        return sorted(a for a in inside - {entry.pc} if why_not(a, entry.pc) is None)

    def _choice(self, entry: Site, number: int) -> list[Site]:
        """Statements of a function, those with kinds of values before others that are rare among those chosen so far."""
        addresses = self.statement_addresses(entry)
        sample = self.random.sample(addresses, min(3 * number, len(addresses)))
        sites = [site for address in sample for site in self.debug.sites(f"{address:#x}")]
        kinds = {site: {(r.location_class, r.how) for r in self.debug.judge.all(site) if r.readable} for site in sites}
        chosen: list[Site] = []
        while sites and len(chosen) < number:
            rarest = min(sites, key=lambda site: min((self._chosen[kind] for kind in kinds[site]), default=self._count))
            self._chosen.update(kinds[rarest])
            sites.remove(rarest)
            chosen.append(rarest)
        return sorted(chosen, key=lambda site: site.pc)

    def _inside(self, function: str, site: Site) -> ObservedSite:
        """A site at an address, which the coordinate says in the one form or the other."""
        by_offset = site.symbol == function and self.random.random() < 0.3
        return self._observed(f"{function}+{site.offset:#x}" if by_offset else f"{site.pc:#x}", site)

    def _observed(self, coordinate: str, site: Site) -> ObservedSite:
        reads = tuple(self.debug.judge.all(site))
        recorded: list[Recorded] = []
        left_out: dict[str, str] = {}
        room = MAX_RECORD
        for read in reads:
            for one in self._forms(read) if read.readable else self._through(read):
                if isinstance(one, str):
                    left_out[read.path.name] = one
                elif (room := room - _characters(one)) < 0:
                    left_out[read.path.name] = "the record is full"
                else:
                    recorded.append(one)
        recorded += [one for one in self._still_there(site) if (room := room - _characters(one)) >= 0]
        self._count += 1
        return ObservedSite(self._count - 1, coordinate, site, reads, tuple(recorded), left_out, nowhere(self.debug, site))

    def _forms(self, read: Read) -> Iterator[Recorded | str]:
        """How the value of `read` is recorded: as a whole, else member by member; or why it is not."""
        bare, size = strip(read.type), size_of(read.type)
        if isinstance(bare, (Pointer, Enumeration, BaseType)) and (size or 0) <= 8:
            floating = isinstance(bare, BaseType) and bare.encoding is Encoding.FLOAT
            yield "a floating-point number" if floating else Recorded(read, Form.NUMBER)
        elif size is None or size == 0:
            yield "its size is not known, or zero"
        elif isinstance(bare, Array):
            in_memory = read.address is not None and size <= MAX_BYTES
            yield Recorded(read, Form.ELEMENTS) if in_memory else "an array that is large or not in memory"
        elif isinstance(bare, Record) and (size > MAX_BYTES or not _has_name(read)):
            yield from self._members(read, bare)
        else:
            yield Recorded(read, Form.BYTES)

    def _still_there(self, site: Site) -> Iterator[Recorded]:
        """Parameters of the function whose registers provably hold what they held at its entry."""
        for variable in self.debug.judge.locations.entry_variables(site):
            read = self.debug.judge.read(site, variable, Path(variable.name))
            if read.how is How.SAME_PLACE and isinstance(strip(read.type), (Pointer, Enumeration, BaseType)):
                yield Recorded(read, Form.NUMBER, at_entry=True)

    def _through(self, read: Read) -> Iterator[Recorded]:
        """The number that a pointer which was optimized out points to."""
        bare = strip(read.type)
        if read.reason is None or read.reason.slug != "implicit-pointer" or not isinstance(bare, Pointer):
            return
        assert read.variable is not None
        target = bare.target()
        if isinstance(strip(target), (Pointer, Enumeration, BaseType)) and (size_of(target) or 16) <= 8:
            path = Path(read.path.name, (*read.path.steps, IndexStep(0)))
            if (found := self.debug.judge.read(read.site, read.variable, path)).readable:
                yield Recorded(found, Form.NUMBER)

    def _members(self, read: Read, record: Record) -> Iterator[Recorded | str]:
        assert read.variable is not None
        for name in member_names(record):
            found = find_member(record, name)
            bare = strip(found[1].type()) if found else None
            if isinstance(bare, (Pointer, Enumeration, BaseType)) and (size_of(bare) or 16) <= 8:
                steps = (*read.path.steps, *parse_path(f"x.{name}").steps)
                member = self.debug.judge.read(read.site, read.variable, Path(read.path.name, steps))
                if member.readable:
                    yield Recorded(member, Form.NUMBER)


def nowhere(debug: DebugFile, site: Site) -> frozenset[str]:
    """Names of variables of a site's function in blocks that have no code, or are of its abstract instance only."""
    function = debug.info.die(site.scope.dies[-1])
    concrete = {key for die in _below(function) for key in (die.key, origin(die).key)}
    abstract = {key: die for one in (function, *_below(function)) if one.tag in FUNCTION_TAGS
                for die in _below(origin(one)) if (key := die.key) not in concrete}
    left_out = {name for die in abstract.values() if die.tag in VARIABLE_TAGS and (name := name_of(die))}
    return frozenset({*_in_blocks_without_code(function), *left_out})


def _below(scope: Die) -> Iterator[Die]:
    for die in scope.children():
        yield die
        if die.tag in SCOPE_TAGS:
            yield from _below(die)


def _in_blocks_without_code(scope: Die, code: bool = True) -> Iterator[str]:
    for die in scope.children():
        if die.tag in VARIABLE_TAGS and not code and (name := name_of(die)):
            yield name
        elif die.tag in SCOPE_TAGS:
            yield from _in_blocks_without_code(die, code and bool(die_ranges(die)))


def _characters(one: Recorded) -> int:
    """What it takes of a record."""
    return len(one.name) + 2 + max(16, 2 * one.size)


def _has_name(read: Read) -> bool:
    """Whether C can name the type."""
    try:
        return bool(type_name(read.type))
    except Unspeakable:
        return False


def _common(sites: Sequence[ObservedSite]) -> tuple[str, ...]:
    """Names of the numbers that are recorded at every one of the sites, with one type."""
    kinds = [{(one.name, display(one.read.type)) for one in s.recorded if one.form is Form.NUMBER} for s in sites]
    return tuple(sorted(name for name, _ in set.intersection(*kinds)))


# -- C ----------------------------------------------------------------------------------------------------------------

_FILE = """\
// SPDX-License-Identifier: GPL-2.0-only
#define OBSERVE_SITES {sites}
#define OBSERVE_OPEN ({open})
#include "observe.h"

{handlers}
LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
"""

_HANDLER = """\
static int {name}(struct pt_regs *regs, void *buf, int bufsize)
{{
	int n = observe(regs, buf, bufsize, {first});

	if (!n)
		return 0;
{values}	return n;
}}
LOCALVAR_PROBE({name}, {coordinates});
"""

_VALUE = {
    Form.NUMBER: """\
	n += scnprintf(buf + n, bufsize - n, " {name}=%lx", (unsigned long){macro});
""",
    Form.BYTES: """\
	{{
		__auto_type value = {macro};

		n += observe_bytes(buf + n, bufsize - n, "{name}", &value, sizeof(value));
	}}
""",
    Form.ELEMENTS: """\
	n += observe_bytes(buf + n, bufsize - n, "{name}", {macro}, {size});
""",
}

_ASKED = ("""\
	if (LOCAL_VAR_AVAILABLE({name}))
		n += scnprintf(buf + n, bufsize - n, " {name}=%lx", (unsigned long)GET_LOCAL_VAR({name}));
""", """\
	n += scnprintf(buf + n, bufsize - n, " {name}=%lx", (unsigned long)GET_LOCAL_VAR_OR({name}, 0));
""")


def module_text(handlers: Sequence[Handler]) -> str:
    """The C file of a module with these handlers."""
    texts = []
    number = 0
    for handler in handlers:
        texts.append(_handler(handler, number))
        number += len(handler.sites)
    return _FILE.format(sites=number, handlers="\n".join(texts), open=GATE.value)


def _handler(handler: Handler, first: int) -> str:
    if handler.asks:
        values = [_ASKED[number % 2].format(name=name) for number, name in enumerate(handler.names)]
    else:
        values = [_VALUE[one.form].format(name=one.name, macro=one.macro, size=one.size)
                  for one in handler.recorded(handler.sites[0])]
    coordinates = [site.coordinate for site in handler.sites] if handler.coordinate is None else [handler.coordinate]
    literals = ['"' + coordinate.replace('"', '\\"') + '"' for coordinate in coordinates]
    return _HANDLER.format(
        name=handler.name, first=first, values="".join(values), coordinates=", ".join(literals)
    )


def between_marks(workload: str) -> str:
    """`workload` with what it takes for its hits, and no others, to be recorded."""
    mark = "echo {} > /proc/sys/kernel/panic"
    return f"{mark.format(GATE.value)}\n{workload}\n{mark.format(-1)}"


def build_observer(
    kernel: InstalledKernel, handlers: Sequence[Handler], localvar: FilePath, folder: FilePath
) -> FilePath:
    """Expand and build the module with these handlers; `localvar` is the command that expands."""
    modules = FilePath(__file__).parent / "modules"
    sources = {"observe.h": (modules / "observe.h").read_text()}
    sources[f"{MODULE}.c"] = module_text(handlers)
    sources["Kbuild"] = f"obj-m += {MODULE}.o\ninclude $(shell $(LOCALVAR) kbuild)\n"
    arguments = ["localvar=1", f"LOCALVAR={localvar}"]
    return build_module(kernel, MODULE, sources, folder, make_args=arguments, timeout=600)

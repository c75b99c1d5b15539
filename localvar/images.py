# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that a run reads debug info from: the kernel's, and those of the modules that its coordinates name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from typing import Protocol

from localvar.arch import Architecture
from localvar.code.arrivals import Arrivals
from localvar.code.flow import Flow
from localvar.code.results import is_remade, returns_value
from localvar.code.tails import Tails
from localvar.diagnostics import source_failure
from localvar.dwarf.callsites import CallSites
from localvar.dwarf.elf import STT_FUNC, STT_OBJECT, Elf
from localvar.dwarf.errors import DwarfError, Unreadable
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.locate import Locator
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.unit import Die
from localvar.dwarf.unwind import activation
from localvar.model.calls import Activation, Call
from localvar.model.expr import Address, Expr, PerCpu
from localvar.model.linked import sections_in
from localvar.model.location import Absent, Reason
from localvar.model.plan import Variable
from localvar.model.site import Site
from localvar.probe.resolve import Resolver

KEYS = 1 << 40
"""Numbers of DIEs of the n-th module begin at n times this, so that one number names one DIE of all files."""


NO_RESULT = Reason("no-result", "it is a clone that gcc makes without the result where no caller uses that, and no call of it is "
                   "seen to use one")
"""Why what a clone returns is not known."""


class ModuleSource(Protocol):
    """Where modules' files come from.  Raises Failure where there is none with debug info."""

    def names(self, glob: str) -> tuple[str, ...]:
        """Names of the modules that a glob matches."""

    def read(self, name: str) -> tuple[str, bytes | None]:
        """The path of one module's file that has debug info, and what it unpacks to, None where it is not packed."""


class Image:
    """One file's debug info and what reads it."""

    def __init__(self, elf: Elf, arch: Architecture, module: str | None = None, base: int = 0) -> None:
        self.elf = elf
        self.info = DebugInfo(elf, module, base)
        self.locator = Locator(self.info, arch)
        self.flow = Flow(elf)
        self.tails = Tails(self.info, self.flow)
        self.resolver = Resolver(self.info, Arrivals(self.flow))
        self.arch = arch
        self._calls: dict[int, tuple[Call, ...] | Reason] = {}

    def calls(self, site: Site) -> tuple[Call, ...] | Reason:
        """The calls of a site's concrete function that its frame tells apart, or why it cannot."""
        function = self.info.die(site.scope.dies[-1])
        if function.key not in self._calls:
            self._calls[function.key] = self._calls_of(function, site)
        return self._calls[function.key]

    def _calls_of(self, function: Die, site: Site) -> tuple[Call, ...] | Reason:
        again = self.tails.beginning_again(function)
        if again is not None:
            return Reason("caller-unknown", f"the frame does not tell which: {again}")
        declared = any(symbol.bind for symbol in self.elf.symbols_at(site.entry))
        try:
            found = [call for call in CallSites(self.locator, self.arch).calls(function, declared)
                     if self.tails.is_call(call.returns_to, site.entry)]
        except Unreadable as problem:
            return problem.reason
        if site.module is None:
            return tuple(found)
        # the run time knows one section of the module for a site
        placed = [(self.elf.split(call.returns_to), call) for call in found]
        return tuple(replace(_without_addresses(call), returns_to=offset) for (section, offset), call in placed
                     if section == site.section)

    def result(self, site: Site) -> Variable:
        """What a site's concrete function returns; absent where gcc can have left it out of a clone."""
        found = self.locator.return_value(site)
        if isinstance(found.location, Absent) or not is_remade(self.elf, site.entry):
            return found
        function = self.info.die(site.scope.dies[-1])
        try:
            calls = list(CallSites(self.locator, self.arch).calls(function, False))
        except Unreadable as problem:
            return replace(found, location=Absent(problem.reason))
        known = returns_value(function, site.entry, calls, self.tails, self.elf)
        return found if known else replace(found, location=Absent(NO_RESULT))

    def activation(self, site: Site) -> Activation | Reason:
        """The activation of a site's concrete function, or why it is not known."""
        try:
            return activation(self.locator, self.info.die(site.scope.dies[-1]), site.pc)
        except Unreadable as problem:
            return problem.reason
        except DwarfError as problem:
            return Reason("damaged", f"debug info is damaged: {problem}")

    def intact(self, site: Site) -> frozenset[int]:
        """The registers that hold at a site what they held on entry to its function."""
        function = self.info.die(site.scope.dies[-1])
        return self.flow.intact(site.entry, die_ranges(function), site.pc)

    def begins_once(self, site: Site) -> bool:
        """Whether a hit at the entry of a site's function is surely where an activation begins."""
        function = self.info.die(site.scope.dies[-1])
        return self.flow.begins_once(site.entry, die_ranges(function))


@dataclass(frozen=True)
class ModulePlaces:
    """A module as generated code names it: its build-id, and by section a symbol there and its offset.

    It is the module's only symbol of that name: by its address the section's is known at run time.
    """

    name: str
    build_id: bytes
    anchors: tuple[tuple[str, str, int], ...]


class Images:
    """The kernel's image and those of modules, opened when they are first named; Locations of the judge over all."""

    def __init__(self, kernel: Image, arch: Architecture, source: Callable[[], ModuleSource] | None) -> None:
        self.kernel = kernel
        self._arch = arch
        self._make_source = source
        self._source: ModuleSource | None = None
        self._modules: dict[str, Image] = {}

    def matching(self, glob: str) -> list[Image]:
        """The images of the modules that a glob, or a name with `-` or `_`, matches; several only for a glob."""
        if self._source is None:
            if self._make_source is None:
                raise source_failure("no-such-module", f"module '{glob}': no module files are known")
            self._source = self._make_source()
        names = self._source.names(glob)
        if not names:
            self._source.read(glob)  # raises: it knows what was searched
        return [self._module(name) for name in names]

    def _module(self, name: str) -> Image:
        if name not in self._modules:
            assert self._source is not None
            path, data = self._source.read(name)
            elf = Elf.open(path) if data is None else Elf(path, data)
            self._modules[name] = Image(elf, self._arch, name, (len(self._modules) + 1) * KEYS)
        return self._modules[name]

    def of(self, site: Site) -> Image:
        """The image that a site is in."""
        return self._modules[site.module] if site.module is not None else self.kernel

    def places(self, name: str, sections: frozenset[str]) -> ModulePlaces:
        """How generated code finds these sections of a module.  Raises Failure where it cannot."""
        elf = self._modules[name].elf
        if elf.build_id is None:
            raise source_failure("no-build-id", f"module {name} has no build-id: that the right one is loaded could not be told")
        anchors = []
        for section in sorted(sections):
            anchor = _anchor(elf, section)
            if anchor is None:
                raise source_failure("no-anchor", f"no symbol tells where {section} of module {name} is loaded")
            anchors.append((section, *anchor))
        return ModulePlaces(name, elf.build_id, tuple(anchors))

    def _anchored(self, variable: Variable) -> Variable:
        """variable, absent where it is in a section of a module that no symbol leads to."""
        for module, section in sorted(sections_in(variable.location)):
            if _anchor(self._modules[module].elf, section) is None:
                text = f"no symbol of module {module} tells where its {section} is loaded"
                return replace(variable, location=Absent(Reason("module-address", text)))
        return variable

    # -- what the judge asks of the locate stage ------------------------------------------------------------------

    def variable(self, site: Site, name: str) -> Variable | None:
        """The variable that a name means at a site."""
        found = self.of(site).locator.variable(site, name)
        return None if found is None else self._anchored(found)

    def variables(self, site: Site) -> list[Variable]:
        """The variables of the site's function that are in scope."""
        return [self._anchored(variable) for variable in self.of(site).locator.variables(site)]

    def held(self, site: Site) -> list[Variable]:
        """Every variable of every scope that holds the site's pc, once for each of the locations that hold there."""
        return self.of(site).locator.held(site)

    def entry_variable(self, site: Site, name: str) -> Variable | None:
        """A parameter of the containing concrete function, as it was on entry."""
        found = self.of(site).locator.entry_variable(site, name)
        return None if found is None else self._anchored(found)

    def entry_variables(self, site: Site) -> list[Variable]:
        """All parameters of the containing concrete function, as they were on entry."""
        return [self._anchored(variable) for variable in self.of(site).locator.entry_variables(site)]

    def return_value(self, site: Site) -> Variable:
        """What the site's function returns."""
        return self.of(site).result(site)

    def static_variable(self, name: str, file: str | None, modules: Sequence[str]) -> Variable | Reason:
        """The variable with static storage of that name in that file, of the kernel or of one of these modules."""
        images = {"the kernel": self.kernel} | {f"module {module}": self._module(module) for module in modules}
        answers = {whose: image.locator.static_variable(name, file) for whose, image in images.items()}
        reasons = [answer for answer in answers.values() if isinstance(answer, Reason)]
        found = {whose: answer for whose, answer in answers.items() if isinstance(answer, Variable)}
        if len(found) > 1:
            places = ", ".join(f"{v.scope}:{v.declared.line} of {whose}" for whose, v in found.items())
            return Reason("ambiguous", f"'{name}' is more than one variable: {places}")
        if not found or any(reason.slug == "ambiguous" for reason in reasons):
            return min(reasons, key=lambda reason: reason.slug != "ambiguous")
        return self._anchored(next(iter(found.values())))

    def frame(self, site: Site) -> Expr | Reason:
        """The canonical frame address at a site, or why it is not known."""
        return self.of(site).locator.frame(site)

    def is_writable(self, address: Address | PerCpu) -> bool:
        """Whether what is linked at an address may be written in the running kernel: vmlinux's .rodata is flagged as
        writable for what is so until the end of the boot (include/asm-generic/vmlinux.lds.h, RO_DATA)."""
        if isinstance(address, PerCpu):
            return True
        section = self.kernel.elf.section_at(address.value) if address.module is None else None
        name = address.section if section is None else section.name
        return name is not None and name.startswith((".data", ".bss")) and name != ".data..ro_after_init"

    def begins_once(self, site: Site) -> bool:
        """Whether a hit at the entry of a site's function is surely where an activation begins."""
        return self.of(site).begins_once(site)

    def calls(self, site: Site) -> tuple[Call, ...] | Reason:
        """The calls of a site's concrete function that its frame tells apart, or why it cannot."""
        return self.of(site).calls(site)

    def activation(self, site: Site) -> Activation | Reason:
        """The activation of a site's concrete function, or why it is not known."""
        return self.of(site).activation(site)

    def intact(self, site: Site) -> frozenset[int]:
        """The registers that hold at a site what they held on entry to its function."""
        return self.of(site).intact(site)


@lru_cache(maxsize=256)
def _anchor(elf: Elf, section: str) -> tuple[str, int] | None:
    """(name, offset) of a function or variable in a section whose name no other symbol of the file has; None where there is
    none, or another section has that name."""
    headers = [each for each in elf.sections if each.name == section]
    header = headers[0] if len(headers) == 1 else None
    names: dict[str, int] = {}
    for symbol in elf.symbols:
        names[symbol.name] = names.get(symbol.name, 0) + 1
    own = [symbol for symbol in elf.symbols if header is not None and symbol.section == header.index
           and symbol.type in (STT_FUNC, STT_OBJECT) and names[symbol.name] == 1]
    own.sort(key=lambda symbol: (symbol.type != STT_FUNC, symbol.bind == 0, symbol.value))
    return (own[0].name, own[0].value - header.address) if own and header is not None else None


def _without_addresses(call: Call) -> Call:
    """A call in a module, without what it passes that is an address there."""
    def kept(passed: Mapping[int, Expr]) -> dict[int, Expr]:
        return {key: value for key, value in passed.items() if not _names_address(value)}

    return replace(call, registers=kept(call.registers), parameters=kept(call.parameters), stack=kept(call.stack))


def _names_address(value: object) -> bool:
    if isinstance(value, (Address, PerCpu)):
        return True
    if isinstance(value, tuple):
        return any(_names_address(item) for item in value)
    return is_dataclass(value) and any(_names_address(getattr(value, field.name)) for field in fields(value))

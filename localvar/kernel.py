# SPDX-License-Identifier: GPL-2.0-or-later
"""One kernel's debug info as the pipeline uses it: sites of coordinates, variables at sites, types by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path as FilePath
from types import TracebackType

from localvar.arch import ARCHITECTURES, Architecture
from localvar.diagnostics import Failure, Note, Span, environment_failure, source_failure
from localvar.dwarf.elf import Elf
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.lookup import TypeLookup
from localvar.images import Image, Images, ModulePlaces, ModuleSource
from localvar.model.linked import sections_of
from localvar.model.path import Path
from localvar.model.plan import ReadPlan
from localvar.model.site import Places, Site
from localvar.model.source import Alias
from localvar.plan.judge import Judge
from localvar.plan.nearest import nearest
from localvar.probe.coordinate import Coordinate, CoordinateError, Function, Presence, alias_reference, parse
from localvar.probe.maybe import may_have
from localvar.probe.resolve import refuse_too_many

__all__ = ["Kernel", "ModuleSource", "Spot"]

MACHINES = {3: "i386", 8: "mips", 21: "ppc64", 22: "s390", 40: "arm", 62: "x86_64", 183: "arm64", 243: "riscv", 258: "loongarch"}
"""The kernel's names of ELF machines (e_machine), for messages."""

_ABSENT = frozenset({"no-such-function", "no-such-file", "no-such-line", "no-such-label", "no-such-module", "no-code",
                     "no-debug-info", "no-module-debug", "not-exported", "outside-function"})
"""Slugs of what `?` and `!` excuse."""

Spot = Callable[[Span, int, int], Span | None]
"""Where the characters [offset, offset + length) of the string stand that is written in a span; None: not known."""


def _no_spot(_span: Span, _offset: int, _length: int) -> Span | None:
    return None


class Kernel:
    """A vmlinux with debug info.  Raises Failure where the file cannot serve."""

    def __init__(self, path: FilePath, release: str | None, modules: Callable[[], ModuleSource] | None = None) -> None:
        """modules: where the files of the kernel's modules are, asked for when a coordinate names one."""
        self.path = str(path)
        self.elf = Elf.open(path)
        arch = ARCHITECTURES.get(self.elf.machine)
        if arch is None:
            known = ", ".join(a.name for a in ARCHITECTURES.values())
            machine = MACHINES.get(self.elf.machine, f"ELF machine {self.elf.machine}")
            raise environment_failure("wrong-architecture", f"{path}: made for {machine}; localvar knows {known}")
        self.arch: Architecture = arch
        with self.reading():
            image = Image(self.elf, arch)
        self.info = image.info
        self.release = release or "unknown"
        self.locator = image.locator
        self.resolver = image.resolver
        self.images = Images(image, arch, modules)
        self.judge = Judge(self.images, arch, self.images.intact)
        self.names = TypeLookup(self.info)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around all work with debug info: what its damage makes the readers raise becomes a Failure that names the file."""
        try:
            yield
        except Failure:
            raise
        except Exception as problem:
            if not _is_damage(problem):
                raise
            detail = str(problem) or type(problem).__name__
            detail = "it refers to itself in circles" if isinstance(problem, RecursionError) else detail
            raise environment_failure("damaged-debug-info", f"{self.path}: damaged debug info: {detail}",
                                      fix="reinstall the package that brought it, or link the kernel again") from problem

    def types_of(self, module: str | None) -> TypeLookup:
        """Types by name, of the kernel (None) or of one of its modules.  Raises Failure where there is no such module."""
        return self.names if module is None else TypeLookup(self.images.matching(module)[0].info)

    # -- coordinates ----------------------------------------------------------------------------------------------

    def sites(self, text: str, span: Span | None = None, aliases: Sequence[Alias] = (), spot: Spot = _no_spot) -> list[Site]:
        """The sites that a coordinate, or an alias of several, names.  Raises Failure as places() collects them."""
        places, failures = self.places([(text, span)], aliases, spot)
        if failures:
            raise failures[0]
        return list(places.sites)

    def places(self, coordinates: Sequence[tuple[str, Span | None]], aliases: Sequence[Alias] = (),
               spot: Spot = _no_spot) -> tuple[Places, list[Failure]]:
        """What the coordinates of one probe name, each with the span where it is written, and what went wrong: `?` may
        name nothing, what follows a `!` that names something does not count.

        A Failure is at the coordinate; for an alias where that coordinate is written, with notes at the uses; for a mistake
        in its syntax at the character that spot tells.
        """
        found = _Found()
        for number, (text, span) in enumerate(coordinates):
            presence, named = self._named(_Written(text, span, ()), aliases, spot, False, found, number)
            if named and presence is Presence.SUFFICIENT:
                break
        sites = tuple(site for site, _ in found.sites.values())
        return Places(sites, found.maxactive, tuple(by for _, by in found.sites.values())), found.failures

    def _named(self, written: _Written, aliases: Sequence[Alias], spot: Spot, optional: bool, found: _Found,
               number: int) -> tuple[Presence, bool]:
        """Add to found what a coordinate, or an alias, names; what follows its text, and whether it names anything.

        optional: an alias that it stands in may be absent.
        """
        alias, presence = _alias_of(written, aliases)
        if alias is None:
            return self._of_coordinate(written, spot, optional, found, number)
        if any(alias.name == name for name, _ in written.uses):
            loop = source_failure("alias-loop", f"alias '{alias.name}' refers to itself", written.span)
            found.failures.append(_noted(loop, written.uses))
            return presence, False
        uses, any_named = ((alias.name, written.span), *written.uses), False
        for argument in alias.coordinates:
            inner = _Written(argument.text, argument.span, uses)
            theirs, named = self._named(inner, aliases, spot, optional or presence is not Presence.REQUIRED, found, number)
            any_named |= named
            if named and theirs is Presence.SUFFICIENT:
                break
        return presence, any_named

    def _of_coordinate(self, written: _Written, spot: Spot, optional: bool, found: _Found, number: int) -> tuple[Presence, bool]:
        presence = Presence.REQUIRED
        try:
            coordinate = _parse(written, spot)
            presence = coordinate.presence
            sites = self._resolve(coordinate, written.span)
        except Failure as failure:
            absent = all(diagnostic.slug in _ABSENT for diagnostic in failure.diagnostics)
            if not absent or not (optional or presence is not Presence.REQUIRED):
                found.failures.append(_noted(failure, written.uses))
            return presence, False
        for site in sites:
            found.sites.setdefault(site.place, (site, number))
        if isinstance(coordinate.target, Function):
            found.maxactive = max(found.maxactive, coordinate.target.maxactive or 0)
        return presence, bool(sites)

    def _resolve(self, coordinate: Coordinate, span: Span | None) -> list[Site]:
        if coordinate.module is None:
            return self.resolver.resolve(coordinate, span)
        try:
            images = self.images.matching(coordinate.module)
        except Failure as failure:
            raise Failure(tuple(replace(d, span=d.span or span) for d in failure.diagnostics), failure.status) from None
        found, absent = list[Site](), list[Failure]()
        for image in images if len(images) == 1 else self._possible(images, coordinate):
            try:
                found += image.resolver.resolve(coordinate, span)
            except Failure as failure:
                if any(diagnostic.slug == "too-many" for diagnostic in failure.diagnostics):
                    raise
                absent.append(failure)
            refuse_too_many(found, span)
        if not found:
            raise absent[0]
        return found

    @staticmethod
    def _possible(images: list[Image], coordinate: Coordinate) -> list[Image]:
        """The images that can have what a coordinate names; the first, too, which has the word where none has it."""
        return [images[0], *(image for image in images[1:] if may_have(image.elf, coordinate.target))]

    # -- identity -------------------------------------------------------------------------------------------------

    @cached_property
    def build_id_place(self) -> tuple[int, bytes]:
        """Link-time address and bytes of the build-id.  Raises Failure where the kernel has none."""
        place = self.elf.build_id_place
        if place is None:
            raise environment_failure("no-build-id",
                                      f"{self.path}: no build-id note: a module could not check that it runs on this kernel",
                                      fix="link the kernel with --build-id (its default)")
        return place

    @cached_property
    def anchor_address(self) -> int:
        """Link-time address of init_task, the exported symbol that tells a module the load slide."""
        found = self.elf.symbols_named("init_task")
        if not found:
            why = "no symbol init_task: not a kernel" if self.elf.symbols else "no symbol table: it was stripped"
            raise environment_failure("no-anchor", f"{self.path}: {why}", fix="give the vmlinux as it was linked, with symbols")
        return found[0].value

    def modules(self, plan: ReadPlan) -> tuple[ModulePlaces, ...]:
        """The modules that a plan refers to, as generated code names them.  Raises Failure where one cannot be told."""
        sections: dict[str, set[str]] = {}
        for module, section in sections_of(plan):
            sections.setdefault(module, set()).add(section)
        return tuple(self.images.places(name, frozenset(named)) for name, named in sorted(sections.items()))

    def nearest(self, site: Site, paths: Sequence[Path]) -> tuple[Note, ...]:
        """Notes that say where in the site's function all of the paths are readable."""
        return nearest(site, paths, self.judge, self.images.of(site).resolver)


@dataclass(frozen=True)
class _Written:
    """A coordinate as text and where it is written; uses: of the aliases that lead here, with their names."""

    text: str
    span: Span | None
    uses: tuple[tuple[str, Span | None], ...]


@dataclass
class _Found:
    """What the coordinates of a probe name so far: by place the site and which coordinate named it first."""

    sites: dict[tuple[object, ...], tuple[Site, int]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    maxactive: int = 0


def _alias_of(written: _Written, aliases: Sequence[Alias]) -> tuple[Alias | None, Presence]:
    """The alias that a text is a use of, with what follows its name."""
    reference = alias_reference(written.text)
    alias = next((a for a in aliases if reference and a.name == reference[0]), None)
    return alias, reference[1] if reference else Presence.REQUIRED


def misspelt(aliases: Sequence[Alias], spot: Spot) -> list[Failure]:
    """What is wrong with the spelling of the aliases' coordinates, used or not."""
    found, names = [], {alias.name for alias in aliases}
    for argument in (argument for alias in aliases for argument in alias.coordinates):
        reference = alias_reference(argument.text)
        if reference is None or reference[0] not in names:
            try:
                _parse(_Written(argument.text, argument.span, ()), spot)
            except Failure as failure:
                found.append(failure)
    return found


def _noted(failure: Failure, uses: Sequence[tuple[str, Span | None]]) -> Failure:
    """failure with notes that say which uses of aliases lead to its place."""
    notes = tuple(Note(f"alias '{name}' is used here", span) for name, span in uses)
    return Failure(tuple(replace(d, notes=(*d.notes, *notes)) for d in failure.diagnostics), failure.status)


def _parse(written: _Written, spot: Spot) -> Coordinate:
    try:
        return parse(written.text)
    except CoordinateError as problem:
        text, span = written.text, written.span
        place = spot(span, problem.offset, problem.length) if span is not None else None
        if place is not None:
            raise source_failure("coordinate", problem.message, place, fix=problem.fix) from None
        caret = Note(text), Note(" " * problem.offset + "^" + "~" * (problem.length - 1))
        raise source_failure("coordinate", f"coordinate '{text}': {problem.message}", span,
                             notes=caret if span is None else (), fix=problem.fix) from None


def _is_damage(problem: Exception) -> bool:
    """Whether an exception tells of damaged debug info: the readers' own error, or anything that a reader let through
    (struct.error, IndexError), or types without end."""
    return isinstance(problem, (DwarfError, RecursionError)) or _innermost(problem.__traceback__).startswith("localvar.dwarf.")


def _innermost(traceback: TracebackType | None) -> str:
    """The module in which an exception was raised."""
    name = ""
    while traceback is not None:
        name, traceback = traceback.tb_frame.f_globals.get("__name__", ""), traceback.tb_next
    return name

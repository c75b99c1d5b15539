# SPDX-License-Identifier: GPL-2.0-or-later
"""One kernel's debug info as the pipeline uses it: sites of coordinates, variables at sites, types by name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path as FilePath

from localvar.arch import ARCHITECTURES, Architecture
from localvar.diagnostics import Failure, Note, Span, environment_failure, source_failure
from localvar.dwarf.elf import Elf
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.locate import Locator
from localvar.dwarf.lookup import TypeLookup
from localvar.model.path import Path
from localvar.model.site import Site
from localvar.model.source import Alias
from localvar.plan.judge import Judge
from localvar.plan.nearest import nearest
from localvar.probe.coordinate import Coordinate, CoordinateError, alias_reference, parse
from localvar.probe.resolve import Resolver


class Kernel:
    """A vmlinux with debug info.  Raises Failure where the file cannot serve."""

    def __init__(self, path: FilePath, release: str | None) -> None:
        self.path = str(path)
        self.elf = Elf.open(path)
        arch = ARCHITECTURES.get(self.elf.machine)
        if arch is None:
            known = ", ".join(a.name for a in ARCHITECTURES.values())
            raise environment_failure("wrong-architecture",
                                      f"{path}: made for ELF machine {self.elf.machine}; localvar knows {known}")
        self.arch: Architecture = arch
        self.info = DebugInfo(self.elf)
        self.release = release or "unknown"
        self.locator = Locator(self.info, arch)
        self.judge = Judge(self.locator, arch)
        self.resolver = Resolver(self.info)
        self.names = TypeLookup(self.info)

    # -- coordinates ----------------------------------------------------------------------------------------------

    def sites(self, text: str, span: Span | None = None, aliases: Sequence[Alias] = ()) -> list[Site]:
        """The sites that a coordinate, or an alias of several, names.  Raises Failure, at span where given."""
        return [site for coordinate in self._parse(text, span, aliases, ()) for site in self.resolver.resolve(coordinate, span)]

    def _parse(self, text: str, span: Span | None, aliases: Sequence[Alias], seen: tuple[str, ...]) -> list[Coordinate]:
        reference = alias_reference(text)
        alias = next((a for a in aliases if reference and a.name == reference[0]), None)
        if alias is None:
            return [_parse_coordinate(text, span)]
        if alias.name in seen:
            raise source_failure("alias-loop", f"alias '{alias.name}' refers to itself", span)
        return [c for argument in alias.coordinates for c in self._parse(argument.text, span, aliases, (*seen, alias.name))]

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
            raise environment_failure("no-anchor", f"{self.path}: no symbol init_task: not a kernel")
        return found[0].value

    def nearest(self, site: Site, paths: Sequence[Path]) -> tuple[Note, ...]:
        """Notes that say where in the site's function all of the paths are readable."""
        return nearest(site, paths, self.judge, self.resolver)


def _parse_coordinate(text: str, span: Span | None) -> Coordinate:
    try:
        return parse(text)
    except CoordinateError as problem:
        raise _syntax(text, problem, span) from None


def _syntax(text: str, problem: CoordinateError, span: Span | None) -> Failure:
    if span is not None and span.end - span.start == len(text) + 2 and "\\" not in text:
        start = span.start + 1 + problem.offset
        span = Span(span.file, start, start + problem.length, span.line, span.column + 1 + problem.offset)
        return source_failure("coordinate", problem.message, span, fix=problem.fix)
    caret = Note(f"{text}"), Note(" " * problem.offset + "^" + "~" * (problem.length - 1))
    return source_failure("coordinate", f"coordinate '{text}': {problem.message}", span,
                          notes=caret if span is None else (), fix=problem.fix)

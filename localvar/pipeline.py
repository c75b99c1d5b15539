# SPDX-License-Identifier: GPL-2.0-or-later
"""The pipeline: handler.c to expanded C, in six stages.  A newcomer who reads this knows the program.

    scan -> resolve -> locate -> plan -> generate -> render
"""

from __future__ import annotations

from dataclasses import dataclass

from localvar.codegen.accessors import make_accessors
from localvar.codegen.callers import make_called
from localvar.codegen.entries import make_entries
from localvar.codegen.render import Output, render
from localvar.codegen.tables import KernelIdentity, ModuleIdentity
from localvar.diagnostics import Log, Span
from localvar.kernel import Kernel, misspelt
from localvar.model.plan import ReadPlan
from localvar.model.site import Places
from localvar.model.source import ProbeDeclaration, ProbeSource
from localvar.plan.bind import Binder
from localvar.source.literals import span_inside
from localvar.source.parse import library_path as library_path  # for `localvar doctor`
from localvar.source.scan import scan_unit
from localvar.types.supply import Target, supply


@dataclass(frozen=True)
class Job:
    """One file to expand: its path, the compiler's flags and working directory, and names for the result: of the
    handler file and of the output in #line, of this file and all expanded files of the module in C names."""

    path: str
    flags: tuple[str, ...]
    directory: str
    line_name: str
    own: str
    units: tuple[str, ...]
    verbose: bool = False
    output_name: str = "expanded.c"


@dataclass(frozen=True)
class Expansion:
    """The expanded text, the plan it was made from, and the files it depends on."""

    text: bytes
    plan: ReadPlan
    dependencies: tuple[str, ...]


def expand(job: Job, kernel: Kernel, log: Log) -> Expansion:
    """Expand one handler file.  Raises Failure with everything that log collected where there is an error."""
    with kernel.reading():
        source, unit = scan_unit(job.path, job.flags, directory=job.directory, log=log)  # scan
        log.check()
        probes = resolve(source, kernel, log)  # resolve
        log.check()
        binder = Binder(source, probes, kernel.judge, kernel.names, kernel.nearest, log, job.verbose)
        plan = binder.plan()  # locate and plan
        log.check()
        supplies = supply(plan, source, Target(job.flags, job.directory, unit), kernel.names, log)  # types
        plan = supplies.plan
        accessors = make_accessors(plan, kernel.arch, log)  # generate
        log.check()
        output = Output(job.output_name, job.line_name, job.own, job.units, supplies.includes, supplies.definitions)
        entries = make_entries(plan, kernel.arch)
        called = make_called(plan, kernel.arch)
        text = render(source, plan, accessors, entries, called, _identity(kernel, plan), output)  # render
        return Expansion(text, plan, (*source.dependencies, kernel.path))


def resolve(source: ProbeSource, kernel: Kernel, log: Log) -> list[tuple[ProbeDeclaration, Places]]:
    """Each probe declaration with what its coordinates name; errors go to log."""
    def spot(span: Span, offset: int, length: int) -> Span | None:
        return span_inside(span, source.text_of(span), offset, length)

    found = []
    for declaration in source.probes:
        coordinates = [(coordinate.text, coordinate.span) for coordinate in declaration.coordinates]
        places, failures = kernel.places(coordinates, source.aliases, spot)
        for diagnostic in (d for failure in failures for d in failure.diagnostics):
            log.add(diagnostic)
        found.append((declaration, places))
    told = {diagnostic.span for diagnostic in log.diagnostics}
    for diagnostic in (d for failure in misspelt(source.aliases, spot) for d in failure.diagnostics):
        if diagnostic.span not in told:
            log.add(diagnostic)
    return found


def _identity(kernel: Kernel, plan: ReadPlan) -> KernelIdentity:
    address, build_id = kernel.build_id_place
    modules = tuple(ModuleIdentity(m.name, m.build_id, m.anchors) for m in kernel.modules(plan))
    return KernelIdentity(kernel.release, build_id, address, kernel.anchor_address, modules)

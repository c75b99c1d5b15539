# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar doctor: what is there, what is missing, and which package or command brings it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import click

from localvar.cli.options import Common, common
from localvar.cli.report import Reporter, harmless
from localvar.diagnostics import Exit, Failure, environment_failure


@dataclass(frozen=True)
class Finding:
    """One thing looked for: found is where it is or None; missing says what is wrong then; details are lines more."""

    what: str
    found: str | None
    missing: str | None = None
    details: tuple[str, ...] = ()
    fix: str | None = None


@click.command()
@common
def doctor(options: Common) -> int:
    """Look for what expanding and building needs; exit status 2 where something is missing."""
    findings = list(_findings(options))
    if options.as_json:
        Reporter.current.answer({"findings": [asdict(finding) for finding in findings]})
    else:
        click.echo("\n".join(harmless(text(finding)) for finding in findings))
    return Exit.DONE if all(finding.found for finding in findings) else Exit.ENVIRONMENT


def text(finding: Finding) -> str:
    """A line for the finding, then its details, indented."""
    head = f"ok       {finding.what}: {finding.found}" if finding.found else f"MISSING  {finding.what}: {finding.missing}"
    more = [*finding.details, *([f"fix: {finding.fix}"] if finding.fix else [])]
    return "\n".join([head, *(f"           {line}" for line in more)])


def _findings(options: Common) -> Iterator[Finding]:
    yield _look("debug vmlinux", lambda: _vmlinux(options))
    build = _look("kernel build directory", lambda: _build(options))
    yield build
    yield _tool("make")
    yield _look("compiler", lambda: _compiler(options)) if build.found else _tool("gcc")
    yield _look("libclang", lambda: (_libclang(), ()))
    yield _look("localvar.h", lambda: (_headers(), ()))


def _look(what: str, find: Callable[[], tuple[str, tuple[str, ...]]]) -> Finding:
    """A finding from a function that gives (found, details) or raises Failure."""
    try:
        found, details = find()
        return Finding(what, found, None, details)
    except Failure as failure:
        first = failure.diagnostics[0]
        return Finding(what, None, first.message, tuple(note.message for note in first.notes), first.fix)


def _vmlinux(options: Common) -> tuple[str, tuple[str, ...]]:
    kernel = options.open_kernel()
    build_id, anchor = kernel.build_id_place[1].hex(), kernel.anchor_address
    return kernel.path, (f"Linux {kernel.release}, {kernel.arch.name}, build-id {build_id}", f"init_task at {anchor:#x}")


def _build(options: Common) -> tuple[str, tuple[str, ...]]:
    found = options.find_build()
    return str(found.path), (f"builds modules for Linux {found.release}",)


def _compiler(options: Common) -> tuple[str, tuple[str, ...]]:
    """The compiler that Kbuild itself names."""
    from localvar.kbuild.environment import Host
    from localvar.kbuild.flags import kernel_flags

    command = kernel_flags(options.find_build(), Host()).command
    program = " ".join(command.compiler)
    path = shutil.which(command.compiler[-1])
    if path is None:
        raise environment_failure("no-compiler", f"Kbuild compiles with {program}, which is not in PATH",
                                  fix=f"apt install {command.compiler[-1]}")
    return path, (f"Kbuild gives {program} {len(command.flags)} flags for a module",)


def _libclang() -> str:
    from localvar.pipeline import library_path

    return library_path()


def _headers() -> str:
    from localvar.paths import include_directory

    return str(include_directory() / "localvar.h")


def _tool(name: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, path, None if path else "not in PATH", fix=None if path else f"apt install {name}")

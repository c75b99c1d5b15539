# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar doctor: what is there, what is missing, and which package or command brings it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import click

from localvar.cli.options import Common, common
from localvar.diagnostics import Failure


@dataclass(frozen=True)
class Finding:
    """One thing looked for."""

    what: str
    found: str | None
    missing: str | None


@click.command()
@common
def doctor(options: Common) -> int:
    """Look for what expanding and building needs; exit status 2 where something is missing."""
    findings = [_look("debug vmlinux", lambda: _vmlinux(options)), _look("kernel build directory", lambda: _build(options)),
                _look("libclang", _libclang), *(_tool(name) for name in ("make", "gcc"))]
    if options.as_json:
        print(json.dumps([finding.__dict__ for finding in findings]))
    else:
        for finding in findings:
            click.echo(f"{'ok     ' if finding.found else 'missing'} {finding.what}: {finding.found or finding.missing}")
    return 0 if all(finding.found for finding in findings) else 2


def _look(what: str, find: Callable[[], str]) -> Finding:
    try:
        return Finding(what, find(), None)
    except Failure as failure:
        first = failure.diagnostics[0]
        return Finding(what, None, "; ".join([first.message, *(note.message for note in first.notes), *([first.fix] if first.fix else [])]))


def _vmlinux(options: Common) -> str:
    kernel = options.open_kernel()
    return f"{kernel.path} (Linux {kernel.release}, {kernel.arch.name}, build-id {kernel.build_id_place[1].hex()})"


def _build(options: Common) -> str:
    from localvar.kbuild.environment import Host, find_build_directory, wanted_release

    request, host = options.request(), Host()
    found = find_build_directory(request, host, wanted_release(request, host))
    return f"{found.path} (Linux {found.release})"


def _libclang() -> str:
    try:
        import clang.cindex as cindex

        cindex.Index.create()
        return str(cindex.conf.lib._name)
    except Exception as problem:
        from localvar.diagnostics import environment_failure

        raise environment_failure("no-libclang", f"libclang does not load: {problem}", fix="pip install libclang") from problem


def _tool(name: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, path, None if path else f"no {name} in PATH; apt-get install {name}")

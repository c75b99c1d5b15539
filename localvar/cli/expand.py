# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar expand: handler files to C."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localvar.cli.options import Common, common
from localvar.cli.report import Reporter
from localvar.diagnostics import Exit, Failure, Log, environment_failure

if TYPE_CHECKING:
    from localvar.kernel import Kernel
    from localvar.pipeline import Expansion, Job


@dataclass(frozen=True)
class Flags:
    """Where compiler flags come from: given ones with their working directory, or a kernel build directory."""

    given: tuple[str, ...] | None
    build: object
    host: object

    def job(self, path: Path, output: Path | None, units: Sequence[str], verbose: bool) -> Job:
        """The job for one file."""
        from localvar.kbuild.environment import BuildDirectory, Host
        from localvar.kbuild.flags import kernel_flags
        from localvar.paths import include_directory
        from localvar.pipeline import Job

        if self.given is not None:
            directory, flags = os.getcwd(), self.given
        else:
            assert isinstance(self.build, BuildDirectory) and isinstance(self.host, Host)
            directory = str(self.build.path)
            flags = (*kernel_flags(self.build, self.host).for_file(path.absolute()), f"-I{include_directory()}")
        stems = tuple(Path(unit).stem for unit in units) or (path.stem,)
        name = output.name if output is not None else f"{path.stem}.localvar.c"
        return Job(str(path), absolute_includes(flags, directory), directory, line_name(path, output), path.stem, stems, verbose,
                   name)


def absolute_includes(flags: Sequence[str], directory: str) -> tuple[str, ...]:
    """Flags whose -I directories are absolute; directory is the compiler's."""
    return tuple("-I" + os.path.normpath(os.path.join(directory, flag[2:])) if flag.startswith("-I") and len(flag) > 2 else flag
                 for flag in flags)


def line_name(path: Path, output: Path | None) -> str:
    """The name of the handler file in #line, as seen from the output's directory: the same wherever both lie."""
    folder = path.parent if output is None else output.parent
    return os.path.relpath(path.absolute(), folder.absolute())


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "output", type=click.Path(path_type=Path, allow_dash=True), metavar="OUT",
              help="Output file (- for standard output).")
@click.option("--depfile", type=click.Path(path_type=Path), metavar="D", help="Write a makefile of what the output depends on.")
@click.option("--check", is_flag=True, help="Only say whether the files expand; write nothing.")
@click.option("--diff", is_flag=True, help="Print what would change in the files' text; write nothing.")
@click.option("--unit", "units", multiple=True, metavar="FILE", help="A file of the same module that is expanded, in link order.")
@click.option("--line-name", "named", metavar="NAME", help="The file's name in #line (default: relative to the output).")
@common
@click.pass_obj
def expand(flags: tuple[str, ...] | None, files: tuple[Path, ...], output: Path | None, depfile: Path | None, check: bool,
           diff: bool, units: tuple[str, ...], named: str | None, options: Common) -> int:
    """Expand handler FILES.  Compiler flags can follow `--`; without them they are asked of the kernel's build directory.

    The output is FILE.localvar.c beside FILE unless -o says otherwise.
    """
    if (output or depfile) and len(files) > 1:
        raise click.UsageError("-o and --depfile go with one file")
    kernel, source = _surroundings(flags, options)
    status = Exit.DONE
    for file in files:
        target = output or file.with_suffix(".localvar.c")
        job = source.job(file, None if str(target) == "-" else target, units, bool(options.verbose))
        job = replace(job, line_name=named) if named else job
        log = Log()
        try:
            if not (check or diff):
                _check_outputs(file, target, depfile)
            result = _expand(job, kernel, log)
            answer: dict[str, Any] = {"file": str(file), "sites": sum(len(probe.sites) for probe in result.plan.probes)}
            if diff:
                answer["diff"] = _diff(file, result)
            elif not check:
                answer |= _write(file, target, depfile, result, options.as_json)
            _answer(answer, options)
        except Failure as failure:
            Reporter.current.show(failure.diagnostics)
            status = max(status, failure.status)
        Reporter.current.show(log.diagnostics)
    return int(status)


def _surroundings(flags: tuple[str, ...] | None, options: Common) -> tuple[Kernel, Flags]:
    if flags is not None:
        return options.open_kernel_for_build(), Flags(flags, None, None)
    kernel, build, host = options.open_both()
    return kernel, Flags(None, build, host)


def _expand(job: Job, kernel: Kernel, log: Log) -> Expansion:
    from localvar.pipeline import expand as run

    return run(job, kernel, log)


def _check_outputs(file: Path, target: Path, depfile: Path | None) -> None:
    """Refuse what would lose a file, before any work is done."""
    from localvar.kbuild.output import MARK

    with contextlib.suppress(OSError), file.open("rb") as start:
        if MARK.encode() in start.readline(4096):
            raise environment_failure("generated-input", f"{file} is an expansion already",
                                      fix="expand the file it was made from")
    for other, what in ((file, "the file to expand"), (target, "the output")):
        if depfile is not None and os.path.realpath(depfile) == os.path.realpath(other):
            raise environment_failure("depfile-is-file", f"--depfile {depfile} is {what}, it would be lost",
                                      fix="give another name with --depfile")


def _write(file: Path, target: Path, depfile: Path | None, result: Expansion, as_json: bool) -> dict[str, Any]:
    """Write the output, and the depfile, or neither; returns what --json says of it."""
    from localvar.kbuild.depfile import depfile_text
    from localvar.kbuild.output import write_atomic, write_generated

    text = result.text.decode("utf-8", "surrogateescape")
    if depfile is not None:
        code = sorted(str(path) for path in Path(__file__).parent.parent.rglob("*.py"))
        is_new = not depfile.exists()
        write_atomic(depfile, depfile_text(str(target), [*result.dependencies, *code]).encode("utf-8", "surrogateescape"))
    if str(target) == "-":
        if as_json:
            return {"output": None, "text": result.text.decode("utf-8", "replace")}
        sys.stdout.buffer.write(result.text)
        return {"output": None}
    try:
        write_generated(target, text, [file])
    except Failure:
        if depfile is not None and is_new:
            depfile.unlink(missing_ok=True)
        raise
    return {"output": str(target)}


def _diff(file: Path, result: Expansion) -> str:
    old = file.read_bytes().decode("utf-8", "surrogateescape").splitlines(keepends=True)
    new = result.text.decode("utf-8", "surrogateescape").splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, str(file), f"{file.stem}.localvar.c"))


def _answer(answer: dict[str, Any], options: Common) -> None:
    if options.as_json:
        Reporter.current.answered.setdefault("files", []).append(answer)
    elif "diff" in answer:
        sys.stdout.buffer.write(answer["diff"].encode("utf-8", "surrogateescape"))

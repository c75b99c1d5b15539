# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo without a kernel: userspace/probe.c is expanded for a program, loaded into it and read live.

The program prints its variables itself, which is what the records are held against.  `localvar expand` does exactly
what it does for a kernel; only the run time is another one (userspace/runtime.c).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from localvar.paths import include_directory

from .values import compare, say, show_accessors, show_source

USERSPACE = Path(__file__).parent / "userspace"
_COLUMNS = ("owner", "amount", "fee", "total", "balance", "overdrafts")


@dataclass(frozen=True)
class Outcome:
    """What the program printed and what its probe recorded: a row of values for each call."""

    printed: list[tuple[str, ...]]
    recorded: list[tuple[str, ...]]


def lacking() -> str | None:
    """What this machine lacks for it, or None."""
    if platform.machine() != "x86_64":
        return f"it is made for x86_64, this is {platform.machine()}"
    return None if shutil.which("gcc") else "gcc is not installed (apt-get install gcc libc6-dev)"


def run() -> int:
    """Show the whole way; the exit status."""
    say("The program, tests/demo/userspace/ledger.c")
    show_source(USERSPACE / "ledger.c")
    say("A handler that reads its variables, tests/demo/userspace/probe.c")
    show_source(USERSPACE / "probe.c")
    with TemporaryDirectory(prefix="localvar-demo-") as name:
        folder = Path(name)
        say("gcc -O2 -g ledger.c; localvar expand probe.c: what the macros became")
        build_program(folder, "-O2")
        build_probe(folder)
        show_accessors(folder / "probe.localvar.c")
        say("The program runs with the probe in it. What was recorded, held against what the program printed:")
        outcome = run_program(folder)
    return compare(_COLUMNS, outcome.printed, outcome.recorded)


def build_program(folder: Path, *flags: str) -> None:
    """Compile the program ``ledger`` with flags in folder."""
    shutil.copytree(USERSPACE, folder, dirs_exist_ok=True)
    _run("gcc", "-g", "-rdynamic", "-Wl,--build-id", *flags, "ledger.c", "-o", "ledger", folder=folder)


def build_probe(folder: Path) -> None:
    """Expand the probe for the program in folder, and compile it to ``probe.so``."""
    # The order matters: the run time in include/ stands before localvar's own, which is for kernels.
    flags = ["-I", "include", "-I", str(include_directory())]
    _run(sys.executable, "-m", "localvar", "expand", "probe.c", "--vmlinux", "ledger", "--", *flags, folder=folder)
    _run("gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", *flags, "probe.localvar.c", "runtime.c", "-o", "probe.so",
         folder=folder)


def run_program(folder: Path) -> Outcome:
    """Run the program with the probe loaded.  RuntimeError, with what it said, where the probe refuses."""
    output = _run("./ledger", folder=folder, LD_PRELOAD=str(folder / "probe.so"), PROBE_RECORDS="records")
    return Outcome(_values(output), _values((folder / "records").read_text()))


def _values(text: str) -> list[tuple[str, ...]]:
    pattern = " ".join(rf"{column}=(\S+)" for column in _COLUMNS)
    return [match.groups() for match in re.finditer(pattern, text)]


def _run(*command: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=folder, env=os.environ | environment, timeout=60, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout

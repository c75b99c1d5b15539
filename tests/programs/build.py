# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs as executables: one for each compiler, optimisation level and DWARF version."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("source")
WITHOUT_DEBUG_INFO = "support.c"

# As a kernel is compiled, where that changes what debug info says: no red zone, no position independence.
FLAGS = ("-std=gnu11", "-mno-red-zone", "-fno-pie", "-fwrapv", "-fno-strict-aliasing", "-fno-stack-protector", "-w")


@dataclass(frozen=True)
class Variant:
    """How the programs are compiled.  debug_frame: call frame information is in .debug_frame, as a kernel's is."""

    compiler: str
    level: str
    dwarf: int
    debug_frame: bool = False

    def __str__(self) -> str:
        return f"{self.compiler}-O{self.level}-dwarf{self.dwarf}"

    @property
    def flags(self) -> tuple[str, ...]:
        """What is given to the compiler for each file with debug info."""
        tables = ("-fno-asynchronous-unwind-tables", "-fno-unwind-tables") if self.debug_frame else ()
        return (*FLAGS, f"-O{self.level}", f"-gdwarf-{self.dwarf}", *tables)


def compilers() -> list[str]:
    """gcc, and the newest clang that there is."""
    clangs = ("clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14", "clang")
    found = [name for name in clangs if shutil.which(name)][:1]
    return (["gcc"] if shutil.which("gcc") else []) + found


def build(variant: Variant, folder: Path) -> Path:
    """Compile and link; return the executable."""
    objects = []
    for source in sorted(SOURCE.glob("*.c")):
        target = folder / f"{source.stem}.o"
        flags = (*FLAGS, "-O2") if source.name == WITHOUT_DEBUG_INFO else variant.flags
        _run(variant.compiler, *flags, "-c", source.name, "-o", str(target))
        objects.append(str(target))
    executable = folder / "programs"
    _run(variant.compiler, "-no-pie", *objects, "-o", str(executable))
    return executable


def _run(*command: str) -> None:
    run = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr

# SPDX-License-Identifier: GPL-2.0-or-later
"""C texts held against compilers: gcc, and clang as the library that localvar brings."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

FLAGS = ("-std=gnu11", "-ffreestanding", "-fsyntax-only", "-w")


def gcc_errors(text: str, folder: Path, flags: Sequence[str] = FLAGS) -> list[str]:
    """The errors that gcc reports for a text, none where it compiles; a skip where there is no gcc."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    file = folder / "types.c"
    file.write_text(text)
    run = subprocess.run(["gcc", *flags, str(file)], capture_output=True, text=True, timeout=300, check=False)
    errors = [line for line in run.stderr.splitlines() if "error:" in line]
    assert bool(errors) == bool(run.returncode), run.stderr
    return errors


def clang_errors(text: str) -> list[str]:
    """The errors that libclang reports for a text, in the layout of x86-64 Linux."""
    from clang import cindex

    flags = ["--target=x86_64-linux-gnu", "-std=gnu11", "-ffreestanding", "-w", "-ferror-limit=0"]
    unit = cindex.Index.create().parse("types.c", flags, unsaved_files=[("types.c", text)])
    return [str(diagnostic) for diagnostic in unit.diagnostics if diagnostic.severity >= cindex.Diagnostic.Error]

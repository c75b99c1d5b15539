# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds an external kernel module from C text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import processes
from .kernels import InstalledKernel


class BuildError(AssertionError):
    """The kernel's make failed; the text is its output."""


def build_module(
    kernel: InstalledKernel,
    name: str,
    sources: Mapping[str, str],
    folder: Path,
    *,
    make_args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = 180,
) -> Path:
    """Write `sources` (file name: text) to `folder` and build the module `name`; return its .ko.

    Without a ``Kbuild`` or ``Makefile`` among the sources one is written that links all the .c files to
    ``name.ko``. `make_args` are put after ``make -C BUILD M=FOLDER``, `env` over the environment. Raises
    BuildError with everything make said where the build fails or leaves no ``name.ko``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in sources.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if not {"Kbuild", "Makefile"} & sources.keys():
        (folder / "Kbuild").write_text(_kbuild(name, [file for file in sources if file.endswith(".c")]))
    output = make(kernel, folder, *make_args, env=env, timeout=timeout)
    ko = folder / f"{name}.ko"
    if not ko.is_file():
        raise BuildError(f"make succeeded but left no {ko}:\n{output}")
    return ko


def make(
    kernel: InstalledKernel,
    folder: Path,
    *args: str,
    env: Mapping[str, str] | None = None,
    timeout: float = 180,
) -> str:
    """Run the kernel's external-module make in `folder`; return what it wrote."""
    command = ["make", "-C", str(kernel.build), f"M={folder}", *kernel.machine.make_args, *args]
    # A make that started pytest must not lend its jobserver and flags to this one.
    inherited = {
        k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "GNUMAKEFLAGS"}
    }
    done = processes.run(command, timeout=timeout, env=inherited | {"LC_ALL": "C"} | dict(env or {}))
    if done.timed_out:
        raise BuildError(f"{' '.join(command)}: not done after {timeout} s\n{done.output}")
    if done.status != 0:
        raise BuildError(f"{' '.join(command)}: exit status {done.status}\n{done.output}")
    return done.output


def _kbuild(name: str, files: list[str]) -> str:
    objects = [file.removesuffix(".c") + ".o" for file in files]
    if objects == [f"{name}.o"]:
        return f"obj-m := {name}.o\n"
    if f"{name}.o" in objects:
        raise ValueError(f"a module of several files cannot be named as one of them: {name}")
    return f"obj-m := {name}.o\n{name}-y := {' '.join(objects)}\n"

# SPDX-License-Identifier: GPL-2.0-or-later
"""What a test needs of the machine: without it, a skip with a reason, or a failure in CI."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable
from typing import NoReturn, ParamSpec

import pytest

from . import kernels
from .kernels import InstalledKernel, MissingKernel

P = ParamSpec("P")


def missing(reason: str) -> NoReturn:
    """Skip the running test for `reason`; fail it where LOCALVAR_REQUIRE_VM=1, as in CI."""
    if os.environ.get("LOCALVAR_REQUIRE_VM") == "1":
        pytest.fail(f"LOCALVAR_REQUIRE_VM=1: {reason}", pytrace=False)
    pytest.skip(reason)


def program(name: str) -> None:
    """Go on only where the program `name` is in PATH."""
    if shutil.which(name) is None:
        missing(f"{name} is not installed; run tools/setup-debian.sh test")


def kernel(name: str) -> InstalledKernel:
    """The kernel `name` of the list; go on only where it and what boots it are complete."""
    found = kernels.find(name)
    if isinstance(found, MissingKernel):
        missing(found.reason)
    program(found.machine.qemu)
    if not found.busybox.is_file():
        missing(f"no static busybox {found.busybox}; run tools/setup-debian.sh test")
    return found


def requires_kernel(name: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Decorator: the test runs only where kernel `name` can be booted. It is marked ``vm``."""
    return _requires(lambda: kernel(name))


def requires_gdb(test: Callable[P, None]) -> Callable[P, None]:
    """Decorator: the test runs only where gdb is. It is marked ``vm``."""
    return _requires(lambda: program("gdb"))(test)


def _requires(need: Callable[[], object]) -> Callable[[Callable[P, None]], Callable[P, None]]:
    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(test)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            need()
            test(*args, **kwargs)

        marked: Callable[P, None] = pytest.mark.vm(run)
        return marked

    return decorate

# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the tests on real kernels."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from . import requires
from .build import build_module
from .kernels import KERNELS, InstalledKernel


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "vm: boots a kernel in a virtual machine")


@pytest.fixture(scope="session", params=[kernel.name for kernel in KERNELS])
def kernel(request: pytest.FixtureRequest) -> InstalledKernel:
    """Each kernel of the list in turn; the test is skipped where it is not installed."""
    return requires.kernel(request.param)


@pytest.fixture(scope="session")
def localvar_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A command ``localvar`` that runs this checkout; its folder can be put in front of PATH."""
    script = tmp_path_factory.mktemp("bin") / "localvar"
    root = Path(__file__).resolve().parents[2]
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -m localvar "$@"\n')
    script.chmod(0o755)
    return script


class Modules:
    """The hand-written modules of ``modules/``, each built once per kernel and session."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._built: dict[tuple[str, str], Path] = {}

    def build(self, kernel: InstalledKernel, name: str) -> Path:
        """The .ko of ``modules/NAME.c``."""
        if (kernel.name, name) not in self._built:
            source = (Path(__file__).parent / "modules" / f"{name}.c").read_text()
            folder = self._factory.mktemp(name)
            self._built[kernel.name, name] = build_module(kernel, name, {f"{name}.c": source}, folder)
        return self._built[kernel.name, name]


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Modules:
    return Modules(tmp_path_factory)

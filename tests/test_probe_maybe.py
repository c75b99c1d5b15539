# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules that are passed over for a coordinate without being read have nothing of what it names."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from localvar.arch import ARCHITECTURES
from localvar.diagnostics import Failure
from localvar.dwarf.elf import Elf
from localvar.images import Image
from localvar.kbuild.modules import read_module
from localvar.kernel import Kernel
from localvar.model.site import Site
from localvar.probe.coordinate import parse
from localvar.probe.maybe import may_have
from tests.small_kernel import write_small_kernel

NAMES = ["init_module", "cleanup_module", "kmalloc", "nf_*", "*_init", "[xv]fs_*", "*_init@*.h", "*@include/linux/slab.h",
         "*@nf_*.c", "kmalloc@slab.h", "init_module@*_core.c", "no_such_function", "*@no/such.c", "no_such_*"]


def some_modules() -> list[Elf]:
    """Small modules of the installed kernels, that all of them can be read in full."""
    every = Path("/usr/lib/debug/lib/modules").glob("*/kernel/net/**/*.ko*")
    files = sorted(file for file in every if file.stat().st_size < 1 << 20)
    if not files:
        pytest.skip("no modules with debug info; run tools/setup-debian.sh test")
    return [Elf(str(file), read_module(file)) for file in random.Random(20260101).sample(files, 24)]


def test_modules_passed_over_have_no_such_place() -> None:
    passed = found = 0
    for elf in some_modules():
        image = Image(elf, ARCHITECTURES[elf.machine], "m")
        for name in NAMES:
            coordinate = parse(f'module("m").function("{name}")')
            try:
                sites = image.resolver.resolve(coordinate)
            except Failure:
                sites = []
            found += bool(sites)
            passed += not may_have(elf, coordinate.target)
            assert may_have(elf, coordinate.target) or not sites, (elf.path, name)
    assert found > 80 and passed > 60


def test_a_module_that_is_passed_over_is_not_relocated() -> None:
    elf = some_modules()[0]
    Image(elf, ARCHITECTURES[elf.machine], "m")
    assert not may_have(elf, parse('module("m").function("no_such_function")').target)
    assert ".debug_info" not in [elf.sections[index].name for index in elf._contents]


class Files:
    """Modules by name, each the same kernel file."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self._path = path
        self._names = names

    def names(self, glob: str) -> tuple[str, ...]:
        return self._names

    def read(self, name: str) -> tuple[str, bytes | None]:
        return str(self._path), None


def test_where_no_module_has_a_function_the_first_one_says_so(tmp_path: Path) -> None:
    path = write_small_kernel(tmp_path)
    kernel = Kernel(path, "6.1.0-small", lambda: Files(path, ("one", "two")))
    with pytest.raises(Failure) as failure:
        kernel.sites('module("*").function("no_such_function")')
    assert failure.value.diagnostics[0].message == "no function 'no_such_function' in module one"
    found: list[Site] = kernel.sites('module("*").function("account")')
    assert [site.module for site in found] == ["one", "two"]


def test_the_limit_of_places_is_for_all_modules_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_small_kernel(tmp_path)
    kernel = Kernel(path, "6.1.0-small", lambda: Files(path, ("one", "two")))
    text = 'module("*").function("[as]*")'
    monkeypatch.setattr("localvar.probe.resolve.SITE_LIMIT", 4)
    assert len(kernel.sites(text)) == 4
    monkeypatch.setattr("localvar.probe.resolve.SITE_LIMIT", 3)
    with pytest.raises(Failure, match="it names more than 3 places"):
        kernel.sites(text)
    monkeypatch.setattr("localvar.probe.resolve.FUNCTION_LIMIT", 1)
    with pytest.raises(Failure, match="matches 2 functions; no more than 1"):
        kernel.sites(text)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way to bind a handler, and what functions return: a module of several files and a shared header, and one whose
functions give known values."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .build import build_module
from .kernels import InstalledKernel
from .vm import VirtualMachine, VmResult

pytestmark = pytest.mark.vm

SOURCES = Path(__file__).parent / "forms"
NUMBERS = (7, 300, -5)

WORKLOAD = f"""
    insmod /gives.ko || exit
    for n in {" ".join(map(str, NUMBERS))}; do echo $n > /sys/module/gives/parameters/work || exit; done
    ionice -p 70001 2>/dev/null
    echo 1 > /sys/module/forms/parameters/plain || exit
    dd if=/bin/busybox of=/tmp/copy bs=1111 count=2 2>/dev/null
    rmmod gives
"""


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


def unsigned(value: int, bits: int) -> int:
    return value & (1 << bits) - 1


#: By the name of the function that gives it: what the handler at its return prints for a number.
GIVEN: dict[str, Callable[[int], int]] = {
    "s8": lambda n: signed(n, 8),
    "u8": lambda n: unsigned(n, 8),
    "s16": lambda n: signed(n, 16),
    "u16": lambda n: unsigned(n, 16),
    "int": lambda n: n,
    "u32": lambda n: unsigned(n, 32),
    "s64": lambda n: n * 0x100000001,
    "bool": lambda n: int(bool(n & 2)),
    "way": lambda n: -3 if n & 1 else 5,
    "pointer": lambda n: n,
    "int128": lambda n: n,
    "small": lambda n: unsigned(n, 8) * 10000 + unsigned(n + 1, 8) * 100 + unsigned(n + 2, 8),
    "mixed": lambda n: n * 1000000 - n * 10 + (n & 1),
    "twelve": lambda n: unsigned(n, 32) * 10000 + unsigned((n + 1) * 100, 32) + unsigned(n + 2, 32),
    "sixteen": lambda n: signed(n * 10**8 + signed(-n, 8) * 10**4 + (n & 31) * 100 + (n + 7 & 2047), 64),
    "large": lambda n: signed(n * 10**8 + signed(n * 10**6, 32) + n * 10**4 + unsigned((n + 2) * 100, 32) + n + 3, 64),
    "union": lambda n: unsigned(n, 8) + 0x03020100,
    "nothing": lambda n: 0,
}


@pytest.fixture(scope="module")
def run(kernel: InstalledKernel, localvar_script: Path, tmp_path_factory: pytest.TempPathFactory) -> VmResult:
    gives = build_module(kernel, "gives", {"gives.c": (SOURCES / "gives.c").read_text()}, tmp_path_factory.mktemp("gives"))
    sources = {path.name: path.read_text() for path in SOURCES.iterdir() if path.name != "gives.c"}
    arguments = ["localvar=1", f"LOCALVAR={localvar_script}", f"LOCALVAR_FLAGS=--module-debug {gives.parent}"]
    module = build_module(kernel, "forms", sources, tmp_path_factory.mktemp("forms"), make_args=arguments)
    return VirtualMachine(kernel, modules=[module], workload=WORKLOAD, files={"gives.ko": gives}).run()


def texts(result: VmResult, handler: str) -> list[str]:
    return [r.text.removeprefix(f"{handler}: ") for r in result.records("forms") if r.text.startswith(f"{handler}: ")]


def for_each(*lines: str) -> list[str]:
    """The lines for each number, which stands for N in them, -N for its opposite."""
    return [line.replace("-N", str(-n)).replace("N", str(n)) for n in NUMBERS for line in lines]


@pytest.mark.parametrize("name", GIVEN)
def test_value_that_a_function_returns_is_read_whatever_its_type(run: VmResult, name: str) -> None:
    handler = "void_at_end" if name == "nothing" else f"gave_{name}"
    assert texts(run, handler) == [f"{name} {GIVEN[name](n)}" for n in NUMBERS]


def test_aliases_name_all_places_that_there_are_each_once(run: VmResult) -> None:
    """Six functions, two of them by two aliases, through a helper that calls another one."""
    assert texts(run, "integers") == for_each(*["integers N"] * 6)
    assert texts(run, "first") == for_each(*["first N"] * 2)


def test_helpers_are_reached_through_pointers_and_recursion(run: VmResult) -> None:
    assert texts(run, "pointing") == for_each(*["pointing N -N"] * 2)


def test_one_handler_has_the_entry_and_the_return_of_each_call_and_another_one_too(run: VmResult) -> None:
    depths = [range(n & 3, -1, -1) for n in NUMBERS]
    assert texts(run, "both_ends") == [f"both_ends {way} {depth}" for down in depths
                                       for way, order in (("in", down), ("out", reversed(down))) for depth in order]
    assert texts(run, "descent") == [
        f"descent {depth * (depth + 1) // 2} of {depth}" for down in depths for depth in reversed(down)]


def test_place_without_the_variable_is_kept_where_there_is_a_fallback(run: VmResult) -> None:
    found = texts(run, "fallback")
    assert len(found) == len(NUMBERS) + 1 and found[-1] == "fallback -1" and "fallback -1" not in found[:-1]


def test_arrays_of_plain_kprobes_and_kretprobes_stand_at_their_coordinates(run: VmResult) -> None:
    found = re.findall(r"forms: (plain .*1111.*)$", run.dmesg, re.MULTILINE)
    read, written = ["plain 1111"] * 2, ["plain 1111"]
    assert found == [*read, "plain 1111 of 1111", *written, "plain 1111 of 1111"] * 2

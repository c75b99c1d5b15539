# SPDX-License-Identifier: GPL-2.0-or-later
"""How gdb's values become bytes: variables in registers, memory, pieces, constants and nowhere."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from . import processes, requires

_PROGRAM = r"""
#include <stdbool.h>
struct pair { long first; int second; };
struct bits { unsigned a : 3; int b : 5; unsigned long wide : 40; };
union either { unsigned short half; unsigned int whole; };
enum colour { RED = -1, GREEN = 7 };
struct linked { struct linked *next; int value; };

volatile long sink, source = 40;
static __attribute__((noinline)) void here(void) { asm volatile("" ::: "memory"); }

static inline __attribute__((always_inline)) void inlined(long argument)
{
	long doubled = argument * 2;
	asm volatile("inlined_here: nop" :: "r"(doubled), "r"(argument));
}

__attribute__((noinline)) int observed(long number, bool flag, const char *text, double ratio)
{
	struct pair pair = { number + 1, 9 };          /* split into its members */
	struct bits bits = { 5, -3, 0x123456789aUL };
	union either either = { .whole = 0xdeadbeef };
	int array[3] = { 1, 2, -3 };
	enum colour colour = number == 42 ? GREEN : RED;
	struct linked end = { 0, 77 }, head = { &end, 1 };
	static int kept = 1234;
	long gone = number * 3;                        /* not used any more */
	{
		short number = -2;                     /* hides the parameter */
		sink = gone;
		inlined(source);
		asm volatile("observed_here: nop" :: "r"(number), "r"(pair.first), "m"(bits), "m"(either),
			"m"(array), "r"(colour), "m"(head), "m"(end), "m"(kept), "r"(flag), "r"(text), "x"(ratio));
	}
	here();
	return pair.first;
}

int main(void) { return observed(42, true, "text", 0.5) == 0; }
"""

_SCRIPT = """
import gdb, json
from {package}.gdb_values import snapshot

gdb.execute("break *inlined_here", to_string=True)
gdb.execute("break *observed_here", to_string=True)
snapshots = []
for command in ("run", "continue"):
    gdb.execute(command, to_string=True)
    snapshots.append(snapshot({expressions!r}, scopes=True))
with open("snapshots", "w") as file:
    json.dump(snapshots, file)
gdb.execute("kill")
"""

_EXPRESSIONS = {
    "number": -2,
    "number + 1": -1,
    "pair.first": 43,
    "array[1] + array[2]": -1,
    "head.next->value": 77,
    "(long)colour": 7,
    "bits.b": -3,
    "*(struct pair *)0": None,
    "nosuch": None,
}

Snapshot = dict[str, Any]


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> list[Snapshot]:
    """What gdb saw at `inlined_here` and at `observed_here`."""
    requires.program("gdb")
    requires.program("gcc")
    folder = tmp_path_factory.mktemp("gdb")
    (folder / "program.c").write_text(_PROGRAM)
    subprocess.run(["gcc", "-O2", "-g", "-o", "program", "program.c"], check=True, cwd=folder)
    package = __package__ or ""
    (folder / "script.py").write_text(_SCRIPT.format(package=package, expressions=list(_EXPRESSIONS)))
    root = str(Path(__file__).parents[package.count(".") + 1])
    command = ["gdb", "-batch", "-nx", "-x", "script.py", "program"]
    done = processes.run(command, timeout=60, cwd=folder, env=os.environ | {"PYTHONPATH": root})
    assert (folder / "snapshots").exists(), done.output
    loaded: list[Snapshot] = json.loads((folder / "snapshots").read_text())
    return loaded


def _variables(snapshot: Snapshot, scope: int) -> dict[str, Any]:
    return {variable["name"]: variable for variable in snapshot["scopes"][scope]["variables"]}


def test_scopes_are_the_blocks_of_the_inlined_function_and_of_the_one_around_it(
    snapshots: list[Snapshot],
) -> None:
    scopes = [(s["function"], s["lexical"]) for s in snapshots[0]["scopes"] if s["variables"]]
    assert [name for name, _ in scopes] == sorted(name for name, _ in scopes)
    assert [name for name, lexical in scopes if not lexical] == ["inlined", "observed"]
    assert "observed" in {s["function"] for s in snapshots[1]["scopes"]}
    assert "inlined" not in {s["function"] for s in snapshots[1]["scopes"]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flag", "01"),
        ("colour", "07000000"),
        ("array", "0100000002000000fdffffff"),
        ("either", "efbeadde"),
        ("bits", ((5 | (-3 & 31) << 3) | 0x123456789A << 8).to_bytes(8, "little").hex()),
        ("kept", (1234).to_bytes(4, "little").hex()),
        ("ratio", struct.pack("<d", 0.5).hex()),
        # In pieces; nothing says what its padding holds.
        ("pair", (43).to_bytes(8, "little").hex() + "09000000" + "????????"),
    ],
)
def test_bytes_are_those_of_memory(snapshots: list[Snapshot], name: str, expected: str) -> None:
    assert _variables(snapshots[1], -1)[name]["hex"] == expected


def test_variable_that_is_a_constant_is_listed(snapshots: list[Snapshot]) -> None:
    number = _variables(snapshots[1], 0)["number"]
    assert (number["type"], number["integer"], number["hex"]) == ("short", -2, "feff")


def test_variable_that_is_gone_is_optimized_out(snapshots: list[Snapshot]) -> None:
    gone = _variables(snapshots[1], -1)["gone"]
    assert gone["optimized_out"] and gone["hex"] == "??" * 8 and gone["integer"] is None


def test_addresses_are_given_for_what_is_in_memory_only(snapshots: list[Snapshot]) -> None:
    variables = _variables(snapshots[1], -1)
    assert variables["head"]["hex"][:16] == variables["end"]["address"].to_bytes(8, "little").hex()
    assert variables["pair"]["address"] is None and variables["flag"]["address"] is None


@pytest.mark.parametrize("expression", [e for e, value in _EXPRESSIONS.items() if isinstance(value, int)])
def test_expression_uses_the_innermost_variables(snapshots: list[Snapshot], expression: str) -> None:
    assert snapshots[1]["values"][expression]["integer"] == _EXPRESSIONS[expression]


def test_error_of_gdb_is_kept_as_text(snapshots: list[Snapshot]) -> None:
    values = snapshots[1]["values"]
    assert values["nosuch"]["error"] == 'No symbol "nosuch" in current context.'
    assert values["*(struct pair *)0"]["error"] == "Cannot access memory at address 0x0"
    assert values["nosuch"]["hex"] is None and values["*(struct pair *)0"]["hex"] is None


def test_registers_are_unsigned(snapshots: list[Snapshot]) -> None:
    registers = snapshots[1]["registers"]
    assert registers["rip"] == snapshots[1]["pc"]
    assert {"rax", "rbx", "rsp", "r15"} <= registers.keys()
    assert all(0 <= value < 2**64 for value in registers.values())

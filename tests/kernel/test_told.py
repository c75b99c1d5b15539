# SPDX-License-Identifier: GPL-2.0-or-later
"""Values that functions of a module tell themselves, read while they run in several tasks on two CPUs.

The functions of told/told.c call themselves, sleep, are preempted and go on on the other CPU between their entry and the
place that is probed. Each record of a handler of told/watch.c has to be a line that its function told, as often.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from .kernels import InstalledKernel
from .test_callers import build, texts
from .test_runtime import TwoCpus
from .vm import Module, VmResult

pytestmark = pytest.mark.vm

SOURCES = Path(__file__).with_name("told")
TASKS, TURNS = 4, 3
#: Activations of each function in a turn.
ACTIVATIONS = {"recursive": 7, "around": 4, "by_value": 1, "in_memory": 1, "stays": 1, "locals": 1, "hops": 5}
#: The handlers, with the function whose values they read and how many of its places they are bound to.
HANDLERS = {
    "recursive_begins": ("recursive", 1), "recursive": ("recursive", 1), "recursive_returns": ("recursive", 1),
    "around": ("around", 1), "around_entered": ("around", 1), "by_value_begins": ("by_value", 1), "by_value": ("by_value", 1),
    "in_memory": ("in_memory", 2), "stays": ("stays", 1), "locals": ("locals", 1), "hops": ("hops", 1),
}  # fmt: skip
NONE = {"missed": 0, "unproven": 0, "faults": 0, "errors": 0, "lost": 0}
WORKLOAD = f"""
    for task in $(seq {TASKS}); do echo {TURNS} > /sys/kernel/debug/telling/run & done
    wait
"""


@pytest.fixture(scope="module")
def result(kernel: InstalledKernel, localvar_script: Path, tmp_path_factory: pytest.TempPathFactory) -> VmResult:
    """The functions run and read; tasks are preempted wherever the kernel can be."""
    folder = tmp_path_factory.mktemp("told")
    source = (SOURCES / "told.c").read_text()
    handlers = (SOURCES / "watch.c").read_text()
    for number, line in enumerate(source.splitlines(), 1):
        if site := re.search(r"SITE\(\);\s*/\* (\w+) \*/", line):
            handlers = handlers.replace(f"@*:{site[1].upper()}\\", f"@*:{number}\\")
    victim = build(kernel, "told", source, localvar_script, folder)
    watch = build(kernel, "watch", handlers, localvar_script, folder, f"--module-debug {victim.parent}")
    return TwoCpus(
        kernel, [Module(victim), Module(watch)], WORKLOAD, append="preempt=full", smp=2, timeout=200,
        collect={"told": "/sys/kernel/debug/telling/lines", "counters": "/sys/kernel/debug/localvar/watch"},
    ).run()  # fmt: skip


def told(result: VmResult, function: str) -> list[dict[str, str]]:
    """What a function told: values by name, in the order of telling."""
    lines = [line.split() for line in result.sections["told"].splitlines()]
    return [dict(word.split("=") for word in words) for name, *words in lines if name == function]


@pytest.mark.parametrize("handler", HANDLERS)
def test_every_record_is_what_its_function_told(result: VmResult, handler: str) -> None:
    function, places = HANDLERS[handler]
    activations = told(result, function)
    assert len(activations) == ACTIVATIONS[function] * TASKS * TURNS
    found = texts(result, "watch", handler)
    names = [word.partition("=")[0] for word in found[0].split()]
    expected = Counter(" ".join(f"{name}={values[name]}" for name in names) for values in activations)
    assert Counter(found) == Counter({text: number * places for text, number in expected.items()})


@pytest.mark.parametrize("handler", HANDLERS)
def test_every_hit_was_proven_and_recorded(result: VmResult, handler: str) -> None:
    function, places = HANDLERS[handler]
    lines = (line.split() for line in result.sections[f"counters/{handler}"].splitlines())
    counted = {name: int(value) for name, value in lines}
    hits = ACTIVATIONS[function] * TASKS * TURNS * places
    assert counted.items() >= {**NONE, "hits": hits, "records": hits}.items()


def test_activations_of_several_tasks_were_under_way_at_once_on_both_cpus(result: VmResult) -> None:
    moved = re.search(r"^moved (\d+)$", result.sections["told"], re.MULTILINE)
    assert moved and int(moved[1]) > TASKS * TURNS * sum(ACTIVATIONS.values()) / 2
    # A task's keys are thousands of its turns: those of different turns come between each other.
    turns = [int(values["key"]) // 1000 for values in told(result, "recursive")]
    assert len(turns) - sum(a == b for a, b in pairwise(turns)) > 2 * TASKS * TURNS

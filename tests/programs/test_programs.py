# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar beside gdb, and beside what the programs tell, at every statement of every program.

The usual run takes a part of the variants; all of them, and more hits of each statement, with LOCALVAR_ALL=1.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from localvar.kernel import Kernel
from tests.kernel.requires import missing
from tests.programs.build import Variant, build, compilers
from tests.programs.choose import choose
from tests.programs.mistakes import is_compilers, is_known, is_known_scope
from tests.programs.outcome import Outcome, total
from tests.programs.run import observe

ALL = os.environ.get("LOCALVAR_ALL") == "1"
HITS = 12 if ALL else 2
LEVELS = "0123s" if ALL else "02s"

#: Why we do not read what gdb reads: slugs of reasons, and what makes them right.
OURS_ABSENT = {
    "no-frame": "below the stack pointer a kernel may write at any time",
    "type": "floating point is not to be used in a kernel",
    "register": "vector registers are not saved at a probe",
    "array": "C has no values of arrays: their elements are read, which are compared as well",
    "caller-unknown": "gdb takes the caller's memory as it is now for what it was",
    "division": "a division that could trap in the kernel",
    "too-small": "clang describes a part of the variable; gdb shows zeros for the rest",
    "producer": "clang writes one operation for signed and for unsigned numbers",
    "not-tracked": "gcc's one location for all of a scope, of what it does not track; gdb shows what the registers hold",
    "width": "debug info does not say whether an operation is of 32 or 64 bits; gdb's values are wrong for some",
}


@functools.cache
def program(variant: Variant) -> tuple[Kernel, Outcome]:
    """The executable of a variant, and what came of reading it."""
    if shutil.which("gdb") is None:
        missing("gdb is not installed; run tools/setup-debian.sh test")
    with tempfile.TemporaryDirectory() as folder:
        executable = build(variant, Path(folder))
        found = observe(executable, Path(folder), HITS)
        print(f"{variant}: {found}")
        return Kernel(executable, None), found


def variants() -> list[Variant]:
    """What is tested: DWARF 5 at each level, DWARF 4 at one or all, with .debug_frame as in a kernel."""
    found = [Variant(compiler, level, 5) for compiler in compilers() for level in LEVELS]
    return found + [Variant(compiler, level, 4, True) for compiler in compilers() for level in (LEVELS if ALL else "2")]


VARIANTS = variants()
each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=str)


@each_variant
def test_the_program_runs_to_its_end_and_every_kind_of_stop_is_made(variant: Variant) -> None:
    _, found = program(variant)
    assert found.end == "exited"
    assert found.hits > 500 and found.stops > 400
    assert sum(found.equal.values()) > 2000


@each_variant
def test_every_value_that_both_read_is_the_same(variant: Variant) -> None:
    executable, found = program(variant)
    wrong = [finding for finding in found.mismatches if not is_known(executable, finding)]
    assert not wrong, "\n".join(map(str, wrong))


@each_variant
def test_every_value_is_what_the_program_tells(variant: Variant) -> None:
    _, found = program(variant)
    lies = [finding for finding in found.lies if not is_compilers(variant.compiler, finding)]
    assert not lies, "\n".join(map(str, lies))


@each_variant
def test_a_value_that_gdb_does_not_read_was_told_by_the_program(variant: Variant) -> None:
    _, found = program(variant)
    assert not found.only_ours, "\n".join(map(str, found.only_ours))


@each_variant
def test_a_value_that_only_gdb_reads_is_refused_for_a_reason_that_holds(variant: Variant) -> None:
    _, found = program(variant)
    other = [finding for finding in found.only_gdbs if finding.why.split(":")[0] not in OURS_ABSENT]
    assert not other, "\n".join(map(str, other))


@each_variant
def test_both_see_the_same_functions_and_names(variant: Variant) -> None:
    executable, found = program(variant)
    wrong = [f"{pc:#x} {what}" for pc, name, what in found.scopes if not is_known_scope(executable, pc, name)]
    assert not wrong, "\n".join(wrong)


def test_every_class_and_way_of_reading_is_met() -> None:
    if not VARIANTS:
        missing("no C compiler is installed")
    whole = total(program(variant)[1] for variant in VARIANTS)
    print(whole)
    ways = {"register, direct", "memory, direct", "value, direct", "constant, direct", "pieces, direct",
            "implicit_pointer, direct", "entry_value, entry_capture", "entry_value, caller"}
    assert ways <= whole.equal.keys()
    assert whole.told["entry_value, entry_capture: gdb has none"] > 50
    assert whole.told["entry_value, caller"] > 20


def test_a_plan_that_is_wrong_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not VARIANTS or shutil.which("gdb") is None:
        missing("gdb or a C compiler is not installed")
    from dataclasses import replace

    from localvar.model.expr import Const
    from localvar.model.plan import Scalar

    def spoiled(executable: Kernel):  # type: ignore[no-untyped-def]
        return tuple(replace(stop, asks=tuple(replace(ask, source=Scalar(Const(0x5A5A5A5A))) if ask.path.name == "rest" and
                                              ask.source else ask for ask in stop.asks)) for stop in choose(executable))

    monkeypatch.setattr("tests.programs.run.choose", spoiled)
    found = observe(build(Variant(VARIANTS[0].compiler, "0", 5), tmp_path), tmp_path, 1)
    assert {finding.path for finding in found.mismatches} == {"rest"}

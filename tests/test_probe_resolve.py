# SPDX-License-Identifier: GPL-2.0-or-later
"""Coordinates against a kernel of two files (tests/small_kernel.py): the places they name, and what is wrong with others."""

from __future__ import annotations

import pytest

from localvar.diagnostics import Failure, Span
from localvar.kernel import Kernel
from localvar.model.source import Alias, Argument
from tests.small_kernel import ACCOUNT, DATA, ENTRY, HELPER, OOM_HELPER, SCAN, write_small_kernel

SPAN = Span("tapset.h", 0, 1, 1, 1)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return Kernel(write_small_kernel(tmp_path_factory.mktemp("small")), "6.1.0-small")


def slug(kernel: Kernel, coordinate: str) -> str:
    with pytest.raises(Failure) as failure:
        kernel.sites(coordinate)
    return failure.value.diagnostics[0].slug


@pytest.mark.parametrize(("coordinate", "addresses"), [
    ("account", [ACCOUNT]),
    ("helper", [OOM_HELPER, HELPER]),
    ('kernel.function("helper@fs/scan.c")', [HELPER]),
    ('kernel.function("*@scan.c")', [HELPER, SCAN]),
    ('kernel.function("[as]*")', [ACCOUNT, SCAN]),
    ('kernel.function("charge")', [ACCOUNT + 0x60]),
    ('kernel.function("account").callee("charge")', [ACCOUNT + 0x60]),
    ('kernel.function("account").callee("c*")', [ACCOUNT + 0x60]),
    ('kernel.function("account").label("o*")', [ACCOUNT + 0x40]),
    ("mm/oom.c:14", [ACCOUNT + 0x10]),
    ("oom.c:31", [ACCOUNT + 0x60]),
    ('kernel.statement("*@mm/oom.c:14-16")', [ACCOUNT + 0x10, ACCOUNT + 0x20]),
    ('kernel.statement("h*@mm/oom.c:*")', [OOM_HELPER, OOM_HELPER + 8]),
    ('kernel.statement("account@mm/oom.c:15").nearest', [ACCOUNT + 0x20]),
    ('kernel.statement("*@mm/oom.c:41").nearest', [OOM_HELPER + 8]),
    ('kernel.function("*@mm/oom.c:14")', [ACCOUNT]),
    ('kernel.function("*@mm/oom.c:31,42")', [ACCOUNT + 0x60, OOM_HELPER]),
    ('kernel.function("*@mm/oom.c:31,42").call', [OOM_HELPER]),
    ("account:4", [ACCOUNT + 0x10]),
])
def test_coordinate_names_every_place_and_no_other(kernel: Kernel, coordinate: str, addresses: list[int]) -> None:
    assert [site.pc for site in kernel.sites(coordinate)] == addresses


@pytest.mark.parametrize(("coordinate", "expected"), [
    ("acount", "no-such-function"),
    ("z*", "no-such-function"),
    ('kernel.function("account").exported', "not-exported"),
    ('kernel.function("account").callee("nobody")', "no-such-function"),
    ('kernel.function("account").label("lost")', "no-code"),
    ('kernel.function("account").label("nowhere")', "no-such-label"),
    ('kernel.function("*@mm/oom.c:14").inline', "no-code"),
    ('kernel.function("account").callee("charge").call', "no-code"),
    ('kernel.function("account").callee("charge").return', "no-code"),
    ("mm/oom.c:15", "no-such-line"),
    ("mm/none.c:15", "no-such-file"),
    ('module("ext4").function("f")', "no-such-module"),
])
def test_coordinate_that_names_nothing_says_what_is_missing(kernel: Kernel, coordinate: str, expected: str) -> None:
    assert slug(kernel, coordinate) == expected


def test_line_without_code_names_the_nearest_lines_that_have_some(kernel: Kernel) -> None:
    with pytest.raises(Failure) as failure:
        kernel.sites("mm/oom.c:15")
    assert [note.message for note in failure.value.diagnostics[0].notes] == ["nearest lines with code: 10, 14, 16, 21"]


def test_glob_over_the_limit_is_refused_with_the_number(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localvar.probe.resolve.FUNCTION_LIMIT", 2)
    with pytest.raises(Failure, match="'\\*' matches 4 functions; no more than 2"):
        kernel.sites('kernel.function("*")')


def places(kernel: Kernel, *coordinates: str, aliases: tuple[Alias, ...] = ()) -> tuple[list[int], list[str]]:
    found, failures = kernel.places([(text, None) for text in coordinates], aliases)
    return [site.pc for site in found.sites], [failure.diagnostics[0].slug for failure in failures]


def test_optional_coordinate_may_name_nothing(kernel: Kernel) -> None:
    assert places(kernel, "nobody ?", "scan") == ([SCAN], [])
    assert places(kernel, "nobody", "scan") == ([SCAN], ["no-such-function"])


def test_optional_coordinate_still_has_to_be_a_coordinate(kernel: Kernel) -> None:
    assert places(kernel, 'kernel.function("scan").nothing ?')[1] == ["coordinate"]


def test_first_sufficient_coordinate_that_names_something_wins(kernel: Kernel) -> None:
    assert places(kernel, "nobody !", "scan !", "account") == ([SCAN], [])
    assert places(kernel, "nobody !", "account", "scan") == ([ACCOUNT, SCAN], [])


def test_place_that_several_coordinates_name_is_one_whatever_line_each_asked_for(kernel: Kernel) -> None:
    """A handler that is bound to both is called once for a hit."""
    assert places(kernel, "scan", "fs/scan.c:9", "scan+0", f"{SCAN:#x}", "account") == ([SCAN, ACCOUNT], [])
    found, _ = kernel.places([(text, None) for text in ("nobody ?", "scan", "helper", "scan:1")])
    assert [(site.pc, by) for site, by in zip(found.sites, found.named_by, strict=True)] == [
        (SCAN, 1), (OOM_HELPER, 2), (HELPER, 2), (SCAN + 0x10, 3)]


def test_aliases_that_refer_to_each_other_are_one_failure_beside_the_others(kernel: Kernel) -> None:
    loop = alias("a", "b"), alias("b", "a")
    assert places(kernel, "scan", "a", "nobody", aliases=loop) == ([SCAN], ["alias-loop", "no-such-function"])


def alias(name: str, *coordinates: str) -> Alias:
    return Alias(name, tuple(Argument(text, SPAN) for text in coordinates), SPAN)


def test_sufficient_alias_counts_with_all_its_coordinates(kernel: Kernel) -> None:
    both = alias("vm.both", "scan", "account", "nobody")
    assert places(kernel, "vm.both !", "helper", aliases=(both,)) == ([SCAN, ACCOUNT], [])
    assert places(kernel, "vm.none !", "scan", aliases=(alias("vm.none", "nobody"),)) == ([SCAN], [])


def test_largest_maxactive_of_the_coordinates_is_handed_on(kernel: Kernel) -> None:
    texts = ['kernel.function("scan").return.maxactive(5)', 'kernel.function("account").return.maxactive(9)']
    assert kernel.places([(text, None) for text in texts])[0].maxactive == 9
    assert kernel.places([("scan", None)])[0].maxactive == 0


def message(kernel: Kernel, coordinate: str) -> str:
    with pytest.raises(Failure) as failure:
        kernel.sites(coordinate)
    diagnostic = failure.value.diagnostics[0]
    return f"{diagnostic.message} [{diagnostic.slug}]"


@pytest.mark.parametrize(("coordinate", "expected"), [
    ('kernel.function("z*@mm/oom.c")', "no function of 'mm/oom.c' is 'z*' [no-such-function]"),
    ('kernel.function("z*@mm/none.c")', "no source file 'mm/none.c' in debug info of this kernel [no-such-file]"),
    ('kernel.statement("z*@mm/oom.c:*")', "no function of 'mm/oom.c' is 'z*' [no-such-function]"),
    ('kernel.statement("h*@mm/oom.c:14")', "no code at line 14 of 'mm/oom.c' [no-such-line]"),
    (f"{DATA:#x}", f"address {DATA:#x} is in .data, which holds no code [not-text]"),
    ("0xffffffffc0000000", "address 0xffffffffc0000000 is in no section of this kernel [not-text]"),
    (f"{ENTRY + 4:#x}", f"no function in debug info holds address {ENTRY + 4:#x} (entry_code+0x4) [no-debug-info]"),
])
def test_what_is_not_there_is_told_by_what_is(kernel: Kernel, coordinate: str, expected: str) -> None:
    assert message(kernel, coordinate) == expected


@pytest.mark.parametrize(("coordinate", "expected"), [
    ('kernel.function("*@*.c")', "'*' matches more than 2 functions in '*.c' [too-many]"),
    ("mm/oom.c:*", "it names more than 2 places [too-many]"),
    ('kernel.statement("account@mm/oom.c:*")', "it names more than 2 places [too-many]"),
])
def test_more_places_than_can_be_armed_are_refused(kernel: Kernel, monkeypatch: pytest.MonkeyPatch, coordinate: str,
                                                   expected: str) -> None:
    monkeypatch.setattr("localvar.probe.resolve.SITE_LIMIT", 2)
    assert message(kernel, coordinate) == expected
    assert len(kernel.sites("helper")) == 2


def test_alias_in_an_alias_may_be_absent_or_the_first_that_names_something(kernel: Kernel) -> None:
    inner = alias("vm.none", "nobody"), alias("vm.scan", "scan"), alias("vm.some", "vm.none ?", "vm.scan", "account")
    assert places(kernel, "vm.some", aliases=inner) == ([SCAN, ACCOUNT], [])
    first = (*inner, alias("vm.first", "vm.none !", "vm.scan !", "account"))
    assert places(kernel, "vm.first", "helper", aliases=first) == ([SCAN, OOM_HELPER, HELPER], [])
    assert places(kernel, "vm.required", aliases=(*inner, alias("vm.required", "vm.none", "scan"))) == (
        [SCAN], ["no-such-function"])

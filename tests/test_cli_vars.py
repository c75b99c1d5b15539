# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar vars: the JSON that the design promises, the listing, and that an expansion agrees with both."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command import gcc_flags, inside, localvar, write_headers
from tests.kernel import kernels, requires
from tests.kernel.kernels import InstalledKernel
from tests.small_kernel import BUILD_ID, write_small_kernel

VARIABLE_KEYS = ["name", "kind", "type", "size", "scope", "readable", "class", "how", "c", "reason"]
SITE_KEYS = ["address", "symbol", "offset", "module", "source", "inlined", "probeable", "why_not", "variables"]


def listed(*arguments: str | Path) -> dict[str, Any]:
    """What `localvar vars … --json` prints, which must succeed."""
    ran = localvar("vars", *arguments, "--json")
    assert (ran.status, ran.err) == (0, "") and ran.out.count("\n") == 1
    document: dict[str, Any] = json.loads(ran.out)
    return document


def variable(name: str, type_: str, size: int, class_: str, c: str | None, kind: str = "local", reason: str | None = None,
             scope: str = "account") -> dict[str, Any]:
    """A variable's object."""
    return {"name": name, "kind": kind, "type": type_, "size": size, "scope": scope, "readable": c is not None,
            "class": class_, "how": "direct" if c is not None else None, "c": c, "reason": reason}


def test_document_has_exactly_what_the_design_says(tmp_path: Path) -> None:
    vmlinux = write_small_kernel(tmp_path)
    assert listed("account+0x20", 'kernel.function("charge")', "--vmlinux", vmlinux) == {
        "vmlinux": str(vmlinux), "build_id": BUILD_ID.hex(), "arch": "x86_64",
        "coordinates": [
            {"coordinate": "account+0x20", "sites": [{
                "address": "0xffffffff81000020", "symbol": "account", "offset": 0x20, "module": None, "source": "mm/oom.c:16",
                "inlined": [], "probeable": True, "why_not": None,
                "variables": [
                    variable("task", "struct task *", 8, "register", "regs->di", "parameter"),
                    variable("count", "long int", 8, "register", "regs->si", "parameter"),
                    variable("flags", "unsigned int", 4, "memory", "*(const u32 *)(regs->sp + 28)", "parameter"),
                    variable("total", "long int", 8, "register", "regs->ax"),
                    variable("gone", "char", 1, "absent", None,
                             reason="optimized-out: the compiler kept no location for it (optimized out)"),
                    variable("limit", "int", 4, "constant", "42u"),
                    variable("sc", "struct control", 16, "memory", "*(struct control *)(regs->sp + 8)"),
                ]}]},
            {"coordinate": 'kernel.function("charge")', "sites": [{
                "address": "0xffffffff81000060", "symbol": "account", "offset": 0x60, "module": None, "source": "mm/oom.c:31",
                "inlined": ["charge"], "probeable": True, "why_not": None,
                "variables": [variable("depth", "int", 4, "constant", "3u", "parameter", scope="charge")]}]},
        ]}


def test_keys_come_in_the_designs_order(tmp_path: Path) -> None:
    document = listed("account", "helper", "--vmlinux", write_small_kernel(tmp_path))
    assert list(document) == ["vmlinux", "build_id", "arch", "coordinates"]
    for coordinate in document["coordinates"]:
        assert list(coordinate) == ["coordinate", "sites"]
        for site in coordinate["sites"]:
            assert list(site) == SITE_KEYS
            assert [list(v) for v in site["variables"]] == [VARIABLE_KEYS] * len(site["variables"])


def test_listing_has_a_line_for_each_variable(tmp_path: Path) -> None:
    ran = localvar("vars", "account", "--vmlinux", write_small_kernel(tmp_path))
    frame = "no-frame: its place in the frame is not set up at this address (it is below the stack pointer)"
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == f"""\
account+0x0 (mm/oom.c:10) 0xffffffff81000000
    parameter  struct task *task   register  regs->di
    parameter  long int count      register  regs->si
    parameter  unsigned int flags  -         {frame}
    local      long int total      -         no-range: it has no value at this address (not yet assigned, or no longer needed)
    local      char gone           -         optimized-out: the compiler kept no location for it (optimized out)
    local      int limit           constant  42u
    local      struct control sc   -         {frame}
"""


def test_several_sites_are_counted_and_told_apart(tmp_path: Path) -> None:
    ran = localvar("vars", "helper", "charge", "--vmlinux", write_small_kernel(tmp_path))
    assert [line for line in ran.out.splitlines() if not line.startswith(" ")] == [
        "helper: 2 sites", "helper+0x0 (mm/oom.c:40) 0xffffffff81000100", "helper+0x0 (fs/scan.c:5) 0xffffffff81000200",
        "charge: 1 site", "account+0x60 (mm/oom.c:31) 0xffffffff81000060, inlined: charge"]


def test_good_coordinates_are_listed_beside_bad_ones(tmp_path: Path) -> None:
    ran = localvar("vars", "acount", "scan", "--vmlinux", write_small_kernel(tmp_path), "--json")
    document = json.loads(ran.out)
    assert ran.status == 1
    assert [c["coordinate"] for c in document["coordinates"]] == ["scan"]
    assert [d["slug"] for d in document["diagnostics"]] == ["no-such-function"]


# -- the listing and the expansion agree --------------------------------------------------------------------------


@dataclass(frozen=True)
class Agreement:
    """Handlers made from a listing: `good` reads in one handler for each site all that the listing says is readable, `bad`
    in a handler for each variable what it says is absent; refused has the line of each of those and the reason listed."""

    good: str
    bad: str
    readable: int
    refused: dict[int, str]
    unprobeable: dict[int, str]


def handler(name: str, body: str, coordinate: str) -> str:
    """A handler, its body's first line the third, its coordinate in the last."""
    escaped = coordinate.replace('"', '\\"')
    return (f"static int {name}(struct pt_regs *regs, void *buf, int bufsize)\n{{\n{body}\treturn 0;\n}}\n"
            f'LOCALVAR_PROBE({name}, "{escaped}");\n')


def agreement(document: dict[str, Any]) -> Agreement:
    """The handlers for a document whose coordinates have one site each."""
    good = bad = "#include <localvar.h>\n"
    readable, refused, unprobeable = 0, {}, {}
    for number, entry in enumerate(document["coordinates"]):
        [site] = entry["sites"]
        if not site["probeable"]:
            bad += handler(f"none{number}", "", entry["coordinate"])
            unprobeable[bad.count("\n")] = site["why_not"]
            continue
        names = [v["name"] for v in site["variables"] if v["readable"]]
        readable += len(names)
        good += handler(f"all{number}", "".join(f"\t(void)GET_LOCAL_VAR({name});\n" for name in names), entry["coordinate"])
        for v in site["variables"]:
            if not v["readable"]:
                refused[bad.count("\n") + 3] = v["reason"]
                bad += handler(f"{v['name']}_{number}", f"\t(void)GET_LOCAL_VAR({v['name']});\n", entry["coordinate"])
    return Agreement(good, bad, readable, refused, unprobeable)


def assert_agreement(found: Agreement, folder: Path, options: list[str | Path], flags: list[str]) -> str:
    """Expand both files: the one succeeds, the other is refused line by line with the listing's reasons."""
    (folder / "good.c").write_text(found.good)
    (folder / "bad.c").write_text(found.bad)
    with inside(folder):
        ran = localvar("expand", "good.c", *options, *flags)
        assert (ran.status, ran.out, ran.err) == (0, "", "")
        refusals = localvar("expand", "bad.c", "--json", *options, *flags)
    assert refusals.status == 1
    said = {d["line"]: f"{d['slug']}: {d['message']}" for d in refusals.diagnostics}
    assert sorted(said) == sorted({**found.refused, **found.unprobeable})
    for line, reason in {**found.refused, **found.unprobeable}.items():
        slug, _, why = reason.partition(": ")
        assert said[line].startswith(f"{slug}: ") and why in said[line], f"{found.bad.splitlines()[line - 1]}: {reason}"
    return (folder / "good.localvar.c").read_text()


def test_expansion_reads_what_the_listing_says_and_refuses_the_rest(tmp_path: Path) -> None:
    vmlinux, headers = write_small_kernel(tmp_path), write_headers(tmp_path)
    coordinates = [f"account+{offset:#x}" for offset in range(0, 0x100, 8)] + ["scan", "scan+0x8", "helper@mm/oom.c", "charge"]
    document = listed(*coordinates, "--vmlinux", vmlinux)
    found = agreement(document)
    assert found.readable > 100 and len(found.refused) > 60
    text = assert_agreement(found, tmp_path, ["--vmlinux", vmlinux], ["--", *gcc_flags(headers)])
    bodies = re.findall(r"localvar_get_\d+_(\w+)\(const struct pt_regs \*regs\)\n\{\n(.*?)\n\}", text, re.S)
    compiled = {name: set(re.findall(r"regs->\w+(?: \+ \d+)?", "".join(body for other, body in bodies if other == name)))
                for name, _ in bodies}
    written: dict[str, set[str]] = {}
    for entry in document["coordinates"]:
        for v in entry["sites"][0]["variables"]:
            if v["readable"]:
                written.setdefault(v["name"], set()).update(re.findall(r"regs->\w+(?: \+ \d+)?", v["c"]))
    assert compiled == written


#: Functions of different makes: parameters only, many locals, inlined code, entry values, system calls, one without probes.
FUNCTIONS = ("vfs_read", "vfs_write", "do_sys_openat2", "do_filp_open", "handle_mm_fault", "__alloc_pages", "try_to_wake_up",
             "kernel_clone", "do_exit", "ksys_read", "path_openat", "do_mmap", "schedule_timeout", "do_user_addr_fault")


def installed(name: str) -> InstalledKernel:
    """A kernel with debug file and headers; the test is skipped, visibly, without."""
    found = kernels.find(name)
    if not isinstance(found, InstalledKernel):
        requires.missing(found.reason)
    return found


def test_listing_and_expansion_agree_on_functions_of_a_real_kernel(tmp_path: Path) -> None:
    kernel = installed("6.1")
    options: list[str | Path] = ["--kernel", kernel.release]
    document = listed(*FUNCTIONS, *some_lines(options), *options)
    found = agreement(document)
    assert found.readable > 80 and len(found.refused) > 20 and found.unprobeable
    assert_agreement(found, tmp_path, options, [])


def some_lines(options: list[str | Path]) -> list[str]:
    """Two places inside of each function, where an instruction of a line begins."""
    chosen = []
    for function in FUNCTIONS[:6]:
        ran = localvar("vars", f"{function}@*:*", *options, "--json")
        sites = [site for entry in json.loads(ran.out)["coordinates"] for site in entry["sites"]]
        plain = [site for site in sites if site["symbol"] == function and not site["inlined"] and site["probeable"]]
        chosen += [f"{function}+{site['offset']:#x}" for site in random.Random(function).sample(plain, 2)]
    assert len(chosen) == 12
    return chosen


@pytest.mark.parametrize("name", ["6.1", "6.12"])
def test_real_kernels_document_has_the_designs_words(name: str) -> None:
    kernel = installed(name)
    document = listed("vfs_read", "--kernel", kernel.release)
    assert document["vmlinux"] == str(kernel.vmlinux) and document["arch"] == "x86_64"
    [site] = document["coordinates"][0]["sites"]
    assert site["source"].startswith("fs/read_write.c:") and int(site["address"], 16) > 1 << 63
    assert [(v["name"], v["c"]) for v in site["variables"][:4]] == [
        ("file", "regs->di"), ("buf", "regs->si"), ("count", "regs->dx"), ("pos", "regs->cx")]
    for v in site["variables"]:
        assert v["kind"] in ("parameter", "local", "static")
        assert v["class"] in ("register", "memory", "value", "constant", "pieces", "implicit_pointer", "entry_value", "absent")
        assert v["how"] in ("direct", "same_place", "caller", "entry_capture", None)
        assert v["readable"] is (v["c"] is not None) is (v["reason"] is None) is (v["how"] is not None)

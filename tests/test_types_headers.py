# SPDX-License-Identifier: GPL-2.0-or-later
"""The choice of headers, in a source tree of a few files: how a path is spelled, what comes in front, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from localvar.model.ctype import CType, Declared, Record
from localvar.source.parse import open_unit
from localvar.types.headers import Chooser, complete, include_path
from localvar.types.trial import Trial

FILES = {
    "include/linux/types.h": "typedef unsigned int u32;",
    "include/linux/alone.h": "struct alone { int n; };",
    "include/linux/list.h": "struct list_head { struct list_head *next; };",
    "include/linux/needs.h": "struct needs { struct list_head list; u32 n; };",
    "include/linux/inner.h": "#ifndef OUTER\n#error include linux/outer.h\n#endif\nstruct inner { int n; };",
    "include/linux/outer.h": "#define OUTER 1\n#include <linux/inner.h>",
    "include/linux/hidden.h": "#ifdef CONFIG_NEVER\nstruct hidden { int n; };\n#endif",
    "include/linux/bare.h": "struct bare { int n; };",
    "include/linux/brings.h": "#include <linux/bare.h>\nstruct brings { struct bare bare; };",
    "include/uapi/linux/both.h": "struct both { int n; };",
    "include/linux/both.h": "#include <uapi/linux/both.h>",
    "include/uapi/linux/user.h": "struct user { int n; };",
    "include/asm-generic/int-ll64.h": "",
    "arch/x86/include/asm/page.h": "",
    "arch/x86/include/generated/asm/made.h": "",
    "include/generated/bounds.h": "",
    "mm/internal.h": "struct internal { int n; };",
}
FLAGS = ["-Iarch/x86/include", "-I", "arch/x86/include/generated", "-Iinclude", "-Iinclude/uapi"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "include" / "linux-6.1"  # a directory that looks like part of a tree
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    return root


@pytest.mark.parametrize(("declared", "spellings"), [
    ("include/linux/alone.h", ("linux/alone.h",)),
    ("include/uapi/linux/user.h", ("linux/user.h", "uapi/linux/user.h")),
    ("include/asm-generic/int-ll64.h", ("linux/types.h", "asm-generic/int-ll64.h")),
    ("arch/x86/include/asm/page.h", ("asm/page.h",)),
    ("arch/x86/include/generated/asm/made.h", ("asm/made.h", "generated/asm/made.h")),
    ("include/generated/bounds.h", ("generated/bounds.h",)),
    ("mm/internal.h", ()),
    ("mm/vmscan.c", ()),
    ("include/linux/gone.h", ()),
    ("/usr/include/stdio.h", ()),
    (None, ()),
])
def test_a_declaring_file_is_spelled_as_the_kernel_writes_it(tree: Path, declared: str | None,
                                                             spellings: tuple[str, ...]) -> None:
    path = include_path(FLAGS, str(tree))
    assert path.spellings(declared) == spellings
    assert path.spelling(declared) == (spellings[0] if spellings else None)


class Names:
    """A few types by name."""

    def typedef(self, name: str) -> CType | None:
        return None

    def tagged(self, kind: str, name: str) -> CType | None:
        if name != "list_head":
            return None
        return Record(1, kind, name, 8, False, Declared("include/linux/list.h", 1), "a.c", None, tuple)


def chooser(tree: Path) -> Chooser:
    """For a file that is empty so far."""
    parser = open_unit(str(tree / "x.c"), b"", FLAGS, directory=str(tree))
    return Chooser(include_path(FLAGS, str(tree)), Names(), Trial(parser, b""))


@pytest.mark.parametrize(("file", "name", "includes"), [
    ("include/linux/alone.h", "struct alone", ("linux/alone.h",)),
    ("include/uapi/linux/both.h", "struct both", ("linux/both.h",)),
    ("include/linux/needs.h", "struct needs", ("linux/types.h", "linux/list.h", "linux/needs.h")),
    ("include/linux/inner.h", "struct inner", ("linux/outer.h",)),
    ("include/linux/hidden.h", "struct hidden", None),
    ("mm/internal.h", "struct internal", None),
])
def test_the_chosen_includes_are_the_shortest_that_compile(tree: Path, file: str, name: str,
                                                           includes: tuple[str, ...] | None) -> None:
    assert chooser(tree).choose(Declared(file, 1), [complete(name)]) == includes


@pytest.mark.parametrize(("types", "includes", "refused"), [
    ("alone list_head", ("linux/alone.h", "linux/list.h"), ""),
    ("alone needs", ("linux/alone.h", "linux/types.h", "linux/list.h", "linux/needs.h"), ""),
    ("brings bare alone", ("linux/brings.h", "linux/alone.h"), ""),
    ("brings alone hidden bare", ("linux/brings.h", "linux/alone.h"), "hidden"),
    ("hidden", (), "hidden"), ("", (), ""),
])
def test_headers_are_chosen_together_none_that_another_brought(tree: Path, types: str, includes: tuple[str, ...],
                                                               refused: str) -> None:
    """linux/bare.h has no guard: to include it behind linux/brings.h is an error."""
    files = {"alone": "alone", "list_head": "list", "needs": "needs", "brings": "brings", "bare": "bare", "hidden": "hidden"}
    wanted = {complete(f"struct {name}"): Declared(f"include/linux/{files[name]}.h", 1) for name in types.split()}
    expected = frozenset(complete(f"struct {name}") for name in refused.split())
    assert chooser(tree).choose_all((), wanted) == (includes, expected)


def test_a_trial_says_which_line_is_wrong_and_keeps_the_texts_own_errors_out(tree: Path) -> None:
    text = b"#include <linux/alone.h>\nint broken = ;\n"
    trial = Trial(open_unit(str(tree / "x.c"), text, FLAGS, directory=str(tree)), text)
    outcome = trial.run([complete("struct alone"), complete("struct gone"), "struct alone\nthing;"])
    assert [line is None for line in outcome.lines] == [True, False, True]
    assert outcome.elsewhere == () and not outcome.ok
    assert trial.run([complete("struct alone")]).ok


def test_an_error_inside_an_included_header_is_seen(tree: Path) -> None:
    trial = Trial(open_unit(str(tree / "x.c"), b"", FLAGS, directory=str(tree)), b"")
    outcome = trial.run(["#include <linux/inner.h>"])
    assert any("include linux/outer.h" in text for text in outcome.elsewhere) and not outcome.ok

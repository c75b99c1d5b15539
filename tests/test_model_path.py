# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths as users write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvar.model.path import IndexStep, MemberStep, Path, parse_path

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
steps = st.one_of(st.builds(MemberStep, names, st.booleans()), st.builds(IndexStep, st.integers(0, 1 << 40)))


@pytest.mark.parametrize(("text", "path"), [
    ("sc", Path("sc")), ("sc.nr_to_reclaim", Path("sc", (MemberStep("nr_to_reclaim", False),))),
    ("file->f_inode->i_ino", Path("file", (MemberStep("f_inode", True), MemberStep("i_ino", True)))),
    ("nr[2]", Path("nr", (IndexStep(2),))),
    (" a [ 0x10 ] . b -> c ", Path("a", (IndexStep(16), MemberStep("b", False), MemberStep("c", True)))),
    ("m[1][2].x", Path("m", (IndexStep(1), IndexStep(2), MemberStep("x", False)))), ("_x1", Path("_x1")),
])
def test_a_path_is_a_name_and_its_steps(text: str, path: Path) -> None:
    assert parse_path(text) == path


@given(st.builds(Path, names, st.lists(steps, max_size=6).map(tuple)))
def test_a_path_reads_back_as_it_is_written(path: Path) -> None:
    assert parse_path(str(path)) == path


@pytest.mark.parametrize("text", ["", " ", "1x", ".x", "*p", "&x", "(x)", "ätsch"])
def test_what_begins_with_no_name_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match="does not begin with a variable's name"):
        parse_path(text)


@pytest.mark.parametrize(("text", "rest"), [
    ("x.", "'.'"), ("x->", "'->'"), ("x[", r"'\['"), ("x[]", r"'\[\]'"), ("x[i]", r"'\[i\]'"), ("x[-1]", r"'\[-1\]'"),
    ("x y", "' y'"), ("x.1", "'.1'"), ("x + 1", r"' \+ 1'"), ("x[1", r"'\[1'"), ("x()", r"'\(\)'"), ("a.b..c", r"'\.\.c'"),
    ("x\u00b2", "'\u00b2'"),
])
def test_the_first_part_that_is_no_step_is_named(text: str, rest: str) -> None:
    with pytest.raises(ValueError, match=rest):
        parse_path(text)


@given(st.text(alphabet="ab.->[]019 x_\u00b2\n", max_size=12))
def test_any_text_is_a_path_or_a_value_error(text: str) -> None:
    try:
        path = parse_path(text)
    except ValueError:
        return
    assert parse_path(str(path)) == path

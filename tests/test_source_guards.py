# SPDX-License-Identifier: GPL-2.0-or-later
"""guarded_by: a use is guarded only where LOCAL_VAR_AVAILABLE() holds whenever it is evaluated.

In the cases A(x) stands for LOCAL_VAR_AVAILABLE(x) and V(n) for a use of the variable x, numbered; the cases
say which of them are guarded.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from localvar.model.source import Macro
from tests.source_program import HANDLER, scanned


def guarded(tmp_path: Path, body: str, before: str = "") -> set[int]:
    """The numbers of the uses V(n) that are guarded by x."""
    text = re.sub(r"\bA\(", "LOCAL_VAR_AVAILABLE(", re.sub(r"\bV\((\d+)\)", r"GET_LOCAL_VAR_OR(x, \1)", body))
    result = scanned(tmp_path,
                     f"{before}\nvoid f();\n{HANDLER}\n{{\n\tint i = 0;\n\t{text}\n\treturn i;\n}}\n")
    assert not result.messages
    uses = [use for use in result.source.uses if use.macro is Macro.GET_LOCAL_VAR_OR]
    assert len(uses) == body.count("V(") + before.count("_OR(x, ")
    return {int(use.arguments[1].text) for use in uses if "x" in use.guarded_by}


@pytest.mark.parametrize(("body", "wanted"), [
    ("if (A(x)) { i = V(1); } i = V(2);", {1}),
    ("if (A(x)) i = V(1); else i = V(2);", {1}),
    ("if (!A(x)) i = V(1); else i = V(2); i = V(3);", {2}),
    ("if (A(x)) { if (i) { while (i) { i = V(1); } } }", {1}),
    ("if (A(y)) i = V(1);", set()),
    ("if (A(x) && i) i = V(1); else i = V(2);", {1}),
    ("if (i && A(x) && V(1)) i = V(2);", {1, 2}),
    ("if (V(1) && A(x)) i = V(2);", {2}),
    ("if (A(x) || i) i = V(1); else i = V(2);", set()),
    ("if (!A(x) || V(1)) i = V(2); else i = V(3);", {1, 3}),
    ("if (!(A(x) && i)) i = V(1); else i = V(2);", {2}),
    ("if (!(!A(x) || i)) i = V(1);", {1}),
    ("if (!!A(x)) i = V(1);", {1}),
    ("if (((A(x)))) i = V(1);", {1}),
    ("if (likely(A(x))) i = V(1); if (unlikely(!A(x))) i = V(2); else i = V(3);", {1, 3}),
    ("if (WARN_ON_ONCE(!A(x))) return 0; i = V(1);", {1}),
    ("if (A(x) == 0) i = V(1);", set()),
    ("if (A(x) + 1) i = V(1);", set()),
    ("if (A(x) & i) i = V(1);", set()),
    ("if (-A(x)) i = V(1);", set()),
    ("if ((i, A(x))) i = V(1);", {1}),
    ("if ((A(x), i)) i = V(1);", set()),
    ("if ((i = A(x))) i = V(1);", set()),
    ("i = A(x) ? V(1) : V(2);", {1}),
    ("i = !A(x) ? V(1) : V(2);", {2}),
    ("i = 1 + A(x) ? V(1) : V(2);", set()),
    ("i = 1 + (A(x) ? V(1) : V(2));", {1}),
    ("i = A(x) ? i ? V(1) : V(2) : i ? V(3) : V(4);", {1, 2}),
    ("i = i ? A(x) ? V(1) : V(2) : V(3);", {1}),
    ("i = A(x) && V(1) > 3;", {1}),
    ("i = i || (A(x) && V(1)) || V(2);", {1}),
    ("f(A(x) ? V(1) : 0, V(2));", {1}),
    ("int a[] = { A(x) ? V(1) : 0, V(2) }; i = a[0];", {1}),
    ("int j = A(x) ? V(1) : 0, k = V(2); i = j + k;", {1}),
    ("i = ({ int j = 0; if (A(x)) j = V(1); j; });", {1}),
    ("pr_info(\"%d\", A(x) ? V(1) : 0);", {1}),
    ("while (A(x)) { i = V(1); break; } i = V(2);", {1}),
    ("for (i = V(1); A(x); i += V(2)) i = V(3);", {2, 3}),
    ("do { i = V(1); } while (A(x) && V(2));", {2}),
    ("switch (A(x) ? V(1) : 0) { case 1: i = V(2); }", {1}),
])
def test_conditions(tmp_path: Path, body: str, wanted: set[int]) -> None:
    assert guarded(tmp_path, body) == wanted


@pytest.mark.parametrize(("body", "wanted"), [
    ("if (!A(x)) return 0; i = V(1);", {1}),
    ("if (!A(x)) { f(); return 0; } i = V(1); while (i) i = V(2);", {1, 2}),
    ("if (!A(x)) f(); i = V(1);", set()),
    ("if (!A(x)) { return 0; out: f(); } i = V(1); if (i) goto out;", set()),
    ("if (A(x)) f(); else return 0; i = V(1);", {1}),
    ("if (!A(x) || i) return 0; i = V(1);", {1}),
    ("if (!A(x) && i) return 0; i = V(1);", set()),
    ("while (i) { if (!A(x)) continue; i = V(1); } i = V(2);", {1}),
    ("while (i) { if (!A(x)) break; i = V(1); } i = V(2);", {1}),
    ("if (i) { if (!A(x)) return 0; } i = V(1);", set()),
    ("{ if (!A(x)) return 0; i = V(1); }", {1}),
    ("if (!A(x)) { if (i) return 0; else return 1; } i = V(1);", {1}),
    ("if (!A(x)) { if (i) return 0; } i = V(1);", set()),
    ("if (!A(x)) goto out; i = V(1); out: i = V(2);", {1}),
])
def test_leaving_early(tmp_path: Path, body: str, wanted: set[int]) -> None:
    assert guarded(tmp_path, body) == wanted


@pytest.mark.parametrize(("body", "wanted"), [
    ("if (i) goto in; if (A(x)) { i = V(1); in: i = V(2); } i = V(3);", {1}),
    ("if (i) goto in; if (!A(x)) return 0; { in: f(); } i = V(1);", set()),
    ("again: if (A(x)) i = V(1); goto again;", {1}),
    ("switch (i) { case 1: if (!A(x)) return 0; i = V(1); case 2: i = V(2); }", {1}),
    ("switch (i) { case 1: if (A(x)) { i = V(1); case 2: i = V(2); } }", {1}),
    ("switch (i) { default: if (!A(x)) return 0; { case 2: f(); } i = V(1); }", set()),
    ("if (A(x)) { switch (i) { case 1: i = V(1); case i ? 2 : 3 ... 9: i = V(2); } i = V(3); }", {1, 2, 3}),
])
def test_labels_end_what_was_known(tmp_path: Path, body: str, wanted: set[int]) -> None:
    assert guarded(tmp_path, body.replace("case i ? 2 : 3", "case 1 ? 2 : 3")) == wanted


@pytest.mark.parametrize(("before", "body", "wanted"), [
    ("", "struct list_head *p, l; if (A(x)) list_for_each(p, &l) { i = V(1); } else i = V(2);", {1}),
    ("", "struct list_head *p, l; if (!A(x)) list_for_each(p, &l) f(); else i = V(1);", set()),
    ("#define IF(c) if (c)", "if (!A(x)) IF(i) f(); else i = V(1);", set()),
    ("#define IF_I if (i)", "if (!A(x)) IF_I f(); else i = V(1);", set()),
    ("#define OR ||", "if (A(x) && i OR V(1)) i = V(2);", set()),
    ("#define OR ||", "if (A(x)) i = V(1) OR V(2);", {1}),
    ("#define OR_ELSE(c) || c", "if (A(x) && i OR_ELSE(V(1))) i = V(2);", set()),
    ("#define MAX(a, b) ((a) > (b) ? (a) : (b))", "if (A(x) && MAX(i, 3)) i = MAX(V(1), 2);", {1}),
    ("#define LOG(a) do { f(a); } while (0)", "if (A(x)) { LOG(i); i = V(1); }", {1}),
    ("#define LOG(a) f(a)", "if (A(x)) { LOG(i); i = V(1); }", {1}),
    ("#define TIMES(n) for (i = 0; i < (n); i++)", "if (A(x)) TIMES(3) { i = V(1); }", {1}),
    ("#define LIMIT 3", "if (A(x) && i > LIMIT) i = V(1);", {1}),
    ("#define NEGATIVE -3", "if (A(x) && i > NEGATIVE) i = V(1);", {1}),
    ("#define BAIL return 0", "if (A(x)) { if (i) BAIL; i = V(1); }", set()),
    ("#define NOT(c) !c", "if (NOT(A(x) && V(1))) i = V(2);", set()),
    ("#define NOT(c) !c", "if (A(x)) i = NOT(V(1));", set()),
    ("#define NOT(c) (!(c))", "if (A(x)) i = NOT(V(1));", {1}),
    ("#define CASES case 1: case 2:", "switch (i) { default: if (!A(x)) return 0; CASES i = V(1); }", set()),
    ("#define HAVE LOCAL_VAR_AVAILABLE(x)", "if (HAVE) i = V(1);", {1}),
    ("#define SAFE(v) (LOCAL_VAR_AVAILABLE(v) ? GET_LOCAL_VAR_OR(x, 7) : 0)", "i = SAFE(x);", {7}),
    ("#define SAFE(v) (LOCAL_VAR_AVAILABLE(v) ? GET_LOCAL_VAR_OR(x, 7) : 0)", "i = SAFE(y);", set()),
])
def test_macros(tmp_path: Path, before: str, body: str, wanted: set[int]) -> None:
    assert guarded(tmp_path, body, before) == wanted


def test_use_that_a_macro_repeats_is_guarded_only_where_all_its_copies_are(tmp_path: Path) -> None:
    before = "#define EITHER(e) (LOCAL_VAR_AVAILABLE(x) ? e : e)\n#define ONE(e) (LOCAL_VAR_AVAILABLE(x) ? e : 0)"
    assert guarded(tmp_path, "i = EITHER(V(1)) + ONE(V(2));", before) == {2}


def test_paths_are_compared_without_blanks(tmp_path: Path) -> None:
    result = scanned(tmp_path,
                     f"{HANDLER} {{ return LOCAL_VAR_AVAILABLE( sc . nr ) ? GET_LOCAL_VAR(sc.nr) : 0; }}")
    assert result.source.uses[1].guarded_by == {"sc.nr"}

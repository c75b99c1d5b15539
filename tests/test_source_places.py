# SPDX-License-Identifier: GPL-2.0-or-later
"""Where lines at file scope can be put into a handler file: never into a comment, a directive or a declaration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.source_program import scanned


@pytest.mark.parametrize("text", [
    "int a;\n|int b;\n",
    "int a;\n|\n/* Explains b; at length;\n * in two lines;\n */\nint b;\n",
    "int a; /* of a */\n|int b;\n",
    "int a; /* of a;\n it ends here; */ // and here\n|int b;\n",
    "int a; // of a; \\\n still of a;\n|int b;\n",
    "int a; int b;\n|int c;\n",
    "int f(void)\n{\n\treturn 0;\n}\n|int b;\n",
    "struct s {\n\tint a;\n}\n__attribute__((packed));\n|int b;\n",
    "int a[] = {\n\t1,\n};\n|int b;\n",
    "int a;\n#define TWO(x) \\\n\tx; \\\n\tx;\n|int b;\n",
    "int a;\n|#if 0\nint dead;\n}\n#endif\nint b;\n",
    "int a;\n|#ifdef NONE\nint dead;\n#else\nint b;\n#endif\n|int c;\n",
    'const char *a = "}\\n;"; // "\n|int b;\n',
    "int a\r\n;\r\n|int b;\r\n",
])
def test_places_are_between_declarations(tmp_path: Path, text: str) -> None:
    """`|` marks them, but that of the first declaration."""
    parts = text.split("|")
    source = scanned(tmp_path, "".join(parts), head="").source
    assert source.places == (0, *(sum(map(len, parts[:number])) for number in range(1, len(parts))))


def test_place_of_the_first_declaration_is_the_start(tmp_path: Path) -> None:
    assert scanned(tmp_path, "/* Header; */\n\nint a;\n", head="").source.places == (0,)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What handlers become, word for word: the cases in tests/expansions/, each a handler and under it its expansion.

After a wanted change of the generated text: LOCALVAR_UPDATE_EXPANSIONS=1 make test-fast PYTEST_ARGS="-k expand", then read
what git says that changed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localvar import __version__
from tests.command import localvar_expansion
from tests.expansion_cases import CASES, Case


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_expansion_is_the_expected_text(case: Case, tmp_path: Path) -> None:
    text = localvar_expansion(case.files, tmp_path).replace(__version__, "VERSION", 1)
    if os.environ.get("LOCALVAR_UPDATE_EXPANSIONS") and text != case.expected:
        case.update(text)
        pytest.fail(f"{case.path} is written anew")
    assert text == case.expected


def test_there_are_cases() -> None:
    assert {"entry", "helpers", "headers", "macros", "kprobe", "lines"} <= {case.name for case in CASES}

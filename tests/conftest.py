# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of all tests."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

# No deadlines: the machine also boots kernels meanwhile. CI tries the same examples every time, so that it does not
# fail for what was not changed; everybody else looks further.
settings.register_profile("localvar", deadline=None, derandomize=os.environ.get("LOCALVAR_REQUIRE_VM") == "1")
settings.load_profile("localvar")

#: Files that take minutes: they begin first, so that no process works at the end alone.
LONGEST = ("test_against_gdb.py", "test_runtime.py", "test_programs.py")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Decides which tests stay in one process."""
    scheduler = LoadFileScheduling(config, log)
    scheduler._split_scope = _together
    return scheduler


def _together(nodeid: str) -> str:
    """What shares virtual machines: the tests of a file, on one kernel where they are run on each."""
    file, _, name = nodeid.partition("::")
    kernel = re.search(r"[\[-](\d+\.\d+)[]-]", name)
    return f"{file} {kernel[1]}" if kernel else file


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.path.name in LONGEST:
        return LONGEST.index(item.path.name)
    return len(LONGEST) + (item.get_closest_marker("vm") is None)

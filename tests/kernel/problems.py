# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds in a kernel log what a healthy kernel never says."""

from __future__ import annotations

import re

_TIMESTAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\](?:\[[ TC\d]+\])? ?")

_PROBLEM = re.compile(
    r"\bBUG\b:|kernel BUG at|WARNING: (?:CPU|possible|suspicious|bad|stack|kernel stack|can't|at )|Oops\b|"
    r"general protection fault|Kernel panic|Unable to handle kernel|Internal error:|unchecked MSR|"
    r"soft lockup|hard LOCKUP|rcu.*detected.*stall|blocked for more than \d+ seconds|"
    r"refcount_t: |UBSAN: |KASAN: |KCSAN: |scheduling while atomic|sleeping function called from|"
    r"stack guard page was hit|Bad page|list_(?:add|del) corruption|"
    r"Unrecoverable kprobe"
)


def find(log: str) -> tuple[str, ...]:
    """The lines of `log` (console or dmesg) that report a warning, bug, oops, stall or panic."""
    lines = (_TIMESTAMP.sub("", line.strip()) for line in log.splitlines())
    return tuple(dict.fromkeys(line for line in lines if _PROBLEM.search(line)))

# SPDX-License-Identifier: GPL-2.0-or-later
"""The text cases of tests/expansions/: `# comment`, then files under `=== name`, the last one of them `=== expected`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("expansions")
_HEAD = re.compile(r"^=== (.+)\n", re.M)


@dataclass(frozen=True)
class Case:
    """A handler h.c with the headers that it includes, and what it becomes."""

    path: Path
    files: dict[str, str]
    expected: str

    @property
    def name(self) -> str:
        """The case's file without its suffix."""
        return self.path.stem

    def update(self, expected: str) -> None:
        """Write the case anew with another expansion."""
        comment = _HEAD.split(self.path.read_text(encoding="utf-8"), 1)[0]
        parts = [f"=== {name}\n{text}" for name, text in (*self.files.items(), ("expected", expected))]
        self.path.write_text(comment + "".join(parts), encoding="utf-8")


def _read(path: Path) -> Case:
    parts = _HEAD.split(path.read_text(encoding="utf-8"))
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    expected = files.pop("expected", "")
    return Case(path, files, expected)


CASES = [_read(path) for path in sorted(FOLDER.glob("*.txt"))]

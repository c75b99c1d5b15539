# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside gdb, started by still.py: goes from pc to pc and notes every variable there, one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path

import gdb  # type: ignore[import-untyped,import-not-found,unused-ignore]

from .gdb_script import connect, write
from .gdb_values import snapshot


def main(config_path: str) -> None:
    """The file `config_path` is JSON: a folder, and the pcs."""
    config = json.loads(Path(config_path).read_text())
    folder = Path(config["folder"])
    for setting in ("pagination off", "confirm off", "print frame-arguments none", "stack-cache off", "code-cache off",
                    "backtrace limit 40"):
        gdb.execute(f"set {setting}")
    with open(folder / "output", "w") as output:
        connect(folder / "socket")
        for pc in config["pcs"]:
            gdb.execute(f"set $pc = {pc:#x}")
            gdb.execute("maintenance flush register-cache", to_string=True)
            write(output, {"watch": 0, "hit": 0, "cpu": 0} | snapshot([], scopes=True))

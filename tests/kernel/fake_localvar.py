#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands in for localvar where only Kbuild's part is tested.

``kbuild`` prints $FAKE_FRAGMENT. ``expand`` writes the file without its #includes, notes its arguments in $FAKE_LOG
(a line with a JSON list), and fails if $FAKE_FAILS is set. The file depends on itself, on what it includes with
quotes, and on $FAKE_VMLINUX.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path


def headers(file: Path) -> list[Path]:
    found = [file.parent / name for name in re.findall(r'#include "(.*)"', file.read_text())]
    return [h for header in found if header.is_file() for h in [header, *headers(header)]]


def main(command: str, *args: str) -> None:
    if command == "kbuild":
        print(os.environ["FAKE_FRAGMENT"])
        return
    with open(os.environ["FAKE_LOG"], "a") as log:
        print(json.dumps(args), file=log)
    if os.environ.get("FAKE_FAILS"):
        sys.exit("localvar: failed on purpose")
    options = list(args[: args.index("--")])
    source = Path(options[0])
    output, depfile = (options[options.index(o) + 1] for o in ("-o", "--depfile"))
    text = re.sub("#include.*", "", source.read_text())
    name = re.sub(r"\W", "_", source.stem)
    Path(output).write_text(f"int expanded_{name};\n{text}")
    dependencies = [*map(str, headers(source)), os.environ["FAKE_VMLINUX"]]
    Path(depfile).write_text(
        " \\\n ".join([f"{output}: {source}", *dependencies])
        + "\n"
        + "".join(f"{d}:\n" for d in dependencies)
    )


main(*sys.argv[1:])

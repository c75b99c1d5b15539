# SPDX-License-Identifier: GPL-2.0-or-later
"""python -m tests.demo [--embedded]: exit status 0 where every recorded value is right."""

from __future__ import annotations

import sys

from . import embedded, on_kernel
from .values import say


def main(arguments: list[str]) -> int:
    """Run the demo on a kernel, or on a program where a kernel cannot be booted here or --embedded asks for it."""
    if arguments not in ([], ["--embedded"]):
        print("usage: python -m tests.demo [--embedded]", file=sys.stderr)
        return 2
    if not arguments:
        lacking = on_kernel.lacking()
        if not lacking:
            return on_kernel.run()
        say("Linux 6.1 cannot be booted here. Missing:")
        print("\n".join(f"    {one}" for one in lacking))
    if missing := embedded.lacking():
        print(f"\nThe demo without a kernel cannot run either: {missing}")
        return 1
    say("Without a kernel: a program takes its place, and the handler is loaded into the program")
    return embedded.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: parses options, calls the pipeline, prints.  No stage is imported before a command needs it."""

from __future__ import annotations

import gc
import os
import sys

from localvar.cli.group import LazyGroup, run

COMMANDS = {
    "expand": ("localvar.cli.expand", "Expand handler files into C that Kbuild compiles."),
    "vars": ("localvar.cli.vars", "List the variables that can be read at a place."),
    "probes": ("localvar.cli.probes", "List the places that a coordinate or a glob names."),
    "type": ("localvar.cli.types", "Print a type's definition as debug info has it."),
    "headers": ("localvar.cli.types", "Print the includes that bring a type."),
    "coverage": ("localvar.cli.coverage", "Count what is readable in random functions, and why the rest is not."),
    "doctor": ("localvar.cli.doctor", "Say what localvar finds on this machine, and what is missing."),
    "kbuild": ("localvar.cli.paths", "Print the path of the makefile fragment."),
    "include": ("localvar.cli.paths", "Print the path of the headers."),
}
"""Command name to the module that has it and its line in the help."""


def main() -> None:
    """Entry point of the console script; exits with the status of the design: 0, 1 or 2."""
    gc.disable()  # a run is short, and what it makes it keeps: the collector would only walk it again and again
    status = int(run(LazyGroup(COMMANDS), sys.argv[1:]))
    if sys.gettrace() is not None or sys.getprofile() is not None:
        sys.exit(status)  # who measures has something to say at the end
    sys.stderr.flush()
    os._exit(status)  # as mypy does: to free what a run has made, object by object, takes a tenth of its time

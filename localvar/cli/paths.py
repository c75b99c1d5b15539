# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar kbuild, localvar include: where the installed files are."""

from __future__ import annotations

import click

from localvar.paths import include_directory, kbuild_fragment


@click.command()
def kbuild() -> None:
    """Print the path of the makefile fragment: `include $(shell localvar kbuild)`."""
    click.echo(kbuild_fragment())


@click.command()
def include() -> None:
    """Print the directory of the headers."""
    click.echo(include_directory())

# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar type, localvar headers: types by name."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from localvar.cli.options import Common, common


@click.command("type")
@click.argument("name")
@click.option("--file", metavar="FILE", help="Of several types of that name, the one that this file declares (mm/vmscan.c).")
@click.option("--module", metavar="MODULE", help="A type of this module of the kernel (btrfs).")
@click.option("--layout", is_flag=True, help="With the offset and size of each member, and holes.")
@common
def type_command(name: str, file: str | None, module: str | None, layout: bool, options: Common) -> None:
    """Print the definition of NAME (struct x, union x, enum x, or just x) as it would be written out, with what it needs.

    A glob ('scan_*') prints all types that it names, each without what it needs.
    """
    from localvar.type_listing import Scope, is_glob, list_type, list_types

    kernel, scope = options.open_kernel(), Scope(module, file)
    if is_glob(name):
        found = list_types(kernel, name, scope, layout)
        text = json.dumps([asdict(one) for one in found]) + "\n" if options.as_json else "\n".join(one.text for one in found)
    else:
        one = list_type(kernel, name, scope, layout)
        text = json.dumps(asdict(one)) + "\n" if options.as_json else one.text
    click.echo(text, nl=False)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--file", metavar="FILE", help="Of several types of one name, those that this file declares.")
@click.option("--module", metavar="MODULE", help="Types of this module of the kernel (btrfs).")
@common
def headers(names: tuple[str, ...], file: str | None, module: str | None, options: Common) -> None:
    """Print the #include lines that make each NAME complete, found by trying them under the kernel's own flags.

    A NAME can be a glob.
    """
    from localvar.type_listing import Headers, Scope, list_headers

    kernel, build, host = options.open_both()
    found = list_headers(kernel, Headers(build, host), names, Scope(module, file))
    if options.as_json:
        click.echo(json.dumps([asdict(advice) for advice in found]))
        return
    for include in dict.fromkeys(include for advice in found for include in advice.includes):
        click.echo(f"#include <{include}>")
    for advice in found:
        if advice.reason is not None:
            click.echo(f"/* {advice.name}: {advice.reason}; localvar writes it out */")

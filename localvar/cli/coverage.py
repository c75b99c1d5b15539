# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar coverage: how much of a kernel's variables can be read."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from localvar.cli.options import Common, common

if TYPE_CHECKING:
    from localvar.census import Census
    from localvar.peers import Listed

WHOSE = ("parameter", "inlined parameter", "local")
CHUNK = 8


@click.command()
@click.option("--functions", type=click.IntRange(1), default=100, show_default=True, help="How many random functions.")
@click.option("--all", "everything", is_flag=True, help="All functions of the kernel.")
@click.option("--seed", type=int, default=1, show_default=True, help="Which random functions.")
@click.option("--peers", type=click.IntRange(0), default=40, show_default=True,
              help="At how many statements to ask perf and stap, where they are installed.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Processes (default: all cores).")
@common
def coverage(functions: int, everything: bool, seed: int, peers: int, jobs: int, options: Common) -> None:
    """Count, at every statement address of random functions, which variables are readable, how, and why others are not.

    Then, at one random statement of each of some of these functions: how many of the function's parameters are readable, and
    how many perf probe -V and stap -L list.
    """
    from localvar.census import Census, count_file, sample_functions
    from localvar.peers import choose, compare

    kernel = options.open_kernel()
    entries = sample_functions(kernel, None if everything else functions, seed)
    chunks = [entries[i : i + CHUNK] for i in range(0, len(entries), CHUNK)]
    total = Census()
    with ProcessPoolExecutor(jobs) as pool:
        results = pool.map(count_file, [kernel.path] * len(chunks), [kernel.release] * len(chunks), chunks)
        with click.progressbar(results, len(chunks), "functions", hidden=options.as_json, file=sys.stderr) as bar:
            for found in bar:
                for census in found:
                    total.add(census)
    with kernel.reading():
        statements = choose(kernel, entries, peers, seed)
    beside = compare(kernel, statements, jobs) if statements else []
    parameters = sum(len(statement.parameters) for statement in statements)
    if options.as_json:
        peers_object = {"statements": len(statements), "parameters": parameters, "listed": [asdict(peer) for peer in beside]}
        print(json.dumps({**as_object(total, seed), "peers": peers_object}))
    else:
        click.echo(as_text(total, seed))
        click.echo(peers_text(len(statements), parameters, beside), nl=False)


def peers_text(statements: int, parameters: int, beside: Sequence[Listed]) -> str:
    """The comparison with the peers as a table; nothing where there is none."""
    if not beside or not parameters:
        return ""
    lines = [f"parameters of the function at {statements} of these statements, each of another function: {parameters}"]
    for peer in beside:
        verb = "readable" if peer.program == "localvar" else "listed"
        answered = "" if peer.answered == statements else f"; it lists nothing at {statements - peer.answered} statements"
        lines.append(f"    {peer.command:14} {peer.parameters / parameters:6.1%} {verb}{answered}")
    return "".join(f"{line}\n" for line in lines)


def as_object(census: Census, seed: int) -> dict[str, Any]:
    """The census as JSON values."""
    return {
        "functions": census.functions, "statements": census.statements, "seed": seed,
        "variables": {whose: {
            "pairs": census.total(whose), "readable": census.readable(whose), "class": _part(census.by_class, whose),
            "how": _part(census.by_how, whose), "absent": _part(census.absent, whose)} for whose in WHOSE},
    }


def _part(counts: Counter[tuple[str, str]], whose: str) -> dict[str, int]:
    return {what: number for (who, what), number in counts.most_common() if who == whose}


def as_text(census: Census, seed: int) -> str:
    """The census as a table; shares are of all pairs of that kind of variable."""
    lines = [f"{census.functions} functions (seed {seed}), {census.statements} statement addresses"]
    for whose in WHOSE:
        total = census.total(whose)
        if not total:
            continue
        lines.append(f"{whose}: {total} pairs, {census.readable(whose) / total:.1%} readable")
        for title, counts in (("class", census.by_class), ("how", census.by_how), ("absent", census.absent)):
            parts = [f"{what} {number / total:.1%}" for what, number in _part(counts, whose).items()]
            lines.append(f"    {title}: {', '.join(parts) or 'none'}")
    return "\n".join(lines)

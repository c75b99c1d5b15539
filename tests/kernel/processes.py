# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a program with a hard time limit and leaves nothing of it behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile


@dataclass(frozen=True)
class Finished:
    """A program that ended, or was ended: `status` is its exit status (negative: a signal)."""

    status: int
    timed_out: bool
    output: str


def run(
    command: Sequence[str | Path],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Finished:
    """Run `command` without input to its end, at most `timeout` seconds; its output is one text."""
    with TemporaryFile() as output:
        with group(command, timeout=timeout, env=env, cwd=cwd, output=output.fileno()) as process:
            try:
                process.wait(timeout)
                timed_out = False
            except subprocess.TimeoutExpired:
                timed_out = True
        output.seek(0)
        return Finished(process.returncode, timed_out, output.read().decode(errors="replace"))


@contextmanager
def group(
    command: Sequence[str | Path],
    *,
    timeout: float,
    output: int,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start `command` as a process group of its own, which is killed, all of it, when the block is left.

    coreutils' timeout(1) stands between, a little beyond `timeout`: the program ends even if this one is
    killed.
    """
    limited = ["timeout", "--kill-after=2", str(timeout + 5), *map(str, command)]
    process = subprocess.Popen(
        limited,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group of `process`; return when it is gone: qemu takes a moment to die."""
    with suppress(ProcessLookupError):  # when all of it has ended
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.01)
    process.wait()

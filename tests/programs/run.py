# SPDX-License-Identifier: GPL-2.0-or-later
"""One executable, read with both from its first statement to its last."""

from __future__ import annotations

import pickle
import subprocess
from pathlib import Path

from localvar.kernel import Kernel
from tests.programs.asked import Session
from tests.programs.choose import address_of, choose
from tests.programs.outcome import Outcome

ROOT = Path(__file__).resolve().parents[2]
TIME_LIMIT = 600


def observe(executable: Path, folder: Path, limit: int) -> Outcome:
    """Run it under gdb, looking at each statement at most `limit` times."""
    program = Kernel(executable, None)
    session = Session(str(executable), choose(program), limit, address_of(program, "tell"), str(folder / "output"),
                      str(folder / "outcome.json"))
    file = folder / "session"
    file.write_bytes(pickle.dumps(session))
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.programs import observe; observe.main({str(file)!r})"
    command = ["gdb", "-nx", "-batch", "-ex", f"python {script}", str(executable)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT, check=False, stdin=subprocess.DEVNULL)
    result = Path(session.result)
    assert result.is_file(), run.stdout[-2000:] + run.stderr[-4000:]
    return Outcome.read(result)

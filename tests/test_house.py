# SPDX-License-Identifier: GPL-2.0-or-later
"""The house rules that a reader of the tree relies on: who imports whom, whose licence it is, nothing of one machine."""

from __future__ import annotations

import ast
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "localvar"

#: What every part may import: values, words and places, no work.
BASE = {"localvar", "arch", "ctext", "diagnostics", "model", "paths"}
STAGES = {"code", "codegen", "dwarf", "plan", "probe", "source", "types"}
#: What the program does, each a list of stages; the command line calls these.
DRIVERS = {"census", "listing", "peers", "pipeline", "type_listing"}
#: Part of localvar (module or folder): the other parts that it may import. A part that is not here is no part yet.
MAY_IMPORT = {
    "localvar": set[str](),
    "__main__": {"cli"},
    "diagnostics": set[str](),
    "paths": {"diagnostics"},
    "arch": set[str](),
    "model": {"localvar", "arch", "diagnostics"},
    "ctext": BASE,
    **dict.fromkeys(STAGES, BASE),
    "probe": BASE | {"dwarf", "code"},
    "code": BASE | {"dwarf"},
    "kbuild": BASE,
    "images": BASE | STAGES,
    "kernel": BASE | STAGES | {"images"},
    **dict.fromkeys(DRIVERS, BASE | STAGES | {"kernel", "kbuild"}),
    "peers": BASE | STAGES | {"census", "kernel"},
    "cli": BASE | DRIVERS | {"kernel", "kbuild"},
}
#: Third-party package: the parts that may import it.
LIBRARIES = {
    "capstone": {"code"},
    "clang": {"source", "types"},
    "click": {"cli"},
    "elftools": {"dwarf"},
    "pycparser": {"codegen", "ctext", "types"},
    "rich": {"cli"},
}


def modules() -> Iterator[tuple[str, Path]]:
    """(part, file) of every module of the package."""
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).parts
        name = parts[0].removesuffix(".py")
        yield ("localvar" if name == "__init__" else name), file


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import in a file, those inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            names = [alias.name for alias in node.names] if node.module == "localvar" else [""]
            yield from ((node.lineno, f"{node.module}.{name}".rstrip(".")) for name in names)


def part_of(dotted: str) -> str:
    """The part of localvar that a dotted name is in: "localvar" for what its __init__ defines."""
    name = dotted.split(".")[1] if "." in dotted else ""
    return name if (PACKAGE / name).is_dir() and name else name if (PACKAGE / f"{name}.py").is_file() else "localvar"


def test_every_part_has_its_place_in_the_design() -> None:
    assert {part for part, _ in modules()} <= MAY_IMPORT.keys(), "say in MAY_IMPORT what the new part may import"


def test_every_part_imports_only_what_the_design_lets_it() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {part} imports {part_of(name)}"
        for part, file in modules()
        for line, name in imports(file)
        if name.split(".")[0] == "localvar" and part_of(name) not in MAY_IMPORT.get(part, set()) | {part}
    ]
    assert not wrong, "\n".join(wrong)


def test_third_party_libraries_stay_in_the_parts_that_wrap_them() -> None:
    own = {*sys.stdlib_module_names, "localvar"}
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {part} imports {name}"
        for part, file in modules()
        for line, name in imports(file)
        if (package := name.split(".")[0]) not in own and part not in LIBRARIES.get(package, set())
    ]
    assert not wrong, "\n".join(wrong)


def test_pipeline_is_read_in_one_go() -> None:
    assert len((PACKAGE / "pipeline.py").read_text().splitlines()) < 100


def tracked_files() -> list[Path]:
    """The files of the repository, or where there is none (an unpacked sdist) every file of the tree."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        return [path for path in ROOT.rglob("*") if path.is_file() and not {".venv", "__pycache__"} & set(path.parts)]
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


#: Texts that cannot or must not be changed.
WITHOUT_LICENCE_LINE = {"LICENSE", "PKG-INFO"}


def licence(file: Path) -> str:
    """The licence that the first lines of a file name; "" for none."""
    head = "\n".join(file.read_text(errors="replace").split("\n", 3)[:3])
    found = re.search(r"SPDX-License-Identifier: ([\w.-]+)", head)
    return found[1] if found else ""


def test_every_file_names_its_licence_in_its_first_lines() -> None:
    wrong = []
    for file in tracked_files():
        if file.name in WITHOUT_LICENCE_LINE:
            continue
        inside = file.relative_to(ROOT).parts
        only = inside[0] in ("include", "kbuild_plugin")
        either = {"GPL-2.0-only", "GPL-2.0-or-later"}
        allowed = {"GPL-2.0-only"} if only else {"GPL-2.0-or-later"} if inside[0] == "localvar" else either
        if licence(file) not in allowed:
            wrong.append(f"{file.relative_to(ROOT)}: {licence(file) or 'none'}")
    assert not wrong, "\n".join(wrong)


def test_no_file_names_a_home_directory_or_a_place_of_this_machine() -> None:
    here = {str(ROOT), str(Path.home()), sys.prefix, sys.base_prefix, socket.gethostname(), os.environ.get("VIRTUAL_ENV", "")}
    # Short or common words (a home of "/root", a host called "debian") are no sign of a machine.
    names = [re.escape(name) for name in here if len(name) > 8 and name not in ("localhost", "/usr/local")]
    pattern = re.compile("|".join([*names, r"(?<![\w.])/(?:home|root|Users)/[\w.]"]))
    wrong = []
    for file in tracked_files():
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            if (found := pattern.search(line)) and file != Path(__file__).resolve():
                wrong.append(f"{file.relative_to(ROOT)}:{number}: {found[0]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import localvar.dwarf.elf", ["localvar.dwarf.elf"]),
        ("from localvar import kernel, __version__", ["localvar.kernel", "localvar.__version__"]),
        ("def f():\n    from localvar.plan.read import x", ["localvar.plan.read"]),
        ("if TYPE_CHECKING:\n    import clang.cindex as c", ["clang.cindex"]),
    ],
)
def test_imports_are_found_wherever_they_stand(text: str, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(text)
    assert [name for _, name in imports(tmp_path / "module.py")] == expected

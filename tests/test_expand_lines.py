# SPDX-License-Identifier: GPL-2.0-or-later
"""The user's text in an expansion: unchanged but for the macros, and each line under its own number, as gcc counts them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import ROOT, gcc_flags, inside, localvar, write_module
from tests.expansion_cases import CASES

HEAD = "#include <linux/module.h>\n#include <linux/task.h>\n#include <localvar.h>\n"
SEEN = ("static int seen(struct pt_regs *regs, void *buf, int bufsize)\n{\n\treturn GET_LOCAL_VAR(count) > 0;\n}\n"
        'LOCALVAR_PROBE(seen, "account");\n')

FILES: dict[str, dict[str, str | bytes]] = {
    **{case.name: dict(case.files) for case in CASES},
    "carriage returns": {"h.c": ("/* a */\r\n" + HEAD + SEEN + "int after;\n").replace("\n", "\r\n")},
    "carriage returns and continued lines": {
        "h.c": (HEAD + "#define TWO(x) \\\n\t(2 * (x))\n" + SEEN.replace("(count)", "(\n\tcount\n)")).replace("\n", "\r\n")},
    "no newline at the end": {"h.c": (HEAD + SEEN + "int after;").rstrip("\n")},
    "macro at the very end": {"h.c": (HEAD + SEEN).rstrip("\n")},
    "byte order mark": {"h.c": b"\xef\xbb\xbf" + (HEAD + SEEN).encode(),},
    "byte order mark in a header": {"h.c": HEAD + '#include "own.h"\nint after;\n', "own.h": b"\xef\xbb\xbf" + SEEN.encode()},
    "Latin-1": {"h.c": (HEAD + '/* \xe9 */\nstatic const char *s = "\xe9";\n' + SEEN).encode("latin-1")},
    "comments with ends of statements": {
        "h.c": HEAD + "int a; /* b; */ /* and;\n */ // c;\n/*\n * Looks;\n * sees }\n */\n" + SEEN + "\n/* d;\n */\n"
        + SEEN.replace("seen", "again")},
    "everything in one line": {"h.c": HEAD + "int a; " + SEEN.replace("\n", " ") + "int b;\nint c;\n"},
    "inside a conditional": {"h.c": "#ifdef __KERNEL__\n" + HEAD + "#else\nint none;\n#endif\n#if 1\n" + SEEN + "#else\n" + SEEN
                             + "#endif\nint after;\n"},
    "behind other declarations": {
        "h.c": HEAD + "struct own { int a; };\n\nstatic struct own\nown = {\n\t.a = 1,\n};\n\n" + SEEN.replace(
            "return", "struct own *o = &own; return o->a +") + "int after;\n"},
    "localvar.h from a header": {"h.c": '#include "all.h"\n\n' + SEEN + "int after;\n", "all.h": HEAD},
    "header read once from two places": {"h.c": HEAD + '#include "a.h"\n#include "own.h"\n#include "a.h"\nint after;\n',
                                         "a.h": '#pragma once\n#include "own.h"\nint a = 1;\n',
                                         "own.h": f"#pragma once\n{SEEN}"},
    "header without a newline at the end": {"h.c": HEAD + '#include "own.h"\nint after;\n', "own.h": SEEN.rstrip("\n")},
    "header included twice": {"h.c": HEAD + '#include "own.h"\n#include "own.h"\nint after;\n',
                              "own.h": f"#ifndef OWN_H\n#define OWN_H\n{SEEN}#endif\n"},
    "header included by a header": {"h.c": HEAD + '#include "a.h" /* c\nc */\nint after;\n', "a.h": '\n#include "b.h"\nint a;\n',
                                    "b.h": SEEN + "int b;\n"},
    "macro of a header": {"h.c": HEAD + '#include "own.h"\n' + SEEN.replace("GET_LOCAL_VAR(count)", "VALUE(count)"),
                          "own.h": "\n#define VALUE(v) GET_LOCAL_VAR(v)\nint own;\n"},
    "macros whose parameters have names that generated text has": {
        "h.c": HEAD + "#define PROBE(handler, name, sites) LOCALVAR_PROBE(handler, name, sites)\n"
        "#define SHOW(task) (GET_LOCAL_VAR_OR(who, (void *)(task)) != (void *)0)\n"
        + SEEN.replace("GET_LOCAL_VAR(count)", "SHOW(buf) + SHOW(SHOW(buf) ? buf : (void *)0)").replace(
            'LOCALVAR_PROBE(seen, "account")', 'PROBE(seen, "account+0x10", "scan")') + "int after;\n"},
    "handlers from a macro": {
        "h.c": HEAD + "#define HANDLER(n, v) \\\nstatic int n(struct pt_regs *regs, void *buf, int bufsize) \\\n"
        '{ return GET_LOCAL_VAR(v) > 1; } \\\nLOCALVAR_PROBE(n, "account+0x10")\n'
        "HANDLER(one, count);\nHANDLER(two, flags);\nint after;\n"},
}

# A use of a macro, or of one of the module's own that have uses in their bodies; arguments nest one level deep.
_NAMES = r"GET_\w+|LOCAL_VAR_\w+|SET_LOCAL_VAR|PRINT_\w+|LOCALVAR_\w+|PROBE_LOCATION|PROBE_ALIAS|SHOW|PROBE|VALUE|HANDLER"
_USE = re.compile(rf"\b(?:{_NAMES})\((?:[^()]|\([^()]*\))*\)")
_INCLUDE = re.compile(r'#include "[^"\n]*"(?:[ \t]*/\*.*?\*/)?', re.S)
_ONCE = re.compile(r"#pragma once")
_LINE = re.compile(rb'#line (\d+) "([^"]*)"')


@pytest.fixture(params=FILES)
def expansion(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[str, bytes], bytes, Path]:
    """A module's files, the expansion of its h.c, and the folder where all of them are."""
    files = FILES[request.param]
    headers = write_module(files, tmp_path)
    with inside(tmp_path):
        # As one of two files of a module: without the run time, which needs a real kernel's headers.
        ran = localvar("expand", "h.c", "--unit", "first.c", "--unit", "h.c", "--vmlinux", "vmlinux", "--", *gcc_flags(headers))
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    contents = {name: text if isinstance(text, bytes) else text.encode() for name, text in files.items()}
    return contents, (tmp_path / "h.localvar.c").read_bytes(), tmp_path


def numbered(text: bytes) -> Iterator[tuple[str, int, bytes]]:
    """(file, line, text) of each line, as #line directives say."""
    name, number = "", 1
    for line in text.split(b"\n"):
        directive = _LINE.match(line)
        if directive:
            number, name = int(directive[1]), directive[2].decode()
        else:
            yield name, number, line
            number += 1


def kept(text: str) -> tuple[dict[int, str], dict[int, list[str]]]:
    """Of a file, the lines that hold nothing to be replaced; of the others, what of them stands outside of that.

    Both by number; a line of which nothing is left is in neither.
    """
    spans = sorted(match.span() for pattern in (_USE, _INCLUDE, _ONCE) for match in pattern.finditer(text))
    whole, parts, at = {}, {}, 0
    for number, line in enumerate(text.split("\n"), 1):
        end = at + len(line)
        touching = [(max(start, at) - at, min(stop, end) - at) for start, stop in spans if start <= end and stop >= at]
        if not touching:
            whole[number] = line
        else:
            edges = [0, *(edge for span in touching for edge in span), len(line)]
            found = [line[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
            parts[number] = [piece for piece in found if piece.strip()]
        at = end + 1
    return whole, parts


def test_users_lines_stand_under_their_numbers_and_are_what_they_were(expansion: tuple[dict[str, bytes], bytes, Path]) -> None:
    files, text, _ = expansion
    lines: dict[tuple[str, int], list[str]] = {}
    for name, number, raw in numbered(text):
        lines.setdefault((name, number), []).append(raw.decode("latin-1"))
    for name, contents in files.items():
        if name == "all.h" and b"localvar.h" in contents:
            continue  # it holds nothing to be replaced, and is included as it is
        original = contents.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
        whole, parts = kept(original)
        for number, line in whole.items():
            if number == original.count("\n") + 1 and not line:
                continue
            assert line in lines.get((name, number), []), f"{name}:{number} {line!r}"
        for number, pieces in parts.items():
            there = "\n".join(lines.get((name, number), []))
            if "\tlocalvar_unbound();" in there:
                continue  # the body of what no probe reaches
            for piece in pieces:
                before, there_is, there = there.partition(piece)
                assert there_is, f"{name}:{number}: {piece!r} is missing behind {before!r}"


def test_generated_lines_have_the_outputs_own_numbers(expansion: tuple[dict[str, bytes], bytes, Path]) -> None:
    _, text, _ = expansion
    own = {line: number for number, line in enumerate(text.split(b"\n"), 1)}
    generated = [(number, line) for name, number, line in numbered(text) if name == "h.localvar.c" and line]
    assert len(generated) > 8
    for number, line in generated:
        assert text.split(b"\n")[number - 1] == line, f"{line!r} is line {own[line]}, not {number}"


def test_expansion_compiles_without_a_warning(expansion: tuple[dict[str, bytes], bytes, Path]) -> None:
    _, _, folder = expansion
    done = compiled(folder)
    assert (done.returncode, done.stderr) == (0, "")


def compiled(folder: Path) -> subprocess.CompletedProcess[str]:
    """gcc's opinion of h.localvar.c."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    return subprocess.run(
        ["gcc", "-fsyntax-only", "-Wall", "-Wextra", "-Wno-unused", "-Wno-unused-parameter", "-Wno-sign-compare",
         *gcc_flags(folder / "include"), f"-I{ROOT / 'include'}", "h.localvar.c"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False)


WRONG = "char *wrong = 1.5;"
"""A mistake that is left to gcc: it is one of types."""


@pytest.mark.parametrize("name", FILES)
def test_compilers_error_names_the_line_of_the_original(name: str, tmp_path: Path) -> None:
    """The mistake is put in front of, between and behind what is generated, into each file in its turn."""
    files = {file: text if isinstance(text, bytes) else text.encode() for file, text in FILES[name].items()}
    headers = write_module(files, tmp_path)
    tried = 0
    for file, contents in files.items():
        if b"pragma once" in contents:
            continue
        for place in declaration_starts(contents):
            changed = contents[:place] + WRONG.encode() + contents[place:]
            (tmp_path / file).write_bytes(changed)
            with inside(tmp_path):
                ran = localvar("expand", "h.c", "--unit", "first.c", "--unit", "h.c", "--vmlinux", "vmlinux", "--",
                               *gcc_flags(headers))
            assert (ran.status, ran.err) == (0, ""), changed
            line = contents.count(b"\n", 0, place) + 1
            column = place - contents.rfind(b"\n", 0, place) + WRONG.index("1.5")
            done = compiled(tmp_path)
            wanted = rf"^(?:\./)?{re.escape(file)}:{line}:{column}: error: "
            assert re.search(wanted, done.stderr, re.M), f"{changed!r}\n{done.stderr}"
            tried += 1
        (tmp_path / file).write_bytes(contents)
    assert tried


def declaration_starts(contents: bytes) -> list[int]:
    """Some places in a file where a declaration can be put at the start of a line."""
    starts = [match.start() for match in re.finditer(rb"^(?:static (?:int|struct|void|long)|int) ", contents, re.M)]
    dead = b"#else\n"
    starts = [start for start in starts if not contents[:start].endswith((b"\\\n", b"\\\r\n", dead))]
    return [*starts, len(contents)] if contents.endswith(b";\n") else starts

# SPDX-License-Identifier: GPL-2.0-or-later
"""What a Unit answers to later stages: what compiles, is complete or declared behind the same headers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from localvar.source.parse import Unit, open_unit
from tests.source_program import KERNEL, kernel_flags, kernels

needs_kernel = pytest.mark.skipif(not kernels(), reason="no kernel headers are installed")


def unit(folder: Path, text: str) -> Unit:
    (folder / "kernel.h").write_text(KERNEL)
    return open_unit(str(folder / "x.c"), text.encode(), ["-nostdinc", "-I."], directory=str(folder))


def test_complete_types_are_those_whose_size_is_known_at_the_end(tmp_path: Path) -> None:
    parsed = unit(tmp_path,
                  '#include "kernel.h"\nstruct later;\nenum e { A };\ntypedef struct later later_t;\n')
    types = ["struct task_struct", "struct later", "struct never", "enum e", "pre_t", "later_t", "never_t"]
    assert parsed.complete(types) == {"struct task_struct", "enum e", "pre_t"}


def test_declared_names_are_types_objects_and_functions(tmp_path: Path) -> None:
    parsed = unit(tmp_path, '#include "kernel.h"\nextern int object;\n')
    assert parsed.declared(["pre_t", "print", "object", "never", "task_struct"]) == {"pre_t", "print",
                                                                                     "object"}


def test_lines_are_accepted_one_by_one_and_see_those_before(tmp_path: Path) -> None:
    parsed = unit(tmp_path, '#include "kernel.h"')
    assert parsed.accepts(["struct a { int b; };", "struct a c = missing;", "int d = sizeof(struct a);",
                           "int d[2;"]) \
        == (True, False, True, False)


def test_check_gives_the_errors_of_another_text_and_comes_back(tmp_path: Path) -> None:
    text = '#include "kernel.h"\nint a;\n'
    parsed = unit(tmp_path, text)
    assert not parsed.messages()
    [message] = parsed.check(text.encode() + b"int b = missing;\n")
    assert message.text == "use of undeclared identifier 'missing'"
    assert message.place is not None
    assert (message.place.path, message.place.offset) == (str(tmp_path / "x.c"), len(text) + 8)
    assert not parsed.check(text.encode())


def test_text_need_not_be_utf8_nor_the_file_exist(tmp_path: Path) -> None:
    parsed = open_unit(str(tmp_path / "x.c"), b'char s[] = "\xff\x00"; /* \xfe */ int \xfc = 1;\n', [],
                       directory="/")
    assert all(m.place is not None and m.place.path.endswith("x.c") for m in parsed.messages())


@needs_kernel
@pytest.mark.parametrize("release", kernels())
def test_kernel_header_that_stands_alone_and_what_it_completes(tmp_path: Path, release: str) -> None:
    flags, build = kernel_flags(release, "oom")
    parsed = open_unit(str(tmp_path / "oom.c"), b"#include <linux/sched.h>\n", flags, directory=build)
    assert not parsed.messages()
    assert parsed.complete(["struct task_struct", "struct rq", "struct sched_entity", "pid_t",
                            "struct scan_control"]) \
        == {"struct task_struct", "struct sched_entity", "pid_t"}
    assert parsed.declared(["schedule", "wake_up_process", "shrink_node"]) == {"schedule", "wake_up_process"}


@needs_kernel
def test_second_text_behind_the_same_headers_takes_a_fraction_of_the_first(tmp_path: Path) -> None:
    flags, build = kernel_flags(kernels()[0], "oom")
    (tmp_path / "oom.c").write_bytes(text := b"#include <linux/module.h>\n#include <linux/sched.h>\nint x;\n")
    start = time.process_time()
    parsed = open_unit(str(tmp_path / "oom.c"), text, flags, directory=build)
    first = time.process_time() - start
    parsed.check(text + b"int y;\n")
    start = time.process_time()
    assert parsed.check(text + b"int z = missing;\n")
    assert time.process_time() - start < first / 4

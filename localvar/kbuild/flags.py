# SPDX-License-Identifier: GPL-2.0-or-later
"""The flags a kernel compiles an external module's file with, for a file that no makefile mentions.

Kbuild itself is asked: it preprocesses an empty file of a scratch module, and what it ran is read from the
`.cmd` file.  Nothing is guessed, so compilers, configurations, architectures and releases need no cases
here.  The `.i` target does without objtool and code generation, and has the same flags as the object.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localvar.diagnostics import Failure, Note, environment_failure
from localvar.kbuild.cmdfile import CompileCommand, NoCommand, read_cmd_file, saved_target
from localvar.kbuild.environment import BuildDirectory
from localvar.kbuild.flags_cache import Question, cache_directory, load, store
from localvar.kbuild.host import Host

MAKE_TIMEOUT = 120
"""Seconds for one run of make; it takes less than one where the tree is warm."""

STEM = "localvar_flags"
"""Name of the scratch module."""

# Variables of the user's that Kbuild reads (Documentation/kbuild/kbuild.rst, llvm.rst).  All others stay
# outside: under another Kbuild the environment is full of that build's own (MAKEFLAGS, sub_make_done,
# srctree, KBUILD_EXTMOD).
PASSED = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "ARCH", "CROSS_COMPILE", "LLVM", "LLVM_IAS", "KCFLAGS",
          "KCPPFLAGS", "CCACHE_DIR", "DEBIAN_KERNEL_USE_CCACHE", "LD_LIBRARY_PATH")

# CONFIG symbol of an architecture: make's ARCH, names of uname's machine, usual prefix of its cross compiler.
_ARCHITECTURES = {
    "CONFIG_X86_64": ("x86_64", ("x86_64",), "x86_64-linux-gnu-"),
    "CONFIG_ARM64": ("arm64", ("aarch64", "arm64"), "aarch64-linux-gnu-"),
}


@dataclass(frozen=True)
class KernelFlags:
    """What Kbuild compiles a module's files with; for_file() gives the flags of one file."""

    command: CompileCommand

    def for_file(self, file: Path, module: str | None = None) -> tuple[str, ...]:
        """Flags for file in that module (None: one of the file's own name); the file is not among them."""
        base = _identifier(file.name.partition(".")[0])
        module = _identifier(module) if module is not None else base
        values = dict(define.split("=", 1) for define in self.command.names)
        old = values.get("-DKBUILD_MODNAME", "").strip('"')
        for option, value in values.items():
            if option == "-DKBUILD_BASENAME":
                values[option] = f'"{base}"'
            elif option == "-DKBUILD_MODFILE":
                values[option] = f'"{file.with_name(module)}"'
            else:
                values[option] = value.replace(old, module) if old else value
        return self.command.flags + tuple(f"{option}={value}" for option, value in values.items())


def kernel_flags(build: BuildDirectory, host: Host, timeout: float = MAKE_TIMEOUT) -> KernelFlags:
    """The flags that build compiles modules with, from the cache or from Kbuild; Failure where make fails."""
    question = Question(Path(os.path.realpath(build.path)), make_environment(host.environ),
                        make_variables(build.path, host))
    directory = cache_directory(host)
    command = load(question, directory)
    if command is None:
        command = _ask_kbuild(question, timeout)
        store(question, directory, command)
    return KernelFlags(command)


def make_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of environ that a run of make of our own may see, with messages in English."""
    return {**{name: environ[name] for name in PASSED if name in environ}, "LC_ALL": "C"}


def make_variables(build: Path, host: Host) -> tuple[str, ...]:
    """What make must be told that the build directory does not: kind of compiler, architecture."""
    config = _config(build)
    variables = []
    clang = "CONFIG_CC_IS_CLANG=y" in config
    if clang and "LLVM" not in host.environ:
        variables.append("LLVM=1")
    for symbol, (arch, machines, prefix) in _ARCHITECTURES.items():
        if f"{symbol}=y" in config and host.machine not in machines:
            if "ARCH" not in host.environ:
                variables.append(f"ARCH={arch}")
            if "CROSS_COMPILE" not in host.environ and not clang:
                variables.append(f"CROSS_COMPILE={prefix}")
    return tuple(variables)


def _identifier(name: str) -> str:
    """scripts/Makefile.lib, name-fix-token."""
    return name.replace("-", "_").replace(",", "_")


def _config(build: Path) -> frozenset[str]:
    try:
        text = (build / "include/config/auto.conf").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    return frozenset(text.splitlines())


def _ask_kbuild(question: Question, timeout: float) -> CompileCommand:
    build = question.build
    with tempfile.TemporaryDirectory(prefix="localvar-") as name:
        scratch = Path(os.path.realpath(name))
        (scratch / "Kbuild").write_text(f"obj-m += {STEM}.o\n", encoding="ascii")
        (scratch / f"{STEM}.c").write_text("", encoding="ascii")
        status, output = _run(["make", "--no-print-directory", "-C", str(build), f"M={scratch}",
                               *question.variables, f"{STEM}.i"], question.environ, timeout)
        saved = scratch / f".{STEM}.i.cmd"
        if status != 0 or not saved.is_file():
            why = f"make exited with status {status}" if status else "make saved no command"
            raise _no_flags(build, why, output)
        try:
            return _without_scratch(read_cmd_file(saved, _compiler_directory(saved, build)), scratch)
        except NoCommand as error:
            raise _no_flags(build, str(error), output) from error


def _compiler_directory(saved: Path, build: Path) -> Path:
    """Where the compiler ran: up to 6.12 in the build directory; the module's objects have absolute names.

    Since 6.13 (13b25489b6f8 "kbuild: change working directory to external module directory with M=") it is
    the module's own, and their names are relative.
    """
    target = saved_target(saved.read_text(encoding="utf-8", errors="surrogateescape"))
    return build if target is None or os.path.isabs(target) else saved.parent


def _without_scratch(command: CompileCommand, scratch: Path) -> CompileCommand:
    """Drop include paths into the scratch module, which is gone when the flags are used."""
    flags = tuple(flag for flag in command.flags if not flag.startswith(f"-I{scratch}"))
    return CompileCommand(command.compiler, flags, command.names)


def _run(arguments: list[str], environ: Mapping[str, str], timeout: float) -> tuple[int, str]:
    """Exit status and all output; a run that takes too long is ended with everything it started."""
    try:
        process = subprocess.Popen(
            arguments, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    except FileNotFoundError as error:
        raise environment_failure("no-make", "the command make is not installed",
                                  fix="install make, or give the compiler's flags after --") from error
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise environment_failure(
            "kbuild-timeout", f"make did not finish within {timeout:g} s: {' '.join(arguments)}",
            fix="run that command by hand, or give the compiler's flags after --") from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, output


def _no_flags(build: Path, why: str, output: str) -> Failure:
    lines = [line for line in output.splitlines() if line.strip()][-8:]
    return environment_failure(
        "kbuild-failed", f"Kbuild of {build} does not say how it compiles a module: {why}",
        notes=tuple(Note(line) for line in lines),
        fix="install the compiler the kernel was built with; in your own tree run `make modules_prepare`; "
        "or give the compiler's flags after --")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the compile command that Kbuild saves beside each object (`.foo.o.cmd`).

scripts/Kbuild.include, if_changed: the file has `cmd_foo.o := COMMAND` (`savedcmd_` in newer kernels),
where make's `$` and `#` are written `$$` and `$(pound)`.  COMMAND may go on with objtool after the
compiler.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

_SAVED = re.compile(r"^(?:saved)?cmd_(?P<target>\S+) := *(?P<command>.*)$", re.MULTILINE)
_MAKE_ESCAPE = re.compile(r"\$\$|\$\(pound\)")
_MODULE_DEFINE = re.compile(r"-D(?:__)?KBUILD_(?:BASENAME|MODNAME|MODFILE)=")

# Options whose value is the next word, and which of these values are files or directories.
_PATH_WORDS = frozenset({"-I", "-include", "-imacros", "-isystem", "-iquote", "-idirafter", "-isysroot"})
_OTHER_WORDS = frozenset({"-D", "-U", "-x", "-A", "--param", "-Xclang", "-Xassembler", "-Xpreprocessor",
                          "-Xlinker", "-mllvm", "-target", "-arch", "-z"})
_OUTPUT_WORDS = frozenset({"-o", "-MF", "-MT", "-MQ"})
_OUTPUTS = frozenset({"-c", "-E", "-S", "-MD", "-MMD", "-MP", "-M", "-MM"})

# Options that have a path in the same word.
_JOINED_PATH = re.compile(
    r"(?P<option>-I|-isystem|-iquote|-idirafter|-isysroot|-fplugin=|-fpass-plugin=|-frandomize-layout-seed-file="
    r"|--sysroot=|-fsanitize-ignorelist=|-fsanitize-blacklist=|-fprofile-use=|-fprofile-sample-use=|-specs="
    r"|-B|@)(?P<path>.+)")


class NoCommand(ValueError):
    """The text holds no compile command; the message says what is missing."""


@dataclass(frozen=True)
class CompileCommand:
    """How one file was compiled: the compiler's words, the flags without input and output, paths absolute.

    names are the defines of Kbuild that name the file (-DKBUILD_BASENAME="…"); they are not among flags.
    """

    compiler: tuple[str, ...]
    flags: tuple[str, ...]
    names: tuple[str, ...]


def read_cmd_file(path: Path, directory: Path | None = None) -> CompileCommand:
    """The command in the `.cmd` file at path.

    directory is where the compiler ran; where it is None it follows from the object's name if that is
    relative. Raises NoCommand where the file has no compile command or its relative paths are relative to
    an unknown place, OSError where it cannot be read.
    """
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    match = _SAVED.search(text)
    if match is None:
        raise NoCommand(f"{path} has no saved command")
    if directory is None:
        directory = _working_directory(path, match.group("target"))
    return parse_command(_unescape(match.group("command")), directory)


def saved_target(text: str) -> str | None:
    """The object that the text of a `.cmd` file is about, as Kbuild names it; None where it names none."""
    match = _SAVED.search(text)
    return match.group("target") if match else None


def parse_command(command: str, directory: Path | None) -> CompileCommand:
    """The compile command that a shell command starts with, run in directory; NoCommand where it is none."""
    words = _first_command(command)
    start = next((index for index, word in enumerate(words) if word.startswith("-")), 0)
    if start == 0:
        raise NoCommand("the saved command is not a compiler's")
    flags: list[str] = []
    names: list[str] = []
    rest = iter(words[start:])
    for word in rest:
        if _MODULE_DEFINE.match(word):
            names.append(word)
        elif word in _OUTPUT_WORDS:
            next(rest, None)
        elif word in _PATH_WORDS:
            flags += [word, _absolute(next(rest, ""), directory)]
        elif word in _OTHER_WORDS:
            flags += [word, next(rest, "")]
        elif word.startswith(("-", "@")) and not _is_output(word):
            flags.append(_joined(word, directory))
    return CompileCommand(tuple(words[:start]), tuple(flags), tuple(names))


def _unescape(command: str) -> str:
    return _MAKE_ESCAPE.sub(lambda match: "$" if match.group() == "$$" else "#", command)


def _first_command(command: str) -> list[str]:
    """Words up to the first `;`, `&` or `|` outside quotes."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words = []
    try:
        for word in lexer:
            if word[0] in ";&|":
                break
            words.append(word)
    except ValueError as error:
        raise NoCommand(f"the saved command does not end: {error}") from error
    return words


def _working_directory(path: Path, target: str) -> Path | None:
    """The folder to which target is relative, so that it names the object beside the `.cmd` file."""
    folder = path.absolute().parent
    beside = os.path.dirname(target)
    if os.path.isabs(target):
        return None
    if not beside or beside == ".":
        return folder
    return Path(str(folder)[:-len(beside) - 1] or "/") if str(folder).endswith("/" + beside) else None


def _is_output(word: str) -> bool:
    return word in _OUTPUTS or word.startswith(("-Wp,-MD", "-Wp,-MMD", "-o", "-MF", "-MT", "-MQ"))


def _joined(word: str, directory: Path | None) -> str:
    match = _JOINED_PATH.fullmatch(word)
    return match.group("option") + _absolute(match.group("path"), directory) if match else word


def _absolute(path: str, directory: Path | None) -> str:
    """path from directory.  `..` stays: in a build directory full of links it may lead elsewhere."""
    if os.path.isabs(path) or path.startswith("="):
        return path
    if directory is None:
        raise NoCommand(f"the path {path} in the saved command is relative, and nothing says to what")
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return str(directory) if path in ("", ".") else os.path.join(directory, path)

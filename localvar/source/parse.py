# SPDX-License-Identifier: GPL-2.0-or-later
"""libclang's view of one translation unit.

A Unit is parsed once with its headers in a precompiled preamble kept in memory, so that parsing the same
headers with another text behind them (`check`, `accepts`) takes some ten milliseconds.  Function bodies in
headers are skipped, which halves the first parse, unless they are asked for.

libclang is imported when the first Unit is made.  Offsets are bytes.  A place inside a macro's expansion
counts as the place where the outermost macro, or that argument of it, is written (clang_getFileLocation).
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from localvar.diagnostics import Failure, environment_failure
from localvar.paths import include_directory
from localvar.source.flags import clang_flags

# CXTranslationUnit_Flags, clang-c/Index.h
_DETAILED_PREPROCESSING_RECORD = 0x01
_PRECOMPILED_PREAMBLE = 0x04
_SKIP_FUNCTION_BODIES = 0x40
_CREATE_PREAMBLE_ON_FIRST_PARSE = 0x100
_LIMIT_SKIP_FUNCTION_BODIES_TO_PREAMBLE = 0x800

_MACRO_EXPANSION, _INCLUSION_DIRECTIVE = 502, 503
_FIRST_PREPROCESSING, _LAST_PREPROCESSING = 500, 503
_BREAK, _CONTINUE = 0, 1
_STRING_LITERAL = 4
_SEVERITY_ERROR, _SEVERITY_FATAL = 3, 4


@dataclass(frozen=True)
class Place:
    """A byte of a file, as the compiler names the file."""

    path: str
    offset: int


@dataclass(frozen=True)
class Message:
    """An error that the compiler reports.  place is None where it concerns no file (a bad option)."""

    text: str
    category: str
    fatal: bool
    place: Place | None
    notes: tuple[tuple[str, Place], ...] = ()


@dataclass(frozen=True)
class Inclusion:
    """The file `path` is included from `place`; place is None for the main file and for -include."""

    path: str
    place: Place | None


@dataclass(frozen=True)
class Signature:
    """A function as declared; types are canonical C ("struct pt_regs *"), an unnamed parameter is ""."""

    name: str
    result: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Initialised:
    """What an initialiser in braces is for: its canonical type, and the variable at file scope that it is part of."""

    type: str
    variable: str | None


class _IndexOptions(ctypes.Structure):
    """CXIndexOptions, clang-c/Index.h."""

    _fields_ = (
        ("size", ctypes.c_uint), ("indexing_priority", ctypes.c_ubyte), ("editing_priority", ctypes.c_ubyte),
        ("bits", ctypes.c_ushort), ("preamble_path", ctypes.c_char_p), ("invocation_path", ctypes.c_char_p),
    )


_EXCLUDE_DECLARATIONS_FROM_PCH, _STORE_PREAMBLES_IN_MEMORY = 1, 4


@functools.cache
def _library() -> tuple[Any, Any]:
    """clang.cindex and the shared library behind it, with the functions declared that cindex leaves out."""
    try:
        import clang.cindex as cindex
    except ImportError as missing:
        raise _no_libclang(missing) from None
    try:
        library = cindex.conf.lib
    except cindex.LibclangError as missing:
        raise _no_libclang(missing) from None
    pointer, uint = ctypes.POINTER, ctypes.c_uint
    library.clang_createIndexWithOptions.argtypes = [pointer(_IndexOptions)]
    library.clang_createIndexWithOptions.restype = ctypes.c_void_p
    library.clang_getFileLocation.argtypes = [
        cindex.SourceLocation, pointer(cindex.c_object_p), pointer(uint), pointer(uint), pointer(uint)]
    # cindex's own check fails for an #include that found no file.
    library.clang_getIncludedFile.errcheck = lambda found, *_: found
    library.clang_getSkippedRanges.argtypes = [cindex.TranslationUnit, cindex.File]
    library.clang_getSkippedRanges.restype = pointer(_range_list(cindex))
    library.clang_disposeSourceRangeList.argtypes = [pointer(_range_list(cindex))]
    library.clang_Cursor_Evaluate.argtypes = [cindex.Cursor]
    library.clang_Cursor_Evaluate.restype = ctypes.c_void_p
    library.clang_EvalResult_getKind.argtypes = [ctypes.c_void_p]
    library.clang_EvalResult_getAsStr.argtypes = [ctypes.c_void_p]
    library.clang_EvalResult_getAsStr.restype = ctypes.c_char_p
    library.clang_EvalResult_dispose.argtypes = [ctypes.c_void_p]
    return cindex, library


def _no_libclang(reason: Exception) -> Failure:
    return environment_failure("no-libclang", f"libclang cannot be loaded: {reason}",
                               fix="pip install libclang")


def library_path() -> str:
    """Where libclang is.  Raises Failure where it does not load."""
    cindex, library = _library()
    _index()
    return str(getattr(library, "_name", cindex.__file__))


@functools.cache
def _range_list(cindex: Any) -> Any:
    """CXSourceRangeList, clang-c/Index.h."""
    fields = [("count", ctypes.c_uint), ("ranges", ctypes.POINTER(cindex.SourceRange))]
    return type("_RangeList", (ctypes.Structure,), {"_fields_": fields})


@functools.cache
def _index() -> Any:
    cindex, library = _library()
    bits = _EXCLUDE_DECLARATIONS_FROM_PCH | _STORE_PREAMBLES_IN_MEMORY
    options = _IndexOptions(ctypes.sizeof(_IndexOptions), 0, 0, bits, None, None)
    handle = library.clang_createIndexWithOptions(ctypes.byref(options))
    # It lives as long as the process; disposing of it while the interpreter shuts down fails.
    kept = type("_Index", (cindex.Index,), {"__del__": lambda self: None})
    return kept(ctypes.cast(handle, cindex.c_object_p))


class Unit:
    """One C text under one set of flags.

    path: the file's absolute name; it need not exist.  flags: libclang's, see clang_flags().  header_bodies:
    read the function bodies in headers, too.  Raises Failure where libclang is missing or cannot read the
    unit at all.
    """

    def __init__(self, path: str, text: bytes, flags: Sequence[str], *, header_bodies: bool = False) -> None:
        self.path = path
        self.text = text
        self._cindex, self._lib = _library()
        options = _DETAILED_PREPROCESSING_RECORD | _PRECOMPILED_PREAMBLE | _CREATE_PREAMBLE_ON_FIRST_PARSE
        if not header_bodies:
            options |= _SKIP_FUNCTION_BODIES | _LIMIT_SKIP_FUNCTION_BODIES_TO_PREAMBLE
        try:
            self._unit = _index().parse(path, list(flags), unsaved_files=[(path, text)], options=options)
        except self._cindex.TranslationUnitLoadError:
            raise environment_failure("libclang-failed", f"libclang cannot read {path}") from None

    def messages(self) -> tuple[Message, ...]:
        """The errors of the last parse, in the compiler's order."""
        found = []
        for diagnostic in self._unit.diagnostics:
            if diagnostic.severity >= _SEVERITY_ERROR:
                notes = ((note.spelling, self._place(note.location)) for note in diagnostic.children)
                found.append(Message(
                    diagnostic.spelling, diagnostic.category_name, diagnostic.severity >= _SEVERITY_FATAL,
                    self._place(diagnostic.location), tuple((text, place) for text, place in notes if place)))
        return tuple(found)

    def check(self, text: bytes) -> tuple[Message, ...]:
        """The errors of another text in this one's place; quick where its leading #include lines are the same.

        Afterwards everything else asked of the unit concerns the new text.
        """
        self._unit.reparse(unsaved_files=[(self.path, text)])
        return self.messages()

    def accepts(self, lines: Sequence[str]) -> tuple[bool, ...]:
        """For each of these lines whether it compiles at the end of this unit (behind those before it)."""
        text = bytearray(self.text + b"\n")
        starts = []
        for line in lines:
            starts.append(len(text))
            text += line.encode() + b"\n"
        errors = [m.place.offset for m in self.check(bytes(text)) if m.place and m.place.path == self.path]
        ends = [*starts[1:], len(text)]
        return tuple(not any(start <= e < end for e in errors) for start,
                     end in zip(starts, ends, strict=True))

    def complete(self, types: Sequence[str]) -> frozenset[str]:
        """Those of these types ("struct rq", "enum x", "pid_t") whose size is known at the end of this unit."""
        lines = [f"typedef char localvar_scan_{i}[sizeof({name})];" for i, name in enumerate(types)]
        return frozenset(name for name, ok in zip(types, self.accepts(lines), strict=True) if ok)

    def declared(self, names: Sequence[str]) -> frozenset[str]:
        """Those of these names that are a type, an object or a function at the end of this unit."""
        lines = [f"typedef __typeof__({name}) localvar_scan_{i};" for i, name in enumerate(names)]
        return frozenset(name for name, ok in zip(names, self.accepts(lines), strict=True) if ok)

    def skipped(self, path: str) -> tuple[tuple[int, int], ...]:
        """The bytes of a file between #if and #endif that were not compiled."""
        file = self._file(path)
        if file is None:
            return ()
        ranges = self._lib.clang_getSkippedRanges(self._unit, file)
        try:
            pairs = ((r.start.offset, r.end.offset) for r in ranges.contents.ranges[:ranges.contents.count])
            return tuple(sorted(pairs)) if ranges.contents.count else ()
        finally:
            self._lib.clang_disposeSourceRangeList(ranges)

    def expansions(self) -> frozenset[int]:
        """Where in the main file, behind its leading directives, the name of a macro stands that was expanded.

        Macros in the bodies of macros are left out, and so are those that libclang does not record: in
        arguments that GNU's `, ## __VA_ARGS__` passes on.
        """
        places = (self._place(self._lib.clang_getCursorLocation(c)) for c in self._recorded(_MACRO_EXPANSION))
        return frozenset(place.offset for place in places if place is not None and place.path == self.path)

    def _recorded(self, kind: int) -> list[Any]:
        """The cursors of this kind in the preprocessing record, as far as it concerns text behind the preamble."""
        found = []

        def visit(cursor: Any, _parent: Any, _data: Any) -> int:
            if cursor._kind_id == kind:
                found.append(self._cindex.Cursor.from_buffer_copy(cursor))
                found[-1]._tu = self._unit
            return _CONTINUE if _FIRST_PREPROCESSING <= cursor._kind_id <= _LAST_PREPROCESSING else _BREAK

        callback = self._cindex.callbacks["cursor_visit"](visit)
        self._lib.clang_visitChildren(self._unit.cursor, callback, None)
        return found

    def inclusions(self) -> tuple[Inclusion, ...]:
        """Every file that was read, with the directives that brought it in."""
        found = []

        def visit(file: Any, stack: Any, depth: int, _data: Any) -> None:
            found.append(Inclusion(self._cindex.File(file).name, self._place(stack[0]) if depth else None))

        callback = self._cindex.callbacks["translation_unit_includes"](visit)
        self._lib.clang_getInclusions(self._unit, callback, None)
        # With a preamble, clang_getInclusions leaves out what the main file includes behind it.
        for cursor in self._recorded(_INCLUSION_DIRECTIVE):
            file = self._lib.clang_getIncludedFile(cursor)
            if file:
                place = self._place(self._lib.clang_getCursorLocation(cursor))
                found.append(Inclusion(self._cindex.File(file).name, place))
        return tuple(dict.fromkeys(found))

    def function_at(self, path: str, offset: int) -> Signature | None:
        """The function whose body begins with the brace at this place, or whose name stands there, else None."""
        cursor, kinds = self._cursor(path, offset), self._cindex.CursorKind
        if cursor is not None and cursor.kind == kinds.COMPOUND_STMT:
            cursor = cursor.semantic_parent
        if cursor is None or cursor.kind != kinds.FUNCTION_DECL:
            return None
        parameters = ((p.spelling, p.type.get_canonical().spelling) for p in cursor.get_arguments())
        return Signature(cursor.spelling, cursor.result_type.get_canonical().spelling, tuple(parameters))

    def initialised_at(self, path: str, offset: int) -> Initialised | None:
        """What the brace at this place begins an initialiser of; None where it does not."""
        cursor = self._cursor(path, offset)
        if cursor is None or cursor.kind != self._cindex.CursorKind.INIT_LIST_EXPR:
            return None
        parent = cursor.semantic_parent
        variable = parent is not None and parent.kind == self._cindex.CursorKind.VAR_DECL
        return Initialised(cursor.type.get_canonical().spelling, parent.spelling if variable else None)

    def strings(self, expressions: Iterable[tuple[int, str]]) -> tuple[bytes | None, ...]:
        """The values of string expressions, with the macros that are defined at an offset of the main file.

        Each comes with an offset at which a declaration may stand.  None: it is no string literal.
        """
        text = self.text
        places: list[tuple[int, int]] = []
        for number, (offset, expression) in sorted(enumerate(expressions), key=lambda item: -item[1][0]):
            line = f"\nstatic const char *const localvar_scan_{number} = {expression};\n"
            declaration = line.encode("latin-1")
            text = text[:offset] + declaration + text[offset:]
            places = [(n, at + len(declaration)) for n, at in places]
            places.append((number, offset + declaration.index(b"scan_")))
        self.check(text)
        values = [(number, self._string_at(offset)) for number, offset in places]
        self.check(self.text)
        return tuple(value for _, value in sorted(values))

    def _string_at(self, offset: int) -> bytes | None:
        cursor = self._cursor(self.path, offset)
        result = self._lib.clang_Cursor_Evaluate(cursor) if cursor is not None else None
        if not result:
            return None
        try:
            if self._lib.clang_EvalResult_getKind(result) != _STRING_LITERAL:
                return None
            return bytes(self._lib.clang_EvalResult_getAsStr(result))
        finally:
            self._lib.clang_EvalResult_dispose(result)

    def _file(self, path: str) -> Any:
        try:
            return self._unit.get_file(path)
        except self._cindex.LibclangError:
            return None

    def _cursor(self, path: str, offset: int) -> Any:
        file = self._file(path)
        if file is None:
            return None
        location = self._cindex.SourceLocation.from_offset(self._unit, file, offset)
        return self._cindex.Cursor.from_location(self._unit, location)

    def _place(self, location: Any) -> Place | None:
        file, offset, unused = self._cindex.c_object_p(), ctypes.c_uint(), ctypes.c_uint()
        self._lib.clang_getFileLocation(location, ctypes.byref(file), ctypes.byref(unused),
                                        ctypes.byref(unused),
                                        ctypes.byref(offset))
        return Place(self._cindex.File(file).name, offset.value) if file else None


def open_unit(path: str, text: bytes, flags: Sequence[str], *, directory: str, target: str | None = None,
              header_bodies: bool = False) -> Unit:
    """A Unit from gcc's flags: LOCALVAR_SCAN is defined, and localvar.h is found behind the flags' own directories.

    directory: gcc's working directory, which path may be relative to the caller's, not to.
    """
    return Unit(os.path.abspath(path), text, unit_flags(flags, directory=directory, target=target),
                header_bodies=header_bodies)


def unit_flags(flags: Sequence[str], *, directory: str, target: str | None = None) -> list[str]:
    """libclang's flags for a unit of a module: clang_flags() and what localvar.h needs."""
    return [*clang_flags(flags, directory, target=target), "-DLOCALVAR_SCAN", f"-I{include_directory()}"]

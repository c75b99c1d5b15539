# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the debug vmlinux and the build directory of the kernel that the options name.

The places are those where perf (vmlinux_path), drgn, elfutils, gdb and SystemTap look.  A file counts only
where it is what was asked for: right release, right build-id, with debug info (a distribution's build
directory can have a vmlinux with BTF only).  Failure lists every place and what was wrong there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localvar.diagnostics import Failure, Note, environment_failure
from localvar.kbuild.elf import NotElf, read_facts, vmlinux_release
from localvar.kbuild.host import Host, Request
from localvar.kbuild.packages import debug_package, headers_package

__all__ = [
    "BuildDirectory", "Host", "Request", "Vmlinux", "build_release", "find_build_directory", "find_vmlinux",
    "require_same_kernel", "vmlinux_release", "wanted_release",
]

DEBUGINFOD_TIMEOUT = 600
"""Seconds for fetching one vmlinux, which can have 600 MB."""

# perf util/symbol.c vmlinux_paths, drgn's and elfutils' kernel search.
PLACES = (
    "/usr/lib/debug/boot/vmlinux-{release}",
    "/usr/lib/debug/boot/vmlinux-{release}.debug",
    "/usr/lib/debug/lib/modules/{release}/vmlinux",
    "/usr/lib/debug/lib/modules/{release}/vmlinux.debug",
    "/lib/modules/{release}/build/vmlinux",
    "/lib/modules/{release}/vmlinux",
    "/boot/vmlinux-{release}",
)

_NAMED_RELEASE = re.compile(
    r"(?:/vmlinu[xz]-(?P<boot>[^/]+?)|/lib/modules/(?P<modules>[^/]+)/(?:build/)?vmlinux)(?:\.debug)?$")
_UTS_RELEASE = re.compile(r'^#define UTS_RELEASE "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Vmlinux:
    """A vmlinux with debug info; release and build_id (hex) are None where nothing says them."""

    path: Path
    release: str | None
    build_id: str | None


@dataclass(frozen=True)
class BuildDirectory:
    """A kernel's build directory, prepared for external modules, and the release it builds for."""

    path: Path
    release: str


def wanted_release(request: Request, host: Host) -> str:
    """The release that the options name: --kernel, that of --build, else the running one."""
    if request.kernel is not None:
        return request.kernel
    if request.build is not None:
        return _check_build_directory(request.build).release
    return host.running


def find_vmlinux(request: Request, host: Host) -> Vmlinux:
    """The debug vmlinux that the options name; Failure lists every place looked at where there is none."""
    if request.vmlinux is not None:
        return _explicit(request.vmlinux, request.kernel, host)
    release = wanted_release(request, host)
    build_id = host.running_build_id() if release == host.running else None
    looked: list[Note] = []
    for path in _places(request, host, release, build_id):
        found = _examine(path, release, build_id)
        if isinstance(found, Vmlinux):
            return found
        looked.append(Note(f"{path}: {found}"))
    fetched = _debuginfod(host, build_id)
    if isinstance(fetched, Path):
        return Vmlinux(fetched, release, build_id)
    looked.append(Note(f"debuginfod: {fetched}"))
    looked.extend(_others(host, release))
    raise environment_failure("no-vmlinux", f"no vmlinux with debug info for {_kernel_name(host, release)}",
                              notes=tuple(looked), fix=debug_package(host, release))


def find_build_directory(request: Request, host: Host, release: str) -> BuildDirectory:
    """The build directory that --build names, else that of release; raises Failure where it is not usable."""
    if request.build is not None:
        return _check_build_directory(request.build)
    path = host.path(f"/lib/modules/{release}/build")
    if not path.exists():
        state = "a link to nothing" if path.is_symlink() else "not there"
        raise environment_failure("no-build-directory", fix=headers_package(host, release),
                                  message=f"no build directory for kernel {release}: {path} is {state}")
    return _check_build_directory(path)


def require_same_kernel(vmlinux: Vmlinux, build: BuildDirectory) -> None:
    """Raise Failure where vmlinux and build directory are known to be of different kernels."""
    if vmlinux.release is not None and vmlinux.release != build.release:
        raise environment_failure(
            "release-mismatch",
            f"{vmlinux.path} is of release {vmlinux.release}, but {build.path} builds for {build.release}",
            fix=f"give --build for {vmlinux.release} or --vmlinux for {build.release}")
    own = _build_id_or_none(build.path / "vmlinux")
    if own is not None and vmlinux.build_id is not None and own != vmlinux.build_id:
        raise environment_failure(
            "build-mismatch", f"{vmlinux.path} (build-id {vmlinux.build_id}) and {build.path / 'vmlinux'} "
            f"(build-id {own}) are two builds of {build.release}",
            fix="give the --vmlinux that was built there")


def build_release(path: Path) -> str | None:
    """The release that modules built in path are for, None where the directory is not prepared.

    utsrelease.h goes first: it is compiled into a module's vermagic, while Debian's 6.1 packages have the
    upstream version in kernel.release.
    """
    for name in ("include/generated/utsrelease.h", "include/config/kernel.release"):
        try:
            text = (path / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        match = _UTS_RELEASE.search(text)
        found = match.group(1) if match else "" if name.endswith(".h") else text.strip()
        if found:
            return found
    return None


def _explicit(path: Path, kernel: str | None, host: Host) -> Vmlinux:
    """The file of --vmlinux, which must be good: nothing else is tried in its place."""
    found = _examine(path, None, None)
    if isinstance(found, str):
        release = kernel or _own_release(path) or host.running
        raise environment_failure("bad-vmlinux", f"{path}: {found}", fix=debug_package(host, release))
    if kernel is not None and found.release is not None and found.release != kernel:
        raise environment_failure("release-mismatch", f"{path} is of release {found.release}, not {kernel}",
                                  fix="leave out --kernel or --vmlinux")
    return found


def _places(request: Request, host: Host, release: str, build_id: str | None) -> Iterator[Path]:
    if request.build is not None:
        yield request.build / "vmlinux"
    for place in PLACES:
        yield host.path(place.format(release=release))
    if build_id is not None:
        yield host.path(f"/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug")


def _examine(path: Path, release: str | None, build_id: str | None) -> Vmlinux | str:
    """The vmlinux at path, or why it is not the one with that release and build-id (None: any)."""
    try:
        facts = read_facts(path)
    except FileNotFoundError:
        return "a link to nothing" if path.is_symlink() else "no such file"
    except NotElf as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)
    if not facts.has_debug_info:
        return "has no debug info"
    if release is not None and facts.release is not None and facts.release != release:
        return f"is of release {facts.release}"
    if build_id is not None and facts.build_id is not None and facts.build_id != build_id:
        return f"has build-id {facts.build_id}, the running kernel {build_id}"
    return Vmlinux(path, facts.release or release or _named_release(path), facts.build_id)


def _own_release(path: Path) -> str | None:
    """The release that a file is of by its name, or by what it holds."""
    try:
        return _named_release(path) or read_facts(path).release
    except (OSError, NotElf):
        return None


def _named_release(path: Path) -> str | None:
    match = _NAMED_RELEASE.search(str(path.absolute()))
    return (match.group("boot") or match.group("modules")) if match else None


def _debuginfod(host: Host, build_id: str | None) -> Path | str:
    """The vmlinux that a debuginfod server has for build_id, or why there is none."""
    if not host.environ.get("DEBUGINFOD_URLS", "").strip():
        return "DEBUGINFOD_URLS is not set"
    if build_id is None:
        return "only the running kernel's build-id is known"
    import shutil
    import subprocess

    program = shutil.which("debuginfod-find", path=host.environ.get("PATH"))
    if program is None:
        return "the command debuginfod-find is not installed"
    try:
        done = subprocess.run(
            [program, "debuginfo", build_id], env=dict(host.environ), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=DEBUGINFOD_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {DEBUGINFOD_TIMEOUT} s"
    except OSError as error:
        return f"{program}: {error.strerror}"
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["failed"])[-1]
    path = Path(done.stdout.strip())
    found = _examine(path, None, build_id)
    return found if isinstance(found, str) else path


def _others(host: Host, release: str) -> Iterator[Note]:
    """Releases whose debug vmlinux is installed: often --kernel is all that is missing."""
    prefix = "vmlinux-"
    names = sorted(path.name[len(prefix):] for path in host.path("/usr/lib/debug/boot").glob(prefix + "*"))
    modules = sorted(path.parent.name for path in host.path("/usr/lib/debug/lib/modules").glob("*/vmlinux"))
    found = [name for name in dict.fromkeys(names + modules) if name != release]
    if found:
        yield Note("installed for other kernels: " + ", ".join(f"--kernel {name}" for name in found))


def _kernel_name(host: Host, release: str) -> str:
    return f"the running kernel {release}" if release == host.running else f"kernel {release}"


def _check_build_directory(path: Path) -> BuildDirectory:
    release = build_release(path) if path.is_dir() else None
    if release is not None and (path / "Makefile").is_file():
        return BuildDirectory(path, release)
    raise _bad_build_directory(path)


def _bad_build_directory(path: Path) -> Failure:
    if not path.is_dir():
        what = "is not a directory" if path.exists() else "does not exist"
    elif not (path / "Makefile").is_file():
        what = "has no Makefile: it is no build directory of a kernel"
    else:
        what = "is not configured and prepared: it names no release"
    return environment_failure("no-build-directory", f"{path} {what}",
                               fix="give the directory the kernel was built in, after `make modules_prepare`")


def _build_id_or_none(path: Path) -> str | None:
    try:
        return read_facts(path).build_id
    except (OSError, NotElf):
        return None

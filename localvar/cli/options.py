# SPDX-License-Identifier: GPL-2.0-or-later
"""Options that commands share, and the kernel they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from localvar.cli.report import Reporter
from localvar.diagnostics import Failure

if TYPE_CHECKING:
    from localvar.kbuild.environment import BuildDirectory, Host, Request
    from localvar.kernel import Kernel, ModuleSource

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Common:
    """The common options' values."""

    vmlinux: Path | None
    kernel: str | None
    build: Path | None
    module_debug: Path | None
    as_json: bool
    verbose: int

    def request(self) -> Request:
        """What the options ask of the machine."""
        from localvar.kbuild.environment import Request

        return Request(self.vmlinux, self.kernel, self.build, self.module_debug)

    def _modules(self, release: str | None) -> Callable[[], ModuleSource]:
        """Makes what finds the files of modules, when a coordinate names one."""
        def make() -> ModuleSource:
            from localvar.cli.modules import Modules

            return Modules(self.request(), release or "unknown")

        return make

    def open_kernel(self) -> Kernel:
        """The kernel the options name.  Raises Failure where there is none."""
        from localvar.kbuild.environment import Host, find_vmlinux
        from localvar.kernel import Kernel

        found = find_vmlinux(self.request(), Host())
        return Kernel(found.path, found.release, self._modules(found.release))

    def open_kernel_for_build(self) -> Kernel:
        """The kernel for a build whose flags are given: that of --build's release where no other option names one."""
        from localvar.kbuild.environment import Host, Request, find_build_directory, find_vmlinux, require_same_kernel
        from localvar.kernel import Kernel

        host, request = Host(), self.request()
        build = find_build_directory(request, host, self.kernel or "") if self.build is not None else None
        if build is not None and self.kernel is None and self.vmlinux is None:
            request = Request(None, build.release, self.build, self.module_debug)
        found = find_vmlinux(request, host)
        if build is not None:
            require_same_kernel(found, build)
        release = found.release or (build.release if build else None)
        return Kernel(found.path, release, self._modules(release))

    def open_both(self) -> tuple[Kernel, BuildDirectory, Host]:
        """The kernel and its build directory, which must be of one release."""
        from localvar.kbuild.environment import Host, find_build_directory, find_vmlinux, require_same_kernel, wanted_release
        from localvar.kernel import Kernel

        host, request = Host(), self.request()
        found = find_vmlinux(request, host)
        build = find_build_directory(request, host, found.release or wanted_release(request, host))
        require_same_kernel(found, build)
        release = found.release or build.release
        return Kernel(found.path, release, self._modules(release)), build, host

    def find_build(self) -> BuildDirectory:
        """The build directory of the kernel that the options name, be its vmlinux there or not.  Raises Failure."""
        from localvar.kbuild.environment import Host, find_build_directory, find_vmlinux, require_same_kernel, wanted_release

        host, request = Host(), self.request()
        try:
            vmlinux = find_vmlinux(request, host)
        except Failure:
            vmlinux = None
        release = vmlinux.release if vmlinux else None
        build = find_build_directory(request, host, release or wanted_release(request, host))
        if vmlinux is not None:
            require_same_kernel(vmlinux, build)
        return build


def common(function: F) -> F:
    """Add the common options; the function gets them as `options`."""

    @wraps(function)
    def wrapper(*args: Any, vmlinux: Path | None, kernel: str | None, build: Path | None, module_debug: Path | None,
                as_json: bool, color: str, quiet: bool, verbose: int, **kwargs: Any) -> Any:
        reporter = Reporter.current
        reporter.as_json, reporter.quiet = as_json, quiet
        if color != "auto":
            reporter.color = color == "always"
        return function(*args, options=Common(vmlinux, kernel, build, module_debug, as_json, verbose), **kwargs)

    path = click.Path(path_type=Path)
    for option in (
        click.option("-v", "--verbose", count=True, help="Say more: every site that is left out."),
        click.option("-q", "--quiet", is_flag=True, help="Only errors."),
        click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Color diagnostics."),
        click.option("--json", "as_json", is_flag=True, help="Print objects instead of text."),
        click.option("--module-debug", type=path, metavar="DIR", help="Where modules' debug files are."),
        click.option("--build", type=path, metavar="DIR", help="The kernel's build directory."),
        click.option("--kernel", metavar="RELEASE", help="The kernel's release (default: the running one)."),
        click.option("--vmlinux", type=path, metavar="FILE", help="The kernel's debug file."),
    ):
        wrapper = option(wrapper)
    return wrapper  # type: ignore[return-value]

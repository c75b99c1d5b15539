# SPDX-License-Identifier: GPL-2.0-or-later
"""The one list of kernels the tests run on, and where each is installed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """How qemu and the guest of one architecture are called."""

    qemu: str
    qemu_args: tuple[str, ...]
    console: str
    #: qemu arguments that give the guest a second serial port writing to the chardev ``data``, and its name
    #: there.
    data_args: tuple[str, ...]
    data_tty: str
    #: Kernel make variables (ARCH, CROSS_COMPILE) for an external module.
    make_args: tuple[str, ...]
    #: How the kernel names the function of a system call: ``<prefix>ioprio_get``.
    syscall_prefix: str


MACHINES = {
    "x86_64": Machine(
        qemu="qemu-system-x86_64",
        qemu_args=("-accel", "tcg", "-cpu", "max"),
        console="ttyS0",
        data_args=("-serial", "chardev:data"),
        data_tty="ttyS1",
        make_args=(),
        syscall_prefix="__x64_sys_",
    ),
    "aarch64": Machine(
        qemu="qemu-system-aarch64",
        qemu_args=("-machine", "virt", "-accel", "tcg", "-cpu", "max"),
        console="ttyAMA0",
        # The virt board has one UART; 8250_pci is built in to Debian's kernel.
        data_args=("-device", "pci-serial,chardev=data"),
        data_tty="ttyS0",
        make_args=("ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-"),
        syscall_prefix="__arm64_sys_",
    ),
}


@dataclass(frozen=True)
class Kernel:
    """One kernel the tests want: how it is named, packaged and recognised once installed."""

    name: str
    arch: str
    #: Debian metapackages: image, its debug files, its headers. Install them in one command.
    packages: tuple[str, ...]
    #: Glob that its release (``uname -r``) matches.
    release_glob: str
    #: Folder its packages are unpacked in: ``/``, or another one for a foreign architecture.
    root: Path = Path("/")

    @property
    def machine(self) -> Machine:
        return MACHINES[self.arch]


@dataclass(frozen=True)
class InstalledKernel:
    """A kernel found on this machine, with the files that the tests need."""

    spec: Kernel
    release: str
    vmlinuz: Path
    #: The debug file: ELF with DWARF.
    vmlinux: Path
    #: What ``make -C`` takes to build an external module.
    build: Path
    modules: Path = field(repr=False)
    #: Root of the debug files of its modules.
    module_debug: Path = field(repr=False)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def arch(self) -> str:
        return self.spec.arch

    @property
    def machine(self) -> Machine:
        return self.spec.machine

    @property
    def busybox(self) -> Path:
        """The static busybox of the kernel's architecture (Debian's ``busybox-static``)."""
        candidates = [self.spec.root / where / "busybox" for where in ("bin", "usr/bin")]
        return next((path for path in candidates if path.is_file()), candidates[0])

    def module_files(self, name: str) -> list[Path]:
        """The .ko files that loading the kernel's own module `name` takes, in loading order (modules.dep)."""
        wanted = name.replace("-", "_")
        for line in (self.modules / "modules.dep").read_text().splitlines():
            path, _, dependencies = line.partition(":")
            if Path(path).name.split(".ko")[0].replace("-", "_") == wanted:
                return [self.modules / ko for ko in [*reversed(dependencies.split()), path]]
        raise LookupError(f"kernel {self.release} has no module {name} ({self.modules}/modules.dep)")

    def module_debug_file(self, name: str) -> Path:
        """The file with the DWARF of the kernel's own module `name`: ET_REL, to be relocated."""
        relative = self.module_files(name)[-1].relative_to(self.modules)
        return self.module_debug / relative.with_name(relative.name.split(".ko")[0] + ".ko")


@dataclass(frozen=True)
class MissingKernel:
    """A kernel of the list that is not, or not completely, installed."""

    spec: Kernel
    reason: str


KERNELS = (
    Kernel(
        name="6.1",
        arch="x86_64",
        packages=("linux-image-cloud-amd64", "linux-image-cloud-amd64-dbg", "linux-headers-cloud-amd64"),
        release_glob="6.1.*-cloud-amd64",
    ),
    Kernel(
        name="6.12",
        arch="x86_64",
        packages=(
            "linux-image-6.12-cloud-amd64",
            "linux-image-6.12-cloud-amd64-dbg",
            "linux-headers-6.12-cloud-amd64",
        ),
        release_glob="6.12.*-cloud-amd64",
    ),
)


def find(name: str) -> InstalledKernel | MissingKernel:
    """Look the kernel `name` ("6.1") of the list up on this machine; KeyError for a name not in it."""
    return locate({spec.name: spec for spec in KERNELS}[name])


def locate(spec: Kernel) -> InstalledKernel | MissingKernel:
    """Find the newest release of `spec` of which image, debug file and headers are all there."""
    debug_boot = spec.root / "usr/lib/debug/boot"
    releases = [p.name.removeprefix("vmlinux-") for p in debug_boot.glob(f"vmlinux-{spec.release_glob}")]
    if not releases:
        return MissingKernel(
            spec, f"kernel {spec.name}: no {debug_boot}/vmlinux-{spec.release_glob}; {_advice(spec)}"
        )
    incomplete = []
    for release in sorted(releases, key=_version, reverse=True):
        modules = _inside(spec.root, Path("/lib/modules") / release)
        kernel = InstalledKernel(
            spec=spec,
            release=release,
            vmlinuz=spec.root / f"boot/vmlinuz-{release}",
            vmlinux=debug_boot / f"vmlinux-{release}",
            build=_inside(spec.root, Path("/lib/modules") / release / "build"),
            modules=modules,
            module_debug=spec.root / "usr/lib/debug/lib/modules" / release,
        )
        lacking = [str(p) for p in (kernel.vmlinuz, kernel.build / "Makefile") if not p.exists()]
        if not lacking:
            return kernel
        incomplete.append(f"{release} lacks {' and '.join(lacking)}")
    return MissingKernel(spec, f"kernel {spec.name}: {'; '.join(incomplete)}; {_advice(spec)}")


def _advice(spec: Kernel) -> str:
    return "install " + " ".join(spec.packages)


def _version(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", release))


def _inside(root: Path, path: Path) -> Path:
    """`path` below `root`, with links to absolute names (/lib/modules/R/build) followed there too."""
    where = root / path.relative_to("/")
    while where.is_symlink():
        target = Path(os.readlink(where))
        where = root / target.relative_to("/") if target.is_absolute() else where.parent / target
    return where

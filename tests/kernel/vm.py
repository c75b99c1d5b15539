# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots a kernel under qemu, loads modules, runs a workload, and brings back what came of it.

    result = VirtualMachine(kernel, modules=[ko], workload="cat /proc/version").run()
    for record in result.records("mymodule"): ...

The order inside: ``kernel_modules`` are loaded, ``setup`` runs, ``modules`` are loaded, ``workload`` runs;
traces, debugfs and ``collect`` are read; the modules are unloaded, last first; ``dmesg`` is read; power
off. A step that fails (exit status not 0) ends the steps, not the reading. About 3 s on a small machine,
without KVM.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from . import cpio, guest, problems, processes
from .guest import Collect, Step
from .kernels import InstalledKernel
from .result import StepResult, VmFailure, VmResult

__all__ = ["Module", "StepResult", "VirtualMachine", "VmFailure", "VmResult"]


@dataclass(frozen=True)
class Module:
    """A module to load with parameters, ``Module(ko, "size=4")``."""

    path: Path
    parameters: str = ""

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(".ko").replace("-", "_")


@dataclass(frozen=True)
class VirtualMachine:
    """What to boot and what to do in it. `run` does it, as often as wanted: nothing is kept between runs."""

    kernel: InstalledKernel
    modules: Sequence[Path | Module] = ()
    workload: str = ""
    setup: str = ""
    #: Modules of the kernel itself (``ext4``) to load first, with what they depend on.
    kernel_modules: Sequence[str] = ()
    #: More files: path in the guest, contents (bytes) or the file to copy with its mode.
    files: Mapping[str, bytes | Path] = field(default_factory=dict)
    #: More to read back: section name, path of a file or folder in the guest.
    collect: Mapping[str, str] = field(default_factory=dict)
    unload: bool = True
    smp: int = 1
    #: MiB.
    memory: int = 512
    nokaslr: bool = False
    #: More words for the kernel command line.
    append: str = ""
    #: Seconds of real time for everything, then the machine is killed.
    timeout: float = 120
    #: More words for the qemu command line.
    qemu_words: Sequence[str] = ()
    #: A chardev where qemu's gdb stub listens, as for ``-gdb``: ``unix:PATH,server=on,wait=off``.
    gdb: str | None = None
    #: A file where the console can be followed while the machine runs.
    console: Path | None = None
    #: Steps right before `modules` are loaded and right after the workload (the oracle's).
    before_modules: Sequence[Step] = ()
    after_workload: Sequence[Step] = ()

    def run(self, *, check: bool = True) -> VmResult:
        """Boot, work, switch off. VmFailure where anything failed, unless `check` is false."""
        with TemporaryDirectory(prefix="vm-") as name:
            folder = Path(name)
            (folder / "initramfs").write_bytes(self._initramfs())
            started = time.monotonic()
            done = processes.run(self.command(folder), timeout=self.timeout)
            result = self._result(folder, done, time.monotonic() - started)
        return result.check() if check else result

    def with_gdb(self, folder: Path, before: Sequence[Step], after: Sequence[Step]) -> VirtualMachine:
        """The same machine at link-time addresses with a debugger's steps; qemu's gdb stub listens on the
        Unix socket ``socket`` in `folder`, the file ``console`` there can be followed.
        """
        chardev = f"unix:{folder}/socket,server=on,wait=off"
        return replace(
            self,
            gdb=chardev,
            console=folder / "console",
            nokaslr=True,
            before_modules=before,
            after_workload=after,
        )

    def command(self, folder: Path) -> list[str]:
        """The qemu command line; its files are in `folder`."""
        machine = self.kernel.machine
        words = [
            f"console={machine.console}",
            "quiet",
            "panic=-1",
            "nokaslr" if self.nokaslr else "",
            self.append,
        ]
        # fmt: off
        return [
            machine.qemu, *machine.qemu_args, "-smp", str(self.smp), "-m", str(self.memory),
            "-nodefaults", "-display", "none", "-no-reboot",
            "-chardev", f"file,id=console,path={self._console(folder)}", "-serial", "chardev:console",
            "-chardev", f"file,id=data,path={folder}/data", *machine.data_args,
            *(["-gdb", self.gdb] if self.gdb else []), *self.qemu_words,
            "-kernel", str(self.kernel.vmlinuz), "-initrd", f"{folder}/initramfs",
            "-append", " ".join(filter(None, words)),
        ]
        # fmt: on

    def _console(self, folder: Path) -> Path:
        return self.console or folder / "console"

    def _modules(self) -> list[Module]:
        return [m if isinstance(m, Module) else Module(m) for m in self.modules]

    def _actions(self) -> list[Step | Collect]:
        modules = self._modules()
        actions: list[Step | Collect] = []
        actions += [Step(f"modprobe {name}", self._modprobe(name)) for name in self.kernel_modules]
        actions += [Step("setup", self.setup)] if self.setup else []
        actions += self.before_modules
        actions += [
            Step(f"insmod {m.name}", f"insmod /vm/modules/{m.name}.ko {m.parameters}") for m in modules
        ]
        actions += [Step("workload", self.workload)] if self.workload else []
        actions += self.after_workload
        for name in (m.name for m in modules):
            actions.append(Collect(f"trace/{name}", f"/sys/kernel/tracing/instances/{name}/trace"))
            actions.append(Collect(f"debugfs/{name}", f"/sys/kernel/debug/{name}"))
            actions.append(Collect(f"debugfs/{name}", f"/sys/kernel/debug/localvar/{name}"))
        actions += [Collect(section, path) for section, path in self.collect.items()]
        if self.unload:
            actions += [Step(f"rmmod {m.name}", f"rmmod {m.name}") for m in reversed(modules)]
        return actions

    def _modprobe(self, name: str) -> str:
        """Shell that loads a kernel's own module and what it depends on, if not yet loaded."""
        loads = []
        for ko in self.kernel.module_files(name):
            loaded = shlex.quote("/sys/module/" + ko.name.split(".ko")[0].replace("-", "_"))
            loads.append(f"[ -e {loaded} ] || insmod /vm/modules/{shlex.quote(ko.name)} || exit")
        return "\n".join(loads)

    def _initramfs(self) -> bytes:
        archive = cpio.Archive()
        for folder in ("proc", "sys", "dev", "tmp", "vm/out"):
            archive.folder(folder)
        archive.character_device("dev/console", 5, 1)
        archive.file("bin/busybox", self.kernel.busybox.read_bytes(), 0o755)
        actions = self._actions()
        archive.file("init", guest.init_script(actions, self.kernel.machine.data_tty).encode(), 0o755)
        for number, action in enumerate(actions):
            if isinstance(action, Step):
                archive.file(f"vm/steps/{number}", action.script.encode() + b"\n")
        for module in self._modules():
            archive.file(f"vm/modules/{module.name}.ko", module.path.read_bytes())
        for ko in {ko for name in self.kernel_modules for ko in self.kernel.module_files(name)}:
            archive.file(f"vm/modules/{ko.name}", ko.read_bytes())
        for path, content in self.files.items():
            if isinstance(content, Path):
                archive.file(path, content.read_bytes(), content.stat().st_mode & 0o777)
            else:
                archive.file(path, content, 0o755)
        return archive.finish()

    def _result(self, folder: Path, qemu: processes.Finished, duration: float) -> VmResult:
        console = qemu.output + _text(self._console(folder))
        data = folder / "data"
        sent, damage = guest.unpack(data.read_bytes() if data.exists() else b"")
        text = {path: content.decode(errors="replace") for path, content in sent.items()}
        sections = {
            path.removeprefix("section/"): t for path, t in text.items() if path.startswith("section/")
        }
        steps = [(n, a) for n, a in enumerate(self._actions()) if isinstance(a, Step)]
        return VmResult(
            kernel=self.kernel,
            console=console,
            steps=tuple(_step_result(number, action.name, text) for number, action in steps),
            sections=sections,
            problems=problems.find(console + "\n" + sections.get("dmesg", "")),
            finished=guest.FINISHED in console,
            timed_out=qemu.timed_out,
            duration=duration,
            damage=damage,
        )


def _step_result(number: int, name: str, sent: Mapping[str, str]) -> StepResult:
    status = sent.get(f"step/{number}/status")
    return StepResult(name, int(status) if status else None, sent.get(f"step/{number}/output", ""))


def _text(path: Path) -> str:
    return path.read_text(errors="replace").replace("\r\n", "\n") if path.exists() else ""

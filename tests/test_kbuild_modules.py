# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding the modules' files that have debug info."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
from pathlib import Path

import pytest

from localvar.diagnostics import Exit, Failure
from localvar.kbuild.elf import facts_of
from localvar.kbuild.environment import Host, Request
from localvar.kbuild.modules import ModuleFile, ModuleFiles, read_module
from tests.kbuild_files import on_installed_kernels, vmlinux, write

RELEASE = "6.1.0"
MODULE = vmlinux(None, "ab" * 20)
STRIPPED = vmlinux(None, "ab" * 20, debug=False)


def modules(root: Path, request: Request | None = None) -> ModuleFiles:
    return ModuleFiles(request or Request(), Host(root, {}, RELEASE, "x86_64"), RELEASE)


def failure_of(root: Path, name: str, request: Request | None = None) -> Failure:
    with pytest.raises(Failure) as caught:
        modules(root, request).find(name)
    return caught.value


@pytest.mark.parametrize("place", [
    "usr/lib/debug/lib/modules/6.1.0/kernel/sound/snd-dummy.ko",
    "usr/lib/debug/lib/modules/6.1.0/kernel/sound/snd-dummy.ko.debug",
    "lib/modules/6.1.0/kernel/sound/snd-dummy.ko",
    "lib/modules/6.1.0/updates/snd_dummy.ko",
])
@pytest.mark.parametrize("name", ["snd-dummy", "snd_dummy"])
def test_module_is_found_with_either_spelling(tmp_path: Path, place: str, name: str) -> None:
    path = write(tmp_path / place, MODULE)
    assert modules(tmp_path).find(name) == ModuleFile("snd_dummy", path, "ab" * 20)


def test_stripped_file_is_passed_over_for_one_with_debug_info(tmp_path: Path) -> None:
    write(tmp_path / "usr/lib/debug/lib/modules/6.1.0/a.ko", STRIPPED)
    path = write(tmp_path / "lib/modules/6.1.0/kernel/a.ko", MODULE)
    assert modules(tmp_path).find("a").path == path


def test_given_directory_goes_before_the_build_directory_before_installed_ones(tmp_path: Path) -> None:
    write(tmp_path / "usr/lib/debug/lib/modules/6.1.0/a.ko", MODULE)
    build, given = tmp_path / "linux", tmp_path / "mine"
    write(build / "modules.order", "drivers/a.o\n")
    in_build, in_given = write(build / "drivers/a.ko", MODULE), write(given / "x/a.ko", MODULE)
    assert modules(tmp_path, Request(build=build)).find("a").path == in_build
    assert modules(tmp_path, Request(build=build, module_debug=given)).find("a").path == in_given


@pytest.mark.parametrize("line", ["kernel/drivers/a.ko", "drivers/a.ko", "drivers/a.o"])
def test_modules_order_of_every_age_is_read(tmp_path: Path, line: str) -> None:
    write(tmp_path / "modules.order", f"kernel/gone.ko\n{line}\n")
    path = write(tmp_path / "drivers/a.ko", MODULE)
    assert modules(tmp_path / "none", Request(build=tmp_path)).find("a").path == path


@pytest.mark.parametrize(("suffix", "data"), [(".gz", gzip.compress(MODULE)), (".xz", lzma.compress(MODULE))])
def test_compressed_module_is_read(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = write(tmp_path / f"lib/modules/6.1.0/a.ko{suffix}", data)
    assert modules(tmp_path).find("a") == ModuleFile("a", path, "ab" * 20)
    assert read_module(path) == MODULE


@pytest.mark.skipif(shutil.which("zstd") is None, reason="the command zstd is not installed")
def test_zstd_module_is_read(tmp_path: Path) -> None:
    done = subprocess.run(["zstd", "-cq"], input=MODULE, capture_output=True, check=True, timeout=30)
    path = write(tmp_path / "lib/modules/6.1.0/a.ko.zst", done.stdout)
    assert modules(tmp_path).find("a").path == path
    assert read_module(path) == MODULE


def test_zstd_module_without_the_command_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    write(tmp_path / "lib/modules/6.1.0/a.ko.zst", b"x")
    assert "zstd is not installed" in failure_of(tmp_path, "a").diagnostics[0].notes[0].message


@pytest.mark.parametrize(("name", "content", "why"), [
    ("a.ko", STRIPPED, "has no debug info"), ("a.ko", b"x", "not an ELF file"),
    ("a.ko.gz", b"x", "ot a gzipped file"), ("a.ko.xz", b"x", "damaged"),
    ("a.ko.gz", gzip.compress(MODULE)[:-20], "damaged"),
])
def test_useless_file_is_named_with_its_fault(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    path = write(tmp_path / "lib/modules/6.1.0" / name, content)
    failure = failure_of(tmp_path, "a")
    assert (failure.status, failure.diagnostics[0].slug) == (Exit.ENVIRONMENT, "no-module-debug")
    assert failure.diagnostics[0].notes[0].message.startswith(f"{path}: ")
    assert why in failure.diagnostics[0].notes[0].message


def test_unknown_module_lists_the_directories_searched(tmp_path: Path) -> None:
    (tmp_path / "lib/modules/6.1.0").mkdir(parents=True)
    diagnostic = failure_of(tmp_path, "nope", Request(module_debug=tmp_path / "x")).diagnostics[0]
    assert diagnostic.slug == "no-such-module"
    assert [note.message for note in diagnostic.notes] == [
        f"searched {tmp_path}/x: no directory",
        f"searched {tmp_path}/usr/lib/debug/lib/modules/6.1.0: no directory",
        f"searched {tmp_path}/lib/modules/6.1.0",
    ]


def test_builtin_module_is_said_to_be_built_in(tmp_path: Path) -> None:
    write(tmp_path / "lib/modules/6.1.0/modules.builtin", "kernel/fs/ext4/ext4.ko\nkernel/lib/crc-ccitt.ko\n")
    for name in ("ext4", "crc_ccitt"):
        failure = failure_of(tmp_path, name)
        assert (failure.status, failure.diagnostics[0].slug) == (Exit.SOURCE, "module-is-builtin")


@pytest.mark.parametrize(("glob", "names"), [
    ("snd*", ("snd_a", "snd_b_c")), ("snd-?", ("snd_a",)), ("snd_[a-b]*", ("snd_a", "snd_b_c")),
    ("*_c", ("snd_b_c",)), ("x", ()), ("*", ("ext4", "snd_a", "snd_b_c")),
])
def test_glob_names_modules_in_either_spelling(tmp_path: Path, glob: str, names: tuple[str, ...]) -> None:
    for file in ("snd-a.ko.xz", "snd-b_c.ko", "ext4.ko.debug", "modules.dep", "a.komma"):
        write(tmp_path / "lib/modules/6.1.0/kernel" / file, STRIPPED)
    assert modules(tmp_path).names(glob) == names


def test_links_to_directories_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "tree/a.ko", MODULE)
    (tmp_path / "lib/modules/6.1.0").mkdir(parents=True)
    (tmp_path / "lib/modules/6.1.0/build").symlink_to(tmp_path / "tree")
    assert modules(tmp_path).names("*") == ()


@on_installed_kernels
def test_debug_file_of_an_installed_module_has_the_build_id_of_the_module(release: str) -> None:
    folder = Path("/lib/modules", release, "kernel")
    loaded = next(folder.rglob("*.ko*"), None)
    if loaded is None or not Path("/usr/lib/debug/lib/modules", release, "kernel").is_dir():
        pytest.skip(f"modules or debug files of {release} are not installed")
    found = ModuleFiles(Request(), Host(), release).find(loaded.name.partition(".")[0])
    assert found.path.is_relative_to("/usr/lib/debug")
    assert found.build_id == facts_of(read_module(loaded)).build_id

# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding the debug vmlinux and the build directory, in made-up roots and on the kernels installed here."""

from __future__ import annotations

from pathlib import Path

import pytest

from localvar.diagnostics import Exit, Failure
from localvar.kbuild import environment
from localvar.kbuild.environment import (
    PLACES,
    BuildDirectory,
    Host,
    Request,
    Vmlinux,
    build_release,
    find_build_directory,
    find_vmlinux,
    require_same_kernel,
    wanted_release,
)
from tests.kbuild_files import build_directory, note, on_installed_kernels, program, vmlinux, write

RELEASE = "6.1.0"
BUILD_ID = "ab" * 20
OTHER_ID = "cd" * 20


def host(root: Path, running: str = RELEASE, **environ: str) -> Host:
    return Host(root, environ, running, "x86_64")


def notes_of(failure: Failure) -> str:
    return "\n".join(note.message for note in failure.diagnostics[0].notes)


def failing_vmlinux(request: Request, on: Host) -> Failure:
    with pytest.raises(Failure) as caught:
        find_vmlinux(request, on)
    assert caught.value.status is Exit.ENVIRONMENT
    return caught.value


@pytest.mark.parametrize("place", PLACES)
def test_vmlinux_is_found_in_every_place(tmp_path: Path, place: str) -> None:
    path = write(tmp_path / place.format(release=RELEASE).lstrip("/"), vmlinux(RELEASE, BUILD_ID))
    assert find_vmlinux(Request(), host(tmp_path)) == Vmlinux(path, RELEASE, BUILD_ID)


def test_vmlinux_is_found_by_the_running_kernels_build_id(tmp_path: Path) -> None:
    write(tmp_path / "sys/kernel/notes", note(BUILD_ID))
    name = f"usr/lib/debug/.build-id/{BUILD_ID[:2]}/{BUILD_ID[2:]}.debug"
    path = write(tmp_path / name, vmlinux(None, BUILD_ID))
    assert find_vmlinux(Request(), host(tmp_path)) == Vmlinux(path, RELEASE, BUILD_ID)


def test_first_place_wins(tmp_path: Path) -> None:
    for place in reversed(PLACES):
        first = write(tmp_path / place.format(release=RELEASE).lstrip("/"), vmlinux(RELEASE))
    assert find_vmlinux(Request(), host(tmp_path)).path == first


def test_kernel_option_names_another_release_than_the_running_one(tmp_path: Path) -> None:
    write(tmp_path / "boot/vmlinux-6.1.0", vmlinux("6.1.0"))
    path = write(tmp_path / "boot/vmlinux-6.12.1", vmlinux("6.12.1"))
    assert find_vmlinux(Request(kernel="6.12.1"), host(tmp_path)).path == path


@pytest.mark.parametrize(("content", "why"), [
    (vmlinux(RELEASE, debug=False), "has no debug info"),
    (vmlinux("6.1.99"), "is of release 6.1.99"),
    (vmlinux(RELEASE, OTHER_ID), f"has build-id {OTHER_ID}, the running kernel {BUILD_ID}"),
    (b"MZ\0\0", "a boot image"),
    (b"", "empty file"),
])
def test_wrong_file_is_passed_over_and_named(tmp_path: Path, content: bytes, why: str) -> None:
    write(tmp_path / "sys/kernel/notes", note(BUILD_ID))
    wrong = write(tmp_path / "usr/lib/debug/boot/vmlinux-6.1.0", content)
    assert f"{wrong}: {why}" in notes_of(failing_vmlinux(Request(), host(tmp_path)))
    right = write(tmp_path / "boot/vmlinux-6.1.0", vmlinux(RELEASE, BUILD_ID))
    assert find_vmlinux(Request(), host(tmp_path)).path == right


def test_build_id_of_the_running_kernel_does_not_matter_for_another_release(tmp_path: Path) -> None:
    write(tmp_path / "sys/kernel/notes", note(BUILD_ID))
    path = write(tmp_path / "boot/vmlinux-6.12.1", vmlinux("6.12.1", OTHER_ID))
    assert find_vmlinux(Request(kernel="6.12.1"), host(tmp_path)) == Vmlinux(path, "6.12.1", OTHER_ID)


def test_failure_lists_every_place_and_the_kernels_that_are_installed(tmp_path: Path) -> None:
    write(tmp_path / "sys/kernel/notes", note(BUILD_ID))
    write(tmp_path / "usr/lib/debug/boot/vmlinux-5.10.0", b"x")
    write(tmp_path / "usr/lib/debug/lib/modules/6.9.0/vmlinux", b"x")
    failure = failing_vmlinux(Request(), host(tmp_path))
    notes = notes_of(failure)
    for place in (*PLACES, f"/usr/lib/debug/.build-id/{BUILD_ID[:2]}/{BUILD_ID[2:]}.debug"):
        assert f"{tmp_path}{place.format(release=RELEASE)}: no such file" in notes
    assert "debuginfod: DEBUGINFOD_URLS is not set" in notes
    assert "installed for other kernels: --kernel 5.10.0, --kernel 6.9.0" in notes
    assert failure.diagnostics[0].slug == "no-vmlinux"


@pytest.mark.parametrize(("os_release", "fix"), [
    ("ID=debian\n", "apt install linux-image-6.1.0-dbg;"),
    ('ID=ubuntu\nID_LIKE="debian"\n', "apt install linux-image-6.1.0-dbgsym"),
    ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "apt install linux-image-6.1.0-dbgsym"),
    ("ID=fedora\n", "dnf debuginfo-install kernel-core-6.1.0"),
    ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf debuginfo-install"),
    ("ID=opensuse-tumbleweed\n", "zypper install kernel-default-debuginfo"),
    ("ID=plan9\n", "Debian: apt install linux-image-6.1.0-dbg; Ubuntu: "),
    (None, "SUSE: zypper install"),
])
def test_failure_says_what_brings_the_file_on_this_distribution(tmp_path: Path, os_release: str | None,
                                                                fix: str) -> None:
    if os_release is not None:
        write(tmp_path / "etc/os-release", os_release)
    advice = failing_vmlinux(Request(), host(tmp_path)).diagnostics[0].fix
    assert advice is not None
    assert fix in advice
    assert "CONFIG_DEBUG_INFO" in advice


def test_given_vmlinux_is_taken_whatever_the_running_kernel_is(tmp_path: Path) -> None:
    path = write(tmp_path / "mine", vmlinux("6.9.0", OTHER_ID))
    assert find_vmlinux(Request(vmlinux=path), host(tmp_path)) == Vmlinux(path, "6.9.0", OTHER_ID)


@pytest.mark.parametrize(("name", "release"), [
    ("usr/lib/debug/boot/vmlinux-6.1.0", "6.1.0"), ("x/lib/modules/6.1.0/vmlinux.debug", "6.1.0"),
    ("lib/modules/6.1.0/build/vmlinux", "6.1.0"), ("boot/vmlinux-6.1.0.debug", "6.1.0"), ("vmlinux", None),
])
def test_release_of_a_detached_debug_file_comes_from_its_name(
        tmp_path: Path, name: str, release: str | None) -> None:
    path = write(tmp_path / name, vmlinux(None))
    assert find_vmlinux(Request(vmlinux=path), host(tmp_path)).release == release


@pytest.mark.parametrize(("content", "why"), [
    (None, "no such file"), (vmlinux(debug=False), "has no debug info"), (b"MZ", "a boot image"),
    (b"x", "not an ELF"),
])
def test_given_vmlinux_that_is_no_good_is_an_error_though_another_is_installed(
        tmp_path: Path, content: bytes | None, why: str) -> None:
    write(tmp_path / "boot/vmlinux-6.1.0", vmlinux())
    path = tmp_path / "vmlinuz-6.9.0"
    if content is not None:
        write(path, content)
    failure = failing_vmlinux(Request(vmlinux=path), host(tmp_path))
    assert failure.diagnostics[0].message.startswith(f"{path}: {why}")
    assert "6.9.0" in (failure.diagnostics[0].fix or "")


def test_given_vmlinux_of_another_release_than_kernel_option_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "mine", vmlinux("6.9.0"))
    failure = failing_vmlinux(Request(vmlinux=path, kernel="6.1.0"), host(tmp_path))
    assert failure.diagnostics[0].slug == "release-mismatch"
    assert "6.9.0, not 6.1.0" in failure.diagnostics[0].message


def test_build_option_gives_its_own_vmlinux_and_release(tmp_path: Path) -> None:
    tree = build_directory(tmp_path / "linux", "6.9.0")
    write(tree / "vmlinux", vmlinux("6.9.0"))
    write(tmp_path / "boot/vmlinux-6.9.0", vmlinux("6.9.0"))
    request = Request(build=tree)
    assert wanted_release(request, host(tmp_path)) == "6.9.0"
    assert find_vmlinux(request, host(tmp_path)).path == tree / "vmlinux"


def test_build_option_without_debug_vmlinux_takes_the_installed_one_of_its_release(tmp_path: Path) -> None:
    tree = build_directory(tmp_path / "headers", "6.9.0")
    write(tree / "vmlinux", vmlinux("6.9.0", debug=False))
    installed = write(tmp_path / "boot/vmlinux-6.9.0", vmlinux("6.9.0"))
    assert find_vmlinux(Request(build=tree), host(tmp_path)).path == installed


def test_debuginfod_is_asked_for_the_running_kernel_when_nothing_is_installed(tmp_path: Path) -> None:
    write(tmp_path / "sys/kernel/notes", note(BUILD_ID))
    fetched = write(tmp_path / "cache/debuginfo", vmlinux(None, BUILD_ID))
    program(tmp_path / "bin/debuginfod-find", f'[ "$*" = "debuginfo {BUILD_ID}" ] && echo {fetched}\n')
    on = host(tmp_path, DEBUGINFOD_URLS="https://example.org", PATH=str(tmp_path / "bin"))
    assert find_vmlinux(Request(), on) == Vmlinux(fetched, RELEASE, BUILD_ID)


def test_debuginfod_is_not_run_unless_its_variable_is_set(tmp_path: Path) -> None:
    write(tmp_path / "sys/kernel/notes", note(BUILD_ID))
    program(tmp_path / "bin/debuginfod-find", f"touch {tmp_path}/ran\n")
    failing_vmlinux(Request(), host(tmp_path, DEBUGINFOD_URLS=" ", PATH=str(tmp_path / "bin")))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("script", "release", "why"), [
    ("echo 'server did not like it' >&2; exit 1\n", RELEASE, "debuginfod: server did not like it"),
    ("exit 1\n", RELEASE, "debuginfod: failed"),
    ("exec /bin/sleep 60\n", RELEASE, "debuginfod: no answer within 0.2 s"),
    ("echo /nowhere\n", RELEASE, "debuginfod: no such file"),
    (None, RELEASE, "debuginfod: the command debuginfod-find is not installed"),
    ("exit 0\n", "6.9.0", "debuginfod: only the running kernel's build-id is known"),
])
def test_failure_of_debuginfod_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None,
                                        release: str, why: str) -> None:
    monkeypatch.setattr(environment, "DEBUGINFOD_TIMEOUT", 0.2)
    write(tmp_path / "sys/kernel/notes", note(BUILD_ID))
    if script is not None:
        program(tmp_path / "bin/debuginfod-find", script)
    on = host(tmp_path, DEBUGINFOD_URLS="https://example.org", PATH=str(tmp_path / "bin"))
    assert why in notes_of(failing_vmlinux(Request(kernel=release), on))


def test_build_directory_of_the_release_is_found(tmp_path: Path) -> None:
    tree = build_directory(tmp_path / "lib/modules/6.1.0/build")
    assert find_build_directory(Request(), host(tmp_path), RELEASE) == BuildDirectory(tree, RELEASE)


def test_release_of_a_build_directory_is_the_one_compiled_into_modules(tmp_path: Path) -> None:
    tree = build_directory(tmp_path, "6.1.0-56-cloud-amd64")
    write(tree / "include/config/kernel.release", "6.1.192\n")
    assert build_release(tree) == "6.1.0-56-cloud-amd64"
    (tree / "include/generated/utsrelease.h").unlink()
    assert build_release(tree) == "6.1.192"
    (tree / "include/config/kernel.release").unlink()
    assert build_release(tree) is None


def failing_build(request: Request, on: Host) -> Failure:
    with pytest.raises(Failure) as caught:
        find_build_directory(request, on, RELEASE)
    assert caught.value.status is Exit.ENVIRONMENT
    assert caught.value.diagnostics[0].slug == "no-build-directory"
    return caught.value


def test_missing_build_directory_names_the_package(tmp_path: Path) -> None:
    write(tmp_path / "etc/os-release", "ID=debian\n")
    failure = failing_build(Request(), host(tmp_path)).diagnostics[0]
    assert "is not there" in failure.message
    assert "apt install linux-headers-6.1.0;" in (failure.fix or "")
    link = tmp_path / "lib/modules/6.1.0/build"
    link.parent.mkdir(parents=True)
    link.symlink_to("/nowhere")
    assert "is a link to nothing" in failing_build(Request(), host(tmp_path)).diagnostics[0].message


def test_given_build_directory_that_is_no_good_is_an_error(tmp_path: Path) -> None:
    def message(path: Path) -> str:
        return failing_build(Request(build=path), host(tmp_path)).diagnostics[0].message

    assert message(tmp_path / "none").endswith("does not exist")
    assert message(write(tmp_path / "file")).endswith("is not a directory")
    assert "has no Makefile" in message(tmp_path)
    write(tmp_path / "Makefile")
    assert "is not configured and prepared" in message(tmp_path)


def test_vmlinux_and_build_directory_of_two_releases_are_an_error_that_says_both(tmp_path: Path) -> None:
    image = Vmlinux(tmp_path / "vmlinux", "6.9.0", BUILD_ID)
    with pytest.raises(Failure, match=r"is of release 6\.9\.0, but .* builds for 6\.1\.0"):
        require_same_kernel(image, BuildDirectory(tmp_path, "6.1.0"))


def test_vmlinux_of_another_build_of_the_same_release_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "vmlinux", vmlinux(RELEASE, OTHER_ID))
    image = Vmlinux(tmp_path / "old", RELEASE, BUILD_ID)
    with pytest.raises(Failure, match=f"{BUILD_ID}.*{OTHER_ID}.*two builds"):
        require_same_kernel(image, BuildDirectory(tmp_path, RELEASE))


@pytest.mark.parametrize("content", [vmlinux(RELEASE, BUILD_ID), vmlinux(RELEASE, None), b"", None])
def test_what_is_not_known_to_differ_goes_together(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        write(tmp_path / "vmlinux", content)
    for release in (RELEASE, None):
        require_same_kernel(Vmlinux(tmp_path / "a", release, BUILD_ID), BuildDirectory(tmp_path, RELEASE))
    assert build_release(tmp_path) is None


@on_installed_kernels
def test_installed_kernel_has_a_build_directory_that_goes_with_its_vmlinux(release: str) -> None:
    on = Host()
    request = Request(kernel=release)
    build = find_build_directory(request, on, release)
    assert build.release == release
    if not list(Path("/usr/lib/debug/boot").glob(f"vmlinux-{release}")):
        pytest.skip(f"no debug vmlinux of {release} installed")
    image = find_vmlinux(request, on)
    assert (image.release, len(image.build_id or "")) == (release, 40)
    require_same_kernel(image, build)

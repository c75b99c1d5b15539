# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the "newc" cpio archive that a kernel unpacks as its initramfs.

Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
"""

from __future__ import annotations

import stat
from pathlib import PurePosixPath

_TRAILER = "TRAILER!!!"


class Archive:
    """An initramfs being written; folders on the way to a file are made as needed."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._folders = {PurePosixPath("/")}
        self._inode = 0

    def folder(self, path: str) -> None:
        """Add the folder `path` and those above it."""
        folder = PurePosixPath("/") / path
        if folder in self._folders:
            return
        self.folder(str(folder.parent))
        self._folders.add(folder)
        self._entry(folder, stat.S_IFDIR | 0o755, b"")

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Add a regular file."""
        self._leaf(path, stat.S_IFREG | mode, data)

    def symlink(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._leaf(path, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, path: str, major: int, minor: int) -> None:
        """Add a character device node."""
        self._leaf(path, stat.S_IFCHR | 0o600, b"", (major, minor))

    def finish(self) -> bytes:
        """Return the whole archive."""
        return b"".join([*self._parts, self._record(_TRAILER, 0, 0, b"", (0, 0))])

    def _leaf(self, path: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        name = PurePosixPath("/") / path
        self.folder(str(name.parent))
        self._entry(name, mode, data, device)

    def _entry(self, path: PurePosixPath, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        self._parts.append(self._record(str(path).lstrip("/"), self._inode, mode, data, device))

    @staticmethod
    def _record(name: str, inode: int, mode: int, data: bytes, device: tuple[int, int]) -> bytes:
        raw_name = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        # ino mode uid gid nlink mtime filesize major minor rmajor rminor namesize check
        fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(raw_name), 0)
        header = b"070701" + b"".join(b"%08X" % value for value in fields)
        return _padded(header + raw_name) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)

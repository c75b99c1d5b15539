# SPDX-License-Identifier: GPL-2.0-or-later
"""Which package or command brings a file that was not found, on the distribution at hand."""

from __future__ import annotations

from localvar.kbuild.host import Host

OWN_TREE_DEBUG = "for a kernel of your own set CONFIG_DEBUG_INFO (a DWARF choice of it) and build it again"
OWN_TREE_HEADERS = "for a kernel of your own give --build DIR after `make modules_prepare`"

# By ID of os-release(5).
_DEBUG = {
    "ubuntu": "apt install linux-image-{release}-dbgsym (from ddebs.ubuntu.com)",
    "debian": "apt install linux-image-{release}-dbg",
    "fedora": "dnf debuginfo-install kernel-core-{release}",
    "rhel": "dnf debuginfo-install kernel-core-{release}",
    "suse": "zypper install kernel-default-debuginfo",
}
_HEADERS = {
    "ubuntu": "apt install linux-headers-{release}",
    "debian": "apt install linux-headers-{release}",
    "fedora": "dnf install kernel-devel-{release}",
    "rhel": "dnf install kernel-devel-{release}",
    "suse": "zypper install kernel-default-devel",
}


def debug_package(host: Host, release: str) -> str:
    """What brings the debug vmlinux and the modules' debug files of release; all ways on unknown systems."""
    return _ways(_DEBUG, host, release) + "; " + OWN_TREE_DEBUG


def headers_package(host: Host, release: str) -> str:
    """What brings the build directory of release."""
    return _ways(_HEADERS, host, release) + "; " + OWN_TREE_HEADERS


def _ways(table: dict[str, str], host: Host, release: str) -> str:
    for name in host.distributions():
        if name.startswith("opensuse"):
            name = "suse"
        if name in table:
            return table[name].format(release=release)
    named = {"debian": "Debian", "ubuntu": "Ubuntu", "fedora": "Fedora", "suse": "SUSE"}
    return "; ".join(f"{title}: {table[key].format(release=release)}" for key, title in named.items())

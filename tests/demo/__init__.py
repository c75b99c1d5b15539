# SPDX-License-Identifier: GPL-2.0-or-later
"""``make demo``: the README's example from its source to the values it records.

    on_kernel.py  expands docs/examples/vfs_read, builds it, boots Linux 6.1 with it in qemu
    embedded.py   where that cannot be had: the same steps on a small program, probed while it runs
    values.py     holds what was recorded against what is true, and prints both
"""

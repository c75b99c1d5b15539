# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests on real kernels in virtual machines, and the harness they share.

The modules, in the order of their use:

    kernels.py   the one list of kernels, and where each is installed
    build.py     compiles an external module against one of them
    vm.py        boots one, loads modules, runs a workload, brings back what they recorded
    result.py    ... as a value to assert on; trace.py reads its trace instances
    guest.py     the init script, and the stream in which results come back
    cpio.py      the initramfs such a boot needs
    processes.py runs programs with a time limit, leaves none behind
    problems.py  finds WARNINGs, oopses and panics in a kernel log
    oracle.py    gdb on the same running kernel: what every variable really was at a probe's hits
    still.py     gdb's word for the variables at any pc, without running anything
    campaign.py  random coordinates in functions that a workload runs
    requires.py  named skips: ``@requires_kernel("6.1")``, ``@requires_gdb``
"""

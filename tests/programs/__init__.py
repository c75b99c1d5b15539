# SPDX-License-Identifier: GPL-2.0-or-later
"""C programs that force every class of location, run under gdb and read at every statement: localvar beside gdb.

    source/      the programs, linked into one executable
    build.py     compiles them: compilers, optimisation levels, DWARF versions
    asked.py     what is read where: localvar's own plans, as plain values
    choose.py    makes them: every statement of every function, every frame, every variable, paths into them
    evaluate.py  evaluates a plan's expressions over registers and memory
    observe.py   runs inside gdb: stops there, reads with both, compares
    outcome.py   what came of it, counted
    run.py       all of it for one executable
"""

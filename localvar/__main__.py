# SPDX-License-Identifier: GPL-2.0-or-later
"""python -m localvar"""

from localvar.cli import main

main()

"""The console script: what was clean and has not changed is answered before anything is loaded."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

from initlint import clean


def run() -> NoReturn:
    """Carry out the command line that the process was given, and end the process."""
    argv = sys.argv[1:]
    entry = clean.entry_of(argv)
    said = clean.said_before(entry) if entry is not None else None
    if said is not None and sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(said)
            sys.stderr.flush()
        os._exit(0)
    from initlint import cli

    cli.run(argv, entry)

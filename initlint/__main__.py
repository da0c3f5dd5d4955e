"""`python -m initlint`."""

import sys

# `python -m` looks for modules in the working directory first: nothing that lies there may stand in
# for a library of ours. What is to be built is looked for there all the same.
if not sys.flags.safe_path and sys.path[:1] and __spec__ is not None:
    sys.path.pop(0)

from initlint.cli.main import run

run()

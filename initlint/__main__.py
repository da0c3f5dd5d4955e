"""`python -m initlint`."""

from initlint.cli import run

run()

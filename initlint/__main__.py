"""`python -m initlint`."""

from initlint.cli.main import run

run()

"""`python -m initlint`."""

from initlint.start import run

run()

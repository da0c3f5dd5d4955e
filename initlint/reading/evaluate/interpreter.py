"""The interpreter: a reader together with what evaluates each kind of expression and value."""

from __future__ import annotations

from initlint.reading.evaluate.calls import CALLERS
from initlint.reading.evaluate.expressions import EXPRESSIONS
from initlint.reading.evaluate.statements import STATEMENTS

# They register what functions known by name do.
from initlint.reading.known import (  # noqa: F401
    numpy,
    objects,
    ours,
    python,
    sequences,
    timm,
    torch,
)
from initlint.reading.reader import Reader
from initlint.reading.sources.resolve import Program


def interpreter(program: Program) -> Reader:
    """A reader of a program, at the beginning."""
    return Reader(program, EXPRESSIONS, STATEMENTS, CALLERS)

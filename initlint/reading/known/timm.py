"""Functions of timm's that constructors call."""

from __future__ import annotations

import ast

from initlint.reading.abstract.values import UNKNOWN, Sym, Value
from initlint.reading.evaluate.handlers import Args, Kwargs, handles
from initlint.reading.reader import Reader

# What makes a kernel size for both directions of one number.
_PAIRS = tuple(
    f"timm.{place}.to_2tuple"
    for place in ("layers", "layers.helpers", "models.layers", "models.layers.helpers")
)


@handles(*_PAIRS)
def _pair(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    value = args[0] if args else UNKNOWN
    return (value, value) if isinstance(value, (int, float, Sym)) else value

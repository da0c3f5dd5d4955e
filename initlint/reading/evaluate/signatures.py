"""What a function's parameters are called, and what they are where nothing is given."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import NamedTuple

from initlint.reading.abstract.holders import Function
from initlint.reading.abstract.values import Value


class Signature(NamedTuple):
    """Parameters by place and by name, and those that take the rest.

    `constants` are the defaults that are written as constants, `others` the parameters without
    one, `label` tells the names of one function's parameters from those of another.
    """

    places: tuple[str, ...]
    names: Mapping[str, None]
    constants: Mapping[str, Value]
    others: tuple[str, ...]
    defaults: Mapping[str, ast.expr]
    rest: str
    keywords: str
    label: str


def signature_of(function: Function) -> Signature:
    """The signature of a function of the files read."""
    spec = function.node.args
    places = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    named = [a.arg for a in spec.kwonlyargs]
    defaults = dict(zip(places[::-1], spec.defaults[::-1], strict=False))
    defaults.update({k: v for k, v in zip(named, spec.kw_defaults, strict=True) if v is not None})
    constants = {k: v.value for k, v in defaults.items() if isinstance(v, ast.Constant)}
    owner = function.owner.name if function.owner is not None else ""
    return Signature(
        tuple(places),
        dict.fromkeys((*places, *named)),
        constants,
        tuple(name for name in (*places, *named) if name not in constants),
        defaults,
        spec.vararg.arg if spec.vararg is not None else "",
        spec.kwarg.arg if spec.kwarg is not None else "",
        f"{owner}.{getattr(function.node, 'name', 'lambda')}",
    )

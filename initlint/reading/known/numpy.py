"""Draws by NumPy, of which code makes tensors: the same as draws by torch."""

from __future__ import annotations

import ast

from initlint.reading.abstract.values import PLAIN, Fresh, Value
from initlint.reading.evaluate.handlers import Args, Kwargs, handles
from initlint.reading.evaluate.tensors import operate
from initlint.reading.fills.in_place import write_in_place
from initlint.reading.reader import Reader


def _names(*methods: str) -> list[str]:
    """The dotted names of methods of NumPy's generators, and of its module of the same names."""
    owners = ("numpy.random", "numpy.random.default_rng()", "numpy.random.RandomState()")
    return [f"{owner}.{method}" for owner in owners for method in methods]


@handles(*_names("randn"))
def _normal_by_sizes(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return operate(reader, "randn", args) if args else PLAIN


@handles(*_names("rand"))
def _uniform_by_sizes(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return operate(reader, "rand", args) if args else PLAIN


@handles(*_names("standard_normal"))
def _standard_normal(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return _drawn(reader, "normal_", (), args[0] if args else kwargs.get("size"), node)


@handles(*_names("random", "random_sample"))
def _standard_uniform(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return _drawn(reader, "uniform_", (), args[0] if args else kwargs.get("size"), node)


@handles(*_names("normal"))
def _normal(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return _with_bounds(reader, "normal_", ("loc", "scale"), args, kwargs, node)


@handles(*_names("uniform"))
def _uniform(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return _with_bounds(reader, "uniform_", ("low", "high"), args, kwargs, node)


def _with_bounds(
    reader: Reader,
    name: str,
    parameters: tuple[str, str],
    args: Args,
    kwargs: Kwargs,
    node: ast.AST | None,
) -> Value:
    """The draw of a function with two numbers, 0 and 1 by default, and then the sizes."""
    given = dict(zip((*parameters, "size"), (0.0, 1.0, None), strict=True))
    given |= dict(zip(given, args, strict=False)) | dict(kwargs)
    numbers = [given[parameter] for parameter in parameters]
    return _drawn(reader, name, numbers, given["size"], node)


def _drawn(reader: Reader, name: str, numbers: Args, size: Value, node: ast.AST | None) -> Value:
    """A tensor of the wanted sizes with a draw; a number where none are given."""
    if size is None:
        return PLAIN
    made = operate(reader, "empty", [size])
    if isinstance(made, Fresh):
        write_in_place(reader, made, name, numbers, {}, node)
    return made

"""Constructor arguments: written on the command line, `--arg name=literal`, or given by Python."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from initlint.records import InitlintError

_PYTHON = {"true": "True", "false": "False", "none": "None", "null": "None"}


def parse(written: Iterable[str]) -> dict[str, Any]:
    """The arguments by name; a later one replaces an earlier one of the same name."""
    return dict(_argument(text) for text in written)


def by_name(args: object) -> Mapping[str, Any]:
    """The arguments that `args=` of a function is; InitlintError for what has no names."""
    if args is None:
        return {}
    if not isinstance(args, Mapping) or not all(isinstance(name, str) for name in args):
        example = "write the constructor's arguments by name, as args={'width': 64}"
        raise InitlintError(f"args={args!r}: {example}")
    return args


def _argument(text: str) -> tuple[str, Any]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name.isidentifier():
        raise InitlintError(f"--arg {text}: write name=value, as --arg width=64")
    return name, _value(text, value)


def _value(text: str, value: str) -> Any:
    """A Python literal, or else the word itself."""
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        if value in _PYTHON:
            raise InitlintError(
                f"--arg {text}: Python writes {_PYTHON[value]}; quote the word if it is meant"
            ) from error
        if value.startswith(("[", "(", "{", "'", '"')):
            raise InitlintError(f"--arg {text}: {value} is not a Python literal") from error
        return value

"""Constructor arguments: written on the command line, `--arg name=literal`, or given by Python."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from initlint.records import InitlintError
from initlint.safe.shown import cut

# Whether the command line asks for models, and not a program.
GIVEN_BY_OPTIONS = ContextVar("GIVEN_BY_OPTIONS", default=False)
_PYTHON = {"true": "True", "false": "False", "none": "None", "null": "None"}


def parse(written: Iterable[str]) -> dict[str, Any]:
    """The arguments by name; a later one replaces an earlier one of the same name."""
    return dict(_argument(text) for text in written)


def how_to_give(names: Sequence[str]) -> str:
    """How arguments that are missing are given: on the command line, or in Python."""
    if GIVEN_BY_OPTIONS.get():
        return "give " + " ".join(f"--arg {name}=VALUE" for name in names)
    return "give args={" + ", ".join(f"{name!r}: ..." for name in names) + "}"


def how_to_give_inputs(names: Iterable[str]) -> str:
    """How other inputs than the guessed ones are given: on the command line, or in Python."""
    if GIVEN_BY_OPTIONS.get():
        return "give others with " + " ".join(f"--input {name}=SHAPE" for name in names)
    return f"give {', '.join(names)} as arguments behind the model"


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
        raise _error(text, "write name=value, as --arg width=64")
    return name, _value(text, value)


def _value(text: str, value: str) -> Any:
    """A Python literal, or else the word itself."""
    try:
        return ast.literal_eval(value)
    except (MemoryError, RecursionError) as error:
        raise _error(text, f"{cut(value)} is nested too deeply") from error
    except (ValueError, SyntaxError, TypeError) as error:
        if value in _PYTHON:
            wanted = f"Python writes {_PYTHON[value]}; quote the word if it is meant"
            raise _error(text, wanted) from error
        if value.startswith(("[", "(", "{", "'", '"')):
            raise _error(text, f"{cut(value)} is not a Python literal") from error
        if value.lstrip("+-").isdecimal() and len(value) > sys.get_int_max_str_digits():
            raise _error(text, f"{cut(value)} has more digits than Python reads") from error
        return value


def _error(text: str, reason: str) -> InitlintError:
    return InitlintError(f"--arg {cut(text)}: {reason}")

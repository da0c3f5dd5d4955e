"""What initlint's own functions do to a model: two fill it, and all others only look at it."""

from __future__ import annotations

import ast

from initlint.reading.abstract.holders import Instance, Table
from initlint.reading.abstract.values import UNKNOWN, External, Value
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.handlers import Args, Kwargs, handles
from initlint.reading.fills.initial import release
from initlint.reading.reader import Reader
from initlint.torchlib.draws import UNCLEAR


def _names(name: str) -> tuple[str, ...]:
    return tuple(f"initlint.{room}{name}" for room in ("", "fill.", "fill.filling."))


@handles(*_names("apply_"))
def _apply(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    """Fills what has a finding, or more, as `scope` says."""
    _fill(reader, args[0] if args else kwargs.get("model", UNKNOWN), node)
    return External("initlint.apply_()")


@handles(*_names("materialize"))
def _materialize(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    """Makes a model and fills it; what is a model already is only filled."""
    build = args[0] if args else kwargs.get("build", UNKNOWN)
    if isinstance(build, Instance):
        model: Value = build
    else:
        given = kwargs.get("args")
        named = given.items if isinstance(given, Table) else {}
        model = call(
            reader, build, [], {k: v for k, v in named.items() if isinstance(k, str)}, node
        )
    if "init" in kwargs:
        call(reader, kwargs["init"], [model], {}, node)
    _fill(reader, model, node)
    return model


def _fill(reader: Reader, model: Value, node: ast.AST | None) -> None:
    reader.acts += 1
    release(reader, [model], UNCLEAR.at(reader.site(node), spelled="apply_"))

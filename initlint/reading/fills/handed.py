"""Functions of the files that are handed to code which is not read: what they may fill."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator

from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import Function, Instance, elements, mentioned
from initlint.reading.abstract.values import External, Unknown, Value
from initlint.reading.evaluate.compiled import evaluate
from initlint.reading.fills.filling import fills_by, writes_in_place
from initlint.reading.fills.initial import release
from initlint.reading.reader import Reader
from initlint.reading.sources.outside import TRAINING

_Definition = ast.FunctionDef | ast.AsyncFunctionDef
# Packages whose decorators call what they get where it is called, and not at another time.
_HERE = {
    *("abc", "builtins", "contextlib", "dataclasses", "functools", "pytest", "torch", "typing"),
}


def filled_by_handlers(reader: Reader, values: Iterable[Value]) -> Iterator[Instance]:
    """The models that functions among these values, and in lists of them, name and may fill."""
    for value in values:
        for part in elements(value) or [value]:
            if isinstance(part, Function):
                yield from _filled_by(reader, part)


def hand_to_decorators(reader: Reader, function: Function, node: _Definition, frame: Frame) -> None:
    """Note what a function may fill whose decorators are not read: `@app.on_event("startup")`.

    Not of one that the file calls itself.
    """
    models = [*_filled_by(reader, function)] if reader.outside and node.decorator_list else []
    if not models or _is_called(frame.module.source.tree, node.name):
        return
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        value = evaluate(reader, called, frame)
        package = value.name.partition(".")[0] if isinstance(value, External) else ""
        if package not in _HERE and isinstance(value, (External, Unknown)):
            name = ast.unparse(called)
            reader.life.give(models, name, reader.site(decorator), early=package in TRAINING)
            release(reader, models, name=name)


def _filled_by(reader: Reader, function: Function) -> list[Instance]:
    """The models that a function names, if it may fill or load them."""
    own = {each.arg for each in ast.walk(function.node.args) if isinstance(each, ast.arg)}
    names = [name for name in mentioned(function.node) if name not in own]
    reader.budget.elements(len(names))
    found = {name: _value_around(function, name) for name in names}
    models = {name: value for name, value in found.items() if isinstance(value, Instance)}
    return [*models.values()] if models and _fills(function.node, models) else []


def _value_around(function: Function, name: str) -> Value:
    """What a name means in the functions around this one, and at the top level of its file."""
    closure = function.closure
    while closure is not None:
        if name in closure.names:
            return closure.names[name]
        closure = closure.closure
    return function.module.values.get(name)


def _fills(function: ast.AST, models: Collection[str]) -> bool:
    """Whether a function calls what fills or loads, by its name.

    A word such as `init` or `reset` counts only in a call that names a model.
    """
    for call in (part for part in ast.walk(function) if isinstance(part, ast.Call)):
        name = getattr(call.func, "attr", "") or getattr(call.func, "id", "")
        if writes_in_place(name) or name in ("apply", "load_state_dict"):
            return True
        named = (part.id for part in ast.walk(call) if isinstance(part, ast.Name))
        if (fills_by(name) or name.startswith("load")) and any(each in models for each in named):
            return True
    return False


def _is_called(tree: ast.AST, name: str) -> bool:
    """Whether a file calls a function of this name."""
    calls = (part.func for part in ast.walk(tree) if isinstance(part, ast.Call))
    return any(isinstance(function, ast.Name) and function.id == name for function in calls)

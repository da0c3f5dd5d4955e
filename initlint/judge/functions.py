"""Loads a rule's function from the file beside its card, and calls it with the records it judges.

The annotation of the function's first parameter says which records those are; a second parameter,
if there is one, is given the model that the record is part of.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from initlint.judge.cards import wrong
from initlint.judge.kinds import KINDS, names
from initlint.judge.model import Model, Problem
from initlint.records import Call, InitlintError, Layer, Parameter, Test


class Function(NamedTuple):
    """A rule's function, with the kinds of record that it is called with."""

    code: str
    call: Callable[..., Any]
    kinds: tuple[type, ...]
    takes_model: bool
    path: Path
    line: int

    def problems(self, model: Model) -> Iterator[Problem]:
        """The rule's problems in one model. Raises InitlintError if the function fails."""
        for kind in self.kinds:
            for record in KINDS[kind](model):
                given = (record, model) if self.takes_model else (record,)
                yield from map(self._problem, self._called(*given))

    def _called(self, *given: Any) -> list[Any]:
        try:
            found = self.call(*given)
            if found is not None:
                return list(found)
        except InitlintError:
            raise
        except Exception as error:
            raise _failed(error, self.path, self.line, "the rule fails") from error
        reason = f"{self.call.__name__} returns None; write yield (layer, message)"
        raise wrong(self.path, self.line, reason)

    def _problem(self, found: Any) -> Problem:
        """A yielded value as a problem of this rule."""
        problem = found if isinstance(found, Problem) else None
        if problem is not None:
            found = (problem.record, problem.message)
        match found:
            case (Layer() | Parameter() | Call() | Test() as record, str(message)) if (
                message.strip()
            ):
                told = problem or Problem(record, message)
                return told._replace(message=message, code=self.code)
        what = f"{self.call.__name__} yields {_described(found)}"
        raise wrong(self.path, self.line, f"{what}; write (layer, message) or Problem")


def load(path: Path, package: str = "") -> Function:
    """The function in the file at `path`. Raises InitlintError with its line if there is none.

    `package` is the dotted name of the package that the file is part of.
    """
    module = _module(path, f"{package}.{path.stem}" if package else path.stem)
    found = list(_functions(module))
    if not found:
        raise wrong(path, 1, "there is no function in this file")
    if len(found) > 1:
        reason = f"one function is enough; begin the name of {found[1].__name__} with an underscore"
        raise wrong(path, _line(found[1]), reason)
    (call,) = found
    kinds, takes_model = _parameters(call, path)
    return Function(path.stem, call, kinds, takes_model, path, _line(call))


def _module(path: Path, name: str) -> ModuleType:
    """The module in a file, executed."""
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    if spec is None or spec.loader is None:
        raise wrong(path, 1, "the file cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _failed(error, path, 1, "cannot be loaded") from error
    return module


def _failed(error: BaseException, path: Path, line: int, what: str) -> InitlintError:
    """The error at the line of the file at `path` that caused it, `line` if none of it did."""
    own = str(path.absolute())
    for frame, number in traceback.walk_tb(error.__traceback__):
        line = number if frame.f_code.co_filename == own else line
    if isinstance(error, SyntaxError) and error.filename == own:
        line = error.lineno or 1
    return wrong(path, line, f"{what}: {type(error).__name__}: {' '.join(str(error).split())}")


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    """The public functions that are defined in the module, in the order of their lines."""
    found = {
        value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    }
    yield from sorted(found, key=_line)


def _line(function: Callable[..., Any]) -> int:
    plain: Any = inspect.unwrap(function)
    return int(plain.__code__.co_firstlineno)


def _parameters(call: FunctionType, path: Path) -> tuple[tuple[type, ...], bool]:
    """The kinds that the first parameter is annotated with, and whether the model is second."""
    line, name = _line(call), call.__name__
    if inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call):
        raise wrong(path, line, f"{name} is async; a rule is a plain function")
    parameters = list(inspect.signature(call).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(parameters) not in (1, 2) or any(p.kind not in positional for p in parameters):
        reason = f"{name} has to take one record ({names()}), and the Model if it needs that"
        raise wrong(path, line, reason)
    try:
        hints = typing.get_type_hints(call)
    except Exception as error:
        reason = f"the annotations of {name} mean nothing when it is loaded: {error}"
        raise wrong(path, line, reason) from error
    first, *rest = parameters
    if rest and hints.get(rest[0].name) is not Model:
        raise wrong(path, line, f"the second parameter of {name} has to be annotated with Model")
    return _kinds(hints.get(first.name), first.name, path, line), bool(rest)


def _kinds(hint: Any, name: str, path: Path, line: int) -> tuple[type, ...]:
    """The kinds that an annotation names, one or several joined by `|`."""
    if hint is None:
        raise wrong(path, line, f"parameter {name} has no annotation; write one of {names()}")
    joined = typing.get_origin(hint) in (types.UnionType, typing.Union)
    kinds = typing.get_args(hint) if joined else (hint,)
    for kind in kinds:
        if kind not in KINDS:
            shown = getattr(kind, "__name__", str(kind))
            raise wrong(path, line, f"parameter {name}: {shown} is none of {names()}")
    return tuple(kinds)


def _described(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(type(part).__name__ for part in value)})"
    return f"a {type(value).__name__}"

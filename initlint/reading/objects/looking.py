"""Class decorators that only look: they hand the class back as it is, and keep it nowhere.

Most decorators of a library write a docstring. To follow one for thousands of classes costs more
than all else, and tells nothing: so its source is gone through once. Where anything about it is not
plain, the decorator counts as one that does something, and is followed for every class.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import Function
from initlint.reading.abstract.values import External, Value
from initlint.reading.evaluate.compiled import evaluate
from initlint.reading.reader import Reader

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
# What the decorator of a class may write to it: nothing that decides how its models begin.
_TELLING = {"__doc__", "__name__", "__qualname__", "__module__"}
# Functions of Python that keep nothing of what they are given.
_LOOKING = (
    *("builtins.bool", "builtins.callable", "builtins.getattr", "builtins.hasattr"),
    *("builtins.isinstance", "builtins.issubclass", "builtins.len", "builtins.print"),
    *("builtins.repr", "builtins.str", "builtins.type", "inspect."),
)


class _Place(NamedTuple):
    """A function, its file, and the functions around it, the innermost first."""

    node: _Function
    frame: Frame
    around: tuple[_Function, ...] = ()


def only_looks(reader: Reader, decorator: ast.expr, frame: Frame) -> bool:
    """Whether a class decorator hands the class back, and neither changes nor keeps it."""
    is_made = isinstance(decorator, ast.Call)
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    if not isinstance(name, (ast.Name, ast.Attribute)):
        return False
    value = evaluate(reader, name, frame)
    if isinstance(value, External):
        # It is not followed in any case.
        return True
    if not isinstance(value, Function) or not isinstance(value.node, _FUNCTIONS):
        return False
    key = (value.node, is_made)
    if key not in reader.looking:
        place = _Place(value.node, Frame(value.module))
        looks = _Looks(reader)
        reader.looking[key] = value.closure is None and (
            looks.makes_one(place) if is_made else looks.hands_back(place, 0)
        )
    return reader.looking[key]


class _Looks:
    """What functions do with one argument; a function that calls itself adds nothing."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._seen: set[tuple[_Function, str]] = set()
        self._quiet: set[_Function] = set()

    def makes_one(self, place: _Place) -> bool:
        """Whether a function gives nothing but functions in it that hand their argument back."""
        results = [
            self._inner(place, result)
            for result in _results(place.node)
            if not _is_of_bare_use(place, result)
        ]
        return bool(results) and all(
            inner is not None and self.hands_back(inner, 0) for inner in results
        )

    def hands_back(self, place: _Place, number: int) -> bool:
        """Whether a function gives its argument of this number back, and does no more with it."""
        name = _parameter(place.node, number)
        return bool(name) and self._looks(place, name, is_back=True)

    def _looks(self, place: _Place, name: str, is_back: bool = False) -> bool:
        """Whether a function only looks at what it has under a name, or `is_back` gives it back."""
        if (place.node, name) in self._seen and not is_back:
            return True
        self._seen.add((place.node, name))
        if self._acts(place):
            return False
        results = list(_results(place.node))
        given = {id(r) for r in results if isinstance(r, ast.Name) and r.id == name}
        if given and not is_back:
            return False
        if is_back:
            others = [r for r in results if id(r) not in given]
            if not results or not all(self._also_back(place, name, other) for other in others):
                return False
        return all(
            id(mention) in given or self._is_look(place, mention, above)
            for mention, above in _mentions(place.node, name)
        )

    def _acts(self, place: _Place) -> bool:
        """Whether a function, or one that it calls, changes anything but what it makes itself."""
        if place.node in self._quiet:
            return False
        self._quiet.add(place.node)
        own = {arg.arg for each in (place.node, *place.around) for arg in _arguments(each)}
        own = own.union(*map(_bound, (place.node, *place.around)))
        for node, _ in _own(place.node):
            if isinstance(node, (ast.Global, ast.Nonlocal)):
                return True
            changed = _changed(node)
            if changed is not None and changed not in own:
                return True
            called = self._called(place, node.func) if isinstance(node, ast.Call) else None
            if called is not None and self._acts(called):
                return True
        return False

    def _also_back(self, place: _Place, name: str, result: ast.expr) -> bool:
        """Whether a result is the argument, by way of a function, or a function that gives it."""
        inner = self._inner(place, result)
        if inner is not None:
            return self.hands_back(inner, 0)
        if not isinstance(result, ast.Call) or (result.keywords and not result.args):
            return False
        called = self._called(place, result.func)
        first = result.args[0] if result.args else None
        is_first = isinstance(first, ast.Name) and first.id == name
        return is_first and called is not None and self.hands_back(called, 0)

    def _is_look(self, place: _Place, mention: ast.Name, above: Sequence[ast.AST]) -> bool:
        """Whether a name is only looked at where it stands; `above` has what is around it."""
        holder = above[0]
        if isinstance(holder, ast.Attribute):
            is_called = isinstance(above[1], ast.Call) and above[1].func is holder
            is_own = holder.attr == "__dict__" or is_called
            is_told = holder.attr in _TELLING or _is_private(holder.attr)
            return is_told if not isinstance(holder.ctx, ast.Load) else not is_own
        if isinstance(holder, ast.keyword):
            holder = above[1]
        if isinstance(holder, ast.Call) and mention is not holder.func:
            return self._is_shown(place, holder, mention)
        return isinstance(
            holder,
            (ast.Compare, ast.FormattedValue, ast.If, ast.IfExp, ast.UnaryOp),
        ) and not (isinstance(holder, ast.IfExp) and mention is not holder.test)

    def _is_shown(self, place: _Place, call: ast.Call, mention: ast.Name) -> bool:
        """Whether a call only looks at an argument."""
        called = self._called(place, call.func)
        if called is None:
            value = self._value(place, call.func)
            return isinstance(value, External) and value.name.startswith(_LOOKING)
        for number, argument in enumerate(call.args):
            if isinstance(argument, ast.Starred):
                return False
            if argument is mention:
                name = _parameter(called.node, number)
                return bool(name) and self._looks_or_back(called, name)
        names = [keyword.arg for keyword in call.keywords if keyword.value is mention]
        return bool(names) and bool(names[0]) and self._looks_or_back(called, names[0] or "")

    def _looks_or_back(self, place: _Place, name: str) -> bool:
        known = {arg.arg for arg in (*place.node.args.args, *place.node.args.kwonlyargs)}
        return name in known and self._looks(place, name)

    def _called(self, place: _Place, function: ast.expr) -> _Place | None:
        """The function of the files that a name means."""
        inner = self._inner(place, function)
        if inner is not None:
            return inner
        value = self._value(place, function)
        is_plain = isinstance(value, Function) and value.closure is None
        if not is_plain or not isinstance(value.node, _FUNCTIONS):
            return None
        return _Place(value.node, Frame(value.module))

    def _inner(self, place: _Place, name: ast.expr) -> _Place | None:
        """The function of this name that is defined in this one, or in one around it."""
        scopes = (place.node, *place.around)
        for number, scope in enumerate(scopes):
            for part in scope.body if isinstance(name, ast.Name) else ():
                if isinstance(part, _FUNCTIONS) and part.name == getattr(name, "id", ""):
                    is_bare = not part.decorator_list
                    return _Place(part, place.frame, scopes[number:]) if is_bare else None
        return None

    def _value(self, place: _Place, name: ast.expr) -> Value:
        """What a name means at the top level of its file; None for anything but a name."""
        first = name
        while isinstance(first, ast.Attribute):
            first = first.value
        own = {arg.arg for each in (place.node, *place.around) for arg in _arguments(each)}
        is_local = isinstance(first, ast.Name) and first.id in own | _bound(place.node)
        if not isinstance(first, ast.Name) or is_local:
            return None
        return evaluate(self._reader, name, place.frame)


def _arguments(function: _Function) -> Sequence[ast.arg]:
    given = function.args
    stars = [star for star in (given.vararg, given.kwarg) if star is not None]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *stars]


def _parameter(function: _Function, number: int) -> str:
    """The name under which a function has its argument of this number; empty if it is starred."""
    names = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]
    return names[number] if number < len(names) else ""


def _own(function: _Function) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    """The nodes of a function's body with what is around each, those of inner functions too."""
    waiting: list[tuple[ast.AST, tuple[ast.AST, ...]]] = [(s, (function,)) for s in function.body]
    while waiting:
        node, above = waiting.pop()
        yield node, above
        waiting += [(child, (node, *above)) for child in ast.iter_child_nodes(node)]


def _mentions(function: _Function, name: str) -> Iterator[tuple[ast.Name, tuple[ast.AST, ...]]]:
    """Where a function uses its argument of a name; not where an inner one has its own."""
    for node, above in _own(function):
        inner = [each for each in above[:-1] if isinstance(each, (*_FUNCTIONS, ast.Lambda))]
        own = {arg.arg for each in inner for arg in _arguments_of(each)}
        if isinstance(node, ast.Name) and node.id == name and name not in own:
            yield node, above


def _arguments_of(node: ast.AST) -> Sequence[ast.arg]:
    if isinstance(node, ast.Lambda):
        return node.args.args
    return _arguments(node) if isinstance(node, _FUNCTIONS) else ()


def _bound(function: _Function) -> set[str]:
    """The names that a function binds itself."""
    parts = [node for node, _ in _own(function)]
    return {p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}


def _changed(node: ast.AST) -> str | None:
    """The first name of what a statement writes into, or calls a method of for nothing else."""
    if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
        place: ast.AST = node
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        place = node.value.func
        if isinstance(place, ast.Name):
            return None
    else:
        return None
    while isinstance(place, (ast.Attribute, ast.Subscript)):
        place = place.value
    return place.id if isinstance(place, ast.Name) else None


def _results(function: _Function) -> Iterator[ast.expr]:
    """What a function returns, not counting the functions in it."""
    for node, above in _own(function):
        is_inner = any(isinstance(each, _FUNCTIONS) for each in above[:-1])
        if isinstance(node, ast.Return) and not is_inner:
            yield node.value or ast.Constant(None)


def _is_of_bare_use(place: _Place, result: ast.expr) -> bool:
    """Whether a result is that of `@told` without brackets, which gets the class itself."""
    first = _parameter(place.node, 0)
    arguments = result.args if isinstance(result, ast.Call) else []
    return len(arguments) == 1 and getattr(arguments[0], "id", None) == first


def _is_private(name: str) -> bool:
    return name.startswith("__") and not name.endswith("__")

"""Functions and classes that other code wraps or replaces: what that may fill is not known."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import Function
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import Value
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.compiled import evaluate
from initlint.reading.fills.filling import may_fill
from initlint.reading.objects.classes import function_in, lookup, order_of
from initlint.reading.reader import Reader

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def decorated(reader: Reader, function: Function, node: _Function, frame: Frame) -> Value:
    """What a function's decorators give, as far as they are functions of the files that fill.

    All others are taken to hand back what does the same.
    """
    value: Value = function
    for decorator in _filling(reader, node, frame):
        value = call(reader, decorator, [value], {})
    return value


def is_altered(reader: Reader, cls: UserClass) -> bool:
    """Whether code beside its constructor may fill what a class makes, whoever makes it.

    A decorator, a metaclass, a hook of a base class for its heirs, or an assignment to the class.
    """
    if cls.altered is None:
        own = [each for each in order_of(reader, cls) if isinstance(each, UserClass)]
        for each in own:
            # In a long line of classes each is looked at once.
            if each not in reader.altering:
                minds = _minds_heirs(reader, each)
                reader.altering[each] = (_wraps_constructor(reader, each), minds)
        cls.altered = any(reader.altering[each][0] for each in own)
        cls.altered = cls.altered or any(reader.altering[each][1] for each in own[1:])
    return cls.altered


def _wraps_constructor(reader: Reader, cls: UserClass) -> bool:
    """Whether a class's metaclass, or a decorator of its constructor, may fill what it makes."""
    frame = Frame(cls.module, cls.closure)
    for keyword in cls.node.keywords:
        kind = evaluate(reader, keyword.value, frame) if keyword.arg == "metaclass" else None
        if isinstance(kind, UserClass) and lookup(reader, kind, "__call__") is not None:
            return True
    constructor = cls.members.get("__init__")
    return isinstance(constructor, _FUNCTIONS) and any(_filling(reader, constructor, frame))


def _minds_heirs(reader: Reader, cls: UserClass) -> bool:
    """Whether a class replaces the constructors of those that inherit from it."""
    hook = cls.members.get("__init_subclass__")
    if not isinstance(hook, _FUNCTIONS):
        return False
    function = function_in(cls, hook)
    names = {part.attr for part in ast.walk(function.node) if isinstance(part, ast.Attribute)}
    texts = {part.value for part in ast.walk(function.node) if isinstance(part, ast.Constant)}
    return "__init__" in names | texts and may_fill(hook)


def _filling(reader: Reader, node: _Function, frame: Frame) -> Iterator[Function]:
    """The decorators, innermost first, that are functions of the files and fill something."""
    for decorator in reversed(node.decorator_list):
        if isinstance(decorator, (ast.Name, ast.Attribute)):
            value = evaluate(reader, decorator, frame)
            is_named = isinstance(value, Function) and isinstance(value.node, _FUNCTIONS)
            if is_named and may_fill(value.node):
                yield value

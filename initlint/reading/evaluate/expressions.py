"""Expressions: what compiles each kind of them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from initlint.reading.abstract.compare import compared
from initlint.reading.abstract.frames import Code, Frame
from initlint.reading.abstract.holders import (
    Bound,
    Function,
    Instance,
    Listing,
    Partial,
    Super,
    Table,
    truth,
)
from initlint.reading.abstract.joins import joined
from initlint.reading.abstract.lists import combined
from initlint.reading.abstract.parts import choice, contents_of, take_in
from initlint.reading.abstract.sizes import computed
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import (
    BARE,
    PLAIN,
    UNKNOWN,
    External,
    Fresh,
    Held,
    Slot,
    Sym,
    Tensor,
    Unknown,
    Value,
    bounded,
)
from initlint.reading.budget import STEP
from initlint.reading.evaluate.attributes import attribute
from initlint.reading.evaluate.calling import unwrapped
from initlint.reading.evaluate.compiled import code_of
from initlint.reading.evaluate.external import call_external
from initlint.reading.evaluate.literals import (
    comprehension_code,
    dict_code,
    dict_comprehension_code,
    elements_code,
    list_code,
    named_code,
    text_of,
    tuple_code,
)
from initlint.reading.evaluate.names import name_code
from initlint.reading.evaluate.subscripts import item_of
from initlint.reading.evaluate.tensors import OPERATORS, operate
from initlint.reading.reader import Compiler, Reader
from initlint.reading.sources.outside import is_callable

_SUPER = "builtins.super"
_SIGNALS = {Tensor, Slot, Held, Fresh}
_WRAPPERS = {Bound, Partial}
_NOT_COMPUTED = (ast.Is, ast.IsNot, ast.In, ast.NotIn)


def _constant(reader: Reader, node: ast.Constant) -> Code:
    value = node.value
    return lambda frame: value


def _attribute(reader: Reader, node: ast.Attribute) -> Code:
    owner_of, name = code_of(reader, node.value), node.attr

    def code(frame: Frame) -> Value:
        owner = owner_of(frame)
        if type(owner) is Instance and name in owner.attrs:
            found = owner.attrs[name]
            if type(found) is not Instance or not found.stands_for:
                return found
        return attribute(reader, owner, name)

    return code


def _subscript(reader: Reader, node: ast.Subscript) -> Code:
    owner, index = code_of(reader, node.value), code_of(reader, node.slice)
    return lambda frame: item_of(reader, owner(frame), index(frame))


def _slicing(reader: Reader, node: ast.Slice) -> Code:
    ends = [
        None if end is None else code_of(reader, end) for end in (node.lower, node.upper, node.step)
    ]
    return lambda frame: slice(*[None if end is None else end(frame) for end in ends])


def _binary(reader: Reader, node: ast.BinOp) -> Code:
    left, right = code_of(reader, node.left), code_of(reader, node.right)
    kind = type(node.op)
    return lambda frame: binary(reader, kind, left(frame), right(frame))


def binary(reader: Reader, kind: type[ast.operator], left: Value, right: Value) -> Value:
    """The result of an operator."""
    if type(left) in _SIGNALS or type(right) in _SIGNALS:
        return operate(reader, OPERATORS.get(kind, "unknown"), [left, right])
    if kind is ast.BitOr and (one := _classes_in(left)) and (other := _classes_in(right)):
        return (*one, *other)
    if isinstance(left, (Listing, tuple)) or isinstance(right, (Listing, tuple)):
        reader.budget.elements((len(contents_of(left)) + len(contents_of(right))) // 8)
        return combined(kind, left, right)
    if kind is ast.BitOr and isinstance(left, Table):
        reader.budget.elements(len(left.items) + len(contents_of(right)))
        both = Table(dict(left.items), left.open)
        take_in(both, right)
        return both
    return computed(kind, left, right)


def _classes_in(value: Value) -> tuple[Value, ...]:
    """A class, or those of a union (`nn.Linear | nn.Conv2d`); empty for anything else."""
    parts = value if isinstance(value, tuple) else (value,)
    are_classes = len(parts) <= _UNION and all(
        isinstance(part, UserClass) or (isinstance(part, External) and is_callable(part.name))
        for part in parts
    )
    return parts if are_classes else ()


# Unions of more classes are not followed.
_UNION = 64


def _unary(reader: Reader, node: ast.UnaryOp) -> Code:
    operand, kind = code_of(reader, node.operand), type(node.op)

    def negated(frame: Frame) -> Value:
        found = truth(operand(frame))
        return PLAIN if found is None else not found

    return negated if kind is ast.Not else lambda frame: _signed(reader, kind, operand(frame))


def _signed(reader: Reader, kind: type[ast.unaryop], value: Value) -> Value:
    if type(value) in _SIGNALS:
        return operate(reader, OPERATORS[kind], [value])
    if isinstance(value, (int, float)) and kind in (ast.USub, ast.UAdd):
        return bounded(-value if kind is ast.USub else value)
    if isinstance(value, Sym) and kind is ast.USub:
        return computed(ast.Mult, -1, value)
    return UNKNOWN if isinstance(value, Unknown) else PLAIN


def _boolean(reader: Reader, node: ast.BoolOp) -> Code:
    is_or = isinstance(node.op, ast.Or)
    parts = [code_of(reader, part) for part in node.values]

    def code(frame: Frame) -> Value:
        undecided: list[Value] = []
        for part in parts:
            value = part(frame)
            found = truth(value)
            if found is is_or:
                return choice([*undecided, value]) if undecided else value
            if found is None:
                undecided.append(value)
        if not undecided:
            return value
        last = [value] if found is not None else []
        return choice([*undecided, *last]) if is_or else PLAIN

    return code


def _compare(reader: Reader, node: ast.Compare) -> Code:
    first = code_of(reader, node.left)
    rights = [code_of(reader, right) for right in node.comparators]
    kinds = [type(operator) for operator in node.ops]
    if len(kinds) == 1:
        kind, right_of = kinds[0], rights[0]
        return lambda frame: _compared(reader, kind, first(frame), right_of(frame))

    def code(frame: Frame) -> Value:
        left, result = first(frame), True
        for kind, right_of in zip(kinds, rights, strict=True):
            right = right_of(frame)
            answer = _compared(reader, kind, left, right)
            if answer is False or _is_computed(kind, left, right):
                return answer
            if answer is PLAIN:
                result = PLAIN
            left = right
        return result

    return code


def _compared(reader: Reader, kind: type[ast.cmpop], left: Value, right: Value) -> Value:
    if _is_computed(kind, left, right):
        name = OPERATORS.get(kind, "")
        return operate(reader, name, [left, right]) if name else PLAIN
    if type(right) not in BARE:
        reader.budget.elements(len(contents_of(right)))
    answer = compared(kind, left, right)
    return PLAIN if answer is None else answer


def _conditional(reader: Reader, node: ast.IfExp) -> Code:
    test, body, orelse = (
        code_of(reader, node.test),
        code_of(reader, node.body),
        code_of(reader, node.orelse),
    )

    def code(frame: Frame) -> Value:
        answer = truth(test(frame))
        if answer is not None:
            return body(frame) if answer else orelse(frame)
        outer = reader.arms
        reader.arms = reader.new_arm()
        one = body(frame)
        reader.arms = outer
        reader.arms = reader.new_arm()
        other = orelse(frame)
        reader.arms = outer
        return joined(reader, one, other)

    return code


def _call(reader: Reader, node: ast.Call) -> Code:
    code = _called_with(reader, node)
    is_backward = isinstance(node.func, ast.Attribute) and node.func.attr == "backward"
    return _training(reader, code) if is_backward else code


def _training(reader: Reader, code: Code) -> Code:
    """A call that computes gradients: what is written afterwards is no initialisation."""

    def train(frame: Frame) -> Value:
        value = code(frame)
        if reader.outside:
            reader.life.train_used()
        return value

    return train


def _called_with(reader: Reader, node: ast.Call) -> Code:
    function_of = code_of(reader, node.func)
    budget, callers = reader.budget, reader.callers
    if ast.Starred in map(type, node.args) or None in [word.arg for word in node.keywords]:
        return _call_with_stars(reader, node)
    args_of = [code_of(reader, argument) for argument in node.args]
    kwargs_of = [(word.arg, code_of(reader, word.value)) for word in node.keywords if word.arg]

    def code(frame: Frame) -> Value:
        budget.spent += STEP
        if budget.spent > budget.end:
            budget.refuse()
        function = function_of(frame)
        is_external = type(function) is External
        if is_external and function.name == _SUPER:
            return _super(frame)
        args: Any = []
        for value_of in args_of:
            args.append(value_of(frame))
        kwargs: Any = {}
        for name, value_of in kwargs_of:
            kwargs[name] = value_of(frame)
        if is_external:
            return call_external(reader, function.name, args, kwargs, node)
        if type(function) in _WRAPPERS:
            function, args, kwargs = unwrapped(reader, function, args, kwargs)
        return callers[type(function)](reader, function, args, kwargs, node)

    return code


def _call_with_stars(reader: Reader, node: ast.Call) -> Code:
    """A call some of whose arguments lie in a list or in a dict."""
    function_of, args_of = code_of(reader, node.func), elements_code(reader, node.args)
    kwargs_of = _keywords(reader, node.keywords)

    def code(frame: Frame) -> Value:
        reader.budget.steps()
        function = function_of(frame)
        if type(function) is External and function.name == _SUPER:
            return _super(frame)
        args, open_ended = args_of(frame)
        kwargs = kwargs_of(frame)
        if open_ended:
            kwargs["*"] = UNKNOWN
        inner, every, named = unwrapped(reader, function, args, kwargs)
        return reader.callers[type(inner)](reader, inner, every, named, node)

    return code


def _keywords(
    reader: Reader, keywords: Sequence[ast.keyword]
) -> Callable[[Frame], dict[str, Value]]:
    codes = [(keyword.arg, code_of(reader, keyword.value)) for keyword in keywords]

    def keywords_of(frame: Frame) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for name, code in codes:
            value = code(frame)
            if name is not None:
                found[name] = value
            elif isinstance(value, Table):
                reader.budget.elements(len(value.items))
                for key, item in value.items.items():
                    if isinstance(key, str):
                        found[key] = item
                if value.open:
                    found["**"] = UNKNOWN
            else:
                found["**"] = UNKNOWN
        return found

    return keywords_of


def _is_computed(kind: type[ast.cmpop], left: Value, right: Value) -> bool:
    """Whether torch compares two values, and gives a tensor."""
    is_of_data = type(left) in _SIGNALS or type(right) is Tensor
    return is_of_data and kind not in _NOT_COMPUTED


def _super(frame: Frame) -> Super:
    """The value of `super()`: of the method that is running, or that this function lies in."""
    scope: Frame | None = frame
    while scope is not None and scope.owner is None:
        scope = scope.closure
    return Super(UNKNOWN, UNKNOWN) if scope is None else Super(scope.receiver, scope.owner)


class _Expressions(dict[type[ast.AST], Compiler]):
    """What compiles each kind of expression; of any other kind nothing is known."""

    def __missing__(self, kind: type[ast.AST]) -> Compiler:
        return lambda reader, node: lambda frame: UNKNOWN


EXPRESSIONS = _Expressions(
    {
        ast.Name: name_code,
        ast.Constant: _constant,
        ast.Attribute: _attribute,
        ast.Call: _call,
        ast.BinOp: _binary,
        ast.UnaryOp: _unary,
        ast.BoolOp: _boolean,
        ast.Compare: _compare,
        ast.IfExp: _conditional,
        ast.Subscript: _subscript,
        ast.Tuple: tuple_code,
        ast.List: list_code,
        ast.Set: list_code,
        ast.Dict: dict_code,
        ast.Lambda: lambda reader, node: lambda frame: Function(node, frame.module, frame),
        ast.ListComp: comprehension_code,
        ast.SetComp: comprehension_code,
        ast.GeneratorExp: comprehension_code,
        ast.DictComp: dict_comprehension_code,
        ast.JoinedStr: lambda reader, node: lambda frame: text_of(reader, node, frame),
        ast.Starred: lambda reader, node: code_of(reader, node.value),
        ast.NamedExpr: named_code,
        ast.Slice: _slicing,
        ast.Await: lambda reader, node: code_of(reader, node.value),
    }
)

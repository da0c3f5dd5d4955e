"""Expressions: names, attributes, brackets, operators, comprehensions and calls."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Sequence
from typing import Any

from initlint.reading.classes import UserClass
from initlint.reading.compare import compared
from initlint.reading.holders import Function, Instance, Listing, Super, Table, truth, update
from initlint.reading.lists import combined
from initlint.reading.literals import Literals
from initlint.reading.parts import choice, contents_of
from initlint.reading.resolve import Import, Module
from initlint.reading.sizes import computed
from initlint.reading.state import Frame
from initlint.reading.tensors import OPERATORS
from initlint.reading.values import (
    PLAIN,
    UNKNOWN,
    External,
    Fresh,
    Held,
    Slot,
    Tensor,
    Unknown,
    Value,
    bounded,
)

_NAME, _CONSTANT = ast.Name, ast.Constant
_BUILTINS = frozenset(dir(builtins))
_SIGNALS = (Tensor, Slot, Held, Fresh)
_Reader = Callable[[Any, Frame], Value]


class _Readers(dict[type[ast.AST], _Reader]):
    """How each kind of expression is read; of any other kind nothing is known."""

    def __missing__(self, kind: type[ast.AST]) -> _Reader:
        return lambda node, frame: UNKNOWN


class Expressions(Literals):
    """Reads expressions."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        readers: dict[type[ast.AST], _Reader] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
            ast.BinOp: self._binary,
            ast.UnaryOp: self._unary,
            ast.BoolOp: self._boolean,
            ast.Compare: self._compare,
            ast.IfExp: self._conditional,
            ast.Subscript: self._subscript,
            ast.Tuple: self.tuple_of,
            ast.List: self.listing,
            ast.Set: self.listing,
            ast.Dict: self.table,
            ast.Lambda: lambda node, frame: Function(node, frame.module, frame),
            ast.ListComp: self.comprehension,
            ast.SetComp: self.comprehension,
            ast.GeneratorExp: self.comprehension,
            ast.DictComp: self.table_comprehension,
            ast.JoinedStr: self.text,
            ast.Starred: lambda node, frame: self.evaluate(node.value, frame),
            ast.NamedExpr: self.named,
            ast.Slice: self._slicing,
            ast.Await: lambda node, frame: self.evaluate(node.value, frame),
        }
        self._readers = _Readers(readers)

    def evaluate(self, node: ast.AST, frame: Frame) -> Value:
        """The value of an expression."""
        kind = type(node)
        # Two of three expressions are local names and constants.
        if kind is _NAME:
            names = frame.names
            name = node.id  # type: ignore[attr-defined]
            if name in names:
                return names[name]
        elif kind is _CONSTANT:
            return node.value  # type: ignore[attr-defined]
        return self._readers[kind](node, frame)

    # Names.

    def _name(self, node: ast.Name, frame: Frame) -> Value:
        name = node.id
        scope: Frame | None = frame
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.closure
        values = frame.module.values
        return values[name] if name in values else self.top_level(frame.module, name)

    def top_level(self, module: Module, name: str) -> Value:
        """The value of a name at the top level of a file."""
        if name in module.values:
            return module.values[name]
        module.values[name] = UNKNOWN
        module.values[name] = value = self._bound(module, name)
        return value

    def _bound(self, module: Module, name: str) -> Value:
        entry = self.program.names(module).get(name)
        if entry is None:
            return self._starred(module, name)
        if isinstance(entry, Import):
            return self._imported(module, entry)
        if isinstance(entry, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return Function(entry, module)
        if isinstance(entry, ast.ClassDef):
            return UserClass(entry, module, None)
        if isinstance(entry, (ast.Assign, ast.AnnAssign)) and entry.value is not None:
            return self._constant(entry, name, Frame(module))
        return UNKNOWN

    def _constant(self, entry: ast.Assign | ast.AnnAssign, name: str, frame: Frame) -> Value:
        assert entry.value is not None
        value = self.evaluate(entry.value, frame)
        if isinstance(value, (Listing, Table)) and not value.items:
            # It is there to be filled, by statements that are not followed.
            value.open = True
        for target in entry.targets if isinstance(entry, ast.Assign) else [entry.target]:
            if isinstance(target, (ast.Name, ast.Tuple, ast.List)):
                self.assign(target, value, frame)
        return frame.names.get(name, UNKNOWN)

    def _imported(self, module: Module, entry: Import) -> Value:
        found = self.program.imported(module, entry)
        if found is None or entry.name is None:
            return UNKNOWN if found is None else found
        return self.member_of(found, entry.name)

    def member_of(self, found: Module | External, name: str) -> Value:
        """A module's attribute of this name."""
        if isinstance(found, External):
            return External(f"{found.name}.{name}")
        if name in self.program.names(found):
            return self.top_level(found, name)
        return self.program.member(found, name) or self.top_level(found, name)

    def _starred(self, module: Module, name: str) -> Value:
        """A name that only a star import can have brought, or that is Python's own."""
        for star in module.stars:
            found = self.program.imported(module, star)
            if not isinstance(found, Module):
                return UNKNOWN
            value = self.top_level(found, name)
            if not isinstance(value, Unknown):
                return value
        return External(f"builtins.{name}") if name in _BUILTINS else UNKNOWN

    # Attributes and brackets.

    def _attribute(self, node: ast.Attribute, frame: Frame) -> Value:
        owner, name = self.evaluate(node.value, frame), node.attr
        if type(owner) is Instance and name in owner.attrs:
            return owner.attrs[name]
        return self.attribute(owner, name)

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        return self.item(self.evaluate(node.value, frame), self.evaluate(node.slice, frame))

    def _slicing(self, node: ast.Slice, frame: Frame) -> Value:
        ends = (node.lower, node.upper, node.step)
        return slice(*[None if end is None else self.evaluate(end, frame) for end in ends])

    # Operators.

    def _binary(self, node: ast.BinOp, frame: Frame) -> Value:
        left, right = self.evaluate(node.left, frame), self.evaluate(node.right, frame)
        return self.binary(type(node.op), left, right)

    def binary(self, kind: type[ast.operator], left: Value, right: Value) -> Value:
        """The result of an operator."""
        if isinstance(left, _SIGNALS) or isinstance(right, _SIGNALS):
            return self.operate(OPERATORS.get(kind, "unknown"), [left, right])
        if isinstance(left, (Listing, tuple)) or isinstance(right, (Listing, tuple)):
            self.budget.elements((len(contents_of(left)) + len(contents_of(right))) // 8)
            return combined(kind, left, right)
        if kind is ast.BitOr and isinstance(left, Table) and isinstance(right, Table):
            self.budget.elements(len(left.items) + len(right.items))
            both = Table(dict(left.items), left.open)
            update(both, right)
            return both
        return computed(kind, left, right)

    def _unary(self, node: ast.UnaryOp, frame: Frame) -> Value:
        value = self.evaluate(node.operand, frame)
        if isinstance(node.op, ast.Not):
            found = truth(value)
            return PLAIN if found is None else not found
        if isinstance(value, _SIGNALS):
            return self.operate(OPERATORS[type(node.op)], [value])
        if isinstance(value, (int, float)) and isinstance(node.op, (ast.USub, ast.UAdd)):
            return bounded(-value if isinstance(node.op, ast.USub) else value)
        return UNKNOWN if isinstance(value, Unknown) else PLAIN

    def _boolean(self, node: ast.BoolOp, frame: Frame) -> Value:
        is_or = isinstance(node.op, ast.Or)
        undecided: list[Value] = []
        for part in node.values:
            value = self.evaluate(part, frame)
            found = truth(value)
            if found is is_or:
                return choice([*undecided, value]) if undecided else value
            if found is None:
                undecided.append(value)
        if not undecided:
            return value
        last = [value] if found is not None else []
        return choice([*undecided, *last]) if is_or else PLAIN

    def _compare(self, node: ast.Compare, frame: Frame) -> Value:
        left = self.evaluate(node.left, frame)
        result: Value = True
        for kind, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(right_node, frame)
            is_question = not isinstance(kind, (ast.Is, ast.IsNot, ast.In, ast.NotIn))
            if is_question and (type(left) in _SIGNALS or type(right) is Tensor):
                name = OPERATORS.get(type(kind), "")
                return self.operate(name, [left, right]) if name else PLAIN
            self.budget.elements(len(contents_of(right)))
            answer = compared(type(kind), left, right)
            if answer is False:
                return False
            if answer is None:
                result = PLAIN
            left = right
        return result

    def _conditional(self, node: ast.IfExp, frame: Frame) -> Value:
        test = truth(self.evaluate(node.test, frame))
        if test is not None:
            return self.evaluate(node.body if test else node.orelse, frame)
        outer = self.arms
        self.arms = self.new_arm()
        one = self.evaluate(node.body, frame)
        self.arms = outer
        self.arms = self.new_arm()
        other = self.evaluate(node.orelse, frame)
        self.arms = outer
        return self.joined(one, other)

    # Calls.

    def _call(self, node: ast.Call, frame: Frame) -> Value:
        self.budget.steps()
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            return Super(frame_receiver(frame), frame_owner(frame))
        function = self.evaluate(node.func, frame)
        if type(function) is External and function.name == "builtins.super":
            return Super(frame_receiver(frame), frame_owner(frame))
        args, open_ended = self.elements(node.args, frame)
        kwargs = self._keywords(node.keywords, frame) if node.keywords else {}
        if open_ended:
            kwargs["*"] = UNKNOWN
        return self.call(function, args, kwargs, node)

    def _keywords(self, keywords: Sequence[ast.keyword], frame: Frame) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for keyword in keywords:
            value = self.evaluate(keyword.value, frame)
            if keyword.arg is not None:
                found[keyword.arg] = value
            elif isinstance(value, Table):
                self.budget.elements(len(value.items))
                found.update({k: v for k, v in value.items.items() if isinstance(k, str)})
                if value.open:
                    found["**"] = UNKNOWN
            else:
                found["**"] = UNKNOWN
        return found


def frame_receiver(frame: Frame) -> Value:
    """The object whose method is running, looked for in the functions around as well."""
    scope: Frame | None = frame
    while scope is not None and scope.owner is None:
        scope = scope.closure
    return scope.receiver if scope is not None else UNKNOWN


def frame_owner(frame: Frame) -> Value:
    """The class in which the running method is written."""
    scope: Frame | None = frame
    while scope is not None and scope.owner is None:
        scope = scope.closure
    return scope.owner if scope is not None else UNKNOWN

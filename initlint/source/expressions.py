"""Expressions: names, attributes, brackets, operators, comprehensions and calls."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from initlint.source.attributes import Attributes
from initlint.source.builtins import truth
from initlint.source.classes import UserClass
from initlint.source.compare import compared
from initlint.source.lists import element_of
from initlint.source.modules import elements
from initlint.source.resolve import Import, Module
from initlint.source.sizes import computed
from initlint.source.state import Frame
from initlint.source.tensors import OPERATORS
from initlint.source.values import (
    PLAIN,
    UNKNOWN,
    External,
    Fresh,
    Function,
    Held,
    Instance,
    Listing,
    Slot,
    Super,
    Table,
    Tensor,
    Unknown,
    Value,
    choice,
)

_NAME, _CONSTANT = ast.Name, ast.Constant
_BUILTINS = frozenset(dir(builtins))
_SIGNALS = (Tensor, Slot, Held, Fresh)
_Reader = Callable[[Any, Frame], Value]


class _Readers(dict[type[ast.AST], _Reader]):
    """How each kind of expression is read; of any other kind nothing is known."""

    def __missing__(self, kind: type[ast.AST]) -> _Reader:
        return lambda node, frame: UNKNOWN


class Expressions(Attributes):
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
            ast.Tuple: self._tuple,
            ast.List: self._list,
            ast.Set: self._list,
            ast.Dict: self._dict,
            ast.Lambda: lambda node, frame: Function(node, frame.module, frame),
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.DictComp: self._dict_comprehension,
            ast.JoinedStr: self._text,
            ast.Starred: lambda node, frame: self.evaluate(node.value, frame),
            ast.NamedExpr: self._named,
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
        """What a name means at the top level of a file."""
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
        targets = entry.targets if isinstance(entry, ast.Assign) else [entry.target]
        for target in targets:
            if isinstance(target, ast.Name) and target.id == name:
                return self.evaluate(entry.value, frame)
        return UNKNOWN

    def _imported(self, module: Module, entry: Import) -> Value:
        found = self.program.imported(module, entry)
        if found is None or entry.name is None:
            return UNKNOWN if found is None else found
        return self.member_of(found, entry.name)

    def member_of(self, found: Module | External, name: str) -> Value:
        """What a module has under a name."""
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
            return _sequence(kind, left, right)
        if kind is ast.BitOr and isinstance(left, Table) and isinstance(right, Table):
            return Table({**left.items, **right.items}, left.open or right.open)
        return computed(kind, left, right)

    def _unary(self, node: ast.UnaryOp, frame: Frame) -> Value:
        value = self.evaluate(node.operand, frame)
        if isinstance(node.op, ast.Not):
            found = truth(value)
            return PLAIN if found is None else not found
        if isinstance(value, _SIGNALS):
            return self.operate(OPERATORS[type(node.op)], [value])
        if isinstance(value, (int, float)) and isinstance(node.op, (ast.USub, ast.UAdd)):
            return -value if isinstance(node.op, ast.USub) else value
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
            if type(left) in _SIGNALS and not isinstance(kind, (ast.Is, ast.IsNot)):
                return PLAIN
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

    # Literals.

    def _elements(self, nodes: Sequence[ast.expr], frame: Frame) -> tuple[list[Value], bool]:
        """The elements of a literal, and whether there may be more."""
        found: list[Value] = []
        open_ended = False
        for node in nodes:
            value = self.evaluate(node, frame)
            if type(node) is not ast.Starred:
                found.append(value)
                continue
            items = elements(value)
            open_ended = open_ended or items is None or (isinstance(value, Listing) and value.open)
            found += items or []
        return found, open_ended

    def _tuple(self, node: ast.Tuple, frame: Frame) -> Value:
        found, open_ended = self._elements(node.elts, frame)
        return Listing(found, True) if open_ended else tuple(found)

    def _list(self, node: ast.List | ast.Set, frame: Frame) -> Value:
        return Listing(*self._elements(node.elts, frame))

    def _dict(self, node: ast.Dict, frame: Frame) -> Value:
        result = Table()
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.evaluate(item, frame)
            if key is not None:
                self.put(result, self.evaluate(key, frame), value)
            elif isinstance(value, Table):
                result.items.update(value.items)
                result.open = result.open or value.open
            else:
                result.open = True
        return result

    def _text(self, node: ast.JoinedStr, frame: Frame) -> Value:
        parts = []
        for part in node.values:
            value = (
                self.evaluate(part.value, frame)
                if isinstance(part, ast.FormattedValue)
                else self.evaluate(part, frame)
            )
            if not isinstance(value, (str, int)):
                return PLAIN
            parts.append(str(value))
        return "".join(parts)

    def _named(self, node: ast.NamedExpr, frame: Frame) -> Value:
        value = self.evaluate(node.value, frame)
        frame.names[node.target.id] = value
        return value

    # Comprehensions.

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, frame: Frame
    ) -> Value:
        inner = Frame(frame.module, frame, frame.receiver, frame.owner)
        result = Listing()
        for sure in self._rounds(node.generators, inner):
            result.items.append(self.evaluate(node.elt, inner))
            result.open = result.open or not sure
        return result if result.items else self._of_nothing(node.generators[0].iter, inner)

    def _of_nothing(self, source: ast.expr, frame: Frame) -> Value:
        value = self.evaluate(source, frame)
        return UNKNOWN if elements(value) is None else Listing()

    def _dict_comprehension(self, node: ast.DictComp, frame: Frame) -> Value:
        inner = Frame(frame.module, frame, frame.receiver, frame.owner)
        result = Table()
        for sure in self._rounds(node.generators, inner):
            key = self.evaluate(node.key, inner)
            self.put(result, key, self.evaluate(node.value, inner))
            result.open = result.open or not sure
        return result

    def _rounds(self, generators: Sequence[ast.comprehension], frame: Frame) -> Iterator[bool]:
        """Every round of a comprehension, with whether that round is certain."""
        if not generators:
            yield True
            return
        first, rest = generators[0], generators[1:]
        value = self.evaluate(first.iter, frame)
        found = elements(value)
        certain = found is not None and not (isinstance(value, Listing) and value.open)
        if found is None:
            one = element_of(value)
            found = [one]
        for item in found:
            self.assign(first.target, item, frame)
            tests = [truth(self.evaluate(test, frame)) for test in first.ifs]
            if False in tests:
                continue
            for sure in self._rounds(rest, frame):
                yield sure and certain and None not in tests

    def assign(self, target: ast.expr, value: Value, frame: Frame) -> None:
        """Bind a value to a name, an attribute, an element, or several."""
        raise NotImplementedError

    # Calls.

    def _call(self, node: ast.Call, frame: Frame) -> Value:
        self.tick()
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            return Super(frame_receiver(frame), frame_owner(frame))
        function = self.evaluate(node.func, frame)
        if type(function) is External and function.name == "builtins.super":
            return Super(frame_receiver(frame), frame_owner(frame))
        args, open_ended = self._elements(node.args, frame)
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


def _sequence(kind: type[ast.operator], left: Value, right: Value) -> Value:
    """Lists and tuples joined, or repeated."""
    if (
        kind is ast.Add
        and isinstance(left, (Listing, tuple))
        and isinstance(right, (Listing, tuple))
    ):
        if isinstance(left, tuple) and isinstance(right, tuple):
            return left + right
        items = [*(elements(left) or []), *(elements(right) or [])]
        return Listing(items, any(isinstance(v, Listing) and v.open for v in (left, right)))
    if kind is ast.Mult:
        sequence, count = (left, right) if isinstance(left, (Listing, tuple)) else (right, left)
        return _repeated(sequence, count)
    return UNKNOWN if kind is not ast.Add else _extended(left, right)


def _repeated(sequence: Value, count: Value) -> Value:
    items = elements(sequence) or []
    if type(count) is int and len(items) * count <= 1000:
        many = items * count
        return tuple(many) if isinstance(sequence, tuple) else Listing(many, sequence.open)
    return Listing(items * 2, True)


def _extended(left: Value, right: Value) -> Value:
    known = left if isinstance(left, (Listing, tuple)) else right
    return Listing(elements(known) or [], True)

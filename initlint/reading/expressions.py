"""Expressions: each is compiled once into a function of the frame, which then gives its value."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Sequence
from typing import Any

from initlint.reading.budget import STEP
from initlint.reading.calls import Code
from initlint.reading.compare import compared
from initlint.reading.holders import (
    Bound,
    Function,
    Instance,
    Listing,
    Partial,
    Super,
    Table,
    truth,
    update,
)
from initlint.reading.lists import combined
from initlint.reading.literals import Literals
from initlint.reading.outside import is_callable
from initlint.reading.parts import choice, contents_of
from initlint.reading.resolve import Import, Module
from initlint.reading.sizes import computed
from initlint.reading.state import Frame
from initlint.reading.tensors import OPERATORS
from initlint.reading.values import (
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
    external,
)

_BUILTINS = frozenset(dir(builtins))
_SUPER = "builtins.super"
_SIGNALS = {Tensor, Slot, Held, Fresh}
_WRAPPERS = {Bound, Partial}
_NOT_COMPUTED = (ast.Is, ast.IsNot, ast.In, ast.NotIn)


class Expressions(Literals):
    """Compiles expressions.

    An expression is evaluated ten times on average, and most of the time of evaluation would go
    into finding out what kind of expression it is. So that is done once: `code` gives a function
    that closes over the parts' own functions. Two thirds of all expressions are names, constants
    and attributes.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._codes: dict[ast.AST, Code] = {}
        self._names: dict[str, Code] = {}
        self._compilers = _Compilers(
            {
                ast.Name: self._name,
                ast.Constant: self._constant,
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
                ast.Lambda: lambda node: lambda frame: Function(node, frame.module, frame),
                ast.ListComp: self.comprehension,
                ast.SetComp: self.comprehension,
                ast.GeneratorExp: self.comprehension,
                ast.DictComp: self.table_comprehension,
                ast.JoinedStr: lambda node: lambda frame: self.text(node, frame),
                ast.Starred: lambda node: self.code(node.value),
                ast.NamedExpr: self.named,
                ast.Slice: self._slicing,
                ast.Await: lambda node: self.code(node.value),
            }
        )

    def evaluate(self, node: ast.AST, frame: Frame) -> Value:
        """The value of an expression that belongs to no compiled one."""
        code = self._codes.get(node)
        if code is None:
            code = self._codes[node] = self.code(node)
        return code(frame)

    def code(self, node: ast.AST) -> Code:
        """The function that gives an expression's value in a frame; whoever asks keeps it."""
        return self._compilers[type(node)](node)

    # Names.

    def _name(self, node: ast.Name) -> Code:
        name = node.id
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = self._lookup(name)
        return found

    def _lookup(self, name: str) -> Code:
        around = self._around

        def code(frame: Frame) -> Value:
            names = frame.names
            if name in names:
                return names[name]
            values = frame.module.values
            return values[name] if frame.closure is None and name in values else around(name, frame)

        return code

    def _constant(self, node: ast.Constant) -> Code:
        value = node.value
        return lambda frame: value

    def _around(self, name: str, frame: Frame) -> Value:
        """The value of a name that the running function does not bind itself."""
        scope = frame.closure
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
            return self.class_of(entry, module)
        if isinstance(entry, (ast.Assign, ast.AnnAssign)) and entry.value is not None:
            return self._assigned(entry, name, Frame(module))
        return UNKNOWN

    def _assigned(self, entry: ast.Assign | ast.AnnAssign, name: str, frame: Frame) -> Value:
        assert entry.value is not None
        value = self.evaluate(entry.value, frame)
        if isinstance(value, (Listing, Table)) and not value.items:
            # It is there to be filled, by statements that are not followed.
            value.open = True
        for target in entry.targets if isinstance(entry, ast.Assign) else [entry.target]:
            if isinstance(target, (ast.Name, ast.Tuple, ast.List)):
                self.target(target)(value, frame)
        return frame.names.get(name, UNKNOWN)

    def _imported(self, module: Module, entry: Import) -> Value:
        found = self.program.imported(module, entry)
        if found is None or entry.name is None:
            return UNKNOWN if found is None else found
        return self.member_of(found, entry.name)

    def member_of(self, found: Module | External, name: str) -> Value:
        """A module's attribute of this name."""
        if isinstance(found, External):
            return external(f"{found.name}.{name}")
        if name in self.program.names(found):
            return self.top_level(found, name)
        return self.program.member(found, name) or self.top_level(found, name)

    def _starred(self, module: Module, name: str) -> Value:
        """A name that only a star import can have brought, or that is Python's own."""
        for star in module.stars:
            found = self.program.imported(module, star)
            if isinstance(found, Module):
                value = self.top_level(found, name)
                if not isinstance(value, Unknown):
                    return value
            elif name in _BUILTINS:
                # What a package outside exports under such a name does the same.
                continue
            elif isinstance(found, External) and is_callable(f"{found.name}.{name}"):
                return external(f"{found.name}.{name}")
        return external(f"builtins.{name}") if name in _BUILTINS else UNKNOWN

    # Attributes and brackets.

    def _attribute(self, node: ast.Attribute) -> Code:
        owner_of, name, attribute = self.code(node.value), node.attr, self.attribute

        def code(frame: Frame) -> Value:
            owner = owner_of(frame)
            if type(owner) is Instance and name in owner.attrs:
                return owner.attrs[name]
            return attribute(owner, name)

        return code

    def _subscript(self, node: ast.Subscript) -> Code:
        owner, index, item = self.code(node.value), self.code(node.slice), self.item
        return lambda frame: item(owner(frame), index(frame))

    def _slicing(self, node: ast.Slice) -> Code:
        ends = [
            None if end is None else self.code(end) for end in (node.lower, node.upper, node.step)
        ]
        return lambda frame: slice(*[None if end is None else end(frame) for end in ends])

    # Operators.

    def _binary(self, node: ast.BinOp) -> Code:
        left, right, kind, binary = (
            self.code(node.left),
            self.code(node.right),
            type(node.op),
            self.binary,
        )
        return lambda frame: binary(kind, left(frame), right(frame))

    def binary(self, kind: type[ast.operator], left: Value, right: Value) -> Value:
        """The result of an operator."""
        if type(left) in _SIGNALS or type(right) in _SIGNALS:
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

    def _unary(self, node: ast.UnaryOp) -> Code:
        operand, kind = self.code(node.operand), type(node.op)

        def negated(frame: Frame) -> Value:
            found = truth(operand(frame))
            return PLAIN if found is None else not found

        return negated if kind is ast.Not else lambda frame: self._signed(kind, operand(frame))

    def _signed(self, kind: type[ast.unaryop], value: Value) -> Value:
        if type(value) in _SIGNALS:
            return self.operate(OPERATORS[kind], [value])
        if isinstance(value, (int, float)) and kind in (ast.USub, ast.UAdd):
            return bounded(-value if kind is ast.USub else value)
        if isinstance(value, Sym) and kind is ast.USub:
            return computed(ast.Mult, -1, value)
        return UNKNOWN if isinstance(value, Unknown) else PLAIN

    def _boolean(self, node: ast.BoolOp) -> Code:
        is_or = isinstance(node.op, ast.Or)
        parts = [self.code(part) for part in node.values]

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

    def _compare(self, node: ast.Compare) -> Code:
        first, compare = self.code(node.left), self._compared
        rights = [self.code(right) for right in node.comparators]
        kinds = [type(operator) for operator in node.ops]
        if len(kinds) == 1:
            kind, right_of = kinds[0], rights[0]
            return lambda frame: compare(kind, first(frame), right_of(frame))

        def code(frame: Frame) -> Value:
            left, result = first(frame), True
            for kind, right_of in zip(kinds, rights, strict=True):
                right = right_of(frame)
                answer = compare(kind, left, right)
                if answer is False or _is_computed(kind, left, right):
                    return answer
                if answer is PLAIN:
                    result = PLAIN
                left = right
            return result

        return code

    def _compared(self, kind: type[ast.cmpop], left: Value, right: Value) -> Value:
        if _is_computed(kind, left, right):
            name = OPERATORS.get(kind, "")
            return self.operate(name, [left, right]) if name else PLAIN
        if type(right) not in BARE:
            self.budget.elements(len(contents_of(right)))
        answer = compared(kind, left, right)
        return PLAIN if answer is None else answer

    def _conditional(self, node: ast.IfExp) -> Code:
        test, body, orelse = self.code(node.test), self.code(node.body), self.code(node.orelse)

        def code(frame: Frame) -> Value:
            answer = truth(test(frame))
            if answer is not None:
                return body(frame) if answer else orelse(frame)
            outer = self.arms
            self.arms = self.new_arm()
            one = body(frame)
            self.arms = outer
            self.arms = self.new_arm()
            other = orelse(frame)
            self.arms = outer
            return self.joined(one, other)

        return code

    # Calls.

    def _call(self, node: ast.Call) -> Code:
        code = self._called_with(node)
        is_backward = isinstance(node.func, ast.Attribute) and node.func.attr == "backward"
        return self._training(code) if is_backward else code

    def _training(self, code: Code) -> Code:
        """A call that computes gradients: what is written afterwards is no initialisation."""

        def train(frame: Frame) -> Value:
            value = code(frame)
            if self.outside:
                self.life.train_used()
            return value

        return train

    def _called_with(self, node: ast.Call) -> Code:
        function_of = self.code(node.func)
        budget, callers, other = self.budget, self.callers, self.call_other
        call_external, unwrapped = self.call_external, self.unwrapped
        if ast.Starred in map(type, node.args) or None in [word.arg for word in node.keywords]:
            return self._call_with_stars(node)
        args_of = [*map(self.code, node.args)]
        kwargs_of = [(word.arg, self.code(word.value)) for word in node.keywords if word.arg]

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
                return call_external(function.name, args, kwargs, node)
            if type(function) in _WRAPPERS:
                function, args, kwargs = unwrapped(function, args, kwargs)
            return callers.get(type(function), other)(function, args, kwargs, node)

        return code

    def _call_with_stars(self, node: ast.Call) -> Code:
        """A call some of whose arguments lie in a list or in a dict."""
        function_of, args_of = self.code(node.func), self.elements(node.args)
        kwargs_of = self._keywords(node.keywords)

        def code(frame: Frame) -> Value:
            self.budget.steps()
            function = function_of(frame)
            if type(function) is External and function.name == _SUPER:
                return _super(frame)
            args, open_ended = args_of(frame)
            kwargs = kwargs_of(frame)
            if open_ended:
                kwargs["*"] = UNKNOWN
            inner, every, named = self.unwrapped(function, args, kwargs)
            return self.callers.get(type(inner), self.call_other)(inner, every, named, node)

        return code

    def _keywords(self, keywords: Sequence[ast.keyword]) -> Callable[[Frame], dict[str, Value]]:
        codes = [(keyword.arg, self.code(keyword.value)) for keyword in keywords]

        def keywords_of(frame: Frame) -> dict[str, Value]:
            found: dict[str, Value] = {}
            for name, code in codes:
                value = code(frame)
                if name is not None:
                    found[name] = value
                elif isinstance(value, Table):
                    self.budget.elements(len(value.items))
                    for key, item in value.items.items():
                        if isinstance(key, str):
                            found[key] = item
                    if value.open:
                        found["**"] = UNKNOWN
                else:
                    found["**"] = UNKNOWN
            return found

        return keywords_of


class _Compilers(dict[type[ast.AST], Callable[[Any], Code]]):
    """What compiles each kind of expression; of any other kind nothing is known."""

    def __missing__(self, kind: type[ast.AST]) -> Callable[[Any], Code]:
        return lambda node: lambda frame: UNKNOWN


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

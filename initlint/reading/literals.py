"""Literals: tuples, lists, dicts and f-strings, and comprehensions that make them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from initlint.reading.attributes import Attributes
from initlint.reading.budget import ELEMENTS
from initlint.reading.calls import Code
from initlint.reading.holders import Listing, Table, elements, extend, listed, truth, update
from initlint.reading.lists import element_of, tuple_of
from initlint.reading.state import Frame
from initlint.reading.values import PLAIN, UNKNOWN, Value, bounded

# A compiled target of an assignment.
Bind = Callable[[Value, Frame], None]
# The cost of an iteration of a comprehension without its expressions, in elements.
_ROUND = 3


class Literals(Attributes):
    """Compiles literals and comprehensions."""

    def code(self, node: ast.AST) -> Code:
        """The function that gives an expression's value in a frame."""
        raise NotImplementedError

    def target(self, node: ast.expr | None) -> Bind:
        """What binds a value to a name, an attribute, an element, or several."""
        raise NotImplementedError

    def elements(self, nodes: Sequence[ast.expr]) -> Callable[[Frame], tuple[list[Value], bool]]:
        """What gives the elements of a literal, and whether there may be more."""
        codes = [(self.code(node), type(node) is ast.Starred) for node in nodes]

        def elements_of(frame: Frame) -> tuple[list[Value], bool]:
            found: list[Value] = []
            open_ended = False
            for code, is_starred in codes:
                value = code(frame)
                if not is_starred:
                    found.append(value)
                    continue
                items = self.gone_through(value)
                is_open = items is None or (isinstance(value, Listing) and value.open)
                open_ended = open_ended or is_open
                found += items or []
                if len(found) > ELEMENTS + len(codes):
                    return found[:ELEMENTS], True
            return found, open_ended

        return elements_of

    def gone_through(self, value: Value) -> list[Value] | None:
        """The elements that a loop iterates over, charged to the budget; None if not known."""
        found = elements(value)
        self.budget.elements(len(found or ()) // 8)
        return found

    def tuple_of(self, node: ast.Tuple) -> Code:
        """A tuple; a list if it may have more elements."""
        elements_of = self.elements(node.elts)

        def code(frame: Frame) -> Value:
            found, open_ended = elements_of(frame)
            return listed(found, True) if open_ended else tuple_of(tuple(found))

        return code

    def listing(self, node: ast.List | ast.Set) -> Code:
        """A list or a set."""
        elements_of = self.elements(node.elts)
        return lambda frame: listed(*elements_of(frame))

    def table(self, node: ast.Dict) -> Code:
        """A dict."""
        pairs = [
            (None if key is None else self.code(key), self.code(value))
            for key, value in zip(node.keys, node.values, strict=True)
        ]

        def code(frame: Frame) -> Value:
            result = Table()
            for key_of, value_of in pairs:
                value = value_of(frame)
                if key_of is not None:
                    self.put(result, key_of(frame), value)
                elif isinstance(value, Table):
                    self.budget.elements(len(value.items))
                    update(result, value)
                else:
                    result.open = True
            return result

        return code

    def text(self, node: ast.JoinedStr, frame: Frame) -> Value:
        """The value of an f-string, where all its parts are known."""
        parts = [self._part_of_text(part, frame) for part in node.values]
        if None in parts:
            return PLAIN
        found = bounded("".join(part for part in parts if part is not None))
        return PLAIN if found is UNKNOWN else found

    def _part_of_text(self, part: ast.expr, frame: Frame) -> str | None:
        if not isinstance(part, ast.FormattedValue):
            return str(self.evaluate(part, frame))
        value = self.evaluate(part.value, frame)
        form = self.evaluate(part.format_spec, frame) if part.format_spec is not None else ""
        # A longer form may ask for a text of any length.
        is_known = isinstance(value, (str, int)) and isinstance(form, str) and len(form) < 4
        if not is_known or part.conversion != -1:
            return None
        try:
            return format(value, form)
        except ValueError:
            return None

    def named(self, node: ast.NamedExpr) -> Code:
        """What `:=` gives a name."""
        code, name = self.code(node.value), node.target.id

        def bind(frame: Frame) -> Value:
            frame.names[name] = value = code(frame)
            return value

        return bind

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Code:
        """A list or set comprehension, or a generator."""
        loops, element = self._loops(node.generators), self.code(node.elt)

        def code(frame: Frame) -> Value:
            inner = Frame(frame.module, frame, frame.receiver, frame.owner)
            result = Listing()
            for sure in self._rounds(loops, inner):
                extend(result, [element(inner)], not sure)
                if len(result.items) == ELEMENTS:
                    result.open = True
                    break
            return result if result.items else _of_nothing(loops[0].iterable(inner))

        return code

    def table_comprehension(self, node: ast.DictComp) -> Code:
        """A dict comprehension."""
        loops = self._loops(node.generators)
        key_of, value_of = self.code(node.key), self.code(node.value)

        def code(frame: Frame) -> Value:
            inner = Frame(frame.module, frame, frame.receiver, frame.owner)
            result = Table()
            for sure in self._rounds(loops, inner):
                key = key_of(inner)
                self.put(result, key, value_of(inner))
                result.open = result.open or not sure
                if len(result.items) == ELEMENTS:
                    result.open = True
                    break
            return result

        return code

    def _loops(self, generators: Sequence[ast.comprehension]) -> list[_Loop]:
        return [
            _Loop(self.code(one.iter), self.target(one.target), [*map(self.code, one.ifs)])
            for one in generators
        ]

    def _rounds(self, loops: Sequence[_Loop], frame: Frame) -> Iterator[bool]:
        """Every iteration of a comprehension, and whether it is certain to happen."""
        if not loops:
            yield True
            return
        loop, rest = loops[0], loops[1:]
        value = loop.iterable(frame)
        found = self.gone_through(value)
        certain = found is not None and not (isinstance(value, Listing) and value.open)
        items = [element_of(value)] if found is None else found
        for item in self.walked(value, items):
            self.budget.elements(_ROUND)
            loop.target(item, frame)
            tests = [truth(test(frame)) for test in loop.tests]
            if False in tests:
                continue
            for sure in self._rounds(rest, frame):
                yield sure and certain and None not in tests


class _Loop(NamedTuple):
    """A compiled `for` of a comprehension, with its `if`s."""

    iterable: Code
    target: Bind
    tests: list[Code]


def _of_nothing(value: Value) -> Value:
    """The result of a comprehension that gave no element of a value."""
    return UNKNOWN if elements(value) is None else Listing()

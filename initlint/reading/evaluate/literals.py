"""Literals: tuples, lists, dicts and f-strings, and comprehensions that make them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from initlint.reading.abstract.compare import distinct
from initlint.reading.abstract.frames import Code, Frame
from initlint.reading.abstract.holders import (
    Listing,
    Table,
    elements,
    extend,
    listed,
    truth,
)
from initlint.reading.abstract.lists import element_of, tuple_of
from initlint.reading.abstract.parts import take_in
from initlint.reading.abstract.values import PLAIN, UNKNOWN, Value, bounded
from initlint.reading.budget import ELEMENTS
from initlint.reading.evaluate.compiled import code_of, evaluate
from initlint.reading.evaluate.subscripts import gone_through, put
from initlint.reading.evaluate.targets import Bind, target_of
from initlint.reading.fills.options import in_table
from initlint.reading.fills.writes import walked
from initlint.reading.reader import Reader

# The cost of an iteration of a comprehension without its expressions, in elements.
_ROUND = 3


def elements_code(
    reader: Reader, nodes: Sequence[ast.expr]
) -> Callable[[Frame], tuple[list[Value], bool]]:
    """What gives the elements of a literal, and whether there may be more."""
    codes = [(code_of(reader, node), type(node) is ast.Starred) for node in nodes]

    def elements_of(frame: Frame) -> tuple[list[Value], bool]:
        found: list[Value] = []
        open_ended = False
        for code, is_starred in codes:
            value = code(frame)
            if not is_starred:
                found.append(value)
                continue
            items = gone_through(reader, value)
            is_open = items is None or (isinstance(value, Listing) and value.open)
            open_ended = open_ended or is_open
            found += items or []
            if len(found) > ELEMENTS + len(codes):
                return found[:ELEMENTS], True
        return found, open_ended

    return elements_of


def tuple_code(reader: Reader, node: ast.Tuple) -> Code:
    """A tuple; a list if it may have more elements."""
    elements_of = elements_code(reader, node.elts)

    def code(frame: Frame) -> Value:
        found, open_ended = elements_of(frame)
        return listed(found, True) if open_ended else tuple_of(tuple(found))

    return code


def list_code(reader: Reader, node: ast.List | ast.Set) -> Code:
    """A list or a set."""
    elements_of = elements_code(reader, node.elts)
    if isinstance(node, ast.Set):
        return lambda frame: distinct(listed(*elements_of(frame)))
    return lambda frame: listed(*elements_of(frame))


def dict_code(reader: Reader, node: ast.Dict) -> Code:
    """A dict."""
    in_table(reader, node)
    pairs = [
        (None if key is None else code_of(reader, key), code_of(reader, value))
        for key, value in zip(node.keys, node.values, strict=True)
    ]

    def code(frame: Frame) -> Value:
        result = Table()
        for key_of, value_of in pairs:
            value = value_of(frame)
            if key_of is not None:
                put(reader, result, key_of(frame), value)
            else:
                reader.budget.elements(len(value.items) if isinstance(value, Table) else 1)
                take_in(result, value)
        return result

    return code


def text_of(reader: Reader, node: ast.JoinedStr, frame: Frame) -> Value:
    """The value of an f-string, where all its parts are known."""
    parts = [_part_of_text(reader, part, frame) for part in node.values]
    if None in parts:
        return PLAIN
    found = bounded("".join(part for part in parts if part is not None))
    return PLAIN if found is UNKNOWN else found


def _part_of_text(reader: Reader, part: ast.expr, frame: Frame) -> str | None:
    if not isinstance(part, ast.FormattedValue):
        return str(evaluate(reader, part, frame))
    value = evaluate(reader, part.value, frame)
    form = evaluate(reader, part.format_spec, frame) if part.format_spec is not None else ""
    # A longer form may ask for a text of any length.
    is_known = isinstance(value, (str, int)) and isinstance(form, str) and len(form) < 4
    if not is_known or part.conversion != -1:
        return None
    try:
        return format(value, form)
    except ValueError:
        return None


def named_code(reader: Reader, node: ast.NamedExpr) -> Code:
    """What `:=` gives a name."""
    code, name = code_of(reader, node.value), node.target.id

    def bind(frame: Frame) -> Value:
        frame.names[name] = value = code(frame)
        return value

    return bind


def comprehension_code(reader: Reader, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Code:
    """A list or set comprehension, or a generator."""
    loops, element = _loops(reader, node.generators), code_of(reader, node.elt)
    is_filtered, is_set = any(loop.tests for loop in loops), isinstance(node, ast.SetComp)

    def code(frame: Frame) -> Value:
        inner = Frame(frame.module, frame, frame.receiver, frame.owner)
        result, is_sure = Listing(), not is_filtered
        for sure in _rounds(reader, loops, inner):
            extend(result, [element(inner)], not sure)
            is_sure = is_sure or sure
            result.perhaps = not is_sure
            if len(result.items) == ELEMENTS:
                result.open = True
                break
        if not result.items:
            return _of_nothing(loops[0].iterable(inner))
        return distinct(result) if is_set else result

    return code


def dict_comprehension_code(reader: Reader, node: ast.DictComp) -> Code:
    """A dict comprehension."""
    loops = _loops(reader, node.generators)
    key_of, value_of = code_of(reader, node.key), code_of(reader, node.value)
    is_filtered = any(loop.tests for loop in loops)

    def code(frame: Frame) -> Value:
        inner = Frame(frame.module, frame, frame.receiver, frame.owner)
        result, is_sure = Table(), not is_filtered
        for sure in _rounds(reader, loops, inner):
            key = key_of(inner)
            put(reader, result, key, value_of(inner))
            result.open = result.open or not sure
            is_sure = is_sure or sure
            result.perhaps = not is_sure
            if len(result.items) == ELEMENTS:
                result.open = True
                break
        return result

    return code


def _loops(reader: Reader, generators: Sequence[ast.comprehension]) -> list[_Loop]:
    return [
        _Loop(
            code_of(reader, one.iter),
            target_of(reader, one.target),
            [code_of(reader, test) for test in one.ifs],
        )
        for one in generators
    ]


def _rounds(reader: Reader, loops: Sequence[_Loop], frame: Frame) -> Iterator[bool]:
    """Every iteration of a comprehension, and whether it is certain to happen."""
    if not loops:
        yield True
        return
    loop, rest = loops[0], loops[1:]
    value = loop.iterable(frame)
    found = gone_through(reader, value)
    certain = found is not None and not (isinstance(value, Listing) and value.open)
    items = [element_of(value)] if found is None else found
    for item in walked(reader, value, items):
        reader.budget.elements(_ROUND)
        loop.target(item, frame)
        tests = [truth(test(frame)) for test in loop.tests]
        if False in tests:
            continue
        for sure in _rounds(reader, rest, frame):
            yield sure and certain and None not in tests


class _Loop(NamedTuple):
    """A compiled `for` of a comprehension, with its `if`s."""

    iterable: Code
    target: Bind
    tests: list[Code]


def _of_nothing(value: Value) -> Value:
    """The result of a comprehension that gave no element of a value."""
    return UNKNOWN if elements(value) is None else Listing()

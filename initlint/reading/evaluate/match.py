"""`match` statements, as the conditions that they stand for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeVar

_Node = TypeVar("_Node", ast.expr, ast.stmt)
# What holds the subject: no name of Python's.
_SUBJECT = "subject of match"
# A condition that may or may not hold.
_UNKNOWN = "unknown pattern"


def as_conditions(node: ast.Match) -> list[ast.stmt]:
    """The statements that do what a `match` does: its subject is named, then asked of each case.

    A pattern that is taken apart further than to a class and its attributes may or may not fit.
    """
    statements: list[ast.stmt] = []
    for case in reversed(node.cases):
        test = _test(case.pattern)
        captures = list(_captures(case.pattern))
        if case.guard is not None:
            # The names are there for the guard already.
            asked = ast.BoolOp(ast.And(), [test, case.guard])
            statements = [*captures, ast.If(asked, case.body, statements)]
        elif isinstance(test, ast.Constant):
            statements = [*captures, *case.body]
        else:
            statements = [ast.If(test, [*captures, *case.body], statements)]
    named = ast.Assign([ast.Name(_SUBJECT, ast.Store())], node.subject)
    found: list[ast.stmt] = [named, *statements]
    for statement in found:
        ast.copy_location(statement, node)
        ast.fix_missing_locations(statement)
    return found


def _test(pattern: ast.pattern) -> ast.expr:
    """The condition under which a pattern fits; the constant True for one that always does."""
    subject = ast.Name(_SUBJECT, ast.Load())
    test: ast.expr = ast.Name(_UNKNOWN, ast.Load())
    if isinstance(pattern, ast.MatchValue):
        test = ast.Compare(subject, [ast.Eq()], [pattern.value])
    elif isinstance(pattern, ast.MatchSingleton):
        test = ast.Compare(subject, [ast.Is()], [ast.Constant(pattern.value)])
    elif isinstance(pattern, ast.MatchAs):
        test = _test(pattern.pattern) if pattern.pattern is not None else ast.Constant(True)
    elif isinstance(pattern, ast.MatchOr):
        test = ast.BoolOp(ast.Or(), [_test(one) for one in pattern.patterns])
    elif isinstance(pattern, ast.MatchClass):
        test = _class_test(pattern)
    return _placed(test, pattern)


def _class_test(pattern: ast.MatchClass) -> ast.expr:
    subject = ast.Name(_SUBJECT, ast.Load())
    asked = ast.Call(ast.Name("isinstance", ast.Load()), [subject, pattern.cls], [])
    tests: list[ast.expr] = [_placed(asked, pattern)]
    for name, inner in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
        if isinstance(inner, ast.MatchValue):
            attribute = ast.Attribute(subject, name, ast.Load())
            tests.append(ast.Compare(attribute, [ast.Eq()], [inner.value]))
        elif not (isinstance(inner, ast.MatchAs) and inner.pattern is None):
            tests.append(ast.Name(_UNKNOWN, ast.Load()))
    tests += [ast.Name(_UNKNOWN, ast.Load()) for _ in pattern.patterns]
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)


def _captures(pattern: ast.pattern) -> Iterator[ast.stmt]:
    """The names that a pattern binds: to the subject, an attribute of it, or what is not known."""
    whole: dict[str, ast.expr] = {}
    waiting: list[tuple[ast.pattern, ast.expr]] = [(pattern, ast.Name(_SUBJECT, ast.Load()))]
    while waiting:
        part, value = waiting.pop()
        name = getattr(part, "name", None) or getattr(part, "rest", None)
        if isinstance(name, str):
            whole[name] = value
        if isinstance(part, ast.MatchAs) and part.pattern is not None:
            waiting.append((part.pattern, value))
        elif isinstance(part, ast.MatchClass):
            for attr, inner in zip(part.kwd_attrs, part.kwd_patterns, strict=True):
                waiting.append((inner, ast.Attribute(value, attr, ast.Load())))
            waiting += [(inner, ast.Name(_UNKNOWN, ast.Load())) for inner in part.patterns]
        elif isinstance(part, (ast.MatchOr, ast.MatchSequence, ast.MatchMapping)):
            unknown = value if isinstance(part, ast.MatchOr) else ast.Name(_UNKNOWN, ast.Load())
            waiting += [(inner, unknown) for inner in part.patterns]
    for name, value in whole.items():
        yield _placed(ast.Assign([ast.Name(name, ast.Store())], value), pattern)


def _placed(node: _Node, pattern: ast.pattern) -> _Node:
    """A node at the place of a pattern."""
    return ast.fix_missing_locations(ast.copy_location(node, pattern))

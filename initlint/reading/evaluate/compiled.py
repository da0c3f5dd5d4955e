"""Expressions and statements, each compiled once into a function of the frame.

An expression is evaluated ten times on average, and most of the time would go into finding out what
kind of expression it is. So that is done once: a compiled one closes over those of its parts. Two
thirds of all expressions are names, constants and attributes.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from initlint.reading.abstract.frames import Code, Flow, Frame, ImpossibleError, Step
from initlint.reading.abstract.joins import joined
from initlint.reading.abstract.values import Value
from initlint.reading.budget import STEP
from initlint.reading.fills.writes import load_either_way, loaded_here
from initlint.reading.reader import Reader


def code_of(reader: Reader, node: ast.AST) -> Code:
    """The function that gives an expression's value in a frame; whoever asks keeps it."""
    return reader.expressions[type(node)](reader, node)


def evaluate(reader: Reader, node: ast.AST, frame: Frame) -> Value:
    """The value of an expression that belongs to no compiled one."""
    code = reader.codes.get(node)
    if code is None:
        code = reader.codes[node] = code_of(reader, node)
    return code(frame)


def body_of(reader: Reader, statements: list[ast.stmt]) -> Code:
    """The body of a function: it gives the value that the function returns."""
    steps: list[Step] = []
    budget, cost = reader.budget, len(statements) * STEP

    def run(frame: Frame) -> Value:
        budget.spent += cost
        if budget.spent > budget.end:
            budget.refuse()
        if not steps:
            steps.extend([*_steps(reader, statements)])
        flow = None
        for step in steps:
            flow = step(frame)
            if flow is not None:
                break
        return _returned(reader, frame, flow)

    return run


def _returned(reader: Reader, frame: Frame, flow: Flow | None) -> Value:
    """What a function returns whose last statement ended like this."""
    if frame.left:
        _load_on_every_way(reader, frame, flow)
    if frame.yields is not None:
        return frame.yields
    returns = frame.returns
    if not returns:
        if flow is Flow.DEAD:
            raise ImpossibleError
        return None
    if flow is None:
        returns.append(None)
    result = returns[0]
    for other in returns[1:]:
        result = joined(reader, result, other)
    return result


def _load_on_every_way(reader: Reader, frame: Frame, flow: Flow | None) -> None:
    """What is loaded on every way out of a function is loaded behind it."""
    ways = frame.left if flow is Flow.DEAD else [*frame.left, loaded_here(reader)]
    frame.left = []
    load_either_way(reader, ways)


def block_of(reader: Reader, body: list[ast.stmt]) -> Step:
    """Statement after statement; they are compiled when they are first reached."""
    found = reader.blocks.get(id(body))
    if found is not None:
        return found
    steps: list[Step] = []
    budget, cost = reader.budget, len(body) * STEP

    def run(frame: Frame) -> Flow | None:
        budget.spent += cost
        if budget.spent > budget.end:
            budget.refuse()
        if not steps:
            steps.extend([*_steps(reader, body)])
        for step in steps:
            flow = step(frame)
            if flow is not None:
                return flow
        return None

    reader.blocks[id(body)] = run
    return run


def _steps(reader: Reader, body: list[ast.stmt]) -> Iterator[Step]:
    for statement in body:
        if isinstance(statement, ast.Global):
            reader.globals.update(_set_in(body, statement.names))
        compiler = reader.statements.get(type(statement))
        step = compiler(reader, statement) if compiler is not None else None
        if step is not None:
            yield step


def _set_in(body: Sequence[ast.stmt], names: Collection[str]) -> Iterator[ast.Name]:
    """Where the statements of a function set these names; functions within it are others."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in names:
            yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)

"""Conditions: an undecided one is gone both ways, which are joined afterwards."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from initlint.reading.abstract.frames import Flow, Frame, ImpossibleError, Step
from initlint.reading.abstract.holders import truth
from initlint.reading.abstract.joins import joined
from initlint.reading.abstract.memory import Memory
from initlint.reading.abstract.values import External, Resumed, Slot, Value
from initlint.reading.evaluate.compiled import block_of, evaluate
from initlint.reading.evaluate.match import as_conditions
from initlint.reading.evaluate.targets import publish
from initlint.reading.fills.mistakes import check_truth, truths
from initlint.reading.fills.options import in_branch
from initlint.reading.fills.questions import asking
from initlint.reading.fills.writes import load_either_way, loaded_here, settle
from initlint.reading.reader import Reader


def if_step(reader: Reader, node: ast.If) -> Step:
    """The way that the test decides; both ways where it is undecided."""
    if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        before = reader.earlier.get(node.test, ())
        reader.earlier[node.orelse[0].test] = (*before, node.test)
    test, body = asking(reader, node.test, node.body), block_of(reader, node.body)
    in_branch(reader, node)
    orelse = block_of(reader, node.orelse)
    options = _names_in(node.test) if _loads(node.body) else frozenset()
    tensors = truths(reader, node.test)

    def step(frame: Frame) -> Flow | None:
        answer = truth(test(frame))
        check_truth(reader, tensors, frame)
        is_option = answer is False and any(_is_off(frame.names.get(name, 1)) for name in options)
        if answer is None or is_option:
            return either(reader, [node.body, node.orelse], frame)
        return body(frame) if answer else orelse(frame)

    return step


def _loads(body: Sequence[ast.stmt]) -> bool:
    """Whether statements fill a model with what a file holds: `load_state_dict`."""
    calls = (n for each in body for n in ast.walk(each) if isinstance(n, ast.Call))
    return any(getattr(call.func, "attr", "") == "load_state_dict" for call in calls)


def _names_in(node: ast.expr) -> frozenset[str]:
    return frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))


def _is_off(value: Value) -> bool:
    """Whether an option is left out: `pretrained=None`. Who gives it gets what it loads."""
    return value is None or value is False or value == ""


def either(
    reader: Reader,
    bodies: Sequence[list[ast.stmt]],
    frame: Frame,
    run: Callable[[list[ast.stmt], Memory], Flow | None] | None = None,
) -> Flow | None:
    """Go every way from the same beginning, then on from what those that arrive agree on.

    `run` reads a way, where that is not only one statement after the other.
    """
    memory = Memory(frame, bodies, reader.budget)
    reader.forks += 1
    outer = reader.arms
    ends: list[tuple[Flow | None, Any]] = []
    fresh: list[tuple[int, int]] = []
    # What each way that is not left by an error has loaded.
    filled: list[dict[Slot, Resumed | None]] = []
    left: list[dict[Slot, Resumed]] = []
    loads = reader.life.loads
    for body in bodies:
        begun, loaded, resumed = len(reader.undecided), reader.life.loads, len(reader.resumed)
        reader.arms = reader.new_arm()
        try:
            flow = run(body, memory) if run is not None else block_of(reader, body)(frame)
        except ImpossibleError:
            flow = Flow.DEAD
        if flow is None and body and exits(reader, body[-1], frame):
            flow = Flow.DEAD
        if flow is not Flow.DEAD:
            filled.append({slot: slot.resumed for slot in reader.resumed[resumed:]})
        if flow is Flow.RETURN:
            left.append(loaded_here(reader))
        if flow is not None:
            # What comes next is not reached from a load that ends in a return.
            for slot in reader.resumed[resumed:]:
                slot.resumed = None
        ends.append((flow, memory.taken(frame)))
        memory.restore(frame)
        reader.arms = outer
        if reader.life.loads == loaded:
            fresh.append((begun, len(reader.undecided)))
    if reader.life.loads > loads:
        # The other ways are those that a fresh start takes.
        for begun, ended in fresh:
            settle(reader, begun, ended)
        if filled:
            load_either_way(reader, filled)
    frame.left += left
    return _met(reader, ends, memory, frame)


def exits(reader: Reader, statement: ast.stmt, frame: Frame) -> bool:
    """Whether a statement ends the process: `sys.exit(1)`, or `parser.error("no such file")`."""
    function = called_to_exit(statement)
    if function is None:
        return False
    value = evaluate(reader, function, frame)
    return isinstance(value, External) and value.name in _EXITS


def called_to_exit(statement: ast.stmt) -> ast.expr | None:
    """The function that a statement calls, if its name is that of one that ends the process."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    function = call.func if isinstance(call, ast.Call) else None
    name = getattr(function, "attr", getattr(function, "id", ""))
    return function if name in _EXITING else None


# The functions that end the process, and what they are called.
_EXITS = {
    *("sys.exit", "os._exit", "os.abort", "builtins.exit", "builtins.quit"),
    *("argparse.ArgumentParser().error", "argparse.ArgumentParser().exit"),
}
_EXITING = {name.rpartition(".")[2] for name in _EXITS}


def _met(
    reader: Reader, ends: list[tuple[Flow | None, Any]], memory: Memory, frame: Frame
) -> Flow | None:
    going = [state for flow, state in ends if flow is None]
    if going:
        frame.ways_out += any(flow in (Flow.BREAK, Flow.RETURN) for flow, _ in ends)
        memory.merge(frame, going, partial(joined, reader))
        publish(frame)
        return None
    last = next((flow for flow, _ in ends if flow is not Flow.DEAD), Flow.DEAD)
    states = [state for flow, state in ends if flow is last]
    memory.merge(frame, states, partial(joined, reader))
    publish(frame)
    return last


def try_step(reader: Reader, node: ast.Try) -> Step:
    """A body, and its handlers where it raises an error."""
    body, last = block_of(reader, [*node.body, *node.orelse]), block_of(reader, node.finalbody)
    handlers = [handler.body for handler in node.handlers]
    staying = [body for body in handlers if not any(map(leaves_loop, body))]
    returns = any(isinstance(body[-1], ast.Return) for body in handlers)
    is_retried = node in reader.retried
    catches = any(map(_catches, node.handlers))

    def step(frame: Frame) -> Flow | None:
        loads, resumed = reader.life.loads, len(reader.resumed)
        goes_on = [body for body in staying if not exits(reader, body[-1], frame)]
        # Where each handler raises or exits, what comes next is reached by way of the body alone.
        is_tried = bool(goes_on) or any(not _raises(reader, body, frame) for body in handlers)
        is_tried = is_tried and not is_retried
        reader.trying += is_tried
        reader.guarded += catches
        try:
            flow = body(frame)
        except ImpossibleError:
            flow = Flow.DEAD
        finally:
            reader.trying -= is_tried
            reader.guarded -= catches
        if flow is Flow.DEAD and handlers:
            flow = _handled(reader, handlers, frame)
        elif flow is None and reader.life.loads > loads and goes_on:
            flow = _started_afresh(reader, goes_on, resumed, frame)
        if returns:
            frame.left.append({})
        end = last(frame)
        return end if end is not None else flow

    return step


def _raises(reader: Reader, body: list[ast.stmt], frame: Frame) -> bool:
    """Whether a handler ends in an error, or ends the process."""
    return isinstance(body[-1], ast.Raise) or exits(reader, body[-1], frame)


def _started_afresh(
    reader: Reader, handlers: list[list[ast.stmt]], resumed: int, frame: Frame
) -> Flow | None:
    """Go on where there is nothing to load yet: into one of the handlers of a `try`.

    What the `try` has loaded, from number `resumed` on, is not there.
    """
    loaded = [(slot, slot.resumed) for slot in reader.resumed[resumed:]]
    for slot, _ in loaded:
        slot.resumed = None
    flow = _handled(reader, handlers, frame)
    for slot, load in loaded:
        slot.resumed = load
    return flow


def _handled(reader: Reader, handlers: Sequence[list[ast.stmt]], frame: Frame) -> Flow | None:
    """Go on into one of the handlers of a `try`."""
    if len(handlers) > 1:
        return either(reader, handlers, frame)
    return block_of(reader, handlers[0])(frame)


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler gets the errors that initialisers raise."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(getattr(kind, "id", "") in _RAISED for kind in kinds)


# What initialisers raise, and what else catches that.
_RAISED = (
    "ValueError",
    "AttributeError",
    "RuntimeError",
    "TypeError",
    "Exception",
    "BaseException",
)


def match_step(reader: Reader, node: ast.Match) -> Step:
    """The conditions that the cases of a `match` stand for."""
    return block_of(reader, as_conditions(node))


def retried(loop: ast.While | ast.For | ast.AsyncFor) -> Iterator[ast.Try]:
    """Each `try` in a loop whose body leaves it, and whose handlers go round again or raise.

    What comes behind such a loop is reached by way of the body alone: `while True` with a `break`
    behind a load, or a number of tries, the last of which raises the error.
    """
    is_endless = isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant)
    for node in loop.body:
        if isinstance(node, ast.Try) and node.handlers:
            last = (node.orelse or node.body)[-1]
            raising = [_has(handler, ast.Raise) for handler in node.handlers]
            leaving = [_has(handler, ast.Break, ast.Return) for handler in node.handlers]
            is_left = isinstance(last, (ast.Break, ast.Return)) and not any(leaving)
            if is_left and (is_endless or all(raising)):
                yield node


def _has(node: ast.AST, *kinds: type[ast.AST]) -> bool:
    """Whether a statement of one of these kinds lies within another."""
    return any(isinstance(each, kinds) for each in ast.walk(node))


def leaves_loop(statement: ast.stmt) -> bool:
    """Whether a statement may end a loop that it stands in."""
    return _has(statement, ast.Break, ast.Return, ast.Raise)

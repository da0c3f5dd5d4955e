"""Loops: every iteration where it is known how many there are, else one that stands for all."""

from __future__ import annotations

import ast

from initlint.reading.abstract.frames import Flow, Frame, Step
from initlint.reading.abstract.holders import Instance, Listing, truth
from initlint.reading.abstract.lists import element_of
from initlint.reading.abstract.memory import Memory
from initlint.reading.abstract.parts import reached
from initlint.reading.abstract.values import Fresh, Held, Kept, Slot, Unknown, Value
from initlint.reading.budget import TooMuchError
from initlint.reading.evaluate.branches import either, leaves_loop, retried
from initlint.reading.evaluate.compiled import block_of, code_of, evaluate
from initlint.reading.evaluate.rounds import Round
from initlint.reading.evaluate.subscripts import gone_through
from initlint.reading.evaluate.targets import target_of
from initlint.reading.evaluate.visits import visit_of
from initlint.reading.fills.mistakes import check_iterated
from initlint.reading.fills.unpacked import check_unpacked
from initlint.reading.fills.writes import walked
from initlint.reading.objects import hollow
from initlint.reading.reader import Reader

# Rounds of a loop that may end at any time, for all that is known: more tell no more.
_FEW_ROUNDS = 3
# Rounds with undecided conditions after which lists that have not become shorter will not do so.
_STUCK = 50
# Loops with so many rounds are read to their end, whatever they do.
_SHORT = 8


def for_step(reader: Reader, node: ast.For | ast.AsyncFor) -> Step:
    """A `for`: every iteration, or one that stands for all if their number is not known."""
    iterable, target = code_of(reader, node.iter), target_of(reader, node.target)
    body, orelse = block_of(reader, node.body), block_of(reader, node.orelse)
    reader.retried.update(retried(node))

    def step(frame: Frame) -> Flow | None:
        value = iterable(frame)
        found = gone_through(reader, value)
        if found is None or (isinstance(value, Listing) and value.open and not found):
            check_iterated(reader, node.iter, value)
            # It may run, or not.
            item = element_of(value)
            target(item, frame)
            return _rounds_of(reader, node, item, frame)
        # What is at hand may be an element of such a list, or not.
        is_doubtful = isinstance(value, Listing) and value.whole is None
        is_doubtful = is_doubtful and (value.open or value.perhaps)
        reader.doubtful += is_doubtful
        try:
            for place, item in enumerate(walked(reader, value, found), 1):
                changes = reader.life.changes
                if place == 1 and isinstance(value, Listing) and value.whole is not None:
                    check_unpacked(reader, node.target, item)
                    hollow.note_walk(reader, value.whole, node.body, node)
                target(item, frame)
                visit = None if reader.drawing else visit_of(item)
                if visit is not None:
                    reader.visits.append(visit)
                try:
                    if place == len(found) and isinstance(value, Listing) and value.open:
                        flow = _other_rounds(reader, node, item, frame)
                    else:
                        flow = body(frame)
                finally:
                    if visit is not None:
                        reader.visits.pop()
                if flow is Flow.RETURN or flow is Flow.DEAD:
                    return flow
                if flow is Flow.BREAK:
                    return None
                is_long = len(found) > _SHORT and _tells_no_more(reader, place, changes)
                if is_long and not _is_of_weights(reader, item):
                    break
        except TooMuchError as error:
            error.place = _place(node, frame)
            raise
        finally:
            reader.doubtful -= is_doubtful
        return orelse(frame)

    return step


def _tells_no_more(reader: Reader, rounds: int, changes: int) -> bool:
    """Whether the last round of a loop that trains has neither made nor filled a model."""
    return reader.outside and rounds >= _FEW_ROUNDS and reader.life.changes == changes


def _is_of_weights(reader: Reader, item: Value) -> bool:
    """Whether a loop goes through modules, parameters, or texts that may name these."""
    for value in [item] if isinstance(item, str) else reached([item]):
        reader.budget.elements(1)
        if isinstance(value, (str, Slot, Held, Kept, Fresh, Unknown)):
            return True
        if isinstance(value, Instance) and value.torch:
            return True
    return False


def _round(reader: Reader, node: ast.For | ast.AsyncFor | ast.While, frame: Frame) -> Flow | None:
    """One round of a loop; where it is too much, that is said of the outermost loop."""
    try:
        return block_of(reader, node.body)(frame)
    except TooMuchError as error:
        error.place = _place(node, frame)
        raise


def _other_rounds(
    reader: Reader, node: ast.For | ast.AsyncFor, item: Value, frame: Frame
) -> Flow | None:
    """One round that stands for all that follow."""
    one = Round(node.body, reader.graph, frame)
    one.begin()
    flow = _round(reader, node, frame)
    one.end(item)
    return flow


def _rounds_of(
    reader: Reader, node: ast.For | ast.AsyncFor | ast.While, item: Value, frame: Frame
) -> Flow | None:
    """Any number of rounds: one is read, and weights that the next uses again are marked."""

    def run(way: list[ast.stmt], memory: Memory) -> Flow | None:
        if not way:
            return None
        one = Round(way, reader.graph, frame)
        one.begin()
        flow = _round(reader, node, frame)
        more = one.become()
        if more:
            memory.restore(frame)
            one.again().begin(more)
            flow = _round(reader, node, frame)
        one.end(item)
        return flow

    flow = either(reader, [node.body, []], frame, run)
    return None if flow in (Flow.BREAK, Flow.CONTINUE) else flow


def while_step(reader: Reader, node: ast.While) -> Step:
    """A `while`: iterations until it ends, may end, or nothing changes any more."""
    reader.retried.update(retried(node))
    return lambda frame: _rounds_while(reader, node, frame)


def _rounds_while(reader: Reader, node: ast.While, frame: Frame) -> Flow | None:
    rounds, ways_out, stuck = 0, frame.ways_out, 0
    left: tuple[int, ...] = ()
    is_endless = isinstance(node.test, ast.Constant) and not any(map(leaves_loop, node.body))
    while True:
        reader.budget.steps()
        changes = reader.life.changes
        test = truth(evaluate(reader, node.test, frame))
        if test is False:
            return block_of(reader, node.orelse)(frame)
        if test is None:
            return _rounds_of(reader, node, None, frame)
        forks = reader.forks
        flow = _round(reader, node, frame)
        if flow in (Flow.RETURN, Flow.DEAD):
            return flow
        rounds += 1
        # Of two lists that a value may be in, each is as long as if it were in that one.
        before, left = left, _items_left(node.test, frame)
        stuck = stuck + 1 if left and before == left and reader.forks > forks else 0
        if stuck >= _STUCK:
            return None
        may_end = is_endless or frame.ways_out > ways_out
        if flow is Flow.BREAK or (may_end and rounds >= _FEW_ROUNDS):
            return None
        if _tells_no_more(reader, rounds, changes):
            return None


def _items_left(test: ast.expr, frame: Frame) -> tuple[int, ...]:
    """The lengths of the lists in a condition, as `len(todo) > 0`; empty if it has other names."""
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)} - {"len"}
    lists = [frame.names.get(name) for name in sorted(names)]
    found = tuple(len(value.items) for value in lists if isinstance(value, Listing))
    return found if len(found) == len(lists) else ()


def _place(node: ast.stmt, frame: Frame) -> str:
    return f"{frame.module.path}:{node.lineno}"

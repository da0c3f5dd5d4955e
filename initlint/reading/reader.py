"""Statements: what a function's body does, with undecided conditions gone both ways."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any

from initlint.reading.budget import TooMuchError
from initlint.reading.classes import UserClass
from initlint.reading.expressions import Expressions
from initlint.reading.holders import CONTAINERS, Function, Instance, Listing, extend, truth
from initlint.reading.lists import element_of
from initlint.reading.memory import Memory
from initlint.reading.resolve import Import
from initlint.reading.rounds import Round
from initlint.reading.state import Frame, ImpossibleError
from initlint.reading.values import (
    UNKNOWN,
    External,
    Fresh,
    Held,
    Plain,
    Slot,
    Tensor,
    Unknown,
    Value,
)


class Flow(Enum):
    """How a statement ends: the next one comes, or not."""

    NEXT = auto()
    RETURN = auto()
    BREAK = auto()
    CONTINUE = auto()
    DEAD = auto()


# Rounds of a loop that may end at any time, for all that is known: more tell no more.
_FEW_ROUNDS = 3

_IN_PLACE = {ast.Mult: "mul_", ast.Div: "div_", ast.Add: "add_", ast.Sub: "sub_"}


class Reader(Expressions):
    """Reads statements."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._statements: dict[type[ast.AST], Callable[[Any, Frame], Flow | None]] = {
            ast.Expr: self._expression,
            ast.Assign: self._assign,
            ast.AugAssign: self._augment,
            ast.AnnAssign: self._annotate,
            ast.Return: self._return,
            ast.Delete: self._delete,
            ast.If: self._if,
            ast.For: self._for,
            ast.AsyncFor: self._for,
            ast.While: self._while,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.Try: self._try,
            ast.FunctionDef: self._define,
            ast.AsyncFunctionDef: self._define,
            ast.ClassDef: self._define_class,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Raise: lambda node, frame: Flow.DEAD,
            ast.Break: lambda node, frame: Flow.BREAK,
            ast.Continue: lambda node, frame: Flow.CONTINUE,
            ast.Match: self._match,
        }

    def run(self, function: Function, frame: Frame) -> Value:
        """The value that a function's body returns in a frame whose parameters are bound."""
        node = function.node
        if isinstance(node, ast.Lambda):
            return self.evaluate(node.body, frame)
        flow = self.block(node.body, frame)
        if frame.yields is not None:
            return frame.yields
        if not frame.returns:
            if flow is Flow.DEAD:
                raise ImpossibleError
            return None
        if flow is Flow.NEXT:
            frame.returns.append(None)
        result = frame.returns[0]
        for other in frame.returns[1:]:
            result = self.joined(result, other)
        return result

    def block(self, body: Sequence[ast.stmt], frame: Frame) -> Flow:
        """Statement after statement."""
        self.budget.steps(len(body))
        statements = self._statements
        for statement in body:
            reader = statements.get(type(statement))
            flow = reader(statement, frame) if reader is not None else None
            if flow is not None and flow is not Flow.NEXT:
                return flow
        return Flow.NEXT

    # Simple statements.

    def _expression(self, node: ast.Expr, frame: Frame) -> None:
        if isinstance(node.value, (ast.Yield, ast.YieldFrom)):
            self._yield(node.value, frame)
        elif not isinstance(node.value, ast.Constant):
            self.evaluate(node.value, frame)

    def _yield(self, node: ast.Yield | ast.YieldFrom, frame: Frame) -> None:
        value = self.evaluate(node.value, frame) if node.value is not None else None
        if frame.yields is None:
            frame.yields = Listing()
        found = self.gone_through(value) if isinstance(node, ast.YieldFrom) else [value]
        is_open = found is None or (type(value) is Listing and value.open)
        extend(frame.yields, found or (), is_open)

    def _assign(self, node: ast.Assign, frame: Frame) -> None:
        value = self.evaluate(node.value, frame)
        for target in node.targets:
            if type(target) is ast.Name:
                frame.names[target.id] = value
            else:
                self.assign(target, value, frame)

    def _annotate(self, node: ast.AnnAssign, frame: Frame) -> None:
        if node.value is not None:
            self.assign(node.target, self.evaluate(node.value, frame), frame)

    def _augment(self, node: ast.AugAssign, frame: Frame) -> None:
        old = self.evaluate(node.target, frame)
        right = self.evaluate(node.value, frame)
        if isinstance(old, Listing) and isinstance(node.op, ast.Add):
            found = self.gone_through(right)
            extend(old, found or (), found is None or getattr(right, "open", False))
        elif isinstance(old, Instance) and old.torch in CONTAINERS:
            self.ask_module(old, "extend", [right], {}, node)
        elif isinstance(old, (Slot, Held)) and type(node.op) in _IN_PLACE:
            self.write_in_place(old, _IN_PLACE[type(node.op)], [right], {}, node)
        else:
            self.assign(node.target, self.binary(type(node.op), old, right), frame)

    def assign(self, target: ast.expr, value: Value, frame: Frame) -> None:
        """Bind a value to a name, an attribute, an element, or several."""
        if isinstance(target, ast.Name):
            frame.names[target.id] = value
        elif isinstance(target, ast.Attribute):
            self._set_attribute(self.evaluate(target.value, frame), target, value)
        elif isinstance(target, ast.Subscript):
            self._set_item(target, value, frame)
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target.elts, value, frame)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value, frame)

    def _set_attribute(self, owner: Value, target: ast.Attribute, value: Value) -> None:
        if isinstance(owner, Instance):
            self.hold(owner, target.attr, value)
        elif isinstance(owner, (Slot, Held, Fresh)) and target.attr == "data":
            self.write_in_place(owner, "data", [value], {}, target)
        elif isinstance(owner, Slot) and target.attr == "requires_grad":
            self.set_trainable(owner, value)

    def _set_item(self, target: ast.Subscript, value: Value, frame: Frame) -> None:
        owner = self.evaluate(target.value, frame)
        index = self.evaluate(target.slice, frame)
        if isinstance(owner, Tensor):
            self.assign(target.value, self.assigned(owner, value), frame)
        elif isinstance(owner, (Plain, Fresh)) and isinstance(value, Tensor):
            self.assign(target.value, self.unclear([value.node]), frame)
        elif isinstance(owner, (Slot, Held, Fresh)):
            self.write_in_place(owner, "index_put_", [value], {}, target)
        else:
            self.put(owner, index, value)

    def _delete(self, node: ast.Delete, frame: Frame) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                frame.names.pop(target.id, None)
            elif isinstance(target, ast.Subscript):
                owner = self.evaluate(target.value, frame)
                self.remove(owner, self.evaluate(target.slice, frame))
            elif isinstance(target, ast.Attribute):
                owner = self.evaluate(target.value, frame)
                if isinstance(owner, Instance):
                    owner.attrs.pop(target.attr, None)

    def _unpack(self, targets: Sequence[ast.expr], value: Value, frame: Frame) -> None:
        found = self.gone_through(value)
        exact = found is not None and not (isinstance(value, Listing) and value.open)
        starred = any(isinstance(target, ast.Starred) for target in targets)
        if found is not None and exact and len(found) == len(targets) and not starred:
            for target, item in zip(targets, found, strict=True):
                self.assign(target, item, frame)
            return
        for place, target in enumerate(targets):
            if isinstance(target, ast.Starred):
                self._unpack_rest(targets, place, found if exact else None, frame, value)
                return
            self.assign(target, self._part_of(value, found, place), frame)

    def _unpack_rest(
        self,
        targets: Sequence[ast.expr],
        place: int,
        found: list[Value] | None,
        frame: Frame,
        value: Value,
    ) -> None:
        after = len(targets) - place - 1
        if found is None:
            for target in targets[place:]:
                self.assign(target, element_of(value), frame)
            return
        self.assign(targets[place], Listing(found[place : len(found) - after]), frame)
        for target, item in zip(targets[place + 1 :], found[len(found) - after :], strict=False):
            self.assign(target, item, frame)

    def _part_of(self, value: Value, found: list[Value] | None, place: int) -> Value:
        if isinstance(value, Tensor):
            return self.operate("getitem", [value, place])
        if found:
            return found[min(place, len(found) - 1)]
        return element_of(value) if isinstance(value, (Plain, Slot, Held)) else UNKNOWN

    def _return(self, node: ast.Return, frame: Frame) -> Flow:
        frame.returns.append(self.evaluate(node.value, frame) if node.value is not None else None)
        return Flow.RETURN

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        frame.names[node.name] = Function(node, frame.module, frame)

    def _define_class(self, node: ast.ClassDef, frame: Frame) -> None:
        frame.names[node.name] = UserClass(node, frame.module, frame)

    def _import(self, node: ast.Import, frame: Frame) -> None:
        for alias in node.names:
            whole = alias.name if alias.asname else alias.name.split(".")[0]
            found = self.program.imported(frame.module, Import(whole, None, 0))
            frame.names[alias.asname or whole] = UNKNOWN if found is None else found

    def _import_from(self, node: ast.ImportFrom, frame: Frame) -> None:
        for alias in node.names:
            entry = Import(node.module or "", alias.name, node.level)
            found = self.program.imported(frame.module, entry)
            value = UNKNOWN if found is None else self.member_of(found, alias.name)
            frame.names[alias.asname or alias.name] = value

    # Conditions and loops.

    def _if(self, node: ast.If, frame: Frame) -> Flow:
        test = truth(self.evaluate(node.test, frame))
        if test is not None:
            return self.block(node.body if test else node.orelse, frame)
        return self._either([node.body, node.orelse], frame)

    def _either(
        self,
        bodies: Sequence[Sequence[ast.stmt]],
        frame: Frame,
        run: Callable[[Sequence[ast.stmt], Memory], Flow] | None = None,
    ) -> Flow:
        """Go every way from the same beginning, then on from what those that arrive agree on.

        `run` reads a way, where that is not only one statement after the other.
        """
        memory = Memory(frame, bodies, self.budget)
        outer = self.arms
        ends: list[tuple[Flow, Any]] = []
        for body in bodies:
            self.arms = self.new_arm()
            try:
                flow = run(body, memory) if run is not None else self.block(body, frame)
            except ImpossibleError:
                flow = Flow.DEAD
            ends.append((flow, memory.taken(frame)))
            memory.restore(frame)
            self.arms = outer
        return self._met(ends, memory, frame)

    def _met(self, ends: list[tuple[Flow, Any]], memory: Memory, frame: Frame) -> Flow:
        going = [state for flow, state in ends if flow is Flow.NEXT]
        if going:
            frame.ways_out += any(flow in (Flow.BREAK, Flow.RETURN) for flow, _ in ends)
            memory.merge(frame, going, self.joined)
            return Flow.NEXT
        last = next((flow for flow, _ in ends if flow is not Flow.DEAD), Flow.DEAD)
        states = [state for flow, state in ends if flow is last]
        memory.merge(frame, states, self.joined)
        return last

    def _for(self, node: ast.For | ast.AsyncFor, frame: Frame) -> Flow:
        value = self.evaluate(node.iter, frame)
        found = self.gone_through(value)
        if found is None:
            return self._perhaps(node, element_of(value), frame)
        for place, item in enumerate(found, 1):
            self.assign(node.target, item, frame)
            if isinstance(value, Listing) and value.open and place == len(found):
                flow = self._other_rounds(node, item, frame)
            else:
                flow = self._round(node, frame)
            if flow in (Flow.RETURN, Flow.DEAD):
                return flow
            if flow is Flow.BREAK:
                return Flow.NEXT
        return self.block(node.orelse, frame)

    def _round(self, node: ast.For | ast.AsyncFor | ast.While, frame: Frame) -> Flow:
        """One round of a loop; where it is too much, that is said of the outermost loop."""
        try:
            return self.block(node.body, frame)
        except TooMuchError as error:
            error.place = f"{frame.module.path}:{node.lineno}"
            raise

    def _perhaps(self, node: ast.For | ast.AsyncFor, item: Value, frame: Frame) -> Flow:
        """A loop over what is not known: it may run, or not."""
        self.assign(node.target, item, frame)
        return self._rounds_of(node, item, frame)

    def _other_rounds(self, node: ast.For | ast.AsyncFor, item: Value, frame: Frame) -> Flow:
        """One round that stands for all that follow."""
        one = Round(node.body, self.graph, frame)
        one.begin()
        flow = self._round(node, frame)
        one.end(item)
        return flow

    def _rounds_of(
        self, node: ast.For | ast.AsyncFor | ast.While, item: Value, frame: Frame
    ) -> Flow:
        """Any number of rounds: one is read, and weights that the next uses again are marked."""

        def run(way: Sequence[ast.stmt], memory: Memory) -> Flow:
            if not way:
                return Flow.NEXT
            one = Round(way, self.graph, frame)
            one.begin()
            flow = self._round(node, frame)
            more = one.become()
            if more:
                memory.restore(frame)
                one.again().begin(more)
                flow = self._round(node, frame)
            one.end(item)
            return flow

        flow = self._either([node.body, []], frame, run)
        return Flow.NEXT if flow in (Flow.BREAK, Flow.CONTINUE) else flow

    def _while(self, node: ast.While, frame: Frame) -> Flow:
        rounds, ways_out = 0, frame.ways_out
        is_endless = isinstance(node.test, ast.Constant) and not any(map(_leaves_loop, node.body))
        while True:
            self.budget.steps()
            test = truth(self.evaluate(node.test, frame))
            if test is False:
                return self.block(node.orelse, frame)
            if test is None:
                return self._rounds_of(node, None, frame)
            flow = self._round(node, frame)
            if flow in (Flow.RETURN, Flow.DEAD):
                return flow
            rounds += 1
            may_end = is_endless or frame.ways_out > ways_out
            if flow is Flow.BREAK or (may_end and rounds >= _FEW_ROUNDS):
                return Flow.NEXT

    def _with(self, node: ast.With | ast.AsyncWith, frame: Frame) -> Flow:
        for item in node.items:
            value = self.evaluate(item.context_expr, frame)
            if item.optional_vars is not None:
                is_open = isinstance(value, (Unknown, Tensor, External))
                self.assign(item.optional_vars, UNKNOWN if is_open else value, frame)
        return self.block(node.body, frame)

    def _try(self, node: ast.Try, frame: Frame) -> Flow:
        try:
            flow = self.block([*node.body, *node.orelse], frame)
        except ImpossibleError:
            flow = Flow.DEAD
        if flow is Flow.DEAD and node.handlers:
            flow = self._either([handler.body for handler in node.handlers], frame)
        last = self.block(node.finalbody, frame)
        return last if last is not Flow.NEXT else flow

    def _match(self, node: ast.Match, frame: Frame) -> Flow:
        self.evaluate(node.subject, frame)
        for case in node.cases:
            for part in ast.walk(case.pattern):
                if isinstance(part, (ast.MatchAs, ast.MatchStar)) and part.name:
                    frame.names[part.name] = UNKNOWN
        return self._either([*(case.body for case in node.cases), []], frame)


def _leaves_loop(statement: ast.stmt) -> bool:
    """Whether a statement may end a loop that it stands in."""
    return any(isinstance(n, (ast.Break, ast.Return, ast.Raise)) for n in ast.walk(statement))

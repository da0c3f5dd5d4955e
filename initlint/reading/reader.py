"""Statements: what a function's body does, with undecided conditions gone both ways."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Any

from initlint.reading import frameworks
from initlint.reading.budget import STEP, TooMuchError
from initlint.reading.calls import Code
from initlint.reading.classes import UserClass
from initlint.reading.configured import literal_stds
from initlint.reading.dropped import dropped
from initlint.reading.effects import is_sure, note
from initlint.reading.expressions import Expressions
from initlint.reading.holders import (
    CONTAINERS,
    Bound,
    Function,
    Instance,
    Listing,
    extend,
    truth,
)
from initlint.reading.lists import element_of
from initlint.reading.literals import Bind
from initlint.reading.match import as_conditions
from initlint.reading.memory import Memory
from initlint.reading.options import in_branch, in_function
from initlint.reading.parts import reached
from initlint.reading.questions import asking
from initlint.reading.rebound import rebinding
from initlint.reading.resolve import Import
from initlint.reading.rounds import Round
from initlint.reading.state import Frame, ImpossibleError
from initlint.reading.values import (
    UNKNOWN,
    External,
    Fresh,
    Held,
    Kept,
    Plain,
    Slot,
    Tensor,
    Unknown,
    Value,
)
from initlint.reading.visits import visit_of


class Flow(Enum):
    """How a statement ends where the next one does not come."""

    RETURN = auto()
    BREAK = auto()
    CONTINUE = auto()
    DEAD = auto()


# A compiled statement: it gives None where the next one comes.
Step = Callable[[Frame], Flow | None]
# Rounds of a loop that may end at any time, for all that is known: more tell no more.
_FEW_ROUNDS = 3
# Loops with so many rounds are read to their end, whatever they do.
_SHORT = 8

_IN_PLACE = {ast.Mult: "mul_", ast.Div: "div_", ast.Add: "add_", ast.Sub: "sub_"}


class Reader(Expressions):
    """Compiles statements, as `Expressions` does expressions, and runs the bodies of functions."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._bodies: dict[ast.AST, Code] = {}
        # By the `id` of a list of statements, which its step keeps alive.
        self._blocks: dict[int, Step] = {}
        # Where a name of a file's top level is set within a function.
        self._global: set[ast.Name] = set()
        self._statements: dict[type[ast.AST], Callable[[Any], Step | None]] = {
            ast.Expr: self._expression,
            ast.Assign: self._assign,
            ast.AugAssign: self._augment,
            ast.AnnAssign: self._annotate,
            ast.Return: self._return,
            ast.Delete: lambda node: lambda frame: self._delete(node, frame),
            ast.If: self._if,
            ast.For: self._for,
            ast.AsyncFor: self._for,
            ast.While: lambda node: lambda frame: self._while(node, frame),
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.Try: self._try,
            ast.FunctionDef: lambda node: lambda frame: self._define(node, frame),
            ast.AsyncFunctionDef: lambda node: lambda frame: self._define(node, frame),
            ast.ClassDef: lambda node: lambda frame: self._define_class(node, frame),
            ast.Import: lambda node: lambda frame: self._import(node, frame),
            ast.ImportFrom: lambda node: lambda frame: self._import_from(node, frame),
            ast.Raise: lambda node: lambda frame: Flow.DEAD,
            ast.Break: lambda node: lambda frame: Flow.BREAK,
            ast.Continue: lambda node: lambda frame: Flow.CONTINUE,
            ast.Match: self._match,
            ast.Global: self._declare,
        }

    def ask_module(
        self,
        instance: Instance,
        name: str,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None,
    ) -> Value:
        """A method of nn.Module, of one of its containers, or of a framework's base class."""
        if name in frameworks.STARTS and frameworks.is_pretrained(self, instance.cls):
            frameworks.initialise(self, instance, node)
            return None
        if name == frameworks.HOOK and args and frameworks.is_pretrained(self, instance.cls):
            frameworks.default(self, instance, args[0], node)
            return None
        return super().ask_module(instance, name, args, kwargs, node)

    def body(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Code:
        """What gives the value that a function returns in a frame whose parameters are bound."""
        found = self._bodies.get(node)
        if found is None:
            if isinstance(node, ast.Lambda):
                found = self.code(node.body)
            else:
                found = self._body(node.body)
                in_function(self, node)
                literal_stds(self, node)
            self._bodies[node] = found
        return found

    def _body(self, statements: list[ast.stmt]) -> Code:
        steps: list[Step] = []
        budget, cost = self.budget, len(statements) * STEP

        def run(frame: Frame) -> Value:
            budget.spent += cost
            if budget.spent > budget.end:
                budget.refuse()
            if not steps:
                steps.extend([*self._compiled(statements)])
            flow = None
            for step in steps:
                flow = step(frame)
                if flow is not None:
                    break
            return self._returned(frame, flow)

        return run

    def _returned(self, frame: Frame, flow: Flow | None) -> Value:
        """What a function returns whose last statement ended like this."""
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
            result = self.joined(result, other)
        return result

    def block(self, body: list[ast.stmt]) -> Step:
        """Statement after statement; they are compiled when they are first reached."""
        found = self._blocks.get(id(body))
        if found is not None:
            return found
        steps: list[Step] = []
        budget, cost = self.budget, len(body) * STEP

        def run(frame: Frame) -> Flow | None:
            budget.spent += cost
            if budget.spent > budget.end:
                budget.refuse()
            if not steps:
                steps.extend([*self._compiled(body)])
            for step in steps:
                flow = step(frame)
                if flow is not None:
                    return flow
            return None

        self._blocks[id(body)] = run
        return run

    def _compiled(self, body: list[ast.stmt]) -> Iterator[Step]:
        for statement in body:
            if isinstance(statement, ast.Global):
                self._global.update(_set_in(body, statement.names))
            compiler = self._statements.get(type(statement))
            step = compiler(statement) if compiler is not None else None
            if step is not None:
                yield step

    # Simple statements.

    def _expression(self, node: ast.Expr) -> Step | None:
        value = node.value
        if isinstance(value, ast.Constant):
            return None
        if isinstance(value, (ast.Yield, ast.YieldFrom)):
            return lambda frame: self._yield(value, frame)
        return dropped(self, value)

    def _yield(self, node: ast.Yield | ast.YieldFrom, frame: Frame) -> None:
        value = self.evaluate(node.value, frame) if node.value is not None else None
        if frame.yields is None:
            frame.yields = Listing()
        found = self.gone_through(value) if isinstance(node, ast.YieldFrom) else [value]
        is_open = found is None or (type(value) is Listing and value.open)
        extend(frame.yields, found or (), is_open)

    def _assign(self, node: ast.Assign) -> Step:
        code, targets = self.code(node.value), [self.target(target) for target in node.targets]
        only = node.targets[0] if len(targets) == 1 else None
        if isinstance(only, ast.Name) and only not in self._global:
            name = only.id
            noting = rebinding(self, node, code)
            if noting is not None:
                return noting

            def bind(frame: Frame) -> None:
                frame.names[name] = value = code(frame)
                if type(value) is Instance:
                    self.life.bound(value, only)

            return bind

        def step(frame: Frame) -> None:
            value = code(frame)
            if type(value) is Instance:
                self.life.bound(value, node.targets[0])
            for target in targets:
                target(value, frame)

        return step

    def _annotate(self, node: ast.AnnAssign) -> Step | None:
        if node.value is None:
            return None
        code, target = self.code(node.value), self.target(node.target)
        return lambda frame: target(code(frame), frame)

    def _augment(self, node: ast.AugAssign) -> Step:
        old_of, right_of, target = (
            self.code(node.target),
            self.code(node.value),
            self.target(node.target),
        )
        kind = type(node.op)

        def step(frame: Frame) -> None:
            old, right = old_of(frame), right_of(frame)
            if isinstance(old, Listing) and kind is ast.Add:
                found = self.gone_through(right)
                extend(old, found or (), found is None or getattr(right, "open", False))
            elif isinstance(old, Instance) and old.torch in CONTAINERS:
                self.ask_module(old, "extend", [right], {}, node)
            elif isinstance(old, (Slot, Held)) and kind in _IN_PLACE:
                self.write_in_place(old, _IN_PLACE[kind], [right], {}, node)
            else:
                target(self.binary(kind, old, right), frame)

        return step

    def target(self, node: ast.expr | None) -> Bind:
        """What binds a value to a name, an attribute, an element, or several."""
        if isinstance(node, ast.Name):
            return (_named_outside if node in self._global else _named)(node.id)
        if isinstance(node, ast.Attribute):
            owner_of = self.code(node.value)
            return lambda value, frame: self._set_attribute(owner_of(frame), node, value)
        if isinstance(node, ast.Subscript):
            return self._item(node)
        if isinstance(node, (ast.Tuple, ast.List)):
            return self._several(node.elts)
        return self.target(node.value) if isinstance(node, ast.Starred) else _nowhere

    def _set_attribute(self, owner: Value, target: ast.Attribute, value: Value) -> None:
        if target.attr.endswith("_") and isinstance(owner, (Slot, Held)) and is_sure(self):
            slot = owner.slot if isinstance(owner, Held) else owner
            why = "an assignment replaces the method; call it instead"
            note(self, target, target.attr, [slot], "lost", why)
        elif isinstance(owner, Instance):
            self.hold(owner, target.attr, value)
        elif isinstance(owner, (Slot, Held, Fresh)) and target.attr == "data":
            self.write_in_place(owner, "data", [value], {}, target)
        elif isinstance(owner, Slot) and target.attr == "requires_grad":
            self.set_trainable(owner, value)
        elif self.outside:
            self.life.hand_over(value)

    def _item(self, node: ast.Subscript) -> Bind:
        owner_of, index_of = self.code(node.value), self.code(node.slice)

        def bind(value: Value, frame: Frame) -> None:
            owner, index = owner_of(frame), index_of(frame)
            if isinstance(owner, Tensor):
                self.target(node.value)(self.assigned(owner, value), frame)
            elif isinstance(owner, Kept):
                self.write_in_place(owner.slot, "index_put_", [value], {}, node)
            elif isinstance(owner, (Plain, Fresh)) and isinstance(value, Tensor):
                self.target(node.value)(self.unclear([value.node]), frame)
            elif isinstance(owner, (Slot, Held, Fresh)):
                self.write_in_place(owner, "index_put_", [value], {}, node)
            else:
                self.put(owner, index, value)

        return bind

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

    def _several(self, nodes: Sequence[ast.expr]) -> Bind:
        """Binds the elements of a value, one to each target."""
        targets = [self.target(node) for node in nodes]
        stars = [place for place, node in enumerate(nodes) if isinstance(node, ast.Starred)]
        exact_end = stars[0] if stars else len(targets)

        def bind(value: Value, frame: Frame) -> None:
            found = self.gone_through(value)
            exact = found is not None and not (isinstance(value, Listing) and value.open)
            if found is not None and exact and len(found) == len(targets) and not stars:
                for target, item in zip(targets, found, strict=True):
                    target(item, frame)
                return
            for place, target in enumerate(targets[:exact_end]):
                target(self._part_of(value, found, place), frame)
            if stars:
                rest = _rest(value, found if exact else None, exact_end, len(targets))
                for target, item in zip(targets[exact_end:], rest, strict=False):
                    target(item, frame)

        return bind

    def _part_of(self, value: Value, found: list[Value] | None, place: int) -> Value:
        if isinstance(value, Tensor):
            return self.operate("getitem", [value, place])
        if found:
            return found[min(place, len(found) - 1)]
        return element_of(value) if isinstance(value, (Plain, Slot, Held)) else UNKNOWN

    def _return(self, node: ast.Return) -> Step:
        code = self.code(node.value) if node.value is not None else None

        def step(frame: Frame) -> Flow:
            frame.returns.append(None if code is None else code(frame))
            return Flow.RETURN

        return step

    def _declare(self, node: ast.Global) -> Step:
        names = tuple(node.names)

        def step(frame: Frame) -> None:
            if frame.names is not frame.module.values:
                frame.outer += names
                frame.names.update({n: self.top_level(frame.module, n) for n in names})

        return step

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        # What is defined at the top level of a file finds its names there in any case.
        closure = None if frame.names is frame.module.values else frame
        frame.names[node.name] = Function(node, frame.module, closure)

    def _define_class(self, node: ast.ClassDef, frame: Frame) -> None:
        at_top = frame.names is frame.module.values
        cls = self.class_of(node, frame.module) if at_top else UserClass(node, frame.module, frame)
        frame.names[node.name] = cls
        for decorator in reversed(node.decorator_list):
            # What it gives back stands for the class; that it enters the class in a table counts.
            function = self.evaluate(decorator, frame)
            if isinstance(function, (Function, Bound)):
                self.call(function, [cls], {}, decorator)

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

    def _if(self, node: ast.If) -> Step:
        test, body = asking(self, node.test, node.body), self.block(node.body)
        in_branch(self, node)
        orelse = self.block(node.orelse)

        def step(frame: Frame) -> Flow | None:
            answer = truth(test(frame))
            if answer is None:
                return self._either([node.body, node.orelse], frame)
            return body(frame) if answer else orelse(frame)

        return step

    def _either(
        self,
        bodies: Sequence[list[ast.stmt]],
        frame: Frame,
        run: Callable[[list[ast.stmt], Memory], Flow | None] | None = None,
    ) -> Flow | None:
        """Go every way from the same beginning, then on from what those that arrive agree on.

        `run` reads a way, where that is not only one statement after the other.
        """
        memory = Memory(frame, bodies, self.budget)
        outer = self.arms
        ends: list[tuple[Flow | None, Any]] = []
        fresh: list[tuple[int, int]] = []
        loads = self.life.loads
        for body in bodies:
            begun, loaded, resumed = len(self.undecided), self.life.loads, len(self.resumed)
            self.arms = self.new_arm()
            try:
                flow = run(body, memory) if run is not None else self.block(body)(frame)
            except ImpossibleError:
                flow = Flow.DEAD
            if flow is not None:
                # What comes next is not reached from a load that ends in a return.
                for slot in self.resumed[resumed:]:
                    slot.resumed = None
            ends.append((flow, memory.taken(frame)))
            memory.restore(frame)
            self.arms = outer
            if self.life.loads == loaded:
                fresh.append((begun, len(self.undecided)))
        if self.life.loads > loads:
            # The other ways are those that a fresh start takes.
            for begun, ended in fresh:
                self.settle(begun, ended)
        return self._met(ends, memory, frame)

    def _met(
        self, ends: list[tuple[Flow | None, Any]], memory: Memory, frame: Frame
    ) -> Flow | None:
        going = [state for flow, state in ends if flow is None]
        if going:
            frame.ways_out += any(flow in (Flow.BREAK, Flow.RETURN) for flow, _ in ends)
            memory.merge(frame, going, self.joined)
            _publish(frame)
            return None
        last = next((flow for flow, _ in ends if flow is not Flow.DEAD), Flow.DEAD)
        states = [state for flow, state in ends if flow is last]
        memory.merge(frame, states, self.joined)
        _publish(frame)
        return last

    def _for(self, node: ast.For | ast.AsyncFor) -> Step:
        iterable, target = self.code(node.iter), self.target(node.target)
        body, orelse = self.block(node.body), self.block(node.orelse)

        def step(frame: Frame) -> Flow | None:
            value = iterable(frame)
            found = self.gone_through(value)
            if found is None:
                # It may run, or not.
                item = element_of(value)
                target(item, frame)
                return self._rounds_of(node, item, frame)
            try:
                for place, item in enumerate(self.walked(value, found), 1):
                    changes = self.life.changes
                    target(item, frame)
                    visit = None if self.drawing else visit_of(item)
                    if visit is not None:
                        self.visits.append(visit)
                    try:
                        if place == len(found) and isinstance(value, Listing) and value.open:
                            flow = self._other_rounds(node, item, frame)
                        else:
                            flow = body(frame)
                    finally:
                        if visit is not None:
                            self.visits.pop()
                    if flow is Flow.RETURN or flow is Flow.DEAD:
                        return flow
                    if flow is Flow.BREAK:
                        return None
                    is_long = len(found) > _SHORT and self._tells_no_more(place, changes)
                    if is_long and not self._holds_weights(item):
                        break
            except TooMuchError as error:
                error.place = _place(node, frame)
                raise
            return orelse(frame)

        return step

    def _tells_no_more(self, rounds: int, changes: int) -> bool:
        """Whether the last round of a loop that trains has neither made nor filled a model."""
        return self.outside and rounds >= _FEW_ROUNDS and self.life.changes == changes

    def _holds_weights(self, item: Value) -> bool:
        """Whether modules or parameters may lie in what a loop goes through."""
        for value in reached([item]):
            self.budget.elements(1)
            if isinstance(value, (Slot, Held, Kept, Fresh, Unknown)):
                return True
            if isinstance(value, Instance) and value.torch:
                return True
        return False

    def _round(self, node: ast.For | ast.AsyncFor | ast.While, frame: Frame) -> Flow | None:
        """One round of a loop; where it is too much, that is said of the outermost loop."""
        try:
            return self.block(node.body)(frame)
        except TooMuchError as error:
            error.place = _place(node, frame)
            raise

    def _other_rounds(self, node: ast.For | ast.AsyncFor, item: Value, frame: Frame) -> Flow | None:
        """One round that stands for all that follow."""
        one = Round(node.body, self.graph, frame)
        one.begin()
        flow = self._round(node, frame)
        one.end(item)
        return flow

    def _rounds_of(
        self, node: ast.For | ast.AsyncFor | ast.While, item: Value, frame: Frame
    ) -> Flow | None:
        """Any number of rounds: one is read, and weights that the next uses again are marked."""

        def run(way: list[ast.stmt], memory: Memory) -> Flow | None:
            if not way:
                return None
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
        return None if flow in (Flow.BREAK, Flow.CONTINUE) else flow

    def _while(self, node: ast.While, frame: Frame) -> Flow | None:
        rounds, ways_out = 0, frame.ways_out
        is_endless = isinstance(node.test, ast.Constant) and not any(map(_leaves_loop, node.body))
        while True:
            self.budget.steps()
            changes = self.life.changes
            test = truth(self.evaluate(node.test, frame))
            if test is False:
                return self.block(node.orelse)(frame)
            if test is None:
                return self._rounds_of(node, None, frame)
            flow = self._round(node, frame)
            if flow in (Flow.RETURN, Flow.DEAD):
                return flow
            rounds += 1
            may_end = is_endless or frame.ways_out > ways_out
            if flow is Flow.BREAK or (may_end and rounds >= _FEW_ROUNDS):
                return None
            if self._tells_no_more(rounds, changes):
                return None

    def _with(self, node: ast.With | ast.AsyncWith) -> Step:
        body = self.block(node.body)
        items = [
            (self.code(item.context_expr), self.target(item.optional_vars)) for item in node.items
        ]
        switches = any(map(_switches_gradients, node.items))

        def step(frame: Frame) -> Flow | None:
            is_ungraded = switches
            for context, target in items:
                value = self._entered(context(frame))
                is_open = isinstance(value, (Unknown, Tensor, External))
                is_ungraded = is_ungraded or is_open
                target(UNKNOWN if is_open else value, frame)
            self.ungraded += is_ungraded
            try:
                return body(frame)
            finally:
                self.ungraded -= is_ungraded

        return step

    def _entered(self, context: Value) -> Value:
        """What `with` binds: what a generator yields first, or what `__enter__` gives."""
        if isinstance(context, Listing):
            return context.items[0] if context.items else UNKNOWN
        if isinstance(context, Instance) and context.cls is not None:
            found = self.member(context.cls, "__enter__")
            if found is not None:
                return self.call(self.method(*found), [context], {})
        return context

    def _try(self, node: ast.Try) -> Step:
        body, last = self.block([*node.body, *node.orelse]), self.block(node.finalbody)
        handlers = [handler.body for handler in node.handlers]
        goes_on = [body for body in handlers if not any(map(_leaves_loop, body))]

        def step(frame: Frame) -> Flow | None:
            loads = self.life.loads
            self.trying += bool(handlers)
            try:
                flow = body(frame)
            except ImpossibleError:
                flow = Flow.DEAD
            finally:
                self.trying -= bool(handlers)
            if flow is Flow.DEAD and handlers:
                flow = self._either(handlers, frame)
            elif flow is None and self.life.loads > loads and goes_on:
                # Where there is nothing to load yet, a fresh start comes here.
                one = self.block(goes_on[0])
                flow = one(frame) if len(goes_on) == 1 else self._either(goes_on, frame)
            end = last(frame)
            return end if end is not None else flow

        return step

    def _match(self, node: ast.Match) -> Step:
        return self.block(as_conditions(node))


def _switches_gradients(item: ast.withitem) -> bool:
    """Whether a context of torch's may switch gradients off."""
    called = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
    name = getattr(called, "attr", "") or getattr(called, "id", "")
    return name in ("no_grad", "inference_mode", "set_grad_enabled", "enable_grad")


def _place(node: ast.stmt, frame: Frame) -> str:
    return f"{frame.module.path}:{node.lineno}"


def _named(name: str) -> Bind:
    def bind(value: Value, frame: Frame) -> None:
        frame.names[name] = value

    return bind


def _publish(frame: Frame) -> None:
    """What a function knows of the names that it sets for others is what these see."""
    if frame.outer:
        frame.module.values.update({n: frame.names[n] for n in frame.outer if n in frame.names})


def _named_outside(name: str) -> Bind:
    def bind(value: Value, frame: Frame) -> None:
        frame.names[name] = frame.module.values[name] = value

    return bind


def _set_in(body: Sequence[ast.stmt], names: Collection[str]) -> Iterator[ast.Name]:
    """Where the statements of a function set these names; functions within it are others."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in names:
            yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def _nowhere(value: Value, frame: Frame) -> None:
    """Nothing is bound."""


def _rest(value: Value, found: list[Value] | None, start: int, count: int) -> list[Value]:
    """What a target with a star, and those after it, are bound to: from `start` of `count` on."""
    if found is None:
        return [element_of(value)] * (count - start)
    end = len(found) - (count - start - 1)
    return [Listing(found[start:end]), *found[end:]]


def _leaves_loop(statement: ast.stmt) -> bool:
    """Whether a statement may end a loop that it stands in."""
    return any(isinstance(n, (ast.Break, ast.Return, ast.Raise)) for n in ast.walk(statement))

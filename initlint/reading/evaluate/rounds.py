"""One iteration of a loop of unknown length: finds weights that are used on their own result."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from initlint.graph.ops import Graph, Op
from initlint.graph.recurrence import STATE
from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.operands import flat_tensors
from initlint.reading.abstract.parts import options_of
from initlint.reading.abstract.submodules import modules_of
from initlint.reading.abstract.values import Fresh, Slot, Tensor, Value
from initlint.reading.objects.use import Use

# The operation for a value of the previous iteration; `graph.follow` looks through it.
CARRIED = "carried"


class Round:
    """The names that an iteration both reads and sets, with their values before and after it.

    While the iteration is read, each of them holds a separate node. So the weights on a path from
    the value of one iteration to that of the next can be found afterwards: they are recurrent.
    """

    def __init__(self, body: Sequence[ast.stmt], graph: Graph, frame: Frame) -> None:
        self._graph, self._frame = graph, frame
        self._names = _set_and_read(body)
        self._before: dict[str, Value] = {}
        self._begins: dict[str, list[Op]] = {}
        self._start = len(graph.nodes)

    def begin(self, more: Iterable[str] = ()) -> None:
        """Replace tensors, and the values of the names `more`, by nodes."""
        for name in sorted(self._names):
            value = self._frame.names.get(name)
            if _is_state(value) or name in more:
                self._before[name] = value
                self._begins[name] = []
                self._frame.names[name] = self._carried(name, value)

    def become(self) -> tuple[str, ...]:
        """Names that held zeros or None when the iteration began, and hold a tensor now."""
        names = self._frame.names
        return tuple(
            name
            for name in sorted(self._names - set(self._before))
            if flat_tensors(names.get(name))
        )

    def again(self) -> Round:
        """The same iteration, to be read again: its nodes are removed from the graph."""
        del self._graph.nodes[self._start :]
        self._before.clear()
        self._begins.clear()
        return self

    def end(self, item: Value) -> None:
        """Mark recurrent weights; the weights of `item` are different ones in each iteration."""
        cyclic = self._cyclic()
        others = {id(slot) for slot in _slots(item)} if cyclic else set()
        for node in cyclic:
            node.weights = tuple(
                replace(use, recurrent=STATE) if _is_same(use, others) else use
                for use in node.weights
            )
        for name, value in self._before.items():
            held = self._frame.names.get(name)
            if flat_tensors(held) == self._begins[name]:
                self._frame.names[name] = value

    def _carried(self, name: str, value: Value) -> Value:
        if isinstance(value, tuple):
            return tuple(self._carried(name, item) for item in value)
        node = self._graph.add(Op("scale", tuple(flat_tensors(value)), CARRIED))
        self._begins[name].append(node)
        return Tensor(node)

    def _cyclic(self) -> list[Op]:
        """The weighted nodes on a path that leads back to them in a later iteration."""
        begins = {node: {name} for name, nodes in self._begins.items() for node in nodes}
        ends: dict[Op, set[str]] = {}
        for name in self._before:
            for node in flat_tensors(self._frame.names.get(name)):
                ends.setdefault(node, set()).add(name)
        nodes = self._graph.nodes[self._start :]
        self._graph.costs.elements(len(nodes) * (1 + len(self._before) // 8))
        after = _spread(begins, ((node, node.inputs) for node in nodes))
        leads: dict[str, set[str]] = {name: {name} for name in self._before}
        for node, names in ends.items():
            for name in names:
                leads[name] |= after.get(node, set())
        before = _spread_back(ends, nodes)
        closed = _closed(leads)
        return [
            node
            for node in nodes
            if node.weights
            and any(closed[name] & before.get(node, set()) for name in after.get(node, ()))
        ]


def _spread(
    begins: Mapping[Op, set[str]], nodes: Iterable[tuple[Op, Iterable[Op]]]
) -> dict[Op, set[str]]:
    """For each node, the names that its value depends on."""
    found = {node: set(names) for node, names in begins.items()}
    for node, inputs in nodes:
        names = {name for value in inputs for name in found.get(value, ())}
        if names:
            found[node] = found.get(node, set()) | names
    return found


def _spread_back(ends: Mapping[Op, set[str]], nodes: Sequence[Op]) -> dict[Op, set[str]]:
    """For each node, the names whose value depends on it."""
    found = {node: set(names) for node, names in ends.items()}
    for node in reversed(nodes):
        if node in found:
            for value in node.inputs:
                found.setdefault(value, set()).update(found[node])
    return found


def _closed(leads: dict[str, set[str]]) -> dict[str, set[str]]:
    """For each name, the names that it depends on over any number of iterations."""
    changed = True
    while changed:
        changed = False
        for name, sources in leads.items():
            more = sources.union(*(leads[source] for source in sources if source in leads))
            if more != sources:
                leads[name], changed = more, True
    return leads


def _is_same(use: Use, others: set[int]) -> bool:
    """Whether a weight is the same one in every round, and has no part fixed by its layer."""
    return not (use.recurrent or use.slot.picked or id(use.slot) in others)


def _is_state(value: Value) -> bool:
    """Whether a value is a tensor, or several."""
    if isinstance(value, tuple):
        return bool(value) and all(map(_is_state, value))
    return type(value) in (Tensor, Fresh)


def _set_and_read(body: Sequence[ast.stmt]) -> set[str]:
    """The names that statements both set and read."""
    read, set_ = set[str](), set[str]()
    for node in (node for statement in body for node in ast.walk(statement)):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else set_).add(node.id)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            read.add(node.target.id)
    return set_ & read


def _slots(value: Value) -> Iterable[Slot]:
    """The parameters of all modules in a value."""
    if isinstance(value, tuple):
        return [slot for item in value for slot in _slots(item)]
    instances = [option for option in options_of(value) if isinstance(option, Instance)]
    modules = [module for instance in instances for _, module in modules_of(instance)]
    return [slot for m in modules for slot in m.attrs.values() if isinstance(slot, Slot)]

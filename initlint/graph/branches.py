"""Residual branches: where the data forks and joins again, and which side carries the layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from initlint.graph.steps import Node, Steps

_NONLINEAR = ("activation", "gate", "attention", "unknown")
_BENDING = ("activation", "gate", "attention")
_THROUGH = ("shape", "dropout", "scale", "pool")
# A longer branch is the trunk of a network (U-Net), not a branch of a block.
_LONGEST = 2000
# Charged by so many nodes at once.
_CHARGED = 8


class Branch(NamedTuple):
    """One residual branch: its join, its nodes, and its last weighted node if it ends in one.

    `skip` are the nodes of the other side, by which the stream passes the branch. It is not `sure`
    that this is a residual branch if an operation on the other side is not known.
    """

    join: Node
    fork: Node
    nodes: frozenset[Node]
    skip: frozenset[Node]
    last: Node | None
    normalised: bool
    sure: bool


# Told of work before it is done; may raise where it is too much.
Charge = Callable[[int], None]


def free(count: int) -> None:
    """Charge nothing."""


def branches(steps: Steps, charge: Charge = free) -> list[Branch]:
    """All residual branches of a graph, in the order of their joins."""
    forks = dominators(steps, charge)
    order = {node: place for place, node in enumerate(steps)}
    readers: dict[Node, set[Node]] = {}
    for node, step in steps.items():
        for value in step.inputs:
            readers.setdefault(value, set()).add(node)
    found = []
    for node, step in steps.items():
        if step.role == "merge_add" and len(step.inputs) == 2:
            branch = _branch(steps, node, forks[node], charge)
            if branch is None:
                branch = _fed(steps, node, order, charge)
                branch = branch and _with_feeders(steps, branch, readers)
            if branch is not None:
                found.append(branch)
    return found


def skips(steps: Steps, found: list[Branch]) -> frozenset[tuple[Node, Node]]:
    """The edges by which a stream bypasses its branch: from the fork directly to the join.

    An operation that returns its input unchanged (an identity) may be between.
    """
    return frozenset(
        (branch.fork, node)
        for branch in found
        if all(steps[node].role in _THROUGH for node in branch.skip)
        for node in (branch.join, *branch.skip)
    )


def dominators(steps: Steps, charge: Charge = free) -> dict[Node, Node | None]:
    """The immediate dominator of every node along the data (Cooper, Harvey, Kennedy 2001).

    The graph has no cycles and comes in order, so one pass is enough.
    """
    order = {node: index for index, node in enumerate(steps)}
    found: dict[Node, Node | None] = {}
    for node, step in steps.items():
        common: Node | None = step.inputs[0] if step.inputs else None
        for other in step.inputs[1:]:
            common = _common(found, order, common, other, charge)
        found[node] = common
    return found


def _common(
    found: dict[Node, Node | None],
    order: dict[Node, int],
    one: Node | None,
    other: Node | None,
    charge: Charge,
) -> Node | None:
    steps = 0
    while one is not other:
        steps += 1
        if steps % _CHARGED == 0:
            charge(1)
        if one is None or other is None:
            return None
        if order[one] > order[other]:
            one = found[one]
        else:
            other = found[other]
    return one


def _branch(steps: Steps, join: Node, fork: Node | None, charge: Charge) -> Branch | None:
    """The branch that ends at `join`: one side has layers, the other is at most a projection."""
    if fork is None:
        return None
    sides = [_side(steps, end, fork, charge) for end in steps[join].inputs]
    if any(side is None for side in sides):
        return None
    (skip, _), (side, end) = sorted(
        zip((s or frozenset() for s in sides), steps[join].inputs, strict=True),
        key=lambda pair: _weight(steps, pair[0]),
    )
    if any(steps[node].role in _BENDING for node in skip) or not _weighted(steps, side):
        return None
    if skip and not _nonlinear(steps, side):
        return None
    normalised = any(steps[node].role == "norm" for node in side)
    sure = not _nonlinear(steps, skip)
    return Branch(join, fork, side, skip, _last(steps, end, side), normalised, sure)


def _fed(steps: Steps, join: Node, order: dict[Node, int], charge: Charge) -> Branch | None:
    """The branch that ends at `join` and sees more than the stream: `h + f(h, v)`.

    The stream passes it unchanged. Its nodes are those on the way from the fork to the join.
    """
    for stream, end in (steps[join].inputs, steps[join].inputs[::-1]):
        skip: list[Node] = []
        fork: Node = stream
        while (side := _between(steps, fork, end, order, charge)) is None:
            step = steps[fork]
            if step.role not in _THROUGH or len(step.inputs) != 1:
                break
            skip.append(fork)
            fork = step.inputs[0]
        if not side or not _weighted(steps, side) or (skip and not _nonlinear(steps, side)):
            continue
        normalised = any(steps[node].role == "norm" for node in side)
        last = _last(steps, end, side)
        return Branch(join, fork, side, frozenset(skip), last, normalised, True)
    return None


def _with_feeders(steps: Steps, branch: Branch, readers: Mapping[Node, set[Node]]) -> Branch:
    """The branch with the layers of its other inputs whose results go nowhere else."""
    nodes = set(branch.nodes)
    waiting = [value for node in branch.nodes for value in steps[node].inputs]
    while waiting:
        node = waiting.pop()
        is_own = node not in nodes and node is not branch.fork and readers[node] <= nodes
        if is_own and not steps[node].final and steps[node].inputs:
            nodes.add(node)
            if steps[node].role != "weighted":
                waiting += steps[node].inputs
    return branch._replace(nodes=frozenset(nodes))


def _between(
    steps: Steps, fork: Node, end: Node, order: dict[Node, int], charge: Charge
) -> frozenset[Node] | None:
    """The nodes on all ways from `fork` to `end`, without the fork; None if there is no way."""
    first = order[fork]
    before: set[Node] = set()
    waiting = [end]
    while waiting:
        node = waiting.pop()
        if node in before or order[node] <= first:
            continue
        before.add(node)
        if len(before) % _CHARGED == 0:
            charge(_CHARGED)
        if len(before) > _LONGEST:
            return None
        waiting += steps[node].inputs
    reached = {fork}
    for node in sorted(before, key=order.__getitem__):
        if any(value in reached for value in steps[node].inputs):
            reached.add(node)
    reached.discard(fork)
    return frozenset(reached) if end in reached else None


def _side(steps: Steps, end: Node, fork: Node, charge: Charge) -> frozenset[Node] | None:
    side: set[Node] = {fork}
    waiting = [end]
    count = 0
    while waiting:
        node = waiting.pop()
        if node in side:
            continue
        side.add(node)
        count += 1
        if count % _CHARGED == 0:
            charge(_CHARGED)
        if count > _LONGEST:
            return None
        waiting += steps[node].inputs
    side.discard(fork)
    return frozenset(side)


def _weight(steps: Steps, side: frozenset[Node]) -> tuple[bool, int, int]:
    return _nonlinear(steps, side), _weighted(steps, side), len(side)


def _nonlinear(steps: Steps, side: frozenset[Node]) -> bool:
    return any(steps[node].role in _NONLINEAR for node in side)


def _weighted(steps: Steps, side: frozenset[Node]) -> int:
    return sum(steps[node].role == "weighted" for node in side)


def _last(steps: Steps, end: Node, side: frozenset[Node]) -> Node | None:
    """The weighted node whose result is added, if nothing nonlinear comes between."""
    while end in side:
        step = steps[end]
        if step.role == "weighted":
            return end
        if step.role not in _THROUGH or len(step.inputs) != 1:
            return None
        end = step.inputs[0]
    return None

"""From a graph to what every weighted operation meets: upstream, downstream, and its answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from initlint.graph.branches import Branch, Charge, branches, free, skips
from initlint.graph.facts import left_out
from initlint.graph.mixing import SHARES, with_mixings
from initlint.graph.packing import packings
from initlint.graph.recurrence import Recurrences, identity, recurrences
from initlint.graph.steps import Node, Step, Steps, Weight
from initlint.records import Following

# Roles that a walk to the following activation looks through, and the word for it in `via`.
_THROUGH = {
    "shape": "shape",
    "dropout": "dropout",
    "pool": "pool",
    "norm": "norm",
    "merge_add": "residual",
    "merge_cat": "shape",
    "scale": "",
}
_STOPS = {"output": "output", "gate": "gate", "attention": "attention", "weighted": "linear"}
# Functions of torch's that are no activations, but an answer: a scale's logarithm.
_EXPONENTIALS = {"exp": "exp"}
_PREFERENCE = {"norm": 0, "unknown": 1, "input": 2}
# Activations, and the roles of operations on one value, whose result grows as their input does.
_HOMOGENEOUS = ("relu", "leaky_relu", "prelu", "rrelu")
_PROPORTIONAL = ("shape", "dropout", "pool")
# Names of steps that multiply by a number, or do nothing (the value of a loop's last iteration);
# other steps of the same role add a number.
_FACTORS = (
    "carried",
    "mul",
    "imul",
    "multiply",
    "div",
    "divide",
    "true_divide",
    "truediv",
    "itruediv",
)


_UNKNOWN, _LINEAR = Following("unknown"), Following("linear")


class Upstream(NamedTuple):
    """The operations before a value: the longest run of weighted layers since a normalisation.

    - `normalised`: the value is a normalisation's result, directly or through its activation, so
      the scale of layers before it does not matter.
    - `bounded`: the value is the result of an activation with values between 0 and 1.
    - `factor`: the numbers by which it was multiplied after the last operation of another kind.
    - `dropped`: the share of it that dropout has left out since the last weighted operation.
    """

    layers: int = 0
    before: str | None = None
    origin: str = "unknown"
    normalised: bool = False
    bounded: bool = False
    factor: float = 1.0
    dropped: float = 0.0


class Downstream(NamedTuple):
    """The operations that a value reaches.

    - `settled`: on every path, a normalisation is before, or right after, the activation.
    - `normed`: a normalisation comes before any other operation that depends on scale.
    - `gating`: every path ends in a factor between 0 and 1.
    - `weighted`: some path has a weighted operation.
    - `cancelled`: every path leads into a normalisation through operations whose result is
      proportional to their input, so the normalisation cancels any factor.
    - `closed`: on every path, the run of weighted layers ends in a normalisation.
    - `uncertain`: a path has a choice, so not every path need be taken.
    - `factor`: the numbers by which it is multiplied before the following activation; 1 if the
      paths differ.
    - `shown`: some path reaches a result of the model with no weighted operation on it.
    """

    following: Following = _UNKNOWN
    layers: int = 0
    after: str | None = None
    settled: bool = False
    normed: bool = False
    weighted: bool = False
    gating: bool = False
    uncertain: bool = False
    cancelled: bool = False
    closed: bool = False
    factor: float = 1.0
    shown: bool = False


class Use(NamedTuple):
    """One use of one weight in the graph, with everything that was found about it.

    `again` is True if the weight is multiplied with a value computed from its own result. `joins`
    is the parameter of such a weight to whose result this one's result is added. `parts` is the
    number of equal parts into which its result is cut. `times` is the parameter of the other factor
    of a product of two weights, as of `B @ A`. `factor` is by what the code multiplies the weight
    in effect: the numbers between it and the activations on both sides.
    """

    weight: Weight
    following: Following
    upstream: Upstream
    downstream: Downstream
    branch: str = ""
    again: bool = False
    joins: str = ""
    parts: int = 1
    times: str = ""
    factor: float = 1.0


def uses(
    steps: Steps,
    absorbed: frozenset[Node] = frozenset(),
    whole: bool = True,
    charge: Charge = free,
) -> tuple[list[Use], int]:
    """Every use of every weight, in the order of the data, and the number of bare branches.

    `absorbed` are nodes that are only parts of a written-out operation. If the graph is not
    `whole`, the operations before and after it are unknown. `charge` counts the nodes that the
    search for residual branches visits, which may be more than the graph has.

    It makes two passes over the graph, one along and one against the data. They are linear in its
    size and not recursive, so that depth does not matter. A bare branch is a residual branch
    without normalisation.
    """
    steps = with_mixings(steps, whole)
    found = branches(steps, charge)
    up = _upstream(steps, whole)
    down = _downstream(steps, up, absorbed, skips(steps, found))
    bare = _bare(steps, found, down)
    inside, repeats, cut = _memberships(bare), recurrences(steps), packings(steps)
    met = [
        _with_recurrence(
            _use(steps, node, weight, up, down, inside.get(node, ""), cut.get(node, 1)),
            node,
            repeats,
        )
        for node, step in steps.items()
        for weight in step.weights
        if step.role == "weighted"
    ]
    return met, sum(branch.sure for branch in bare)


def _with_recurrence(use: Use, node: Node, repeats: Recurrences) -> Use:
    again = identity(use.weight) in repeats.again.get(node, ())
    joins = repeats.joins.get(node, "")
    return use._replace(again=again, joins=joins) if again or joins else use


def combined(answers: Iterable[Following]) -> Following:
    """One answer from those of several consumers: theirs if they agree, else mixed or unknown.

    A normalisation counts only if it is on every path.
    """
    several = {id(answer): answer for answer in answers}.values()
    distinct = list({(a.activation, repr(a.args), a.via): a for a in several}.values())
    if not distinct:
        return _UNKNOWN
    if len(distinct) == 1:
        return distinct[0]
    names = list(dict.fromkeys(name for a in distinct for name in _names(a)))
    via = tuple(dict.fromkeys(word for a in distinct for word in a.via))
    if not all("norm" in a.via for a in distinct):
        via = tuple(word for word in via if word != "norm")
    if "unknown" in names:
        return Following("unknown", via=via, by=next(filter(None, (a.by for a in distinct)), ""))
    if len({(a.activation, repr(a.args)) for a in distinct}) == 1:
        return replace(distinct[0], via=via)
    return Following("mixed", {"activations": tuple(names)}, via)


def _names(answer: Following) -> tuple[str, ...]:
    return (
        tuple(answer.args["activations"]) if answer.activation == "mixed" else (answer.activation,)
    )


def _upstream(steps: Steps, whole: bool) -> dict[Node, Upstream]:
    found: dict[Node, Upstream] = {}
    for node, step in steps.items():
        if step.role == "input":
            found[node] = Upstream(origin="input" if whole else "unknown")
        else:
            found[node] = _after_step(step, [found[value] for value in step.inputs])
    return found


def _after_step(step: Step, values: list[Upstream]) -> Upstream:
    if step.role == "norm":
        return Upstream(origin="norm", normalised=True)
    if step.role == "unknown" or not values:
        return Upstream()
    if len(values) == 1 and step.role in _THROUGH:
        factor, value = _factor(step), values[0]
        if step.role == "dropout":
            value = value._replace(dropped=max(value.dropped, left_out(step.name, step.args)))
        if factor == 1.0:
            return value
        return value._replace(factor=value.factor * factor)
    signals = [values[place] for place in _signals(step, values)] or values
    longest = min(signals, key=lambda v: (-v.layers, _PREFERENCE[v.origin]))
    if step.role == "weighted":
        return _after_weight(step, longest)
    if step.role in ("gate", "attention"):
        return longest._replace(normalised=any(v.normalised for v in values), bounded=False)
    bounded = all(v.bounded for v in values)
    if step.role == "choice":
        return longest._replace(normalised=any(v.normalised for v in values), bounded=bounded)
    if step.role == "activation":
        bounded = step.activation in SHARES
    normalised = all(v.normalised for v in values)
    return longest._replace(normalised=normalised, bounded=bounded, factor=1.0)


def _factor(step: Step) -> float:
    """The number by which a step multiplies its input: 1 if none does, nan if it is not known."""
    factor = step.args.get("factor", 1.0) if step.role == "scale" else 1.0
    if factor is None:
        return math.nan
    return abs(factor) if isinstance(factor, float) else 1.0


def _signals(step: Step, values: list[Upstream]) -> list[int]:
    """Which of the values that a step takes in are signal, not the shares in which it passes."""
    if step.name == "scaled_dot_product_attention" and len(step.inputs) > 2:
        return [2]
    return [place for place, value in enumerate(values) if not value.bounded]


def _after_weight(step: Step, longest: Upstream) -> Upstream:
    """The upstream of a weighted operation: it lengthens the run by one layer.

    A recurrent operation bounds its result and ends the run. The result of an embedding is data.
    """
    if not step.weights or step.weights[-1].following:
        return Upstream()
    if _is_lookup(step):
        return Upstream(origin="input")
    return Upstream(longest.layers + 1, step.weights[-1].parameter, longest.origin)


def _is_lookup(step: Step) -> bool:
    return step.weights[-1].type.startswith("Embedding") or step.name.startswith("embedding")


def _downstream(
    steps: Steps,
    up: dict[Node, Upstream],
    absorbed: frozenset[Node],
    skipped: frozenset[tuple[Node, Node]],
) -> dict[Node, Downstream]:
    found: dict[Node, Downstream] = {}
    consumers = _consumers(steps, absorbed)
    for node in reversed(list(steps)):
        users = consumers[node]
        if len(users) == 1:
            # Most values have one consumer.
            ways = direct = [_met(steps[users[0]], found[users[0]], node, up[node])]
        else:
            ways = [_met(steps[user], found[user], node, up[node]) for user in users]
            pairs = zip(users, ways, strict=True)
            direct = [way for user, way in pairs if (node, user) not in skipped]
        below = _joined(ways, direct or ways)
        found[node] = below._replace(shown=True) if steps[node].final else below
    return found


def _consumers(steps: Steps, absorbed: frozenset[Node]) -> dict[Node, list[Node]]:
    """For each node, its consumers that lead to a result of the model.

    If none does, all its consumers: an unused value is computed, too.
    """
    alive: set[Node] = set()
    found: dict[Node, list[Node]] = {node: [] for node in steps}
    for node in reversed(list(steps)):
        users = [user for user in found[node] if user in alive]
        found[node] = (users or found[node])[::-1]
        if node in absorbed:
            continue
        if users or steps[node].final:
            alive.add(node)
        for value in dict.fromkeys(steps[node].inputs):
            found[value].append(node)
    return found


def _joined(ways: list[Downstream], direct: list[Downstream]) -> Downstream:
    """The downstream of a value, joined from that at each of its consumers.

    A stream that bypasses a residual branch reaches the branch's consumer first, so only the
    `direct` paths decide the answer.
    """
    if not ways:
        return Downstream()
    if len(ways) == 1:
        # With a choice on the way, what follows is not known where it is mixed.
        is_mixed = ways[0].uncertain and ways[0].following.activation == "mixed"
        return ways[0]._replace(following=_UNKNOWN) if is_mixed else ways[0]
    longest = max(ways, key=lambda way: way.layers)
    _, _, _, settled, normed, weighted, gating, unsure, cancelled, closed, factors, shown = zip(
        *ways, strict=True
    )
    uncertain = any(unsure)
    every = any if uncertain else all
    following = combined([way.following for way in direct])
    if uncertain and following.activation == "mixed":
        following = _UNKNOWN
    return Downstream(
        following,
        longest.layers,
        longest.after,
        every(settled),
        every(normed),
        any(weighted),
        every(gating),
        uncertain,
        every(cancelled),
        every(closed),
        factors[0] if len(set(factors)) == 1 else 1.0,
        any(shown),
    )


def _met(step: Step, below: Downstream, node: Node, value: Upstream) -> Downstream:
    """The downstream of `node`'s `value` through the consumer `step`, whose own is `below`."""
    met = _met_signal(step, below, node, value)
    if met.cancelled and step.role != "norm" and not _is_proportional(step):
        return met._replace(cancelled=False)
    return met


def _is_proportional(step: Step) -> bool:
    """Whether the result of a step is proportional to its input, with a positive factor."""
    if step.role == "weighted":
        return bool(step.weights) and not any(w.biased or w.following for w in step.weights)
    if step.role == "activation":
        return step.activation in _HOMOGENEOUS
    if step.role == "scale":
        return step.name.strip("_").removeprefix("r") in _FACTORS
    return step.role in _PROPORTIONAL or step.role == "choice"


def _met_signal(step: Step, below: Downstream, node: Node, value: Upstream) -> Downstream:
    if step.role == "weighted":
        after = step.weights[0].parameter if step.weights else None
        return Downstream(
            _LINEAR,
            below.layers + 1,
            after,
            weighted=True,
            gating=below.gating,
            cancelled=below.cancelled,
            closed=below.closed,
        )
    if step.role in ("gate", "attention") and _only_shares(step, node, value):
        return Downstream(Following(_STOPS[step.role]), weighted=below.weighted, gating=True)
    if step.role == "activation":
        answer = Following(step.activation, step.args)
        return below._replace(following=answer, settled=below.normed, uncertain=False, factor=1.0)
    if step.role == "norm":
        answer = _through("norm", below.following)
        settled = Downstream(answer, 0, None, True, True, below.weighted, below.gating)
        return settled._replace(cancelled=True, closed=True, shown=below.shown)
    if step.role == "choice":
        return below if below.uncertain else below._replace(uncertain=True)
    if step.role in _THROUGH:
        through = _through(_THROUGH[step.role], below.following)
        # What is multiplied after a sum scales a stream, and not this weight alone.
        factor = 1.0 if step.role == "merge_add" else below.factor * _factor(step)
        is_same = through is below.following and factor == below.factor
        return below if is_same else below._replace(following=through, factor=factor)
    kind = _STOPS.get(step.role) or _EXPONENTIALS.get(step.name.strip("_"), "unknown")
    is_unknown = step.role == kind == "unknown"
    answer = Following(kind, by=step.args.get("by", step.name) if is_unknown else "")
    return below._replace(
        following=answer,
        settled=False,
        normed=below.normed and step.role == "gate",
        factor=1.0,
    )


def _only_shares(step: Step, node: Node, value: Upstream) -> bool:
    if step.name == "scaled_dot_product_attention" and len(step.inputs) > 2:
        return node is not step.inputs[2]
    return value.bounded and len(step.inputs) > 1


def _through(word: str, answer: Following) -> Following:
    if not word or word in answer.via:
        return answer
    return replace(answer, via=(word, *answer.via))


def _bare(steps: Steps, found: Sequence[Branch], down: Mapping[Node, Downstream]) -> list[Branch]:
    """The residual branches without normalisation, in the order of their joins.

    A sum that is normalised next (`norm(x + f(x))`) is none of them, unless its stream has come
    from one: then that is the norm at the end of a stack, and its last block is as the others.
    """
    bare: list[Branch] = []
    streams: set[Node] = set()
    for branch in found:
        is_open = not down[branch.join].normed or _passed_on(steps, branch.fork) in streams
        if is_open and not branch.normalised:
            bare.append(branch)
            streams.add(branch.join)
    return bare


def _passed_on(steps: Steps, node: Node) -> Node:
    """The operation whose result a node passes on in another shape, or thinned."""
    for _ in range(_NEAR):
        if steps[node].role not in ("shape", "dropout") or not steps[node].inputs:
            break
        node = steps[node].inputs[0]
    return node


# Between two blocks of a stack lie no more operations than these.
_NEAR = 8


def _memberships(bare: list[Branch]) -> dict[Node, str]:
    """For every weighted node of a residual branch without normalisation: inside or last."""
    inside: dict[Node, str] = {}
    for branch in bare:
        inside.update({node: "inside" for node in branch.nodes if node not in inside})
        if branch.last is not None and branch.sure:
            inside[branch.last] = "last"
    return inside


def _use(
    steps: Steps,
    node: Node,
    weight: Weight,
    up: dict[Node, Upstream],
    down: dict[Node, Downstream],
    branch: str,
    parts: int,
) -> Use:
    values = [up[value] for value in steps[node].inputs if value in up] or [Upstream()]
    upstream = min(values, key=lambda v: (-v.layers, _PREFERENCE[v.origin]))
    below = down[node]
    following = below.following
    if weight.following:
        follows = {"activations": weight.follows} if weight.follows else {}
        following = Following(weight.following, follows)
    if upstream.normalised:
        following = replace(following, via=(*following.via, "prenorm"))
    factor = below.factor * upstream.factor
    found = Use(weight, following, upstream, below, branch, parts=parts, factor=factor)
    if len(steps[node].weights) != 2 or steps[node].inputs:
        return found
    one, other = steps[node].weights
    return found._replace(times=(other if weight is one else one).parameter)

"""Activations and normalisations written out by hand, recognised as what they are."""

from __future__ import annotations

from torch import fx

from initlint.trace.steps import DATA, Step, Steps

# How far a written-out normalisation may reach back to the tensor that it normalises.
_REACH = 12
_REDUCTIONS = {"mean", "var", "std", "norm", "vector_norm", "sum", "var_mean", "std_mean"}


def name_patterns(steps: Steps) -> frozenset[fx.Node]:
    """Rewrite the steps of known patterns; return the nodes that are only parts of one.

    `x * sigmoid(x)` becomes silu of x. A product or quotient of x with a statistic of x itself
    (RMSNorm, LayerNorm, L2 normalisation) becomes a norm of x.
    """
    absorbed: set[fx.Node] = set()
    for node, step in list(steps.items()):
        if step.role == "gate" and len(step.inputs) == 2:
            for data, factor in (step.inputs, step.inputs[::-1]):
                parts = _silu(steps, data, factor) or _normalised(steps, node, data, factor)
                if parts:
                    _rename(steps, node, data, parts[0])
                    absorbed |= _inner(parts[1], node)
                    break
    return frozenset(absorbed)


def _rename(steps: Steps, node: fx.Node, data: fx.Node, role: str) -> None:
    activation = "silu" if role == "activation" else ""
    steps[node] = Step(node, role, DATA, (data,), activation)


def _inner(parts: set[fx.Node], result: fx.Node) -> set[fx.Node]:
    """Those parts whose value goes nowhere but into the pattern."""
    return {part for part in parts if all(user in parts or user is result for user in part.users)}


def _silu(steps: Steps, data: fx.Node, factor: fx.Node) -> tuple[str, set[fx.Node]] | None:
    step = steps[factor]
    if step.activation == "sigmoid" and step.inputs == (data,):
        return "activation", {factor}
    return None


def _normalised(
    steps: Steps, node: fx.Node, data: fx.Node, factor: fx.Node
) -> tuple[str, set[fx.Node]] | None:
    """Whether `factor` is a statistic of `data`: reached from it through a mean or a norm only."""
    if node.args and node.args[0] is factor and "div" in str(node.target):
        return None
    origin, centred = _before_centring(steps, data)
    parts = _between(steps, factor, {data, origin})
    if parts is None or not any(_is_reduction(part) for part in parts):
        return None
    if not _inverts(node, parts):
        return None
    return "norm", parts | centred


def _before_centring(steps: Steps, data: fx.Node) -> tuple[fx.Node, set[fx.Node]]:
    """x and the parts of `x - mean(x)` for a tensor written so; else the tensor itself."""
    inputs = steps[data].inputs
    if steps[data].role == "merge_add" and len(inputs) == 2 and _is_reduction(inputs[1]):
        if steps[inputs[1]].inputs == (inputs[0],):
            return inputs[0], {inputs[1]}
    return data, set()


def _between(steps: Steps, end: fx.Node, starts: set[fx.Node]) -> set[fx.Node] | None:
    """The nodes from which `end` is computed, if all of them come from `starts` alone."""
    parts: set[fx.Node] = set()
    waiting = [end]
    while waiting:
        part = waiting.pop()
        if part in starts or part in parts:
            continue
        step = steps[part]
        if step.role in ("weighted", "input", "activation", "attention") or len(parts) > _REACH:
            return None
        parts.add(part)
        waiting.extend(steps.data(part.all_input_nodes))
    return parts


def _is_reduction(node: fx.Node) -> bool:
    return str(getattr(node.target, "__name__", node.target)) in _REDUCTIONS


def _inverts(node: fx.Node, parts: set[fx.Node]) -> bool:
    """Whether the statistic divides: by a quotient, or by rsqrt or a negative power before it."""
    names = {str(getattr(part.target, "__name__", part.target)) for part in (node, *parts)}
    return any("div" in name or name in ("rsqrt", "reciprocal") for name in names)

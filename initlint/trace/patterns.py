"""Activations and normalisations written out by hand, recognised as what they compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from torch import fx

from initlint.dataflow.branches import dominators
from initlint.trace.pointwise import is_pointwise, recognised
from initlint.trace.steps import DATA, PLAIN, TENSOR, Step, Steps, bare_name

# How many operations a written-out activation or normalisation may be made of, and how many
# values back along the data its beginning is looked for.
_LARGEST, _FURTHEST = 24, 4
# Beside a signal, a number below this is the epsilon of a division.
_EPSILON = 1e-2


def name_patterns(steps: Steps) -> frozenset[fx.Node]:
    """Rewrite the steps of written-out operations; return the nodes that are only parts of one.

    A result that is a known function of one value, element by element, becomes that activation
    (`x * sigmoid(x)` is silu), or is looked through if the function is a straight line. A result
    that a statistic of the value itself makes independent of the value's scale becomes a norm.
    """
    return _Patterns(steps).named()


class _Patterns:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._absorbed: set[fx.Node] = set()

    @cached_property
    def _dominators(self) -> dict[fx.Node, fx.Node | None]:
        return dominators(self._steps)

    @cached_property
    def _order(self) -> dict[fx.Node, int]:
        return {node: place for place, node in enumerate(self._steps)}

    def named(self) -> frozenset[fx.Node]:
        for node, step in list(self._steps.items()):
            if self._may_end(node, step):
                self._name(node)
        return frozenset(self._absorbed)

    def _may_end(self, node: fx.Node, step: Step) -> bool:
        """Whether a pattern may end at a node: cheap, for it is asked of every one."""
        if step.kind != DATA or (node.op == "call_module" and step.role != "activation"):
            return False
        if step.role == "activation":
            return _is_shifted(self._steps, step)
        if step.role in ("gate", "unknown"):
            return True
        if step.role == "merge_add":
            return len(step.inputs) == 2 and any(
                _is_reduction(value) or self._steps[value].role == "unknown"
                for value in step.inputs
            )
        others = [value for value in node.all_input_nodes if value not in step.inputs]
        masked = any(self._steps[v].kind == PLAIN and v.op != "get_attr" for v in others)
        return step.role in ("scale", "pool", "merge_cat", "dropout") and (
            masked or _is_choice(node)
        )

    def _name(self, node: fx.Node) -> None:
        step = self._steps[node]
        origin: fx.Node | None = step.inputs[0] if step.role == "activation" else node
        for _ in range(_FURTHEST):
            origin = self._dominators[origin] if origin is not None else None
            if origin is None:
                return
            region = self._region(node, origin)
            if region is None:
                return
            found = self._found(node, origin, region)
            if found is not None:
                self._steps[node] = found
                self._absorbed |= _inner(region, node)
                return

    def _region(self, end: fx.Node, origin: fx.Node) -> list[fx.Node] | None:
        """The nodes from which `end` is computed, itself last, if all data comes from `origin`."""
        found: dict[fx.Node, None] = {}
        waiting = [end]
        while waiting:
            node = waiting.pop()
            if node is origin or node in found:
                continue
            step = self._steps[node]
            if step.role in ("input", "weighted", "attention") or len(found) > _LARGEST:
                return None
            if step.kind != TENSOR and node.op != "get_attr":
                found[node] = None
                waiting.extend(node.all_input_nodes)
        return sorted(found, key=self._order.__getitem__)

    def _found(self, node: fx.Node, origin: fx.Node, region: Sequence[fx.Node]) -> Step | None:
        """The step that stands for a whole region, if it is known."""
        if any(_is_reduction(part) for part in region):
            return self._normalised(node, origin, region)
        inner = [part for part in region if self._steps[part].kind == DATA]
        if not all(is_pointwise(part) or part.op == "call_module" for part in inner):
            return None
        answer = recognised(self._steps, node, origin)
        if answer is None:
            return None
        name, args = answer
        if name == "linear":
            return Step(node, "scale", DATA, (origin,))
        return Step(node, "activation", DATA, (origin,), name, args)

    def _normalised(self, node: fx.Node, origin: fx.Node, region: Sequence[fx.Node]) -> Step | None:
        degree = _Degrees(self._steps, origin).of(node, region)
        if degree == 0:
            return Step(node, "norm", DATA, (origin,))
        return Step(node, "scale", DATA, (origin,)) if degree == 1 else None


def _is_shifted(steps: Steps, step: Step) -> bool:
    """Whether a number is added before an activation: relu6(x + 3) is a hard sigmoid."""
    before = steps[step.inputs[0]] if step.inputs else None
    return before is not None and before.role == "scale" and "add" in bare_name(before.node)


def _is_choice(node: fx.Node) -> bool:
    """The larger or smaller of two values, or one or the other of them."""
    name = bare_name(node)
    return (
        name in ("where", "max", "min") and len(node.args) > 1 and not isinstance(node.args[1], int)
    )


def _inner(region: Sequence[fx.Node], result: fx.Node) -> set[fx.Node]:
    """Those parts whose value goes nowhere but into the pattern."""
    inside: set[fx.Node] = {result}
    for part in reversed(region):
        if all(user in inside for user in part.users):
            inside.add(part)
    return inside - {result}


_REDUCTIONS = {
    *("mean", "var", "std", "sum", "amax", "norm", "vector_norm", "linalg_norm"),
    "linalg_vector_norm",
}


def _is_reduction(node: fx.Node) -> bool:
    return bare_name(node) in _REDUCTIONS


class _Degrees:
    """By what power of the origin's scale a value scales: 1 for a mean, 2 for a variance.

    None where the value is no power of it.
    """

    def __init__(self, steps: Steps, origin: fx.Node) -> None:
        self._steps = steps
        self._known: dict[fx.Node, float | None] = {origin: 1.0}

    def of(self, node: fx.Node, region: Sequence[fx.Node]) -> float | None:
        for part in region:
            if part not in self._known:
                self._known[part] = self._computed(part)
        return self._known.get(node)

    def _computed(self, node: fx.Node) -> float | None:
        name = bare_name(node).strip("_")
        values = [v for v in node.args if isinstance(v, fx.Node) and self._steps[v].kind == DATA]
        degrees = [self._known.get(value) for value in values]
        if not degrees or any(degree is None for degree in degrees):
            return 0.0 if self._steps[node].kind == PLAIN else None
        known = [degree for degree in degrees if degree is not None]
        if name in _POWERS:
            return known[0] * _POWERS[name]
        if name in ("pow", "ipow"):
            power = node.args[1] if len(node.args) > 1 else None
            return known[0] * power if isinstance(power, (int, float)) else None
        for word, rule in _RULES.items():
            if word in name:
                return rule(node, known)
        return known[0] if self._keeps(node, name) and len(set(known)) == 1 else None

    def _keeps(self, node: fx.Node, name: str) -> bool:
        role = self._steps[node].role
        return role in ("shape", "dropout", "scale", "norm", "pool") or name in _SAME_DEGREE


_POWERS = {
    **dict.fromkeys(_REDUCTIONS, 1.0),
    "var": 2.0,
    "square": 2.0,
    "sqrt": 0.5,
    "rsqrt": -0.5,
    "reciprocal": -1.0,
}
_SAME_DEGREE = ("abs", "clamp", "clamp_min", "clip", "maximum")


def _product(node: fx.Node, degrees: list[float]) -> float:
    return sum(degrees)


def _quotient(node: fx.Node, degrees: list[float]) -> float:
    if len(degrees) == 2:
        return degrees[0] - degrees[1]
    return degrees[0] if isinstance(node.args[0], fx.Node) else -degrees[0]


def _sum(node: fx.Node, degrees: list[float]) -> float | None:
    numbers = [v for v in node.args if isinstance(v, (int, float))]
    if any(abs(number) > _EPSILON for number in numbers):
        return None
    return degrees[0] if len(set(degrees)) == 1 else None


_RULES: dict[str, Callable[[fx.Node, list[float]], float | None]] = {
    "mul": _product,
    "div": _quotient,
    "add": _sum,
    "sub": _sum,
}

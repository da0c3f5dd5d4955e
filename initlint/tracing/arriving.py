"""What arrives at a model's inputs and tables: the moments of given tensors, and fixed indices."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from initlint.graph.ops import Op
from initlint.graph.samples import Value
from initlint.recommend import sees_data
from initlint.records import Layer
from initlint.tracing.recorded import tensors_in

# So many indices of a table are compared with each other.
_MOST_INDICES = 2048
_LOUD = 4.0


def placed(
    graph: fx.Graph, model: nn.Module, arguments: tuple[Sequence[Any], Mapping[str, Any]]
) -> dict[fx.Node, torch.Tensor]:
    """By every input of a graph the tensor that a run with `arguments` gives it."""
    args, kwargs = arguments
    nodes = [node for node in graph.nodes if node.op == "placeholder"]
    if any(str(node.target).startswith("input_") for node in nodes):
        # A recorded run numbers the tensors among its arguments.
        numbered = dict(enumerate(tensors_in([*args, *kwargs.values()])))
        numbers = {node: str(node.target).removeprefix("input_") for node in nodes}
        found = {n: numbered.get(int(k)) for n, k in numbers.items() if k.isdecimal()}
    else:
        try:
            bound = inspect.signature(model.forward).bind(*args, **kwargs).arguments
        except TypeError:
            return {}
        found = {node: bound.get(str(node.target).lstrip("*")) for node in nodes}
    return {node: v for node, v in found.items() if isinstance(v, torch.Tensor)}


def loud(tensor: torch.Tensor) -> Value | None:
    """The moments of data whose root mean square is above 4, as of pixels from 0 to 255.

    None for all others: their scale is near enough to 1.
    """
    if not tensor.is_floating_point() or tensor.is_meta or not tensor.numel():
        return None
    value = value_of(tensor)
    return value if _LOUD < value.rms < math.inf else None


def loud_data(layers: Iterable[Layer], inputs: Sequence[Any]) -> Iterator[str]:
    """What is to be said of data so far from unit scale that layers cannot be judged by it."""
    found = [x for tensor in tensors_in(inputs) if (x := loud(tensor))]
    seeing = next((x for x in layers if sees_data(x) and not x.harmless), None)
    if found and seeing is not None:
        rms = max(value.rms for value in found)
        yield (
            f"its inputs have an rms of {rms:.3g}: scale them to about 1 first (as x / 255 does); "
            "layers are judged by whether their signal comes nearer to 1"
        )


def value_of(tensor: torch.Tensor) -> Value:
    """The moments of the numbers in a tensor, examples first; channels second in an image.

    Of whole numbers, which are indices, `places` and `examples` are shares of equal pairs.
    """
    if not tensor.is_floating_point():
        places, examples = equal_shares(tensor)
        return Value(1.0, places=places, examples=examples)
    x = tensor.detach().double()
    q, mean = float(x.square().mean()), float(x.mean())
    x = x[:, None] if x.dim() == 2 else x
    if x.dim() < 2 or not x.numel():
        return Value(q, mean, mean**2, mean**2, mean**2)
    is_image = x.dim() >= 4 or (x.dim() == 3 and x.shape[1] < x.shape[2])
    # In this order: examples, units, positions.
    x = x.flatten(2) if is_image else x.flatten(1, -2).transpose(1, 2)
    value = Value(q, mean)
    value.places = _pairs(x.mean(2), x.square().mean(2), x.shape[2], q)
    value.units = _pairs(x.mean(1), x.square().mean(1), x.shape[1], q)
    value.examples = _between(x.mean(2))
    return value


def _pairs(means: torch.Tensor, squares: torch.Tensor, count: int, otherwise: float) -> float:
    """E[x x'] of two different ones of `count`, from means and mean squares over them."""
    if count < 2:
        return otherwise
    return float(((count * means.square() - squares) / (count - 1)).mean())


def _between(means: torch.Tensor) -> float:
    """E[x x'] of two examples, from the means of each unit in each."""
    count = len(means)
    if count < 2:
        return float(means.mean() ** 2)
    total, own = means.sum(0).square(), means.square().sum(0)
    return float(((total - own) / (count * (count - 1))).mean())


def equal_shares(indices: torch.Tensor) -> tuple[float, float]:
    """The shares of pairs of positions with the same index, within an example and between two."""
    rows = indices.detach().reshape(1 if indices.dim() < 2 else len(indices), -1)
    within = [_equal(row[:_MOST_INDICES]) for row in rows[:16]]
    flat = rows[:, : max(1, _MOST_INDICES // max(1, len(rows)))]
    count = flat.shape[1]
    inside = sum(_equal(row) * count * (count - 1) + count for row in flat)
    every = _equal(flat.reshape(-1)) * flat.numel() * (flat.numel() - 1) + flat.numel()
    pairs = flat.numel() ** 2 - len(flat) * count**2
    own = sum(within) / len(within)
    return own, (every - inside) / pairs if pairs else own


def _equal(row: torch.Tensor) -> float:
    """The share of equal pairs of different elements."""
    count = row.numel()
    if count < 2:
        return 0.0
    counts = torch.unique(row, return_counts=True)[1].double()
    return float((counts * (counts - 1)).sum()) / (count * (count - 1))


def note_indices(
    model: nn.Module, ops: Mapping[fx.Node, Op], inputs: Mapping[fx.Node, torch.Tensor]
) -> None:
    """Note in `args` of every lookup what share of its indices is equal, if they can be had.

    They come from the model's own buffers (BERT's token types, which are all 0; positions, no two
    of which are equal), or from the inputs of a run.
    """
    whole = {node: value for node, value in inputs.items() if not value.is_floating_point()}
    known = _Fixed(model, whole)
    for node, op in ops.items():
        if not op.weights or not op.name.lower().startswith("embedding"):
            continue
        indices = known.value(node.args[0]) if node.args else None
        if isinstance(indices, torch.Tensor) and not indices.is_meta:
            op.args = {**op.args, "same": equal_shares(indices)}


class _Fixed:
    """The values of the nodes that depend on buffers and on whole numbers alone."""

    def __init__(self, model: nn.Module, inputs: Mapping[fx.Node, torch.Tensor]) -> None:
        self._buffers = dict(model.named_buffers())
        self._known: dict[fx.Node, Any] = dict(inputs)

    def value(self, node: Any) -> Any:
        """The value of a node; None if it depends on an input, or cannot be had."""
        if not isinstance(node, fx.Node):
            return None
        if node not in self._known:
            self._known[node] = None
            with contextlib.suppress(Exception), torch.no_grad():
                self._known[node] = self._computed(node)
        return self._known[node]

    def _given(self, argument: Any) -> Any:
        """An argument with values; the run that was recorded was on meta, which has none."""
        if isinstance(argument, torch.device) and argument.type == "meta":
            return torch.device("cpu")
        return self.value(argument) if isinstance(argument, fx.Node) else argument

    def _computed(self, node: fx.Node) -> Any:
        if node.op == "get_attr":
            constant = node.meta.get("constant")
            found = self._buffers.get(str(node.target), constant)
            return None if found is None or found.is_meta else found.clone()
        if node.op not in ("call_function", "call_method") or node.meta.get("shape") is None:
            return None
        if any(self.value(other) is None for other in node.all_input_nodes):
            return None
        args: Any = fx.node.map_aggregate(node.args, self._given)
        kwargs: Any = fx.node.map_aggregate(node.kwargs, self._given)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]

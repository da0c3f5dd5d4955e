"""The predicted signal: E[x²] of every value of a graph, and of the gradient on the way back.

Mean-field theory (Poole 2016, Schoenholz 2017): in a wide network with independent random weights,
the result of a layer is Gaussian, so a few moments describe it. `samples.Value` has these moments,
`signal_weighted`, `signal_pointwise`, `signal_joins`, `signal_pools` and `signal_norms` have a rule
for each kind of operation. An operation that no rule knows ends the prediction, with a reason; what
follows is relative to its result, which counts as 1. Linear in the size of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import add, mul
from typing import Any

from initlint.graph import signal_joins as joins
from initlint.graph import signal_norms as norms
from initlint.graph import signal_pointwise as pointwise
from initlint.graph import signal_pools as pools
from initlint.graph.ops import Op, Operand
from initlint.graph.samples import SIZE, Samples, Slopes, Value, average
from initlint.graph.signal_weighted import Known, Moments, Sent, looked_up, recurrent, weighted

# Moments are kept between these, so that none overflows.
_LEAST, _LARGEST = 1e-140, 1e140
_KINDS = {
    **dict.fromkeys(("BatchNorm", "SyncBatchNorm", "LazyBatchNorm", "batch_norm"), "batch"),
    **dict.fromkeys(("InstanceNorm", "LazyInstanceNorm", "instance_norm"), "instance"),
    **dict.fromkeys(("LayerNorm", "layer_norm", "native_layer_norm"), "layer"),
    **dict.fromkeys(("GroupNorm", "group_norm", "native_group_norm"), "layer"),
    **dict.fromkeys(("RMSNorm", "rms_norm", "_fused_rms_norm"), "rms"),
    **dict.fromkeys(("FrozenBatchNorm", "LocalResponseNorm", "local_response_norm"), "none"),
    "CrossMapLRN": "none",
}
_HALVES = ("chunk", "split", "unbind", "split_with_sizes", "tensor_split", "unsafe_chunk")
_POSITIONS = ("cat", "concat", "concatenate")
_SCALING = ("truediv", "div", "divide", "mul", "rmul", "multiply")
_LARGEST_OF = ("amax", "max")
_MIXING = ("matmul", "rmatmul", "mm", "bmm", "spmm", "addmm", "einsum")
_LINEAR = ("bilinear", "linear", "bicubic", "trilinear")


@dataclass(slots=True)
class Prediction:
    """The signal in one graph.

    - `values`: the value of every operation.
    - `gradients`: E[g²] of the loss' gradient at its result, if that at the model's result is 1.
    - `starts`: the operations at which the prediction starts again, each with the reason; "" for
      the model's inputs.
    - `loose`: the operations whose gradient is relative to an operation that is not known.
    """

    values: dict[Op, Value] = field(default_factory=dict)
    gradients: dict[Op, float] = field(default_factory=dict)
    starts: dict[Op, str] = field(default_factory=dict)
    loose: set[Op] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Given:
    """What an engine knows: the weights of an operation, the moments of a parameter, shapes.

    `arriving` are the values of the model's inputs; those not in it have mean 0 and variance 1. If
    they are raw, a number that the model multiplies them with is a part of their scale.
    """

    weights: Callable[[Op], Sequence[Known]]
    content: Callable[[Any], Moments | None] = lambda parameter: None
    shapes: Mapping[Op, tuple[int, ...]] = field(default_factory=dict)
    arriving: Mapping[Op, Value] = field(default_factory=dict)
    is_raw: bool = False


def predicted(ops: Sequence[Op], given: Given) -> Prediction:
    """The signal in a graph whose operations come in the order of the data."""
    forward = _Forward(given)
    for op in ops:
        forward.follow(op)
    found = forward.found
    _backward(ops, forward, found)
    return found


class _Forward:
    """One pass along the data."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.found = Prediction()
        self.backs: dict[Op, tuple[float, ...]] = {}
        # A norm of a concatenation sends its gradient past it, to each part by its own variance.
        self.past: dict[Op, tuple[tuple[Op, float], ...]] = {}
        self._draws = 0
        self._rules: dict[str, Callable[[Op, list[Value]], Sent | str]] = {
            "weighted": self._weighted,
            "activation": self._activation,
            "merge_add": self._sum,
            "merge_cat": self._concatenation,
            "pool": self._pooling,
            "norm": self._norm,
            "dropout": self._dropout,
            "scale": self._scale,
            "shape": self._shape,
            "gate": self._gate,
            "attention": self._attention,
            "choice": lambda op, values: Sent(values[0], (1.0,) * len(values)),
            "output": lambda op, values: Sent(values[0], (1.0,) * len(values)),
            "unknown": self._unknown,
        }

    def follow(self, op: Op) -> None:
        """Predict the value of one operation, whose inputs are predicted."""
        values = [self.found.values[value] for value in op.inputs]
        rule = self._rules.get(op.role)
        sent: Sent | str = ""
        if rule is not None and (values or op.role == "weighted"):
            sent = rule(op, values)
        if isinstance(sent, str):
            reason = "" if op.role == "input" else sent or f"{op.name or op.role} is not known"
            self.found.starts[op] = reason
            start = self.given.arriving.get(op) or Value(1.0)
            sent = Sent(replace(start, sources=self._bit()), (1.0,) * len(values))
        if not (sent.value.q >= _LEAST):
            sent = sent._replace(value=replace(sent.value, q=max(0.0, sent.value.q)))
        if sent.value.q > _LARGEST or math.isnan(sent.value.q):
            sent = sent._replace(value=Value(_LARGEST, sources=self._bit()))
        self.found.values[op] = self._sized(op, sent.value)
        self.backs[op] = (sent.backs + (0.0,) * len(values))[: len(values)]

    def _bit(self) -> int:
        self._draws += 1
        return 1 << self._draws

    def _sized(self, op: Op, value: Value) -> Value:
        """The value with the positions that its shape tells, if that is known."""
        shape = self.given.shapes.get(op)
        if shape is None or len(shape) < 2:
            return value
        width = value.width
        if width is None and op.role == "input":
            is_image = len(shape) >= 4 or (len(shape) == 3 and shape[1] < shape[2])
            return replace(value, size=shape[2:] if is_image else shape[1:-1])
        if width is None:
            return value
        count = math.prod(shape[1:]) / width
        if shape[1] == width and len(shape) > 2:
            return replace(value, size=shape[2:])
        if shape[-1] == width:
            return replace(value, size=shape[1:-1])
        return replace(value, size=(max(1, round(count)),)) if count >= 1 else value

    def _ratio(self, op: Op) -> float:
        """The elements of an operation's result for each of its input's; 1 if not known."""
        shapes = self.given.shapes
        ours, theirs = shapes.get(op), shapes.get(op.inputs[0])
        if ours is None or theirs is None or not math.prod(theirs):
            return 1.0
        return math.prod(ours) / math.prod(theirs)

    def _weighted(self, op: Op, values: list[Value]) -> Sent | str:
        known = list(self.given.weights(op))
        if not known:
            return "its weights are not known"
        unknown = next((weight for weight in known if weight.std is None), None)
        if unknown is not None:
            return f"the initialisation of {unknown.name} is not known"
        kind, bit = op.name, self._bit()
        if kind.lower().startswith("embedding"):
            shape = self.given.shapes.get(op)
            same = op.args.get("same") or (
                (values[0].places, values[0].examples) if values else (0.0, 0.0)
            )
            sent = looked_up(known[0], shape[1:-1] if shape else None, bit, same)
            return "" if sent is None else Sent(sent.value, (1.0,) * len(values))
        # A table of numbers that the model keeps counts as data.
        value = values[0] if values else Value(1.0, sources=self._bit())
        if not values:
            values = [value]
        if kind == "MultiheadAttention":
            return self._multihead(op, values, known)
        if kind.removesuffix("Cell") in ("RNN", "LSTM", "GRU"):
            sent = recurrent(value, known, kind, op.args.get("nonlinearity", "tanh"), bit)
        elif kind.lower() == "bilinear":
            sent = None
        else:
            sent = weighted(value, known[0], op.args, kind, bit)
        if sent is None:
            return f"the sizes of {known[0].name} are not known"
        return Sent(sent.value, sent.backs + (0.0,) * (len(values) - 1))

    def _multihead(self, op: Op, values: list[Value], known: list[Known]) -> Sent | str:
        """Projections of query, key and value, attention, and the projection of the result."""
        sources = (values * 3)[:3]
        places = [0, 0, 0] if len(known) == 2 else [0, 1, 2]
        sent = [
            weighted(value, known[place], {}, "Linear", self._bit())
            for value, place in zip(sources, places, strict=True)
        ]
        if any(one is None for one in sent) or len(known) not in (2, 4):
            return f"the sizes of {known[0].name} are not known"
        query, key, value = (one.value for one in sent if one is not None)
        soft = norms.softened(norms.scored(query, key, None).value, None)
        shares = soft.value.shares if soft is not None else None
        mixed = norms.attended(shares or (1.0, 1.0), value, None, self._bit())
        out = weighted(mixed.value, known[-1], {}, "Linear", self._bit())
        if out is None:
            return f"the sizes of {known[-1].name} are not known"
        last = sent[2]
        back = out.backs[0] * mixed.backs[0] * (last.backs[0] if last else 1.0)
        return Sent(out.value, (0.0,) * (len(values) - 1) + (back,))

    def _activation(self, op: Op, values: list[Value]) -> Sent | str:
        value, name = values[0], op.activation
        if name == "glu":
            return joins.gated_half(value, self._bit())
        if name in ("softmax", "softmin"):
            return norms.softened(value, None) or name
        sent = pointwise.activated(value, name, op.args)
        return sent if sent is not None else f"{name} is not known"

    def _sum(self, op: Op, values: list[Value]) -> Sent | str:
        if op.bare_name.startswith(("scatter", "index", "lerp", "addcmul")):
            return f"{op.name} adds an unknown number of values"
        rotated = _rotated(op)
        if rotated is not None:
            return Sent(self.found.values[rotated], (0.5, 0.5))
        if len(values) > 1:
            sign = op.args.get("sign", 1.0)
            return joins.added(values, (1.0, *[sign] * (len(values) - 1)))
        return self._scale(op, values)

    def _concatenation(self, op: Op, values: list[Value]) -> Sent | str:
        if op.bare_name in ("setitem", "scatter", "index_copy", "masked_scatter"):
            return Sent(values[0], (1.0,) * len(values))
        if len(values) == 1:
            return Sent(values[0], (1.0,))
        return joins.side_by_side(values, self._joins_positions(op, values))

    def _joins_positions(self, op: Op, values: list[Value]) -> bool:
        if op.bare_name not in _POSITIONS:
            return True
        shapes, dim = self.given.shapes, op.args.get("dim", 0)
        ours, theirs = shapes.get(op), shapes.get(op.inputs[0])
        if ours is not None and theirs is not None and len(ours) == len(theirs):
            width = values[0].width
            changed = [n for n, m in zip(ours, theirs, strict=True) if n != m]
            return (
                bool(changed)
                and width is not None
                and changed[0] != sum(value.width or 0 for value in values)
            )
        is_sequence = values[0].size is not None and len(values[0].size) == 1
        return dim == 1 and is_sequence and len({value.width for value in values}) == 1

    def _pooling(self, op: Op, values: list[Value]) -> Sent | str:
        value, name = values[0], op.name.lower()
        bare = op.bare_name.lower()
        if "pool" in name and "un" not in name:
            count, size = pools.windows(op.args, value)
            if "max" in name:
                return pools.largest(value, count, size)
            return pools.averaged(value, count, size, self._bit())
        if bare in _LARGEST_OF:
            count = float(math.prod(value.size)) if value.size else None
            return pools.largest(value, count, ())
        if bare == "mean":
            count = float(math.prod(value.size)) if value.size else None
            return pools.averaged(value, count, (), self._bit())
        if op.bare_name in _MIXING:
            # A product with a matrix of the data (`adjacency @ x`) is taken for a mean.
            return Sent(replace(value, samples=None, parts=()), (1.0,) * len(values))
        if bare == "sum":
            return "a sum over an unknown number of positions"
        return f"{op.name} is not known"

    def _norm(self, op: Op, values: list[Value]) -> Sent | str:
        kind = _kind(op)
        if not kind:
            return f"{op.name} is not known"
        gain = self._moments(op.args.get("gain"), 1.0)
        shift = self._moments(op.args.get("shift"), 0.0)
        bit = self._bit()
        value, before = values[0], op.inputs[0]
        given = op.args.get("eps")
        least = given if isinstance(given, float) else norms.EPSILON
        chance = self._mean_of_batch(before, value) if kind == "batch" else 0.0
        sent = norms.normalised(value, kind, (gain, shift), bit, least, chance)
        if kind == "batch" and len(value.parts) == len(before.inputs) > 1:
            square = gain[0] ** 2 + gain[1] ** 2
            self.past[op] = tuple(
                (part, square / (max(0.0, v.q - v.examples) + least))
                for part, (_, v) in zip(before.inputs, value.parts, strict=True)
            )
        return sent

    def _mean_of_batch(self, op: Op, value: Value) -> float:
        """What the square of a mean over few examples has more than that over many."""
        shape = self.given.shapes.get(op)
        if not shape or not value.width:
            return 0.0
        count = max(1, shape[0])
        places = max(1.0, math.prod(shape) / value.width / count)
        own = max(0.0, value.places - value.examples) + max(0.0, value.q - value.places) / places
        return own / count

    def _moments(self, operand: Any, otherwise: float) -> Moments:
        found = self.given.content(operand.parameter) if type(operand) is Operand else None
        return (otherwise, 0.0) if found is None else found

    def _dropout(self, op: Op, values: list[Value]) -> Sent | str:
        # Stochastic depth leaves out whole examples of a branch, and scales the others as dropout.
        name = op.name.rpartition(".")[2].strip("_").lower()
        is_plain = name.startswith(("dropout", "feature_dropout", "stochastic_depth", "drop_path"))
        p = op.args.get("p") if is_plain and op.args.get("training") is not False else None
        if is_plain and p is None and op.name.startswith("Dropout"):
            p = 0.5
        return norms.dropped(values[0], float(p) if isinstance(p, (int, float)) else 0.0)

    def _scale(self, op: Op, values: list[Value]) -> Sent | str:
        factor = op.args.get("factor")
        is_data = op.inputs[0].role == "input" and op.inputs[0] not in self.given.arriving
        if self.given.is_raw and is_data and not isinstance(factor, Operand):
            # `x / 255` brings the data to their scale, whatever it was.
            return Sent(values[0], (1.0,))
        if type(factor) is Operand:
            factor = self.given.content(factor.parameter)
        if isinstance(factor, (float, tuple)):
            return joins.multiplied_by(values[0], factor)
        offset, rank = op.args.get("offset"), 0
        if type(offset) is Operand:
            rank = len([n for n in offset.own_shape or () if n != 1])
            offset = self.given.content(offset.parameter)
        if isinstance(offset, (float, tuple)):
            sign = op.args.get("sign", 1.0)
            if sign < 0 and isinstance(offset, tuple):
                offset = (-offset[0], offset[1])
            moved = joins.shifted_by(values[0], offset, rank)
            if op.bare_name.startswith("rsub"):
                # 1 - x is -(x - 1).
                return joins.multiplied_by(moved.value, -1.0)
            return moved
        # A container of several results is an operation without a name.
        return Sent(values[0], (1.0,) * (1 if op.name else len(values)))

    def _shape(self, op: Op, values: list[Value]) -> Sent | str:
        value, name = values[0], op.bare_name
        if name in ("interpolate", "upsample", "Upsample") or name.startswith(
            ("Upsampling", "upsample")
        ):
            mode = op.args.get("mode", op.name.lower())
            is_linear = isinstance(mode, str) and any(word in mode for word in _LINEAR)
            scale = op.args.get("scale_factor")
            return norms.spread_out(value, self._zoom(op, value, scale), is_linear)
        back = self._ratio(op)
        before = op.inputs[0]
        if name in ("getitem", "select") and before.bare_name in _HALVES:
            share, turn = self._share(op, before), self._bit()
            moved = replace(value, sources=turn, samples=None) if value.samples is None else value
            if value.width is not None and not self._parts_positions(op, before):
                moved = replace(moved, width=value.width * share)
            return Sent(replace(moved, parts=()), (share,))
        if name in ("flatten", "Flatten") and _start(op) == 1:
            return Sent(replace(value, size=(), parts=()), (back,))
        if name in ("view", "reshape", "mean"):
            return Sent(replace(value, size=None, parts=()), (back,))
        return Sent(value, (back,))

    def _parts_positions(self, op: Op, halves: Op) -> bool:
        """Whether a part of a chunked value has fewer positions than the whole, not fewer units."""
        ours, theirs = (self.given.shapes.get(x) for x in (op, halves.inputs[0]))
        if ours is None or theirs is None or len(ours) != len(theirs):
            return False
        changed = [k for k, (n, m) in enumerate(zip(ours, theirs, strict=True)) if n != m]
        is_image = len(theirs) > 3 and theirs[1] == self.found.values[halves].width
        return bool(changed) and changed[0] != (1 if is_image else len(theirs) - 1)

    def _share(self, op: Op, halves: Op) -> float:
        """The share of a chunked value's elements that one of its parts has."""
        ours, theirs = (self.given.shapes.get(x) for x in (op, halves.inputs[0]))
        if ours is None or theirs is None or not math.prod(theirs):
            return 0.5
        return math.prod(ours) / math.prod(theirs)

    def _zoom(self, op: Op, value: Value, scale: Any) -> float | None:
        if isinstance(scale, tuple):
            scale = scale[0]
        if isinstance(scale, (int, float)):
            return float(scale)
        ratio = self._ratio(op)
        rank = len(value.size) if value.size else 2
        return ratio ** (1 / rank) if ratio != 1.0 else None

    def _gate(self, op: Op, values: list[Value]) -> Sent | str:
        if "div" in op.bare_name or op.bare_name.startswith("grid"):
            return f"{op.name} of two computed values is not known"
        sent = joins.multiplied(values)
        counts = [math.prod(value.size) if value.size is not None else 0 for value in values]
        most = max(counts)
        backs = tuple(
            back * (most / count if count else 1.0)
            for back, count in zip(sent.backs, counts, strict=True)
        )
        return Sent(sent.value, backs)

    def _attention(self, op: Op, values: list[Value]) -> Sent | str:
        bit = self._bit()
        if "attention" in op.name and len(values) in (1, 3):
            query, key, value = values if len(values) == 3 else values * 3
            soft = norms.softened(norms.scored(query, key, None).value, None)
            shares = soft.value.shares if soft is not None else None
            queries, keys = self._length(op.inputs[0]), self._length(op.inputs[-1])
            count = keys or (float(math.prod(value.size)) if value.size else None)
            is_causal = op.keywords.get("is_causal") is True
            if count and is_causal:
                # A query at place t sees t keys: E[1/t] is about (ln T + 0.58) / T.
                count = count / (math.log(count) + 0.58)
            sent = norms.attended(shares or (1.0, 1.0), value, count, bit)
            if len(values) != 3:
                return Sent(sent.value, sent.backs)
            scale, shape = op.keywords.get("scale"), self.given.shapes.get(op.inputs[0])
            # Unless it is given, the scale is 1 over the root of the width.
            factor = scale**2 * shape[-1] if isinstance(scale, float) and shape else 1.0
            ahead, aside = norms.scoring_backs(query, key, value, keys, is_causal)
            # So many queries send their gradient to each key and its value.
            each = queries / keys if queries and keys else 1.0
            return Sent(sent.value, (factor * ahead, factor * aside * each, sent.backs[0] * each))
        if len(values) != 2:
            return f"{op.name} is not known"
        for place, (first, second) in enumerate((values, values[::-1])):
            if first.shares is not None:
                shape = self.given.shapes.get(op.inputs[1 - place])
                # Positions come before the width, or behind it: a @ v, or v @ a.
                axis = -2 if place == 0 else -1
                keys, queries = self._length(op.inputs[1 - place], axis), self._length(op, axis)
                sent = norms.attended(first.shares, second, keys, bit)
                # The gradient of a weight is the product of g with a value that has its own part.
                width = shape[-3 - axis] if shape else 0.0
                ahead = width * max(0.0, second.q - second.places)
                back = sent.backs[0] * (queries / keys if queries and keys else 1.0)
                return Sent(sent.value, (ahead, back) if place == 0 else (back, ahead))
        shape, ours = (self.given.shapes.get(x) for x in (op.inputs[0], op))
        sent = norms.scored(values[0], values[1], float(shape[-1]) if shape else None)
        if ours is None:
            return sent
        apart = max(0.0, values[1].q - values[1].places)
        return Sent(sent.value, (ours[-1] * apart, ours[-2] * values[0].q))

    def _length(self, op: Op, axis: int = -2) -> float | None:
        """How many positions a value has whose last dimensions are positions and width."""
        shape = self.given.shapes.get(op)
        return float(shape[axis]) if shape is not None and len(shape) > 2 else None

    def _unknown(self, op: Op, values: list[Value]) -> Sent | str:
        numbers = op.args.get("numbers", ())
        if op.final:
            return Sent(values[0], (1.0,) * len(values))
        if len(values) == 1 and values[0].scores and op.bare_name in _SCALING:
            # By the root of a width that is not known, which makes scores of unit variance.
            root = 1.0 if values[0].scaled else math.sqrt(values[0].width or 1.0)
            return joins.multiplied_by(values[0], 1 / root)
        sent = pointwise.computed(values[0], op.bare_name, numbers) if len(values) == 1 else None
        return sent if sent is not None else f"{op.name or 'an operation'} is not known"


def _kind(op: Op) -> str:
    """What a normalisation computes its statistics over; empty if that is not known."""
    if op.args.get("written") or op.bare_name == "normalize":
        return "rms"
    return _KINDS.get(op.name.rstrip("123d"), _KINDS.get(op.name, ""))


def _rotated(op: Op) -> Op | None:
    """The value that a rotary embedding turns: x cos + (-x2, x1) sin, of the same E[x²] as x.

    Cosines and sines are tensors of the model's own. Each factor gets one half of the gradient.
    """
    factors = [
        one for one in op.inputs if one.bare_name in ("mul", "rmul") and len(one.inputs) == 1
    ]
    if len(op.inputs) != 2 or len(factors) != 2 or any("factor" in one.args for one in factors):
        return None
    for plain, turned in ((0, 1), (1, 0)):
        whole, joined = factors[plain].inputs[0], factors[turned].inputs[0]
        if joined.role == "merge_cat" and all(_part_of(part, whole) for part in joined.inputs):
            return whole
    return None


def _part_of(part: Op, whole: Op) -> bool:
    """Whether a value is a slice of another, perhaps with the other sign."""
    for _ in range(_NEAR):
        if part is whole:
            return True
        if part.role not in ("shape", "scale") or not part.inputs:
            return False
        part = part.inputs[0]
    return False


# Between a value and its slice with the other sign lie no more operations.
_NEAR = 5


def _start(op: Op) -> Any:
    return op.args.get("start_dim", 1 if op.name.startswith("F") else 0)


def _backward(ops: Sequence[Op], forward: _Forward, found: Prediction) -> None:
    """Add the gradients: E[g²] of a value is the sum of what its consumers send back.

    Through activations and sums it goes sample by sample: in a rectified stream with branches, a
    unit that one ReLU lets through is let through by the next one more often than another, so that
    E[f'(x)² g²] is more than E[f'(x)²] E[g²].
    """
    gradients = {op: _Gradient() for op in ops}
    for op in reversed(ops):
        own = gradients[op]
        if op.final:
            own.add(1.0)
        is_unknown = op in found.starts and op.role != "input"
        sending = forward.past.get(op) or zip(op.inputs, forward.backs[op], strict=True)
        slopes = found.values[op].slopes if op.role == "activation" else None
        for value, back in sending:
            if is_unknown and not op.final:
                gradients[value].add(1.0)
            elif slopes is not None:
                gradients[value].add_through(slopes, own)
            elif _goes_on(op, value, found):
                gradients[value].add_all(own, back)
            else:
                gradients[value].add(own.mean * back)
            if op in found.loose or (is_unknown and not op.final):
                found.loose.add(value)
    found.gradients = {op: gradient.mean for op, gradient in gradients.items()}
    for op in ops:
        if op.role == "norm" and op.inputs[0].weights and _kind(op) in ("batch", "instance"):
            found.gradients[op.inputs[0]] *= _unevenness(op.inputs[0], forward.given)


def _unevenness(op: Op, given: Given) -> float:
    """E[1/v] E[v] of the variances v of an operation's units, each of which a norm divides by.

    The variance of a unit with n independent inputs is v = s² |w|² with Gaussian w, so that v / s²
    is distributed as χ² with n degrees of freedom, and E[1/v] = 1 / (s² (n - 2)). Of a depthwise
    convolution of 3×3 it is 9/7. Before the operation nothing is left of it: w²/v does not depend
    on |w|.
    """
    known = list(given.weights(op))
    n = known[0].fan_in if known else None
    return n / (n - 2) if n and n > 4 else 1.0


# Operations that leave every unit where it was.
_UNIT_BY_UNIT = ("norm", "scale", "dropout", "shape")


def _goes_on(op: Op, value: Op, found: Prediction) -> bool:
    """Whether each sample of a result comes from the same sample of the value before."""
    if op.role == "merge_add":
        return len(op.inputs) > 1
    result, before = found.values[op].samples, found.values[value].samples
    if op.role not in _UNIT_BY_UNIT or result is None or before is None:
        return False
    return result is before or not found.values[op].is_gaussian


class _Gradient:
    """E[g²] of one value: the same for all of its samples, and more for some of them.

    Of what came through an activation with the same gradient for all samples, the mean is known
    without them: `_through` has these gradients and slopes, until the samples are asked for.
    """

    def __init__(self) -> None:
        self._even = 0.0
        self._each: Samples | None = None
        self._through: list[tuple[float, Slopes]] = []

    def add(self, even: float) -> None:
        """Add as much for every sample."""
        self._even = min(self._even + even, _LARGEST)

    def add_each(self, each: Samples) -> None:
        """Add to every sample its own."""
        each = [min(part, _LARGEST) for part in each]
        self._each = each if self._each is None else list(map(add, self._each, each))

    def add_through(self, slopes: Slopes, behind: _Gradient) -> None:
        """Add the gradient behind an activation, times its slope at every sample."""
        if behind._is_even:
            self._through.append((behind._even, slopes))
        else:
            self.add_each(list(map(mul, slopes.each(), behind.samples())))

    def add_all(self, other: _Gradient, factor: float) -> None:
        """Add another one, times a factor."""
        if other._is_even:
            self.add(other._even * factor)
        else:
            self.add_each([factor * part for part in other.samples()])

    def samples(self) -> Samples:
        """E[g²] for every sample."""
        through, self._through = self._through, []
        for even, slopes in through:
            self.add_each([even * slope for slope in slopes.each()])
        each = self._each or [0.0] * SIZE
        return [self._even + part for part in each]

    @property
    def _is_even(self) -> bool:
        return self._each is None and not self._through

    @property
    def mean(self) -> float:
        """E[g²]."""
        uneven = average(self._each) if self._each else 0.0
        uneven += sum(even * slopes.mean for even, slopes in self._through)
        return min(self._even + uneven, _LARGEST)

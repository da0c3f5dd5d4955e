"""The predicted signal along the data: one pass over the operations of a graph, a rule for each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from initlint.graph import signal_joins as joins
from initlint.graph import signal_norms as norms
from initlint.graph import signal_pointwise as pointwise
from initlint.graph import signal_pools as pools
from initlint.graph import signal_shapes as sizes
from initlint.graph.facts import DROPOUTS, DROPPED_PATHS, left_out
from initlint.graph.ops import Op, Operand
from initlint.graph.samples import Value
from initlint.graph.signal_pools import TYPICAL
from initlint.graph.signal_shared import ALL, Shared, of_copies, of_keys, of_reshaping
from initlint.graph.signal_terms import LARGEST, LEAST, Given, Prediction, kind_of_norm
from initlint.graph.signal_weighted import Known, Moments, Sent, looked_up, recurrent, weighted

_HALVES = ("chunk", "split", "unbind", "split_with_sizes", "tensor_split", "unsafe_chunk")
_SCALING = ("truediv", "div", "divide", "mul", "rmul", "multiply")
# Dropouts that drop all positions at once.
_WHOLE = ("feature_", "stochastic_depth", "drop_path")
_LARGEST_OF = ("amax", "max")
_MIXING = ("matmul", "rmatmul", "mm", "bmm", "spmm", "addmm", "einsum")
_LINEAR = ("bilinear", "linear", "bicubic", "trilinear")


class Forward:
    """One pass along the data."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self._shapes = given.shapes
        self.found = Prediction()
        self.backs: dict[Op, tuple[float, ...]] = {}
        self.shared: dict[Op, tuple[Shared, ...]] = {}
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
        if not (sent.value.q >= LEAST):
            sent = sent._replace(value=replace(sent.value, q=max(0.0, sent.value.q)))
        if sent.value.q > LARGEST or math.isnan(sent.value.q):
            sent = sent._replace(value=Value(LARGEST, sources=self._bit()))
        self.found.values[op] = sizes.sized(self._shapes, op, sent.value)
        self.backs[op] = (sent.backs + (0.0,) * len(values))[: len(values)]
        shared = sent.shared
        if op.role == "shape" and not shared:
            before, after = values[0].size, self.found.values[op].size
            shared = (of_reshaping(before, after, sent.backs[0]),)
        self.shared[op] = shared + (ALL,) * len(values)

    def _bit(self) -> int:
        self._draws += 1
        return 1 << self._draws

    def _weighted(self, op: Op, values: list[Value]) -> Sent | str:
        known = list(self.given.weights(op))
        if not known:
            return "its weights are not known"
        unknown = next((weight for weight in known if weight.std is None), None)
        if unknown is not None:
            return f"the initialisation of {unknown.name} is not known"
        kind, bit = op.name, self._bit()
        if kind.lower().startswith("embedding"):
            shape = self._shapes.get(op)
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
        return Sent(sent.value, sent.backs + (0.0,) * (len(values) - 1), sent.shared)

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
        none = len(values) - 1
        return Sent(out.value, (0.0,) * none + (back,), (ALL,) * none + mixed.shared)

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
            sent = joins.added(values, (1.0, *[sign] * (len(values) - 1)))
            return self._repeated(op, sent)
        return self._scale(op, values)

    def _repeated(self, op: Op, sent: Sent) -> Sent:
        """A sum, one of whose terms is the same for all examples, as a table of positions is.

        Its gradient is the sum of theirs, which are independent.
        """
        backs, shared = list(sent.backs), list(sent.shared)
        for place, term in enumerate(op.inputs):
            times = sizes.repeats(self._shapes, op, term)
            if times is not None:
                examples, positions = times
                backs[place], shared[place] = examples * positions, of_copies(positions)
        return sent._replace(backs=tuple(backs), shared=tuple(shared))

    def _concatenation(self, op: Op, values: list[Value]) -> Sent | str:
        if op.bare_name in ("setitem", "scatter", "index_copy", "masked_scatter"):
            return Sent(values[0], (1.0,) * len(values))
        if len(values) == 1:
            return Sent(values[0], (1.0,))
        return joins.side_by_side(values, sizes.joins_positions(self._shapes, op, values))

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
        kind = kind_of_norm(op)
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
            return sent._replace(shared=sent.shared * len(value.parts))
        return sent

    def _mean_of_batch(self, op: Op, value: Value) -> float:
        """What the square of a mean over few examples has more than that over many."""
        shape = self._shapes.get(op)
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
        is_whole = name.startswith(_WHOLE) or name[-2:] in ("1d", "2d", "3d")
        p = left_out(op.name, op.args, (*DROPOUTS, *DROPPED_PATHS))
        return norms.dropped(values[0], p, is_whole)

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
            return norms.spread_out(value, sizes.zoom(self._shapes, op, value, scale), is_linear)
        back = sizes.ratio(self._shapes, op)
        before = op.inputs[0]
        if name in ("getitem", "select") and before.bare_name in _HALVES:
            share, turn = sizes.share(self._shapes, op, before), self._bit()
            moved = replace(value, sources=turn, samples=None) if value.samples is None else value
            if value.width is not None and not sizes.parts_positions(
                self._shapes, op, before, value
            ):
                moved = replace(moved, width=value.width * share)
            return Sent(replace(moved, parts=()), (share,))
        if name in ("flatten", "Flatten") and _start(op) == 1:
            return Sent(replace(value, size=(), parts=()), (back,))
        if name in ("view", "reshape", "mean"):
            return Sent(replace(value, size=None, parts=()), (back,))
        return Sent(value, (back,))

    def _gate(self, op: Op, values: list[Value]) -> Sent | str:
        if "div" in op.bare_name or op.bare_name.startswith("grid"):
            return f"{op.name} of two computed values is not known"
        return joins.multiplied(values)

    def _attention(self, op: Op, values: list[Value]) -> Sent | str:
        bit = self._bit()
        if "attention" in op.name and len(values) in (1, 3):
            query, key, value = values if len(values) == 3 else values * 3
            soft = norms.softened(norms.scored(query, key, None).value, None)
            shares = soft.value.shares if soft is not None else None
            queries, keys = (
                sizes.length(self._shapes, op.inputs[0]),
                sizes.length(self._shapes, op.inputs[-1]),
            )
            count = keys or (float(math.prod(value.size)) if value.size else None)
            is_causal = op.keywords.get("is_causal") is True
            if count and is_causal:
                # A query at place t sees t keys: E[1/t] is about (ln T + 0.58) / T.
                count = count / (math.log(count) + 0.58)
            lengths = (queries, keys) if queries and keys else None
            sent = norms.attended(shares or (1.0, 1.0), value, count, bit, lengths)
            if len(values) != 3:
                return sent
            scale, shape = op.keywords.get("scale"), self._shapes.get(op.inputs[0])
            # Unless it is given, the scale is 1 over the root of the width.
            factor = scale**2 * shape[-1] if isinstance(scale, float) and shape else 1.0
            ahead, aside = norms.scoring_backs(
                query, key, value, keys, self._width_before(op.inputs[1]), is_causal
            )
            # So many queries send their gradient to each key and its value.
            each = queries / keys if queries and keys else 1.0
            backs = (factor * ahead, factor * aside * each, sent.backs[0] * each)
            share = query.places / query.q if query.q else 0.0
            number = queries or count or TYPICAL
            return Sent(sent.value, backs, (ALL, of_keys(share, number), *sent.shared))
        if len(values) != 2:
            return f"{op.name} is not known"
        for place, (first, second) in enumerate((values, values[::-1])):
            if first.shares is not None:
                shape = self._shapes.get(op.inputs[1 - place])
                # Positions come before the width, or behind it: a @ v, or v @ a.
                axis = -2 if place == 0 else -1
                keys, queries = (
                    sizes.length(self._shapes, op.inputs[1 - place], axis),
                    sizes.length(self._shapes, op, axis),
                )
                lengths = (queries, keys) if queries and keys else None
                sent = norms.attended(first.shares, second, keys, bit, lengths)
                # The gradient of a weight is the product of g with a value that has its own part.
                width = shape[-3 - axis] if shape else 0.0
                ahead = width * max(0.0, second.q - second.places)
                back = sent.backs[0] * (queries / keys if queries and keys else 1.0)
                if place == 0:
                    return Sent(sent.value, (ahead, back), (ALL, *sent.shared))
                return Sent(sent.value, (back, ahead), (*sent.shared, ALL))
        shape, ours = (self._shapes.get(x) for x in (op.inputs[0], op))
        sent = norms.scored(values[0], values[1], float(shape[-1]) if shape else None)
        if ours is None:
            return sent
        apart = max(0.0, values[1].q - values[1].places)
        query = values[0]
        share = query.places / query.q if query.q else 0.0
        # As in `scoring_backs`.
        ahead = ours[-1] * apart * (1 + ours[-1] / self._width_before(op.inputs[1]))
        aside = ours[-2] * query.q
        return Sent(sent.value, (ahead, aside), (ALL, of_keys(share, ours[-2])))

    def _width_before(self, op: Op) -> float:
        """The width of what a value is made of, by the last weight before it."""
        for _ in range(_FAR):
            if op.role == "weighted" or not op.inputs:
                break
            op = op.inputs[0]
        known = self.given.weights(op) if op.weights else ()
        return (known[0].fan_in if known else None) or math.inf

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


# Between a projection and the attention lie no more operations.
_FAR = 40
# Between a value and its slice with the other sign lie no more operations.
_NEAR = 5


def _start(op: Op) -> Any:
    return op.args.get("start_dim", 1 if op.name.startswith("F") else 0)

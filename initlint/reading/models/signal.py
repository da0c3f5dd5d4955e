"""What the predicted signal needs to know of weights and biases that were read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from initlint.graph.ops import Op, Operand
from initlint.graph.signal_terms import Given
from initlint.graph.signal_weighted import Known, Moments
from initlint.graph.weights import whole
from initlint.reading.abstract.sizes import is_size, nominal
from initlint.reading.abstract.values import Slot
from initlint.reading.objects.use import Use
from initlint.records import Initializer
from initlint.torchlib.draws import Draw, drawn_by


def given(
    ops: Sequence[Op],
    names: Mapping[str, str],
    initializer: Callable[[Use], Initializer | None],
) -> Given:
    """What is known of the weights in a graph; their numbers in its order have `names`."""
    numbers: dict[Op, int] = {}

    def weights(op: Op) -> Sequence[Known]:
        if not numbers:
            count = 0
            for each in ops:
                numbers[each] = count
                count += len(each.weights)
        first = numbers[op]
        named = [(str(first + place), use) for place, use in enumerate(op.weights)]
        return [_known(names.get(n, n), use, op, initializer(use)) for n, use in named]

    return Given(weights, content)


def content(slot: Any) -> Moments | None:
    """Mean and std of a parameter; None if they are not known."""
    if type(slot) is not Slot or not slot.draw.name:
        return None
    return _moments(slot.draw, slot.shape)


def _moments(draw: Draw, shape: Any) -> Moments | None:
    if draw.std is not None:
        return (draw.mean or 0.0) + draw.offset, draw.std
    sizes = [max(1, round(nominal(size))) if is_size(size) else 0 for size in shape or ()]
    found = drawn_by(draw.name, draw.args, tuple(sizes) if all(sizes) else None)
    return None if found.std is None else ((found.mean or 0.0) + draw.offset, found.std)


def _known(name: str, use: Use, op: Op, current: Initializer | None) -> Known:
    fans = [max(1, whole(nominal(fan))) if is_size(fan) else None for fan in use.fans]
    sizes = [max(1, round(nominal(size))) if is_size(size) else 0 for size in use.slot.shape or ()]
    return Known(
        name,
        tuple(sizes),
        fans[0],
        fans[1],
        current.mean if current is not None else 0.0,
        current.std if current is not None else None,
        _bias(use, op, fans[0]),
        current.name if current is not None else "",
        use.spread,
    )


def _bias(use: Use, op: Op, fan_in: float | None) -> Moments:
    own = op.args.get("bias")
    slot = own.parameter if type(own) is Operand else None
    if use.owner is not None:
        slot = use.owner.attrs.get(use.slot.name.replace("weight", "bias"))
    if type(slot) is not Slot:
        return 0.0, 0.0
    found = content(slot)
    if found is None and slot.draw.default and fan_in:
        # PyTorch's default, of sizes that are names.
        return 0.0, 1 / math.sqrt(3 * fan_in)
    return found or (0.0, 0.0)

"""What the prediction of a signal is given, what it gives, and what it calls a normalisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from initlint.graph.ops import Op
from initlint.graph.samples import Value
from initlint.graph.signal_weighted import Known, Moments

# Moments are kept between these, so that none overflows.
LEAST, LARGEST = 1e-140, 1e140
_KINDS = {
    **dict.fromkeys(("BatchNorm", "SyncBatchNorm", "LazyBatchNorm", "batch_norm"), "batch"),
    **dict.fromkeys(("InstanceNorm", "LazyInstanceNorm", "instance_norm"), "instance"),
    **dict.fromkeys(("LayerNorm", "layer_norm", "native_layer_norm"), "layer"),
    **dict.fromkeys(("GroupNorm", "group_norm", "native_group_norm"), "layer"),
    **dict.fromkeys(("RMSNorm", "rms_norm", "_fused_rms_norm"), "rms"),
    **dict.fromkeys(("FrozenBatchNorm", "LocalResponseNorm", "local_response_norm"), "none"),
    "CrossMapLRN": "none",
}


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


def kind_of_norm(op: Op) -> str:
    """What a normalisation computes its statistics over; empty if that is not known."""
    if op.args.get("written") or op.bare_name == "normalize":
        return "rms"
    return _KINDS.get(op.name.rstrip("123d"), _KINDS.get(op.name, ""))

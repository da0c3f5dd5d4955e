"""What torch's layers hold beside their weights: shapes and default draws of biases and norms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from initlint.reading.abstract.holders import Instance, Listing
from initlint.reading.abstract.sizes import is_size
from initlint.reading.abstract.values import Named, Slot, Sym, Value
from initlint.torchlib.draws import ARGUMENTS, UNCLEAR, Draw, drawn_by

Shape = tuple[Value, ...] | None
_LIMITS: Mapping[str, Any] = {"a": None, "b": None}


def by_torch(name: str, args: Mapping[str, Any], shape: tuple[int, ...] | None = None) -> Draw:
    """What torch's own constructor draws."""
    draw = drawn_by(name, args, shape)
    return Draw(draw.name, draw.args, draw.mean, draw.std, True, spelled=name)


def within(fan: Value) -> Draw:
    """Uniform between -1/sqrt(fan) and its opposite: the biases of most layers."""
    if isinstance(fan, int) and is_size(fan) and fan:
        bound = 1 / math.sqrt(fan)
        return by_torch("uniform_", {"a": -bound, "b": bound})
    return by_torch("uniform_", _LIMITS)


def bias_of_layer(instance: Instance, weight: Shape) -> Slot:
    """The bias of a linear layer, a convolution or a bilinear one, whose weight has this shape."""
    kind = instance.torch
    if weight is None or len(weight) < 2:
        return Slot(instance, "bias", None, by_torch("uniform_", _LIMITS))
    out = weight[0]
    if kind.startswith("ConvTranspose"):
        out = instance.args.get("out_channels")
    sizes = weight[1:2] if kind == "Bilinear" else weight[1:]
    is_known = all(type(size) is int and is_size(size) for size in sizes)
    return Slot(instance, "bias", (out,), within(math.prod(sizes) if is_known else None))


def fill_norm(instance: Instance) -> None:
    """The gain and the offset of a normalisation, None where it has none."""
    kind, args = instance.torch, instance.args
    shape = norm_shape(instance)
    switch = "elementwise_affine" if kind in ("LayerNorm", "RMSNorm") else "affine"
    is_affine = args.get(switch, not kind.startswith("InstanceNorm")) is not False
    is_biased = is_affine and args.get("bias") is not False and kind != "RMSNorm"
    gain = Slot(instance, "weight", shape, by_torch("ones_", {}))
    # What is no class of torch's own may draw its offset as it likes.
    drawn = by_torch("zeros_", {}) if kind in _OWN else UNCLEAR
    offset = Slot(instance, "bias", shape, drawn)
    instance.attrs["weight"] = gain if is_affine else None
    instance.attrs["bias"] = offset if is_biased else None


_OWN = {
    *("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "LayerNorm", "GroupNorm"),
    *("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "RMSNorm"),
}


def norm_shape(instance: Instance) -> Shape:
    """The shape of a normalisation's gain; None where it is not known."""
    kind, args = instance.torch, instance.args
    if kind not in _OWN:
        return None
    if kind == "GroupNorm":
        return (args.get("num_channels"),)
    size = args.get("normalized_shape" if kind in ("LayerNorm", "RMSNorm") else "num_features")
    if isinstance(size, Listing):
        return None if size.open else tuple(size.items)
    return size if isinstance(size, tuple) else (size,)


def statistics(instance: Instance) -> Iterator[Slot]:
    """The buffers in which torch's batch and instance norms keep what they have seen."""
    kind = instance.torch
    if kind not in _OWN or not kind.endswith(("1d", "2d", "3d", "SyncBatchNorm")):
        return
    if instance.args.get("track_running_stats", not kind.startswith("Instance")) is not True:
        return
    gain = instance.attrs.get("weight")
    through = gain.draw.through if isinstance(gain, Slot) else ""
    zeros = _ZEROS.at(instance.site, through, "zero_")
    ones = _ONES.at(instance.site, through, "fill_")
    size = (instance.args.get("num_features"),)
    shapes = {"running_mean": size, "running_var": size, "num_batches_tracked": ()}
    for name, shape in shapes.items():
        draw = ones if name == "running_var" else zeros
        yield Slot(instance, name, shape, draw, site=instance.site, trainable=False)


_ZEROS, _ONES = by_torch("zeros_", {}), by_torch("constant_", {"val": 1})


def eps_by_place(instance: Instance) -> float | str | None:
    """A norm's eps where it is given by its place; the text of a size that is only a name."""
    given, place = instance.args.get("*", ()), 2 if instance.torch == "GroupNorm" else 1
    if instance.torch not in _OWN or len(given) <= place:
        return None
    eps = given[place]
    if isinstance(eps, (bool, int, float)):
        return eps
    is_size_again = isinstance(eps, (Named, Sym)) and eps == given[place - 1]
    return "its number of features" if is_size_again else None


def is_padded(instance: Instance) -> bool:
    """Whether an embedding surely has a row of zeros for `padding_idx`.

    An argument without a default is given, and nobody gives None for that.
    """
    index = instance.args.get("padding_idx") if instance.torch == "Embedding" else None
    if isinstance(index, Named):
        # Class, function and argument; more dots are attributes of it, which may be None.
        return "[" not in index.name and index.name.count(".") == 2
    return type(index) is int


def fill_slope(instance: Instance) -> None:
    """The slope of a PReLU, or one for each channel."""
    slope = instance.args.get("init", 0.25)
    draw = by_torch("constant_", {"val": slope if isinstance(slope, (int, float)) else None})
    count = instance.args.get("num_parameters", 1)
    instance.attrs["weight"] = Slot(instance, "weight", (count,), draw)


def extra_of_attention(instance: Instance, width: Value, is_biased: bool, added: bool) -> None:
    """The biases of attention: of its packed projection, of the result, and two more keys."""
    rows = 3 * width if isinstance(width, int) else None
    zero = {"val": 0.0}
    instance.attrs["in_proj_bias"] = (
        Slot(instance, "in_proj_bias", (rows,), by_torch("constant_", zero)) if is_biased else None
    )
    for name in ("bias_k", "bias_v") if added else ():
        draw = by_torch("xavier_normal_", ARGUMENTS["xavier_normal_"])
        instance.attrs[name] = Slot(instance, name, (1, 1, width), draw)
    out = instance.attrs["out_proj"]
    if is_biased:
        out.attrs["bias"].draw = by_torch("constant_", zero)

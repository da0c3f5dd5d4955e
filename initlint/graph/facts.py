"""Numbers of an operation that the predicted signal needs: kernel, stride, padding, factor, …

Both engines get them here, from the arguments of a call and from the settings of a module. They are
kept in `Op.args`, which survives copies of a graph. What is not a number is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from initlint.graph.ops import Op, Operand, leaves_of

_WINDOW = ("kernel_size", "stride", "padding")
_CONVOLUTION = (*_WINDOW, "dilation", "groups")
# By the beginning of a module's class: the settings of its constructor that are kept, in the order
# of its arguments ("" for one that is not).
_OF_MODULES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Conv", "LazyConv"), ("", "", *_CONVOLUTION)),
    "MaxPool": (*_WINDOW, "dilation"),
    "AvgPool": _WINDOW,
    "LPPool": ("", "kernel_size", "stride"),
    **dict.fromkeys(("AdaptiveAvgPool", "AdaptiveMaxPool"), ("output_size",)),
    **dict.fromkeys(("Dropout", "AlphaDropout", "FeatureAlphaDropout"), ("p",)),
    "GroupNorm": ("num_groups", "", "eps"),
    **dict.fromkeys(("BatchNorm", "SyncBatchNorm", "LayerNorm", "InstanceNorm"), ("", "eps")),
    "LocalResponseNorm": ("size", "alpha", "beta", "k"),
    "Upsample": ("size", "scale_factor", "mode"),
    "UpsamplingNearest2d": ("size", "scale_factor"),
    "UpsamplingBilinear2d": ("size", "scale_factor"),
    "Flatten": ("start_dim", "end_dim"),
    "MultiheadAttention": ("embed_dim", "num_heads", "dropout"),
    **dict.fromkeys(("RNN", "LSTM", "GRU"), ("input_size", "hidden_size", "num_layers")),
    "Softmax": ("dim",),
    "PixelShuffle": ("upscale_factor",),
}
# By the bare name of a function: its arguments after the first, in order.
_OF_FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    # The functional convolution has no kernel_size: it is in the weight's shape.
    **{
        f"conv{n}d": ("weight", "bias", "stride", "padding", "dilation", "groups")
        for n in (1, 2, 3)
    },
    **{
        f"conv_transpose{n}d": (
            *("weight", "bias", *_WINDOW[1:], "output_padding", "groups", "dilation"),
        )
        for n in (1, 2, 3)
    },
    "linear": ("weight", "bias"),
    **{f"max_pool{n}d": (*_WINDOW, "dilation") for n in (1, 2, 3)},
    **{f"avg_pool{n}d": _WINDOW for n in (1, 2, 3)},
    **{f"adaptive_{how}_pool{n}d": ("output_size",) for how in ("avg", "max") for n in (1, 2, 3)},
    **dict.fromkeys(("mean", "sum", "amax", "amin", "max", "min"), ("dim",)),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack", "softmax"), ("dim",)),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d"), ("p", "training")),
    "stochastic_depth": ("p", "mode", "training"),
    "drop_path": ("p", "training"),
    "interpolate": ("size", "scale_factor", "mode"),
    "flatten": ("start_dim", "end_dim"),
    **dict.fromkeys(("getitem", "select"), ("index",)),
    "pixel_shuffle": ("upscale_factor",),
    **dict.fromkeys(("chunk", "unsafe_chunk", "tensor_split"), ("chunks",)),
}
# The functional norms: their arguments after the first, in order.
_STATISTICS = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
_OF_NORMS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("batch_norm", "instance_norm"), _STATISTICS),
    "layer_norm": ("normalized_shape", "weight", "bias", "eps"),
    "rms_norm": ("normalized_shape", "weight", "eps"),
    "group_norm": ("num_groups", "weight", "bias", "eps"),
}
_RESHAPING = ("view", "reshape")
# They cut a value into parts of given sizes.
_SPLITTING = ("split", "unsafe_split", "split_with_sizes")
# Dropout of units, and of whole branches, by how their names begin.
DROPOUTS, DROPPED_PATHS = ("dropout", "feature_dropout"), ("stochastic_depth", "drop_path")
_ROLES = frozenset({"pool", "dropout", "shape", "norm", "merge_cat"})
_SUMS = ("add", "iadd", "radd")
_DIFFERENCES = ("sub", "isub", "rsub", "subtract")
_PRODUCTS = ("mul", "imul", "rmul", "multiply")
_QUOTIENTS = ("div", "truediv", "itruediv", "true_divide", "divide")


def of_module(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a module's own settings, of those that are kept for its class."""
    names = wanted(kind)
    found = {name: plain(settings[name]) for name in names if name and name in settings}
    found |= {name: settings[name] for name in _PARAMETERS if type(settings.get(name)) is Operand}
    return {name: value for name, value in found.items() if value is not None}


# Of a norm: the parameters that its result is multiplied with and that are added to it.
_PARAMETERS = ("gain", "shift")


def wanted(kind: str) -> tuple[str, ...]:
    """The settings that are kept of a module of this class, in the order of its arguments."""
    if kind in _OF_MODULES:
        return _OF_MODULES[kind]
    return _OF_MODULES.get(kind.rstrip("123d").removesuffix("Transpose"), ())


def of_call(
    role: str, name: str, args: Sequence[Any], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """What is known of a call's arguments, for an operation of this role."""
    # Of a function that is not torch's, the name has its module.
    bare = name.rpartition(".")[2].strip("_")
    if role in ("scale", "merge_add"):
        return _of_arithmetic(bare, args, keywords)
    if role == "weighted":
        return _of_weighted(bare, args, keywords)
    if bare in _OF_NORMS:
        return _of_norm(bare, args, keywords)
    if role not in _ROLES:
        return {}
    if bare in _SPLITTING and len(args) > 1:
        return {"equal": len(set(args[1])) == 1 if isinstance(args[1], tuple) else True}
    if bare == "einsum":
        return {"equation": args[0]} if args and isinstance(args[0], str) else {}
    if bare == "getitem" and len(args) > 1 and isinstance(args[1], tuple):
        return _taken(args[1])
    if bare in _RESHAPING and len(args) > 1:
        return _ones_at_the_end(args[1] if isinstance(args[1], tuple) else args[1:])
    names = _OF_FUNCTIONS.get(bare)
    if names is None:
        return {}
    given = {**dict(zip(names, args[1:], strict=False)), **keywords}
    found = {name: plain(given[name]) for name in names if name in given}
    return {name: value for name, value in found.items() if value is not None}


def _ones_at_the_end(sizes: Sequence[Any]) -> dict[str, Any]:
    """How many axes of size one a reshape puts behind examples and units: pictures of 1 × 1."""
    places = sizes[2:]
    return {"ones": len(places)} if len(places) > 1 and all(n == 1 for n in places) else {}


def _taken(index: tuple[Any, ...]) -> dict[str, Any]:
    """The axis of which a subscript takes one element, as 1 in `x[:, 0]`."""
    if not all(isinstance(one, (int, slice)) for one in index):
        return {}
    axes = [axis for axis, one in enumerate(index) if type(one) is int]
    return {"axis": axes[0]} if len(axes) == 1 else {}


def plain(value: Any) -> Any:
    """A number, a text or a tuple of numbers; None for anything else."""
    if isinstance(value, (int, float, str)):
        return value
    if isinstance(value, (tuple, list)) and value and len(value) <= _MOST:
        return tuple(value) if all(isinstance(part, (int, float)) for part in value) else None
    return None


# No window has more dimensions.
_MOST = 8


def _of_norm(bare: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a functional norm, and its other numbers."""
    given = {**dict(zip(_OF_NORMS[bare], args[1:], strict=False)), **keywords}
    numbers = {name: plain(given.get(name)) for name in ("num_groups", "eps")}
    found: dict[str, Any] = {n: value for n, value in numbers.items() if value is not None}
    for kept, name in zip(_PARAMETERS, ("weight", "bias"), strict=True):
        if type(given.get(name)) is Operand:
            found[kept] = given[name]
    return found


def _of_weighted(bare: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    names = _OF_FUNCTIONS.get(bare, ())
    given = {**dict(zip(names, args[1:], strict=False)), **keywords}
    found = {n: plain(given[n]) for n in names[2:] if n in given}
    known = {name: value for name, value in found.items() if value is not None}
    if type(given.get("bias")) is Operand:
        known["bias"] = given["bias"]
    if bare in ("addmm", "baddbmm") and args and type(args[0]) is Operand:
        known["bias"] = args[0]
    return known


def _is_number(query: Op) -> bool:
    """Whether an operation computes a number, most likely of sizes; masks are compared, or made."""
    return query.bare_name in (*_PRODUCTS, *_QUOTIENTS, "pow", "sqrt", "rsqrt")


def _of_arithmetic(bare: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The number or the parameter that data is multiplied with, or that is added to it."""
    if bare in ("neg", "negative"):
        return {"factor": -1.0}
    values = [*args, *keywords.values()]
    others = [v for v in leaves_of(tuple(values)) if type(v) is not Op or v.role == "query"]
    numbers = [v for v in others if isinstance(v, (int, float)) and not isinstance(v, bool)]
    operands = [v for v in others if type(v) is Operand]
    is_factor, is_quotient = bare in _PRODUCTS, bare in _QUOTIENTS
    known: dict[str, Any] = {}
    if is_factor or is_quotient:
        if len(numbers) == 1 and numbers[0]:
            known["factor"] = 1 / numbers[0] if is_quotient else float(numbers[0])
        if len(operands) == 1 and is_factor:
            known["factor"] = operands[0]
        if not (numbers or operands) and any(type(v) is Op and _is_number(v) for v in others):
            known["factor"] = None
    elif bare in (*_SUMS, *_DIFFERENCES):
        alpha = keywords.get("alpha", 1)
        if len(numbers) == 1 and alpha == 1:
            known["offset"] = float(numbers[0]) * (-1 if bare in _DIFFERENCES else 1)
        if operands:
            known["offset"] = operands[0]
        if bare in _DIFFERENCES:
            known["sign"] = -1.0
    return known


def left_out(name: str, args: Mapping[str, Any], kinds: tuple[str, ...] = DROPOUTS) -> float:
    """The share of its input that a dropout leaves out in training; 0 if it is not known."""
    is_kind = name.rpartition(".")[2].strip("_").lower().startswith(kinds)
    p = args.get("p") if is_kind and args.get("training") is not False else None
    if is_kind and p is None and name.startswith("Dropout"):
        p = 0.5
    return float(p) if isinstance(p, (int, float)) and 0 < p < 1 else 0.0

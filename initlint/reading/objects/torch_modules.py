"""torch.nn as a reader knows it: constructors, parameters, shapes, fans and default draws."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from initlint.graph.recurrence import recurrent_part
from initlint.graph.weights import convolution_fans, product, transposed_fans
from initlint.reading.abstract.holders import Instance, Listing
from initlint.reading.abstract.sizes import computed, is_size, symbol
from initlint.reading.abstract.values import (
    UNKNOWN,
    External,
    Kept,
    Named,
    Plain,
    Slot,
    Sym,
    Unknown,
    Value,
)
from initlint.reading.objects.defaults import (
    bias_of_layer,
    by_torch,
    extra_of_attention,
    fill_norm,
    fill_slope,
    within,
)
from initlint.reading.objects.use import Use
from initlint.records import Site
from initlint.torchlib import catalog
from initlint.torchlib.draws import ARGUMENTS, UNCLEAR, Draw

_CONVOLUTION = "in_channels out_channels kernel_size stride padding dilation groups bias"
_TRANSPOSED = (
    "in_channels out_channels kernel_size stride padding output_padding groups bias dilation"
)
_RECURRENT = "input_size hidden_size num_layers bias batch_first dropout bidirectional proj_size"
_STATISTICAL = "num_features eps momentum affine track_running_stats"
# The arguments of torch's constructors in their order; those of others are not needed.
_SIGNATURES: dict[str, str] = {
    "Linear": "in_features out_features bias",
    "NonDynamicallyQuantizableLinear": "in_features out_features bias",
    "LazyLinear": "out_features bias",
    "Bilinear": "in1_features in2_features out_features bias",
    "Embedding": "num_embeddings embedding_dim padding_idx",
    "EmbeddingBag": "num_embeddings embedding_dim",
    "MultiheadAttention": "embed_dim num_heads dropout bias add_bias_kv add_zero_attn kdim vdim",
    "PReLU": "num_parameters init",
    "LayerNorm": "normalized_shape eps elementwise_affine bias",
    "GroupNorm": "num_groups num_channels eps affine",
    "RNN": "input_size hidden_size num_layers nonlinearity bias",
    "RNNCell": "input_size hidden_size bias nonlinearity",
    **{f"Conv{n}d": _CONVOLUTION for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": _TRANSPOSED for n in (1, 2, 3)},
    **{f"LazyConv{n}d": _CONVOLUTION.replace("in_channels ", "", 1) for n in (1, 2, 3)},
    "RMSNorm": "normalized_shape eps elementwise_affine",
    "SyncBatchNorm": _STATISTICAL,
    **{f"{kind}Norm{n}d": _STATISTICAL for kind in ("Batch", "Instance") for n in (1, 2, 3)},
    **dict.fromkeys(("LSTM", "GRU"), _RECURRENT),
    **dict.fromkeys(("LSTMCell", "GRUCell"), "input_size hidden_size bias"),
}
_NAMES = {kind: tuple(names.split()) for kind, names in _SIGNATURES.items()}
_DEFAULTS: Mapping[str, Value] = {
    "groups": 1,
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "bias": True,
    "padding_idx": None,
    "num_layers": 1,
    "bidirectional": False,
    "proj_size": 0,
    "kdim": None,
    "vdim": None,
    "nonlinearity": "tanh",
}
_PARENTS: dict[str, tuple[str, ...]] = {
    **{f"Conv{n}d": ("_ConvNd",) for n in (1, 2, 3)},
    **{f"LazyConv{n}d": (f"Conv{n}d", "_ConvNd") for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": ("_ConvTransposeNd", "_ConvNd") for n in (1, 2, 3)},
    **{f"BatchNorm{n}d": ("_BatchNorm", "_NormBase") for n in (1, 2, 3)},
    **{f"InstanceNorm{n}d": ("_InstanceNorm", "_NormBase") for n in (1, 2, 3)},
    **dict.fromkeys(("RNN", "LSTM", "GRU"), ("RNNBase",)),
    **dict.fromkeys(("RNNCell", "LSTMCell", "GRUCell"), ("RNNCellBase",)),
    "SyncBatchNorm": ("_BatchNorm", "_NormBase"),
    "NonDynamicallyQuantizableLinear": ("Linear",),
    "LazyLinear": ("Linear",),
    "ReLU6": ("Hardtanh",),
}
NORMS = ("Norm1d", "Norm2d", "Norm3d", "LayerNorm", "GroupNorm", "RMSNorm", "SyncBatchNorm")
_DEFAULT_ARGS = {"a": math.sqrt(5), "mode": "fan_in", "nonlinearity": "leaky_relu"}


def ancestors(kind: str) -> tuple[str, ...]:
    """The names of a torch class and of the classes it derives from."""
    losses = ("_Loss", "_WeightedLoss") if kind.endswith("Loss") else ()
    return (kind, *_PARENTS.get(kind, losses), "Module")


def fill(instance: Instance, args: tuple[Value, ...], kwargs: Mapping[str, Value]) -> None:
    """What torch's constructor does: keep the arguments, make the parameters."""
    names = _NAMES.get(instance.torch, ())
    given = dict(zip(names, args, strict=False))
    instance.args = {**given, **kwargs, "*": tuple(args)}
    kind = instance.torch
    if kind == "MultiheadAttention":
        _fill_attention(instance)
    elif kind in _CELLS:
        _fill_recurrent(instance)
    elif kind == "PReLU":
        fill_slope(instance)
    elif kind.endswith(NORMS):
        fill_norm(instance)
    elif kind in _SIGNATURES:
        shape = _shape(instance)
        instance.attrs["weight"] = Slot(instance, "weight", shape, _default(kind, shape))
        has_none = argument(instance, "bias") is False or kind.startswith("Embedding")
        instance.attrs["bias"] = None if has_none else bias_of_layer(instance, shape)


_CELLS = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")


def reset_of(kind: str) -> str:
    """The method by which the constructor of a torch class draws its weights; empty if none."""
    if kind == "MultiheadAttention":
        return "_reset_parameters"
    return "reset_parameters" if kind in _SIGNATURES or kind.endswith(NORMS) else ""


def is_layer(instance: Instance) -> bool:
    """Whether a module is a weighted layer of torch's, or derived from one."""
    operation = catalog.operation_of_module(instance.torch)
    return operation is not None and operation.role == "weighted"


def reset(instance: Instance, site: Site | None) -> Iterator[tuple[Slot, Draw]]:
    """What torch's own method of that name draws the present parameters of a module from."""
    again = Instance(None, instance.torch, instance.site)
    given = dict(instance.args)
    fill(again, given.pop("*", ()), given)
    for name, slot in again.attrs.items():
        present = instance.attrs.get(name)
        if type(slot) is Slot and type(present) is Slot:
            yield present, slot.draw.at(site)


def argument(instance: Instance, name: str) -> Value:
    """An argument of torch's constructor as given, or its default."""
    return instance.args.get(name, _DEFAULTS.get(name, UNKNOWN))


_PER_DIMENSION = ("kernel_size", "stride", "padding", "dilation")


def attribute_of(instance: Instance, name: str) -> Value:
    """An attribute that torch's constructor sets from an argument of the same name.

    A convolution has a size for each of its dimensions, also where one was given for all.
    """
    value = _given(argument(instance, name))
    is_convolution = "Conv" in instance.torch and instance.torch in _SIGNATURES
    if is_convolution and name in _PER_DIMENSION and isinstance(value, (int, Sym, Named)):
        return (value,) * int(instance.torch[-2])
    return argument(instance, name)


def _shape(instance: Instance) -> tuple[Value, ...] | None:
    kind = instance.torch
    if kind.startswith("Lazy"):
        return _lazy_shape(instance)
    if kind == "Bilinear":
        names = ("out_features", "in1_features", "in2_features")
        return tuple(argument(instance, name) for name in names)
    if kind.endswith("Linear"):
        return _size(instance, "out_features"), _size(instance, "in_features")
    if kind.startswith("Embedding"):
        return argument(instance, "num_embeddings"), argument(instance, "embedding_dim")
    if not kind.startswith("Conv") or kind not in _SIGNATURES:
        return None
    into, out = _size(instance, "in_channels"), _size(instance, "out_channels")
    groups, window = argument(instance, "groups"), _window(instance)
    if kind.startswith("ConvTranspose"):
        return (into, computed(ast.FloorDiv, out, groups), *window)
    return (out, computed(ast.FloorDiv, into, groups), *window)


def _size(instance: Instance, name: str) -> Value:
    """A size of a weight; one that data or a command line decides stands as a name of its own.

    What an initialiser makes of it, and what the layer needs, can be compared all the same.
    """
    size = argument(instance, name)
    is_open = isinstance(size, (Plain, Unknown, External)) and not isinstance(size, Kept)
    return Named(f"{name} at {instance.site}") if is_open else size


def _lazy_shape(instance: Instance) -> tuple[Value, ...] | None:
    """A width that the first input will have stands as a name, one for every line that asks."""
    width = Named(f"the width at {instance.site}")
    if instance.torch == "LazyLinear":
        return argument(instance, "out_features"), width
    if instance.torch not in _SIGNATURES:
        return None
    into = computed(ast.FloorDiv, width, argument(instance, "groups"))
    return (argument(instance, "out_channels"), into, *_window(instance))


def _window(instance: Instance) -> tuple[Value, ...]:
    rank = int(instance.torch[-2])
    size = _given(argument(instance, "kernel_size"))
    sizes = size if isinstance(size, tuple) else (size,)
    sizes = sizes * rank if len(sizes) == 1 else sizes
    return sizes if len(sizes) == rank else (UNKNOWN,) * rank


def _default(kind: str, shape: tuple[Value, ...] | None) -> Draw:
    if kind.startswith("Embedding"):
        return by_torch("normal_", ARGUMENTS["normal_"], None)
    if kind == "Bilinear":
        width = shape[1] if shape else None
        bound = (
            1 / math.sqrt(width) if isinstance(width, int) and is_size(width) and width else None
        )
        return _uniform(bound)
    return by_torch("kaiming_uniform_", _DEFAULT_ARGS, _numbers(shape))


def _uniform(bound: float | None) -> Draw:
    if bound is None:
        return UNCLEAR
    return by_torch("uniform_", {"a": -bound, "b": bound})


def _numbers(shape: tuple[Value, ...] | None) -> tuple[int, ...] | None:
    whole = shape is not None and all(type(size) is int and is_size(size) for size in shape)
    return shape if whole else None


def _fill_attention(instance: Instance) -> None:
    width = argument(instance, "embed_dim")
    names = {"in_proj_weight": (computed(ast.Mult, 3, width), width)}
    if argument(instance, "kdim") is not None or argument(instance, "vdim") is not None:
        key, value = argument(instance, "kdim"), argument(instance, "vdim")
        names = {"q_proj_weight": (width, width), "k_proj_weight": (width, key or width)}
        names["v_proj_weight"] = (width, value or width)
    for name, shape in names.items():
        draw = by_torch("xavier_uniform_", ARGUMENTS["xavier_uniform_"], _numbers(shape))
        instance.attrs[name] = Slot(instance, name, shape, draw)
    out = Instance(None, "NonDynamicallyQuantizableLinear", instance.site)
    bias = argument(instance, "bias")
    fill(out, (width, width), {"bias": bias})
    instance.attrs["out_proj"] = out
    added = argument(instance, "add_bias_kv") is True
    extra_of_attention(instance, width, bias is not False, added)


def _fill_recurrent(instance: Instance) -> None:
    gates = {"LSTM": 4, "GRU": 3}.get(instance.torch.removesuffix("Cell"), 1)
    width, hidden = argument(instance, "input_size"), argument(instance, "hidden_size")
    rows = computed(ast.Mult, gates, hidden)
    is_known = isinstance(hidden, int) and is_size(hidden) and hidden
    bound = 1 / math.sqrt(hidden) if is_known else None
    layers = argument(instance, "num_layers")
    # An LSTM may give less than its state holds.
    given = argument(instance, "proj_size") or hidden
    for name, columns in _recurrent_names(instance, layers, width, given):
        slot = Slot(instance, name, (rows, columns), _uniform(bound))
        instance.attrs[name] = slot
        if argument(instance, "bias") is not False:
            bias = name.replace("weight", "bias")
            instance.attrs[bias] = Slot(instance, bias, (rows,), within(hidden))
        if given is not hidden and "_hh" in name:
            last = name.replace("_hh", "_hr")
            instance.attrs[last] = Slot(instance, last, (given, hidden), _uniform(bound))


def _recurrent_names(
    instance: Instance, layers: Value, width: Value, hidden: Value
) -> list[tuple[str, Value]]:
    if instance.torch.endswith("Cell"):
        return [("weight_ih", width), ("weight_hh", hidden)]
    both = argument(instance, "bidirectional") is True
    inner = computed(ast.Mult, 2, hidden) if both else hidden
    found = []
    for layer in range(layers if isinstance(layers, int) and layers < 100 else 1):
        for end in ("", "_reverse") if both else ("",):
            found.append((f"weight_ih_l{layer}{end}", inner if layer else width))
            found.append((f"weight_hh_l{layer}{end}", hidden))
    return found


def _fans(instance: Instance, shape: tuple[Value, ...] | None) -> tuple[Any, Any, float]:
    """fan_in and fan_out of a weight of torch's layers, where they are known, and its spread."""
    kind = instance.torch
    if not shape or kind.startswith("Embedding"):
        return None, None, 1
    sizes = [size if type(size) is int else symbol(size) for size in shape]
    if "Conv" not in kind:
        return product(sizes[1:]), sizes[0], 1
    groups = argument(instance, "groups")
    count = groups if type(groups) is int else symbol(groups)
    if "ConvTranspose" not in kind:
        return (*convolution_fans(sizes, count), 1)
    stride, dilation = (_given(argument(instance, name)) for name in ("stride", "dilation"))
    return transposed_fans(sizes, count, stride, dilation)


def _given(value: Value) -> Value:
    """A size for all dimensions, or one for each, however they are written."""
    if not isinstance(value, Listing):
        return value
    return UNKNOWN if value.open else tuple(value.items)


def known(*fans: Value) -> tuple[Any, Any]:
    """Two fans, each None where it is not known."""
    fan_in, fan_out = (fan if is_size(fan) else None for fan in fans)
    return fan_in, fan_out


def uses_of(instance: Instance) -> list[Use]:
    """The weights that a call of a weighted module multiplies its input with."""
    kind = type_of(instance)
    if instance.torch == "MultiheadAttention":
        return _attention_uses(instance, kind)
    if instance.torch in _CELLS:
        return _recurrent_uses(instance, kind)
    slot = instance.attrs.get("weight")
    if type(slot) is not Slot:
        return []
    fan_in, fan_out, spread = _fans(instance, slot.shape)
    use = Use(slot, kind, (fan_in, fan_out), slot.draw, spread=spread, owner=instance)
    use.reparametrised = instance.reparametrised
    use.biased = instance.attrs.get("bias") is not None
    return [use]


def type_of(instance: Instance) -> str:
    """The name of a module's class."""
    return instance.cls.name if instance.cls is not None else instance.torch


def _attention_uses(instance: Instance, kind: str) -> list[Use]:
    found = []
    for name, slot in instance.attrs.items():
        if type(slot) is Slot and name.endswith("proj_weight") and slot.shape:
            rows, columns = slot.shape
            out = argument(instance, "embed_dim") if name == "in_proj_weight" else rows
            found.append(Use(slot, kind, known(columns, out), slot.draw, "attention"))
    return [*found, *uses_of(instance.attrs["out_proj"])]


def _recurrent_uses(instance: Instance, kind: str) -> list[Use]:
    plain = instance.torch.startswith("RNN")
    following = argument(instance, "nonlinearity") if plain else "mixed"
    follows = () if plain else ("sigmoid", "tanh")
    name = following if isinstance(following, str) else "unknown"
    found = []
    for slot in instance.attrs.values():
        if type(slot) is Slot and slot.shape and slot.name.startswith("weight"):
            fans = known(slot.shape[1], slot.shape[0])
            use = Use(slot, kind, fans, slot.draw, name, follows)
            found.append(replace(use, recurrent=recurrent_part(slot.name)))
    return found

"""torch.nn's transformer layers and stacks: the parts that torch makes, and their forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from initlint.reading.abstract.copies import copied
from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.submodules import named_slots, parameters_of, sampled
from initlint.reading.abstract.values import UNKNOWN, Sampled, Tensor, Value
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.tensors import operate
from initlint.reading.objects.defaults import by_torch
from initlint.reading.objects.torch_modules import fill
from initlint.reading.reader import Reader
from initlint.torchlib.draws import ARGUMENTS

_LAYERS = ("TransformerEncoderLayer", "TransformerDecoderLayer")
_STACKS = ("TransformerEncoder", "TransformerDecoder")
TRANSFORMERS = (*_LAYERS, *_STACKS, "Transformer")
# The arguments of torch's constructors in their order, with their defaults.
_OF_LAYER: Mapping[str, Value] = {
    "d_model": UNKNOWN,
    "nhead": UNKNOWN,
    "dim_feedforward": 2048,
    "dropout": 0.1,
    "activation": "relu",
    "layer_norm_eps": 1e-5,
    "batch_first": False,
    "norm_first": False,
    "bias": True,
}
_OF_STACK: Mapping[str, Value] = {"layer": UNKNOWN, "num_layers": UNKNOWN, "norm": None}
_OF_WHOLE: Mapping[str, Value] = {
    "d_model": 512,
    "nhead": 8,
    "num_encoder_layers": 6,
    "num_decoder_layers": 6,
    **{key: _OF_LAYER[key] for key in ("dim_feedforward", "dropout", "activation")},
    "custom_encoder": None,
    "custom_decoder": None,
    **{key: _OF_LAYER[key] for key in ("layer_norm_eps", "batch_first", "norm_first", "bias")},
}
# Of a stack of more layers, or of a length that is not known, two stand for all.
_MOST = 48


def furnish_transformer(
    reader: Reader, instance: Instance, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> None:
    """Give one of torch's transformer modules the parts that its constructor makes."""
    if instance.torch in _LAYERS:
        given = _arguments(_OF_LAYER, args, kwargs)
        instance.args = {**given, "*": tuple(args)}
        _furnish_layer(instance, given)
    elif instance.torch in _STACKS:
        kind = instance.torch.removeprefix("Transformer").lower()
        named = {("layer" if key == f"{kind}_layer" else key): v for key, v in kwargs.items()}
        _furnish_stack(reader, instance, _arguments(_OF_STACK, args, named))
    else:
        _furnish_whole(reader, instance, _arguments(_OF_WHOLE, args, kwargs))


def _arguments(
    defaults: Mapping[str, Value], args: Sequence[Value], kwargs: Mapping[str, Value]
) -> dict[str, Value]:
    return {**defaults, **dict(zip(defaults, args, strict=False)), **kwargs}


def _part(whole: Instance, kind: str, *args: Value, **kwargs: Value) -> Instance:
    """A module of torch's, made on the line of the module that holds it."""
    made = Instance(None, kind, whole.site, arms=whole.arms)
    fill(made, args, kwargs)
    return made


def _furnish_layer(instance: Instance, given: Mapping[str, Value]) -> None:
    width, inner, bias = given["d_model"], given["dim_feedforward"], given["bias"]
    is_decoder = "Decoder" in instance.torch
    attentions = ("self_attn", "multihead_attn") if is_decoder else ("self_attn",)
    count = 1 + len(attentions)
    for name in attentions:
        heads = given["nhead"]
        instance.attrs[name] = _part(instance, "MultiheadAttention", width, heads, bias=bias)
    instance.attrs["linear1"] = _part(instance, "Linear", width, inner, bias=bias)
    instance.attrs["dropout"] = _part(instance, "Dropout", given["dropout"])
    instance.attrs["linear2"] = _part(instance, "Linear", inner, width, bias=bias)
    for number in range(1, count + 1):
        eps = given["layer_norm_eps"]
        instance.attrs[f"norm{number}"] = _part(instance, "LayerNorm", width, eps, bias=bias)
    for number in range(1, count + 1):
        instance.attrs[f"dropout{number}"] = _part(instance, "Dropout", given["dropout"])
    instance.attrs["activation"] = given["activation"]


def _furnish_stack(reader: Reader, instance: Instance, given: Mapping[str, Value]) -> None:
    """The layers of a stack are deep copies of the one that it is given."""
    layer, count = given["layer"], given["num_layers"]
    instance.attrs["norm"] = given["norm"]
    if not isinstance(layer, Instance) or layer.torch not in (*_LAYERS, "Module"):
        return
    is_known = type(count) is int and 0 <= count <= _MOST
    many = [
        copied(layer, instance.site, reader.constructing)
        for _ in range(count if is_known and isinstance(count, int) else 2)
    ]
    if is_known:
        layers = Instance(None, "ModuleList", instance.site, arms=instance.arms)
        layers.attrs = {str(number): one for number, one in enumerate(many)}
        instance.attrs["layers"] = layers
    else:
        instance.attrs["layers"] = Sampled(tuple(many), ("0", "1"))
        reader.has_samples = True


def _furnish_whole(reader: Reader, instance: Instance, given: Mapping[str, Value]) -> None:
    """nn.Transformer: an encoder and a decoder, all of whose matrices it draws again."""
    own = {key: value for key, value in given.items() if key in _OF_LAYER}
    for kind in ("Encoder", "Decoder"):
        part = given[f"custom_{kind.lower()}"]
        if part is None:
            layer = Instance(None, f"Transformer{kind}Layer", instance.site, arms=instance.arms)
            furnish_transformer(reader, layer, (), own)
            norm = _part(instance, "LayerNorm", given["d_model"], given["layer_norm_eps"])
            part = Instance(None, f"Transformer{kind}", instance.site, arms=instance.arms)
            count = given[f"num_{kind.lower()}_layers"]
            furnish_transformer(reader, part, (layer, count, norm), {})
        instance.attrs[kind.lower()] = part
    of_samples = (pair for name, one in sampled(instance) for pair in named_slots(one, name))
    for _, slot in (*parameters_of(instance), *of_samples):
        if slot.shape is not None and len(slot.shape) > 1:
            sizes = slot.shape if all(type(size) is int for size in slot.shape) else None
            slot.draw = by_torch("xavier_uniform_", ARGUMENTS["xavier_uniform_"], sizes)


def run_transformer(
    reader: Reader, instance: Instance, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value:
    """The result of the forward of one of torch's transformer modules."""
    source = args[0] if args else kwargs.get("src", kwargs.get("tgt", UNKNOWN))
    other = args[1] if len(args) > 1 else kwargs.get("memory", kwargs.get("tgt", UNKNOWN))
    if instance.torch == "Transformer":
        memory = call(reader, instance.attrs["encoder"], [source], {})
        return call(reader, instance.attrs["decoder"], [other, memory], {})
    given = [source, other] if "Decoder" in instance.torch else [source]
    if instance.torch in _LAYERS:
        return _through_layer(reader, instance, given)
    return _through_stack(reader, instance, given)


def _through_stack(reader: Reader, instance: Instance, given: list[Value]) -> Value:
    layers = instance.attrs.get("layers")
    if isinstance(layers, Sampled):
        members = list(layers.options)
    elif isinstance(layers, Instance):
        members = list(layers.attrs.values())
    else:
        return reader.unclear(reader.nodes_in(given), instance.torch)
    value = given[0]
    for layer in members:
        value = call(reader, layer, [value, *given[1:]], {})
    norm = instance.attrs["norm"]
    return value if norm is None else call(reader, norm, [value], {})


def _through_layer(reader: Reader, layer: Instance, given: list[Value]) -> Value:
    """The residual branches of a layer, each with a norm before it or after the sum."""
    first = layer.args["norm_first"]
    if not isinstance(first, bool):
        return reader.unclear(reader.nodes_in(given), layer.torch)
    branches: list[Callable[[Value], Value]] = [lambda x: self_attention(reader, layer, x)]
    if len(given) > 1:
        branches.append(lambda x: cross_attention(reader, layer, x, given[1]))
    branches.append(lambda x: feed_forward(reader, layer, x))
    value = given[0]
    for number, branch in enumerate(branches, 1):
        norm = layer.attrs[f"norm{number}"]
        inner = call(reader, norm, [value], {}) if first else value
        value = operate(reader, "add", [value, branch(inner)])
        value = value if first else call(reader, norm, [value], {})
    return value


def self_attention(reader: Reader, layer: Instance, value: Value) -> Value:
    """The first branch of a layer: torch's `_sa_block`."""
    return _attended(reader, layer, "self_attn", "dropout1", value, value)


def cross_attention(reader: Reader, layer: Instance, value: Value, memory: Value) -> Value:
    """The branch of a decoder's layer that looks at the encoder: torch's `_mha_block`."""
    return _attended(reader, layer, "multihead_attn", "dropout2", value, memory)


def _attended(
    reader: Reader, layer: Instance, name: str, dropout: str, query: Value, memory: Value
) -> Value:
    found = call(reader, layer.attrs.get(name), [query, memory, memory], {})
    if isinstance(found, Tensor):
        found = operate(reader, "getitem", [found, 0])
    return call(reader, layer.attrs.get(dropout), [found], {})


def feed_forward(reader: Reader, layer: Instance, value: Value) -> Value:
    """The last branch of a layer: torch's `_ff_block`."""
    value = call(reader, layer.attrs["linear1"], [value], {})
    activation = layer.attrs["activation"]
    if isinstance(activation, str):
        value = operate(reader, activation, [value])
    else:
        value = call(reader, activation, [value], {})
    value = call(reader, layer.attrs["dropout"], [value], {})
    value = call(reader, layer.attrs["linear2"], [value], {})
    last = "dropout3" if "Decoder" in layer.torch else "dropout2"
    return call(reader, layer.attrs[last], [value], {})

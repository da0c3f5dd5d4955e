"""Example inputs found, not asked for: guessed from the model, corrected by what a run complains of."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from initlint.trace.recorded import RunError

_BATCH, _LENGTH = 2, 16
# Image sizes to try where nothing says one, those of common data sets first.
_SIZES = (32, 64, 28, 96, 128, 224, 256, 299, 384, 512, 16, 48, 160, 192, 240, 288, 320, 448, 640)
_IDS = re.compile(r"(^|_)(ids?|idx|tokens?|indices)$|^(src|tgt|source|target)_tokens$")
_MASK = re.compile(r"mask$")
_IMAGE = re.compile(r"pixel|image|img|^(left|right)$")
_FEATURES = re.compile(r"features$|embeds$|states$")
_WAVE = re.compile(r"input_values|wave|audio|wav$")
_TIME = re.compile(r"^(t|timesteps?|time|sigma|noise_level)$")
# Settings of forward that are better off for a run that only wants the graph.
_OFF = ("use_cache", "output_attentions", "output_hidden_states")


@dataclass(frozen=True, slots=True)
class Spec:
    """One tensor to make: its shape, with None for the sides of an image, and whether integer."""

    shape: tuple[int | None, ...]
    integer: bool = False
    ones: bool = False


class Guesser:
    """Guesses a model's inputs, and learns from the errors of the runs that they lead to."""

    def __init__(self, model: nn.Module, given: Sequence[Any] = ()) -> None:
        self._model = model
        self._given = tuple(given)
        self._parameters = inspect.signature(model.forward).parameters
        self._first = _first_layer(model)
        self._size = _known_size(model)
        self._tried = {self._size}
        self._specs: dict[str, Spec] = {}
        self._deepened = False
        for name in self._wanted():
            self._specs[name] = self._spec(name)

    def inputs(self, device: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments for forward, on `device`."""
        args, kwargs = self._of_user(device)
        for name, spec in self._specs.items():
            parameter = self._parameters.get(name)
            tensor = _tensor(spec, self._size, device)
            if parameter is not None and parameter.kind is parameter.VAR_POSITIONAL:
                args.append(tensor)
            elif parameter is None or parameter.kind is not parameter.POSITIONAL_ONLY:
                kwargs[name] = tensor
            else:
                args.append(tensor)
        kwargs.update({name: False for name in _OFF if name in self._parameters})
        return tuple(args), kwargs

    def learn(self, error: RunError) -> bool:
        """Whether another guess follows from what the last one led to."""
        if self._given:
            return False
        return (
            self._learn_layer(error)
            or self._learn_missing(error)
            or self._learn_size(error)
            or self._deepen()
        )

    def unguessed(self) -> str:
        """The argument that could not be found out, and the option that gives it."""
        name = next(iter(self._specs), "x")
        return f"the input {name} could not be guessed; give it with --input {name}=1,3,32,32"

    def _of_user(self, device: str) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for value in self._given:
            made = value.to(device) if isinstance(value, torch.Tensor) else value
            if hasattr(value, "shape") and hasattr(value, "dtype") and isinstance(value.dtype, str):
                made = torch.zeros(value.shape, dtype=getattr(torch, value.dtype), device=device)
                if value.name:
                    kwargs[value.name] = made
                    continue
            args.append(made)
        return args, kwargs

    def _wanted(self) -> Iterator[str]:
        """Forward's arguments that need a tensor: all without default, else what models name."""
        if self._given:
            return
        free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        required = [
            p.name for p in self._parameters.values() if p.default is p.empty and p.kind not in free
        ]
        yield from required
        main = getattr(self._model, "main_input_name", None)
        if isinstance(main, str) and main in self._parameters and main not in required:
            yield main
            if getattr(getattr(self._model, "config", None), "is_encoder_decoder", False) and (
                "decoder_input_ids" in self._parameters
            ):
                yield "decoder_input_ids"
        elif not required:
            optional = [p.name for p in self._parameters.values() if p.kind not in free]
            loose = [p.name for p in self._parameters.values() if p.kind is p.VAR_POSITIONAL]
            yield from (optional or loose)[:1]

    def _spec(self, name: str) -> Spec:
        """What an argument's name says, else what the first layer takes."""
        config = getattr(self._model, "config", None)
        if _IDS.search(name):
            return Spec((_BATCH, _LENGTH), integer=True)
        if _MASK.search(name):
            return Spec((_BATCH, _LENGTH), integer=True, ones=True)
        if _TIME.search(name):
            return Spec((_BATCH,), integer=True)
        if _WAVE.search(name):
            return Spec((_BATCH, 16_000))
        if name == "input_features" and hasattr(config, "num_mel_bins"):
            frames = 2 * getattr(config, "max_source_positions", 50)
            return Spec((_BATCH, config.num_mel_bins, frames))
        if _IMAGE.search(name):
            return Spec((_BATCH, _channels(self._model), None, None))
        if _FEATURES.search(name) and hasattr(config, "hidden_size"):
            return Spec((_BATCH, _LENGTH, config.hidden_size))
        return _taken_by(self._first) or Spec((_BATCH, 3, None, None))

    def _learn_layer(self, error: RunError) -> bool:
        """A layer was handed an input of the model itself, and refused it: give it its own shape."""
        spec = _taken_by(error.layer)
        names = list(self._specs)
        if spec is None or error.placeholder is None or error.placeholder >= len(names):
            return False
        name = names[error.placeholder]
        if self._specs[name] == spec:
            return False
        self._specs[name] = spec
        return True

    def _learn_missing(self, error: RunError) -> bool:
        """The error names an argument that was left out."""
        words = set(re.findall(r"\w+", str(error.cause)))
        for name in self._parameters:
            if name in words and name not in self._specs and name not in _OFF:
                self._specs[name] = self._spec(name)
                return True
        return False

    def _learn_size(self, error: RunError) -> bool:
        """Another image size: the one that makes a flattened image fit a Linear, else the next."""
        if not any(None in spec.shape for spec in self._specs.values()):
            return False
        layer = error.layer
        if isinstance(layer, nn.Linear) and error.shapes and error.shapes[0][-1] > 0:
            scale = math.sqrt(layer.in_features / error.shapes[0][-1])
            fitting = max(1, round(self._size * scale))
            if fitting not in self._tried and scale != 1:
                return self._try(fitting)
        return any(size not in self._tried and self._try(size) for size in _SIZES)

    def _try(self, size: int) -> bool:
        self._tried.add(size)
        self._size = size
        return True

    def _deepen(self) -> bool:
        """Features of single examples may have been meant as sequences of them."""
        flat = [n for n, s in self._specs.items() if len(s.shape) == 2 and not s.integer]
        if self._deepened or not flat:
            return False
        self._deepened = True
        for name in flat:
            batch, width = self._specs[name].shape
            self._specs[name] = replace(self._specs[name], shape=(batch, _LENGTH, width))
        return True


def _tensor(spec: Spec, size: int, device: str) -> torch.Tensor:
    shape = tuple(size if side is None else side for side in spec.shape)
    if spec.integer:
        return torch.full(shape, int(spec.ones), dtype=torch.int64, device=device)
    # On real devices values matter little, but equal ones would make normalisations divide by 0.
    return torch.rand(shape, device=device)


def _first_layer(model: nn.Module) -> nn.Module | None:
    return next((m for m in model.modules() if _taken_by(m) is not None), None)


def _taken_by(layer: nn.Module | None) -> Spec | None:
    """The input that one of torch's layers takes."""
    if isinstance(layer, nn.Linear):
        return Spec((_BATCH, layer.in_features))
    if isinstance(layer, _ConvNd):
        rank = len(layer.kernel_size)
        sides: tuple[int | None, ...] = (64,) if rank == 1 else (None,) * rank
        return Spec((_BATCH, layer.in_channels, *sides))
    if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        return Spec((_BATCH, _LENGTH), integer=True)
    if isinstance(layer, nn.RNNBase):
        return Spec((_BATCH, _LENGTH, layer.input_size))
    if isinstance(layer, nn.RNNCellBase):
        return Spec((_BATCH, layer.input_size))
    if isinstance(layer, nn.MultiheadAttention):
        return Spec((_BATCH, _LENGTH, layer.embed_dim))
    return _normalised_by(layer)


def _normalised_by(layer: nn.Module | None) -> Spec | None:
    if isinstance(layer, (nn.LayerNorm, nn.RMSNorm)):
        return Spec((_BATCH, _LENGTH, *layer.normalized_shape))
    if isinstance(layer, _NormBase):
        sides = {"1": (), "2": (None, None), "3": (None, None, None)}
        return Spec((_BATCH, layer.num_features, *sides.get(type(layer).__name__[-2:-1], ())))
    if isinstance(layer, nn.GroupNorm):
        return Spec((_BATCH, layer.num_channels, None, None))
    return None


def _channels(model: nn.Module) -> int:
    """The channels of an image, from the first convolution over two dimensions or the config."""
    convolution = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if convolution is not None:
        return convolution.in_channels
    config = getattr(model, "config", None)
    return int(getattr(getattr(config, "vision_config", config), "num_channels", 3))


def _known_size(model: nn.Module) -> int:
    """The image size that a model carries in one of the usual attributes, else the first to try."""
    config = getattr(model, "config", None)
    carriers = [model, config, getattr(config, "vision_config", None)]
    for attribute in ("pretrained_cfg", "default_cfg"):
        value = getattr(model, attribute, None)
        if isinstance(value, Mapping) and isinstance(value.get("input_size"), Sequence):
            return int(value["input_size"][-1])
    for carrier in carriers:
        for attribute in ("image_size", "img_size", "input_size"):
            value = getattr(carrier, attribute, None)
            if isinstance(value, Sequence) and value and isinstance(value[-1], int):
                return int(value[-1])
            if isinstance(value, int) and not isinstance(value, bool):
                return value
    return _SIZES[0]

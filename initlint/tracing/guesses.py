"""First guesses of a model's inputs: from argument names, layers, and attributes of the model."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from initlint.tracing.unchanged import LAZY

BATCH, LENGTH, FRAMES, SAMPLES = 2, 16, 4, 16_000
# Tokens of a model that takes fewer than the usual number; how many sizes of its own are tried.
SHORT, _TRIED = 4, 4
# Tried first where nothing says how large images are.
USUAL_SIZE = 32
_GRID = ((1, 4, 4), (1, 4, 4))
_IDS = re.compile(
    r"(^|_)(ids?|idx|tokens?|indices)$|^(src|tgt|source|target)_tokens$|^task_inputs$"
)
_MASK = re.compile(r"mask$|_mask_|^patch_valid$")
_GRIDS = re.compile(r"grid_thw$")
_SIDES = re.compile(r"^(spatial_shapes|target_sizes)$")
_VIDEO = re.compile(r"video|frames$|^clip$")
_IMAGE = re.compile(r"pixel|image|img|^(left|right)$")
_FEATURES = re.compile(r"features$|embeds$|states$")
_WAVE = re.compile(r"input_values|wave|audio|wav$")
_TIME = re.compile(r"^(t|timesteps?|time|sigma|noise_level)$")
_SERIES = re.compile(r"^(past|future|history|context)_values$")


@dataclass(frozen=True, slots=True)
class Spec:
    """One tensor to make.

    `shape` has None for the sides of an image. `kind` is float, ids (integers, zero), ones
    (integers) or values, which are then given.
    """

    shape: tuple[int | None, ...]
    kind: str = "float"
    values: tuple[tuple[int, ...], ...] = ()

    def tensor(self, size: int, device: str) -> torch.Tensor:
        """The tensor, with images of this size."""
        shape = self.sized(size)
        if self.kind == "values":
            return torch.tensor(self.values, device=device)
        if self.kind != "float":
            return torch.full(shape, int(self.kind == "ones"), dtype=torch.int64, device=device)
        if device == "meta":
            return torch.empty(shape, device=device)
        # Values matter little, but equal ones would make normalisations divide by 0.
        source = torch.Generator("cpu").manual_seed(0)
        return torch.rand(shape, generator=source, device="cpu").to(device)

    def sized(self, size: int) -> tuple[int, ...]:
        """The shape, with images of this size."""
        return tuple(size if side is None else side for side in self.shape)

    def spelled(self, size: int) -> str:
        """As `--input` takes it."""
        shape = ",".join(map(str, self.sized(size)))
        return shape if self.kind == "float" else f"int64[{shape}]"


def by_name(name: str, model: nn.Module) -> Spec | None:
    """A guess from an argument's name and the model's configuration."""
    config = getattr(model, "config", None)
    if _GRIDS.search(name):
        return Spec((len(_GRID), 3), "values", _GRID)
    if _SIDES.search(name):
        return Spec((len(_GRID), 2), "values", tuple(sides[1:] for sides in _GRID))
    if _IDS.search(name):
        return Spec((BATCH, LENGTH), "ids")
    if _MASK.search(name):
        return Spec((BATCH, frames_of(model) if _VIDEO.search(name) else LENGTH), "ones")
    if name in ("merge_sizes", "classes_structure"):
        return Spec((BATCH,), "ones")
    if name == "bbox":
        return Spec((BATCH, LENGTH, 4), "ids")
    if _TIME.search(name):
        return Spec((BATCH,), "ids")
    if _SERIES.search(name) and config is not None and hasattr(config, "context_length"):
        channels = _first(config, "num_input_channels", "input_size")
        return Spec((BATCH, config.context_length, channels or 1))
    if _WAVE.search(name) and not hasattr(config, "num_mel_bins"):
        channels = _first(config, "audio_channels")
        return Spec((BATCH, channels, SAMPLES) if channels else (BATCH, SAMPLES))
    return _of_pictures(name, model) or _of_features(name, config)


def _of_pictures(name: str, model: nn.Module) -> Spec | None:
    if _VIDEO.search(name):
        return Spec((BATCH, frames_of(model), channels_of(model), *sides_of(model)))
    if not _IMAGE.search(name):
        return None
    return Spec((BATCH, channels_of(model), *sides_of(model)))


def _of_features(name: str, config: Any) -> Spec | None:
    bands = _first(config, "num_mel_bins", "feature_size", "input_feat_per_channel")
    if bands and (
        name == "input_features" or (name == "input_values" and hasattr(config, "max_length"))
    ):
        frames = _first(config, "max_source_positions")
        if frames:
            return Spec((BATCH, bands, 2 * frames))
        return Spec((BATCH, _first(config, "max_length") or 96, bands))
    width = _first(config, "hidden_size", "input_dim")
    return Spec((BATCH, LENGTH, width)) if width and _FEATURES.search(name) else None


def _first(config: Any, *names: str) -> int | None:
    """The first whole number of these names in a configuration, else in one of its parts."""
    parts = list(vars(config).values()) if hasattr(config, "to_dict") else []
    for part in (config, *(part for part in parts if hasattr(part, "to_dict"))):
        for name in names:
            value = getattr(part, name, None)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
    return None


def frames_of(model: nn.Module) -> int:
    """How many frames a clip has."""
    return _first(getattr(model, "config", None), "num_frames") or FRAMES


def of_patches(model: nn.Module, others: Iterable[str]) -> Spec | None:
    """Pictures that come as flattened patches, beside a grid that says how they lie."""
    packed = any(_GRIDS.search(name) for name in others)
    if not packed and "spatial_shapes" not in others:
        return None
    rows = sum(math.prod(sides) for sides in _GRID)
    shape = (rows,) if packed else (BATCH, rows // BATCH)
    for layer in model.modules():
        if isinstance(layer, _ConvNd):
            return Spec((*shape, layer.in_channels * math.prod(layer.kernel_size)))
        if isinstance(layer, nn.Linear):
            return Spec((*shape, layer.in_features))
    return None


def reshaped(spec: Spec) -> Iterator[Spec]:
    """The same numbers in other shapes: with or without a sequence, a channel, frames."""
    shape = spec.shape
    if spec.kind == "ids" and len(shape) == 2:
        yield replace(spec, shape=shape[:1])
    if spec.kind != "float":
        return
    if len(shape) == 2 and shape[1] == SAMPLES:
        yield replace(spec, shape=(shape[0], 1, shape[1]))
    elif len(shape) == 2:
        yield replace(spec, shape=(shape[0], LENGTH, shape[1]))
        yield replace(spec, shape=(shape[0], FRAMES, LENGTH, shape[1]))
    elif len(shape) == 3 and None not in shape:
        yield replace(spec, shape=(shape[0], shape[2], shape[1]))
        yield replace(spec, shape=(shape[0], shape[2]))
    elif len(shape) == 4 and None in shape:
        yield replace(spec, shape=(shape[0], FRAMES, *shape[1:]))
    elif len(shape) == 5 and None in shape:
        yield replace(spec, shape=(*shape[:2], *(None,) * 3))
        yield replace(spec, shape=(shape[0], shape[2], shape[1], *shape[3:]))


def by_parameters(spec: Spec, model: nn.Module) -> list[Spec]:
    """The same input in sizes that the model's own parameters and tables have.

    Tokens as long as a table of positions has rows; features as wide as a matrix that forward
    multiplies them with, if that is a bare parameter.
    """
    own = [
        tensor
        for module in model.modules()
        if not by_layer(module)
        for tensor in (*module._parameters.values(), *module._buffers.values())
        if tensor is not None and not isinstance(tensor, LAZY) and tensor.is_floating_point()
    ]
    if spec.kind == "ids" and len(spec.shape) == 2:
        tables = [m for m in model.modules() if isinstance(m, nn.Embedding)]
        lengths = [tensor.shape[-2] for tensor in own if tensor.dim() in (2, 3)]
        lengths += [table.num_embeddings for table in tables[1:]]
        return _few(Spec((spec.shape[0], length), "ids") for length in (*lengths, SHORT))
    if spec.kind == "float" and len(spec.shape) == 2:
        widths = [side for tensor in own if tensor.dim() == 2 for side in tensor.shape]
        return _few(Spec((spec.shape[0], width)) for width in widths)
    return []


def _few(specs: Iterable[Spec]) -> list[Spec]:
    return list(dict.fromkeys(specs))[:_TRIED]


def first_layer(model: nn.Module) -> nn.Module | None:
    """The first layer of a model that determines its input's shape."""
    return next((m for m in model.modules() if by_layer(m) is not None), None)


def by_layer(layer: nn.Module | None) -> Spec | None:
    """The input that one of torch's layers takes."""
    if isinstance(layer, nn.Linear) and not isinstance(layer, nn.LazyLinear):
        return Spec((BATCH, layer.in_features))
    if isinstance(layer, _ConvNd) and layer.in_channels:
        rank = len(layer.kernel_size)
        sides: tuple[int | None, ...] = (64,) if rank == 1 else (None, None)
        if rank == 3:
            sides = (LENGTH, *sides)
        return Spec((BATCH, layer.in_channels, *sides))
    if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        return Spec((BATCH, LENGTH), "ids")
    if isinstance(layer, nn.RNNBase):
        return Spec((BATCH, LENGTH, layer.input_size))
    if isinstance(layer, nn.RNNCellBase):
        return Spec((BATCH, layer.input_size))
    if isinstance(layer, nn.MultiheadAttention):
        return Spec((BATCH, LENGTH, layer.embed_dim))
    return _normalised_by(layer)


def _normalised_by(layer: nn.Module | None) -> Spec | None:
    if isinstance(layer, (nn.LayerNorm, nn.RMSNorm)):
        return Spec((BATCH, LENGTH, *layer.normalized_shape))
    if isinstance(layer, _NormBase) and layer.num_features:
        sides = {"1": (), "2": (None, None), "3": (None, None, None)}
        return Spec((BATCH, layer.num_features, *sides.get(type(layer).__name__[-2:-1], ())))
    if isinstance(layer, nn.GroupNorm):
        return Spec((BATCH, layer.num_channels, None, None))
    return None


def channels_of(model: nn.Module) -> int:
    """The channels of an image or a sound, from the first convolution or the configuration."""
    convolutions = [m for m in model.modules() if isinstance(m, _ConvNd) and m.in_channels]
    flat = [m for m in convolutions if not isinstance(m, nn.Conv1d)]
    if convolutions:
        return (flat or convolutions)[0].in_channels
    config = getattr(model, "config", None)
    return _first(getattr(config, "vision_config", config), "num_channels") or 3


def carried_image(model: nn.Module) -> tuple[int, ...] | None:
    """Channels, height and width of the images that a model of timm's kind says it takes."""
    for attribute in ("pretrained_cfg", "default_cfg"):
        value = getattr(model, attribute, None)
        if isinstance(value, Mapping) and isinstance(value.get("input_size"), Sequence):
            return tuple(value["input_size"])
    return None


def sides_of(model: nn.Module) -> tuple[int | None, int | None]:
    """Height and width where a model takes images that are not square; else None twice."""
    value = getattr(getattr(model, "config", None), "image_size", None)
    if isinstance(value, (list, tuple)) and len(value) == 2 and value[0] != value[1]:
        return int(value[0]), int(value[1])
    return None, None


def known_size(model: nn.Module) -> int:
    """The image size that a model carries in one of the usual attributes, else the usual one."""
    image = carried_image(model)
    if image is not None:
        return int(image[-1])
    config = getattr(model, "config", None)
    for carrier in (model, config, getattr(config, "vision_config", None)):
        for attribute in ("image_size", "img_size", "input_size"):
            value = getattr(carrier, attribute, None)
            if isinstance(value, Sequence) and value and isinstance(value[-1], int):
                return int(value[-1])
            if isinstance(value, int) and not isinstance(value, bool):
                return value
    return _first(config, "image_size") or USUAL_SIZE


def example_of(model: nn.Module) -> Any:
    """The example input that a model carries: `example_input_array`, or `dummy_inputs`."""
    for attribute in ("example_input_array", "dummy_inputs"):
        try:
            value = getattr(model, attribute, None)
        except Exception:
            # A property of the user's, which may raise anything: then there is no example.
            continue
        if isinstance(value, (torch.Tensor, tuple, list, dict)) and len(value):
            return value
    return None

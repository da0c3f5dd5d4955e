"""Fill a live model's weights as recommended, biases with zeros, everything else left alone."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from initlint.records import Initializer, InitlintError, Layer, Unanalysed


@dataclass(frozen=True, slots=True)
class Filled:
    """What `fill_` did: names of the parameters set, and of those left alone with the reason."""

    weights: tuple[str, ...]
    biases: tuple[str, ...]
    skipped: tuple[Unanalysed, ...]


def fill_(
    model: nn.Module,
    layers: Sequence[Layer],
    seed: int | None = None,
    only: Sequence[str] | None = None,
    skip: Sequence[str] | None = None,
) -> Filled:
    """Fill every weight of `layers` that has a recommendation, in place, and its layer's bias.

    Each parameter keeps its device and dtype. With `seed` the weights depend on nothing else; the
    random state of torch is left as it was found. `only` and `skip` are shell patterns on
    parameter names. Nothing is filled if any of the parameters has no storage (meta device):
    InitlintError names them.
    """
    tensors = dict(model.named_parameters())
    chosen, skipped = _chosen(layers, tensors, only or ["*"], skip or [])
    _refuse_meta([layer.parameter for layer in chosen], tensors)
    biases = list(dict.fromkeys(name for x in chosen if (name := _bias(x.parameter)) in tensors))
    generators: dict[torch.device, torch.Generator] = {}
    with torch.no_grad():
        for layer in chosen:
            tensor = tensors[layer.parameter]
            _fill(tensor, layer.recommended, _generator(tensor.device, seed, generators))
        for name in biases:
            tensors[name].zero_()
    return Filled(tuple(layer.parameter for layer in chosen), tuple(biases), tuple(skipped))


def _chosen(
    layers: Sequence[Layer],
    tensors: dict[str, nn.Parameter],
    only: Sequence[str],
    skip: Sequence[str],
) -> tuple[list[Layer], list[Unanalysed]]:
    chosen, skipped = [], []
    for layer in layers:
        name = layer.parameter
        if name not in tensors or layer.recommended is None:
            skipped.append(Unanalysed(name, _reason(layer)))
        elif _matches(name, only) and not _matches(name, skip):
            chosen.append(layer)
    return chosen, skipped


def _reason(layer: Layer) -> str:
    if layer.harmless.startswith("the weight is"):
        return layer.harmless
    if layer.following.activation in ("unknown", "mixed"):
        return f"what follows is {layer.following.activation}"
    return "it keeps the initialisation of its own"


def _matches(name: str, patterns: Sequence[str]) -> bool:
    """A pattern names a parameter or the module that holds it."""
    return any(
        fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"{pattern}.*")
        for pattern in patterns
    )


def _refuse_meta(names: Sequence[str], tensors: dict[str, nn.Parameter]) -> None:
    empty = [name for name in names if tensors[name].is_meta]
    if empty:
        shown = ", ".join(empty[:3]) + (", …" if len(empty) > 3 else "")
        raise InitlintError(
            f"{len(empty)} parameters are on the meta device and have no storage ({shown}); "
            "give them some with model.to_empty(device=...) first"
        )


def _bias(parameter: str) -> str:
    """The name of the bias that goes with a weight (weight/bias, in_proj_weight/in_proj_bias)."""
    head, _, last = parameter.rpartition(".")
    bias = last.replace("weight", "bias") if "weight" in last else ""
    return f"{head}.{bias}" if head and bias else bias


def _generator(
    device: torch.device, seed: int | None, generators: dict[torch.device, torch.Generator]
) -> torch.Generator:
    """One generator per device, from `seed`, or from one drawn from torch's default generator."""
    if device not in generators:
        drawn = int(torch.randint(2**62, ())) if seed is None else seed
        generators[device] = torch.Generator(device).manual_seed(drawn)
    return generators[device]


def _fill(tensor: torch.Tensor, chosen: Initializer | None, generator: torch.Generator) -> None:
    std = chosen.std if chosen is not None else None
    if std is None or not math.isfinite(std):
        return
    if std == 0:
        tensor.zero_()
    else:
        tensor.normal_(0.0, std, generator=generator)

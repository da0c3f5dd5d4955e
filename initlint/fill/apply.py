"""Fill a live model's weights as recommended, biases with zeros, everything else left alone."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Sequence

import torch
from torch import nn

from initlint.fill.blocks import Source
from initlint.fill.shards import fill_parameters
from initlint.quickdata import dataclass
from initlint.records import InitlintError, Layer, Unanalysed


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

    Each parameter keeps its device and dtype. Every element depends only on `seed`, the
    parameter's name and the element's place in it: not on how the parameter is sharded, on
    threads, order, `only` or `skip`; kinds of devices differ in bits, not in distribution. Without
    a seed one is drawn from torch's default generator. Frozen parameters, those that are not
    floating-point numbers and adapters are skipped. `only` and `skip` are shell patterns on
    parameter names. Nothing is filled if any of the parameters has no storage (meta device):
    InitlintError names them.
    """
    tensors = dict(model.named_parameters())
    chosen, skipped = _chosen(layers, tensors, only or ["*"], skip or [])
    _refuse_meta([layer.parameter for layer in chosen], tensors)
    biases = _biases(chosen, tensors)
    seed = agreed_seed() if seed is None else seed
    sources = [_source(layer, seed) for layer in chosen]
    sources += [Source(seed, name, "zeros", 0.0) for name in biases]
    names = [*(layer.parameter for layer in chosen), *biases]
    fill_parameters([(tensors[name], s) for name, s in zip(names, sources, strict=True)])
    return Filled(tuple(layer.parameter for layer in chosen), tuple(biases), tuple(skipped))


# What wrappers put into the names of the parameters that they hold.
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


def _source(layer: Layer, seed: int) -> Source:
    """Where a weight's numbers come from; a wrapped model's are those of the bare one."""
    name = ".".join(part for part in layer.parameter.split(".") if part not in _WRAPPERS)
    std = layer.recommended.std if layer.recommended is not None else None
    if not std:
        return Source(seed, name, "zeros", 0.0)
    return Source(seed, name, "normal", std)


def agreed_seed() -> int:
    """A seed from torch's default generator; that of rank 0 where there are several ranks."""
    seed = torch.randint(2**62, ())
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
        seed = seed.to(device)
        torch.distributed.broadcast(seed, 0)
    return int(seed)


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
            reason = _spared(name, tensors[name])
            if reason:
                skipped.append(Unanalysed(name, reason))
            elif layer.recommended.std is not None and math.isfinite(layer.recommended.std):
                chosen.append(layer)
    return chosen, skipped


def _reason(layer: Layer) -> str:
    if layer.harmless.startswith("the weight is"):
        return layer.harmless
    if layer.following.activation in ("unknown", "mixed"):
        return f"what follows is {layer.following.activation}"
    return "it keeps the initialisation of its own"


def _spared(name: str, tensor: torch.Tensor) -> str:
    """Why a parameter is left alone; empty where it is not."""
    if not tensor.requires_grad:
        return "it is frozen"
    if not tensor.is_floating_point():
        return f"its dtype is {tensor.dtype}".replace("torch.", "")
    return "it belongs to an adapter" if "lora_" in name else ""


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


def _biases(chosen: Sequence[Layer], tensors: dict[str, nn.Parameter]) -> list[str]:
    names = dict.fromkeys(_bias(layer.parameter) for layer in chosen)
    return [name for name in names if name in tensors and not _spared(name, tensors[name])]


def _bias(parameter: str) -> str:
    """The name of the bias that goes with a weight (weight/bias, in_proj_weight/in_proj_bias)."""
    head, _, last = parameter.rpartition(".")
    bias = last.replace("weight", "bias") if "weight" in last else ""
    return f"{head}.{bias}" if head and bias else bias

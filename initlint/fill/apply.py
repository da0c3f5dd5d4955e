"""Fill a live model's weights as recommended, biases with zeros, everything else left alone."""

from __future__ import annotations

import difflib
import fnmatch
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from initlint.fill.blocks import Source
from initlint.fill.shards import Advance, Part, fill_parameters, parts_of, plain_name, tensors_of
from initlint.quickdata import dataclass
from initlint.records import InitlintError, Layer, Unanalysed

# What wrappers put into the names of the parameters that they hold.
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
# Distributions of blocks by the recommended initialiser; any other is normal.
_DISTRIBUTIONS = {"zeros_": "constant", "orthogonal_": "orthogonal"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which weights are filled, which biases with zeros, from what numbers, and what is left.

    `sources` are by parameter name; `skipped` are those left alone, each with the reason.
    """

    layers: tuple[Layer, ...]
    biases: tuple[str, ...]
    sources: Mapping[str, Source]
    skipped: tuple[Unanalysed, ...]

    def among(self, names: Collection[str]) -> Choice:
        """The part of it that concerns these parameters."""
        layers = tuple(layer for layer in self.layers if layer.parameter in names)
        biases = tuple(name for name in self.biases if name in names)
        sources = {name: source for name, source in self.sources.items() if name in names}
        return Choice(layers, biases, sources, self.skipped)


def choose(
    model: nn.Module,
    layers: Sequence[Layer],
    seed: int,
    only: Sequence[str] | None = None,
    skip: Sequence[str] | None = None,
) -> Choice:
    """What of `model` is to be filled: weights of `layers` that have a recommendation.

    Frozen parameters, those that are not floating-point numbers and adapters are skipped. `only`
    and `skip` are shell patterns on the names of parameters or modules; raises InitlintError for
    one that is of none.
    """
    tensors, names = tensors_of(model), _names_of(model)
    _refuse_idle(model, {"only": only, "skip": skip}, [layer.parameter for layer in layers])
    chosen: list[Layer] = []
    biases: dict[str, None] = {}
    skipped: list[Unanalysed] = []
    for layer in layers:
        name, bias = layer.parameter, bias_of(layer.parameter)
        if name not in tensors or layer.recommended is None:
            skipped.append(Unanalysed(name, _reason(layer)))
            continue
        wanted = [n for n in (name, bias) if is_wanted(names.get(n, [n]), only, skip)]
        reason = _spared(name, tensors[name])
        if reason and wanted:
            skipped.append(Unanalysed(name, reason))
        elif layer.recommended.std is not None and math.isfinite(layer.recommended.std):
            chosen += [layer] if name in wanted else []
            biases |= {bias: None} if bias in wanted else {}
    found = tuple(b for b in biases if b in tensors and not _spared(b, tensors[b]))
    sources = {layer.parameter: _source(layer, seed) for layer in chosen}
    sources |= {name: Source(seed, bare_name(name), "constant", 0.0) for name in found}
    return Choice(tuple(chosen), found, sources, tuple(skipped))


# Shows how far work on so many elements has come: told of those done while it lasts.
Progress = Callable[[int], AbstractContextManager[Advance]]


def fill_(model: nn.Module, choice: Choice, progress: Progress | None = None) -> None:
    """Fill what was chosen, in place; each parameter keeps its device and dtype.

    Every element depends only on the seed, the parameter's name and the element's place in it:
    not on how the parameter is sharded, on threads, order, or what else is chosen; kinds of
    devices differ in bits, not in distribution. Nothing is filled where any of the parameters
    cannot be (no storage, storage that cannot be written): InitlintError names them.
    """
    parts = parts_of(model)
    wanted = [(parts[name], source) for name, source in choice.sources.items()]
    _refuse({name: parts[name] for name in choice.sources})
    total = sum(part.local.numel() for part, _ in wanted)
    with progress(total) if progress else nullcontext() as advance:
        fill_parameters(wanted, advance)


def is_wanted(names: Sequence[str], only: Sequence[str] | None, skip: Sequence[str] | None) -> bool:
    """Whether the patterns `only` and `skip` leave a parameter in; tied ones have several names."""
    wanted = any(_matches(name, only or ["*"]) for name in names)
    return wanted and not any(_matches(name, skip or []) for name in names)


def bare_name(name: str) -> str:
    """A parameter's name without what wrappers put in: a wrapped model's are those of the bare."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def bias_of(parameter: str) -> str:
    """The name of the bias that goes with a weight (weight/bias, in_proj_weight/in_proj_bias)."""
    head, _, last = parameter.rpartition(".")
    bias = last.replace("weight", "bias") if "weight" in last else ""
    return f"{head}.{bias}" if head and bias else bias


def agreed_seed() -> int:
    """A seed from torch's default generator; that of rank 0 where there are several ranks."""
    seed = torch.randint(2**62, ())
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
        seed = seed.to(device)
        torch.distributed.broadcast(seed, 0)
    return int(seed)


def _source(layer: Layer, seed: int) -> Source:
    recommended = layer.recommended
    name, std = (recommended.name, recommended.std or 0.0) if recommended else ("zeros_", 0.0)
    distribution = _DISTRIBUTIONS.get(name, "normal") if std else "constant"
    return Source(seed, bare_name(layer.parameter), distribution, std, matrices=_matrices(layer))


def _matrices(layer: Layer) -> int:
    """How many matrices of their own lie one after the other: groups, or packed projections."""
    if len(layer.shape) < 2 or not layer.fan_in or not layer.fan_out:
        return 1
    window = math.prod(layer.shape[2:])
    rows = layer.fan_out if layer.fan_in == layer.shape[1] * window else layer.fan_in
    return max(1, layer.shape[0] * window // rows)


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


def _names_of(model: nn.Module) -> dict[str, list[str]]:
    """All names of every parameter, by the first of them: tied weights have several."""
    known: dict[int, list[str]] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        known.setdefault(id(tensor), []).append(plain_name(name))
    return {names[0]: names for names in known.values()}


def _refuse_idle(
    model: nn.Module, given: Mapping[str, Sequence[str] | None], weights: Sequence[str]
) -> None:
    """Raise for a pattern that is of no parameter or module: it was meant to be of one."""
    modules = [plain_name(n) for n, _ in model.named_modules(remove_duplicate=False)]
    parameters = [plain_name(n) for n, _ in model.named_parameters(remove_duplicate=False)]
    known = list(dict.fromkeys((*filter(None, modules), *parameters, *tensors_of(model), *weights)))
    for option, patterns in given.items():
        for pattern in patterns or ():
            if not any(_matches(name, [pattern]) for name in known):
                close = difflib.get_close_matches(pattern, known, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise InitlintError(
                    f"{option} {pattern}: no parameter or module has that name{hint}"
                )


def _refuse(parts: Mapping[str, Part]) -> None:
    """Raise for what cannot be written, before anything is."""
    empty = [name for name, part in parts.items() if part.local.is_meta]
    if empty:
        raise InitlintError(
            f"{_listed(empty)} on the meta device, without storage; give some with "
            "model.to_empty(device=...) first, or use initlint.materialize"
        )
    fixed = [name for name, part in parts.items() if not _is_writable(part.local)]
    if fixed:
        raise InitlintError(f"{_listed(fixed)} not writable; nothing was changed")


def _is_writable(tensor: torch.Tensor) -> bool:
    """Whether every element has a place of its own, outside inference mode."""
    shared = any(step == 0 < 1 < n for step, n in zip(tensor.stride(), tensor.shape, strict=True))
    return not shared and not tensor.is_inference()


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{len(names)} parameter{'s are' if len(names) > 1 else ' is'} ({shown})"

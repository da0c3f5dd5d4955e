"""Fill a live model's weights as recommended, biases with zeros, everything else left alone."""

from __future__ import annotations

import difflib
import fnmatch
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from initlint.fill.blocks import Source
from initlint.fill.centring import CENTRED
from initlint.fill.held import Held
from initlint.fill.memory import read_only, sharing
from initlint.fill.normed import effective_name
from initlint.fill.orthogonal import matrices_of
from initlint.fill.products import Products
from initlint.fill.recipes import RECURRENT_TYPES
from initlint.fill.scope import Scope
from initlint.fill.shards import (
    Advance,
    Part,
    bare_name,
    fill_parameters,
    parts_of,
    plain_name,
    tensors_of,
)
from initlint.fill.spared import (
    ADAPTER,
    DEAD,
    GATED,
    LAZY_YET,
    RECURRENT,
    STARVED,
    adapters_of,
    kept_bias,
    shared,
    spared,
)
from initlint.fill.undo import Copies
from initlint.records import Initializer, InitlintError, Layer, Unanalysed
from initlint.tracing.unchanged import LAZY

# Distributions of blocks by the recommended initialiser; any other is normal.
_DISTRIBUTIONS = {"zeros_": "constant", "orthogonal_": "orthogonal", CENTRED: "centred"}


@dataclass(frozen=True, slots=True)
class Choice:
    """The weights to fill, the biases to zero, the sources of the numbers, and the rest.

    `sources` are by parameter name; `skipped` has the parameters left alone, with the reasons,
    `fine` those that need nothing, `given` those with an initialiser of the user's, `followers`
    frozen copies of chosen parameters, with the names of these.
    """

    layers: tuple[Layer, ...]
    biases: tuple[str, ...]
    sources: Mapping[str, Source]
    skipped: tuple[Unanalysed, ...]
    fine: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Initializer] = field(default_factory=dict)
    followers: Mapping[str, str] = field(default_factory=dict)

    def among(self, names: Collection[str]) -> Choice:
        """The part of it that concerns these parameters."""
        layers = tuple(layer for layer in self.layers if layer.parameter in names)
        biases = tuple(name for name in self.biases if name in names)
        sources = {name: source for name, source in self.sources.items() if name in names}
        given = {name: one for name, one in self.given.items() if name in names}
        return Choice(layers, biases, sources, self.skipped, self.fine, given)


@dataclass(frozen=True, slots=True)
class Known:
    """Other facts about a model: the products in its graphs, and its parameters' values.

    `scope` decides which of the weights that can be filled are.
    """

    products: Products
    held: Held
    scope: Scope

    def alive(self, layer: Layer) -> Layer:
        """The layer; as one inside its residual branch where it must not become zero.

        So it is where the branch is multiplied with a parameter that is zero (SkipInit, ReZero, a
        LayerScale of zeros): were its last layer zero as well, neither would ever train.
        """
        scales = self.products.scales.get(layer.parameter, ())
        zero = layer.branch == "last" and any(map(self.held.has_zeros, scales))
        return replace(layer, branch="inside") if zero else layer


def choose(
    model: nn.Module,
    layers: Sequence[Layer],
    names: Mapping[str, Sequence[str]],
    seed: int,
    only: Sequence[str] | None,
    skip: Sequence[str] | None,
    known: Known,
) -> Choice:
    """The parameters of `model` to fill: weights of `layers` that have a recommendation.

    `only` and `skip` are shell patterns for names of parameters or modules, of which `names` has
    all. Everything else is decided without them, so that they never change the values of a
    parameter.
    """
    offered = _Offered(model, layers, names, known)
    chosen: list[Layer] = []
    biases: dict[str, None] = {}
    skipped: list[Unanalysed] = []
    fine: dict[str, str] = {}
    for layer in layers:
        name = layer.parameter
        # Layers that share a weight have a bias each.
        own = dict.fromkeys(bias_of(alias) for alias in names.get(name, [name]))
        wanted = [n for n in (name, *own) if is_wanted(names.get(n, [n]), only, skip)]
        reason = offered.reason(layer)
        if reason:
            listed = wanted or name not in offered.tensors or layer.recommended is None
            skipped += [Unanalysed(name, reason)] if listed else []
            continue
        if known.scope.reforms(layer) and matrices_of(layer):
            chosen += [layer] if name in wanted else []
            continue
        kept = known.scope.keeps(layer)
        if kept.reason:
            skipped += [Unanalysed(name, kept.reason)] if wanted and kept.meant else []
            fine |= {} if kept.meant else {name: kept.reason}
            continue
        chosen += [layer] if name in wanted else []
        for bias in own:
            if bias not in wanted or not offered.takes_bias(bias):
                continue
            reason = offered.bias_reason(bias, layer)
            skipped += [Unanalysed(bias, reason)] if reason else []
            biases |= {} if reason else {bias: None}
    chosen, dead = _without_dead(chosen, offered)
    sources = {layer.parameter: _source(layer, seed) for layer in chosen}
    sources |= {name: Source(seed, bare_name(name), "constant", 0.0) for name in biases}
    return Choice(tuple(chosen), tuple(biases), sources, (*skipped, *dead), fine)


class _Offered:
    """The parameters that may be filled, whatever is selected; for others, the reason."""

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[Layer],
        names: Mapping[str, Sequence[str]],
        known: Known,
    ) -> None:
        self.tensors = tensors_of(model)
        self._adapters = {plain_name(name) for name in adapters_of(model)}
        self.held = known.held
        self.products = known.products
        self.scope = known.scope
        self._parts = parts_of(model)
        weights = [layer.parameter for layer in layers if not self._alone(layer)]
        named = [name for weight in weights for name in names.get(weight, [weight])]
        biases = [bias for bias in map(bias_of, named) if self.takes_bias(bias)]
        self._sharing = self._shared([*weights, *biases])

    def reason(self, layer: Layer) -> str:
        """Why a layer's weight, and its bias, are left alone; empty where they are not."""
        shares = self._sharing.get(layer.parameter, ())
        found = self._alone(layer) or (shared(shares) if shares else "")
        return found or self._gated(layer)

    def _gated(self, layer: Layer) -> str:
        """Why a layer must not become zero: a factor of its branch may be zero already."""
        if not layer.recommended or layer.recommended.std:
            return ""
        for name, zero in self.products.computed.get(layer.parameter, ()):
            if zero is None or self.held.has(name, zero):
                return GATED.format(name)
        return ""

    def bias_reason(self, bias: str, layer: Layer) -> str:
        """Why a layer's bias is left alone although its weight is not."""
        if bias in self._sharing:
            return shared(self._sharing[bias])
        zero = next(filter(self.held.has_zeros, self.products.before.get(layer.parameter, ())), "")
        if zero:
            return STARVED.format(zero)
        if self.scope.name != "all":
            return self.scope.keeps_bias(bias)
        return kept_bias(self.held.values(bias), layer)

    def takes_bias(self, bias: str) -> bool:
        """Whether there is such a bias, and it is of a kind that can be filled."""
        return bias in self.tensors and not self._spared(bias)

    def _alone(self, layer: Layer) -> str:
        name = layer.parameter
        # One that is written out by hand is filled only where it has a finding.
        is_filled = layer.type in RECURRENT_TYPES or self.scope.is_reported(name)
        has_recipe = layer.recurrent == "state" and layer.recommended is not None and is_filled
        if name in self.tensors and name in self.products.recurrent and not has_recipe:
            return self._spared(name) or RECURRENT
        if name not in self.tensors or layer.recommended is None:
            return _reason(layer, self.tensors.get(name))
        if layer.recommended.std is None or not math.isfinite(layer.recommended.std):
            return "the std that it needs is not known"
        return self._spared(name)

    def _spared(self, name: str) -> str:
        if name in self._adapters:
            return ADAPTER
        return spared(name, self.tensors[name], self._parts.get(name))

    def _shared(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        memory = dict(self.tensors)
        memory |= {name: part.local for name, part in self._parts.items()}
        return sharing(memory, set(names))


def _without_dead(
    chosen: Sequence[Layer], offered: _Offered
) -> tuple[list[Layer], list[Unanalysed]]:
    """The chosen layers but those that would be zero beside a weight that is, and stays, zero."""
    filled = {layer.parameter for layer in chosen}
    alive: list[Layer] = []
    dead: list[Unanalysed] = []
    for layer in chosen:
        zero: list[str] = []
        if layer.recommended and layer.recommended.std == 0:
            others = offered.products.factors.get(layer.parameter, ())
            zero = [name for name in others if name not in filled and offered.held.is_zero(name)]
        if zero:
            dead.append(Unanalysed(layer.parameter, DEAD.format(zero[0])))
        else:
            alive.append(layer)
    return alive, dead


# Shows progress: takes the number of elements, gives a function that takes those done.
Progress = Callable[[int], AbstractContextManager[Advance]]


def fill_(
    model: nn.Module,
    choice: Choice,
    copies: Copies,
    progress: Progress | None = None,
) -> None:
    """Fill the chosen parameters in place; each keeps its device and dtype.

    Every element depends only on the seed, the parameter's name and the element's place in it: not
    on sharding, threads, order, or the other chosen parameters. A CPU and a GPU give different bits
    of the same distribution. Raises InitlintError, before anything is filled, if a parameter cannot
    be filled (no storage, or read-only storage). `copies` saves the old values first.
    """
    parts = parts_of(model)
    wanted = [(parts[name], source) for name, source in choice.sources.items()]
    _refuse({name: parts[name] for name in choice.sources})
    total = sum(part.local.numel() for part, _ in wanted)
    with progress(total) if progress else nullcontext() as advance:
        fill_parameters(wanted, advance, copies)


def is_wanted(names: Sequence[str], only: Sequence[str] | None, skip: Sequence[str] | None) -> bool:
    """Whether the patterns `only` and `skip` leave a parameter in; tied ones have several names."""
    wanted = any(matches(name, only or ["*"]) for name in names)
    return wanted and not any(matches(name, skip or []) for name in names)


def bias_of(parameter: str) -> str:
    """The name of the bias that goes with a weight (weight/bias, in_proj_weight/in_proj_bias)."""
    head, _, last = effective_name(parameter).rpartition(".")
    bias = last.replace("weight", "bias") if "weight" in last else ""
    return f"{head}.{bias}" if head and bias else bias


def _source(layer: Layer, seed: int) -> Source:
    recommended = layer.recommended
    name, std = (recommended.name, recommended.std or 0.0) if recommended else ("zeros_", 0.0)
    distribution = _DISTRIBUTIONS.get(name, "normal") if std else "constant"
    count, columns = matrices_of(layer) or (1, 0)
    return Source(seed, bare_name(layer.parameter), distribution, std, 0.0, count, columns)


def _reason(layer: Layer, tensor: torch.Tensor | None) -> str:
    if isinstance(tensor, LAZY):
        return LAZY_YET
    if layer.harmless.startswith("the weight is"):
        return layer.harmless
    if layer.following.activation in ("unknown", "mixed"):
        return f"what follows is {layer.following.activation}"
    return "it keeps the initialisation of its own"


def matches(name: str, patterns: Sequence[str], modules: bool = True) -> bool:
    """Whether a pattern names a parameter or, with `modules`, a module that holds it."""
    return any(
        fnmatch.fnmatchcase(name, pattern)
        or (modules and fnmatch.fnmatchcase(name, f"{pattern}.*"))
        for pattern in patterns
    )


def names_of(model: nn.Module) -> dict[str, list[str]]:
    """All names of every parameter, by the first of them: tied weights have several."""
    known: dict[int, list[str]] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        known.setdefault(id(tensor), []).append(plain_name(name))
    return {names[0]: names for names in known.values()}


def refuse_idle(
    model: nn.Module, given: Mapping[str, Sequence[str] | None], weights: Sequence[str]
) -> None:
    """Raise for a pattern that is of no parameter or module: it was meant to be of one."""
    modules = [plain_name(n) for n, _ in model.named_modules(remove_duplicate=False)]
    parameters = [plain_name(n) for n, _ in model.named_parameters(remove_duplicate=False)]
    known = list(dict.fromkeys((*filter(None, modules), *parameters, *tensors_of(model), *weights)))
    for option, patterns in given.items():
        for pattern in patterns or ():
            if not any(matches(name, [pattern]) for name in known):
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
    tensors = {name: part.local for name, part in parts.items()}
    inference = [name for name, tensor in tensors.items() if tensor.is_inference()]
    if inference:
        raise InitlintError(f"{_listed(inference)} made in inference mode; nothing was changed")
    fixed = read_only(tensors)
    if fixed:
        raise InitlintError(
            f"{_listed(fixed)} in memory that is mapped for reading only (numpy.memmap?); "
            "nothing was changed"
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{len(names)} parameter{'s are' if len(names) > 1 else ' is'} ({shown})"

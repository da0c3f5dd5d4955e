"""Calibration: runs the model once, and sets each layer's scale from the data that reaches it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode

from initlint.fill.apply import Choice, bias_of, fill_
from initlint.fill.gathered import Gathered
from initlint.fill.means import centred, channel_of, is_weighted_call
from initlint.fill.probes import Probes, probes_for
from initlint.fill.tied import is_before, loudness
from initlint.fill.together import Together
from initlint.fill.twins import as_written
from initlint.fill.undo import Copies
from initlint.recommend import family
from initlint.records import InitlintError, Layer
from initlint.tracing.build import described
from initlint.tracing.capture import unwrapped
from initlint.tracing.foreign import contained, quiet
from initlint.tracing.unchanged import LAZY, unchanged

# A function, its positional and its keyword arguments.
_Call = tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]
# The std of the model's result: small, so that the first steps learn from the labels.
_HEAD = 0.3
# How much larger gradients may be at the first layer than at the last; the largest mean that units
# get if they are, and how closely the least that is enough is searched for.
_RANGE = 3.0
_FURTHEST, _CLOSE = 2.0, 0.05
_SMALLEST = 1e-12
# Behind weights that somebody set, results that are off by more are meant to be. Measured: a
# recurrence that begins as the identity learns 31 % in place of 82 % if its head makes up for it.
_MEANT = 4.0
# Results that differ by less than this part of their size differ by rounding.
_ROUNDING = 1e-6


def calibrate_(
    model: nn.Module,
    choice: Choice,
    inputs: Sequence[Any],
    seed: int,
    copies: Copies,
    behind: Collection[str],
    ranks: Together,
) -> None:
    """Fill `model`, whose choice is orthogonal, then set every layer's scale and bias.

    Layers whose result is normalised stay as filled, and so do those `behind` weights that somebody
    set, if their results are more than four times too large or too small. One run of the model, on
    Gaussian noise or on `inputs`, sets the others in the order of the data. Each result gets

    - mean 0 for every unit: by the bias; without one, by removing the mean's direction from the
      weight;
    - variance 1 over examples and positions (as LSUV, Mishkin and Matas 2016, arXiv 1511.06422,
      which leaves the mean); 1/branches for the last layer of a residual branch without
      normalisation; 0.09 for the model's last layer, and for what a tied head makes of a layer's.

    If gradients are then more than three times as large at the first layer as at the last, units
    before a rectifier or a smooth activation get a positive mean, so that they are nearly linear:
    the smallest that brings the ratio into range, at most 2.

    All ranks of a model that `fully_shard` has cut run it together: the moments are those of all
    inputs. Raises InitlintError if a model that is sharded in another way, or that cannot be run,
    or if a weight is not finite; `copies` then has the old weights.
    """
    bare, _ = unwrapped(model)
    tensors = {n: p for n, p in model.named_parameters() if n in choice.sources}
    gathered = Gathered(model, tensors, ranks)
    probes = probes_for(bare, inputs, seed)
    fill_(model, choice, copies)
    loud = loudness(model, lambda name: _rms(gathered, model.get_parameter(name)))
    # Embeddings look rows up; as tied heads they keep the scale that was planned.
    found = (x for x in choice.layers if "norm" not in x.following.via and x.fan_in)
    # The scale of a recurrent weight would compound.
    layers = tuple(x for x in found if x.recurrent != "state")
    names = frozenset(tensors)
    subject = _Subject(bare, layers, gathered, names, frozenset(behind), probes, loud)
    try:
        with (
            _lazy_refused(bare),
            _running(bare),
            as_written(bare),
            gathered.run(),
            contained(),
        ):
            _calibrate(subject)
    except InitlintError:
        raise
    except Exception as error:
        raise InitlintError(f"the model cannot be run: {described(error)}") from error
    broken = gathered.all_finite()
    if broken:
        raise InitlintError(
            f"calibration makes {broken[0]} infinite or not a number: give inputs that the model "
            "can be run on, or take another policy"
        )


@dataclass(frozen=True, slots=True)
class _Subject:
    """A model, the layers to correct, their tensors, what it is run on, and its tied heads.

    `names` are those of the parameters that may be changed, `behind` of weights behind such that
    stay as somebody set them.
    """

    model: nn.Module
    layers: tuple[Layer, ...]
    gathered: Gathered
    names: frozenset[str]
    behind: frozenset[str]
    probes: Probes
    loud: Mapping[str, float]


def _calibrate(subject: _Subject) -> None:
    def ratio(shift: float) -> float:
        plans = _corrected_run(subject, shift)
        return _gradient_ratio(subject, plans)

    movable = any(_plan(layer, subject, 1.0).shift for layer in subject.layers)
    if ratio(0.0) <= _RANGE or not movable:
        return
    enough, too_little = _FURTHEST, 0.0
    while enough - too_little > _CLOSE:
        middle = (enough + too_little) / 2
        if ratio(middle) <= _RANGE:
            enough = middle
        else:
            too_little = middle
    _corrected_run(subject, enough)


def _corrected_run(subject: _Subject, shift: float) -> dict[str, _Plan]:
    plans = {layer.parameter: _plan(layer, subject, shift) for layer in subject.layers}
    with torch.no_grad(), _Correction(plans, subject.gathered):
        subject.model(*subject.probes.args, **subject.probes.kwargs)
    return plans


def _rms(gathered: Gathered, tensor: torch.Tensor) -> float:
    gathered.agree("measure an embedding")
    data: Any = tensor.detach().float().square().mean()
    return math.sqrt(data.full_tensor().item() if hasattr(data, "full_tensor") else data.item())


@dataclass(slots=True)
class _Plan:
    """What one weight's results are to be: their std and the mean of every unit.

    `bias` is the name of the bias that makes the mean. Results that are off by more than `furthest`
    stay as they are.
    """

    bias: str | None
    std: float
    shift: float
    head: bool
    furthest: float
    done: bool = False


def _plan(layer: Layer, subject: _Subject, shift: float) -> _Plan:
    bias = bias_of(layer.parameter)
    bias = bias if bias in subject.names else ""
    final = layer.head and family(layer) == "unscaled"
    std = _HEAD if final else 1.0
    if is_before(layer, subject.loud):
        std = _HEAD / subject.loud[layer.after or ""]
    if layer.branch == "last":
        std = 1 / math.sqrt(max(1, layer.branches))
    bends = family(layer) in ("rectifier", "smooth")
    free = bool(bias) and bends and not layer.head and layer.branch != "last"
    furthest = _MEANT if layer.parameter in subject.behind else math.inf
    return _Plan(bias or None, std, shift if free else 0.0, final, furthest)


class _WeightedCalls(TorchFunctionMode):
    """Shows every call that multiplies with a planned weight to `met`, which gives its result."""

    def __init__(self, plans: Mapping[str, _Plan], gathered: Gathered) -> None:
        super().__init__()
        self._plans, self._gathered = plans, gathered

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        keywords = dict(kwargs or {})
        result = func(*args, **keywords)
        if is_weighted_call(func):
            for value in (*args, *keywords.values()):
                plan = self._plans.get(self._gathered.name_of(value) or "")
                if plan is not None:
                    return self.met((func, args, keywords), result, value, plan)
        return result

    def met(
        self, call: _Call, result: torch.Tensor, weight: torch.Tensor, plan: _Plan
    ) -> torch.Tensor:
        """What a call's result is to be."""
        return result


class _Correction(_WeightedCalls):
    """While the model runs, corrects each weight when it is used first, and its result with it."""

    def met(
        self, call: _Call, result: torch.Tensor, weight: torch.Tensor, plan: _Plan
    ) -> torch.Tensor:
        if plan.done:
            return result
        plan.done = True
        return _corrected(call, result, weight, plan, self._gathered)


class _Watch(_WeightedCalls):
    """Collects the results of the weights but the last, in order."""

    def __init__(self, plans: Mapping[str, _Plan], gathered: Gathered) -> None:
        super().__init__(plans, gathered)
        self.seen: list[torch.Tensor] = []

    def met(
        self, call: _Call, result: torch.Tensor, weight: torch.Tensor, plan: _Plan
    ) -> torch.Tensor:
        if result.requires_grad and not plan.head:
            self.seen.append(result)
        return result


def _corrected(
    call: _Call, result: torch.Tensor, weight: torch.Tensor, plan: _Plan, gathered: Gathered
) -> torch.Tensor:
    """The call's result after `weight`, and the bias, have been set to what makes it as planned."""
    func, args, keywords = call
    given = (v for v in (*args, *keywords.values()) if gathered.name_of(v) == plan.bias)
    bias = next(given, None) if plan.bias else None
    channel = channel_of(func, result)
    others = [d for d in range(result.dim()) if d != channel] if channel is not None else []
    size = result.numel()
    mean = result.float().mean(others, keepdim=True) if others else result.float().mean()
    mean = gathered.mean(mean, size)
    if not _depends_on_data(result, mean, gathered):
        return result
    if bias is None and centred(func, args, weight, gathered):
        result = func(*args, **keywords)
    centre = mean if bias is not None else gathered.mean(result.float().mean(), size)
    std = gathered.mean((result.float() - centre).square().mean(), size).sqrt().item()
    if not math.isfinite(std) or std < _SMALLEST:
        return result
    factor = plan.std / std
    if max(factor, 1 / factor) > plan.furthest:
        return result
    gathered.change(weight, lambda whole: whole.mul_(factor))
    if bias is None:
        return result * factor
    flat = mean.reshape(-1).to(bias.dtype)
    gathered.change(bias, lambda whole: whole.sub_(flat).mul_(factor).add_(plan.shift))
    return ((result.float() - mean) * factor + plan.shift).to(result.dtype)


def _depends_on_data(result: torch.Tensor, mean: torch.Tensor, gathered: Gathered) -> bool:
    """Whether a result varies over examples and positions: not what a zero was multiplied with."""
    squares = torch.stack([(result.float() - mean).square().mean(), result.float().square().mean()])
    varying, all_of_it = gathered.mean(squares, result.numel()).sqrt()
    return bool(varying > _ROUNDING * all_of_it)


def _gradient_ratio(subject: _Subject, plans: Mapping[str, _Plan]) -> float:
    """The gradient's norm, of one example, at the first weight's result over that at the last's.

    The model's results are weighted with signs by chance. 1 where there is nothing to compare.
    """
    probes, watch = subject.probes, _Watch(plans, subject.gathered)
    with torch.enable_grad(), watch:
        outputs = probes.tensors(subject.model(*probes.args, **probes.kwargs))
        total = sum((out.float() * probes.signs(out)).sum() for out in outputs)
    if not watch.seen or not isinstance(total, torch.Tensor) or not total.requires_grad:
        return 1.0
    subject.gathered.agree("compute gradients")
    found = torch.autograd.grad(total, watch.seen, allow_unused=True)
    squares = [gradient.float().square().sum() for gradient in found if gradient is not None]
    if len(squares) < 2:
        return 1.0
    first, last = subject.gathered.mean(torch.stack([squares[0], squares[-1]])).sqrt().tolist()
    return first / last if last else 1.0


@contextlib.contextmanager
def _lazy_refused(model: nn.Module) -> Iterator[None]:
    """For the run: lazy layers that it meets would get their shapes from it, and keep them."""

    def refuse(tensor: str) -> Callable[[nn.Module, Any], None]:
        def hook(module: nn.Module, args: Any) -> None:
            raise InitlintError(f"{tensor} is lazy: run the model once, so that it has a shape")

        return hook

    lazy = {
        name.rpartition(".")[0]: name
        for name, one in (*model.named_parameters(), *model.named_buffers())
        if isinstance(one, LAZY)
    }
    handles = [
        model.get_submodule(holder).register_forward_pre_hook(refuse(name), prepend=True)
        for holder, name in lazy.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def _running(model: nn.Module) -> Iterator[None]:
    """For the run: no dropout, but normalisations use the statistics of what they see."""
    # Scripted modules keep their mode in C++.
    before = [(module, module.training) for module in model.modules()]
    try:
        with quiet(), unchanged(model):
            for module, _ in before:
                module.training = isinstance(module, _NormBase)
            yield
    finally:
        for module, training in before:
            if module.training != training:
                module.training = training

"""Calibration: runs the model once, and sets each layer's scale from the data that reaches it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode

from initlint.fill.apply import Choice, bias_of, fill_
from initlint.fill.means import centred, channel_of, is_weighted_call
from initlint.fill.probes import Probes, probes_for
from initlint.fill.tied import is_before, loudness
from initlint.fill.twins import is_sharded
from initlint.fill.undo import Copies
from initlint.recommend import family
from initlint.records import InitlintError, Layer
from initlint.tracing.build import described
from initlint.tracing.capture import unwrapped
from initlint.tracing.foreign import contained, quiet
from initlint.tracing.unchanged import unchanged

# A function, its positional and its keyword arguments.
_Call = tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]
# The std of the model's result: small, so that the first steps learn from the labels.
_HEAD = 0.3
# How much larger gradients may be at the first layer than at the last; the largest mean that units
# get if they are, and how closely the least that is enough is searched for.
_RANGE = 3.0
_FURTHEST, _CLOSE = 2.0, 0.05
_SMALLEST = 1e-12
# Results that differ by less than this part of their size differ by rounding.
_ROUNDING = 1e-6


def calibrate_(
    model: nn.Module, choice: Choice, inputs: Sequence[Any], seed: int, copies: Copies
) -> None:
    """Fill `model`, whose choice is orthogonal, then set every layer's scale and bias.

    Layers whose result is normalised stay as filled. One run of the model, on Gaussian noise or on
    `inputs`, sets the others in the order of the data. Each result gets

    - mean 0 for every unit: by the bias; without one, by removing the mean's direction from the
      weight;
    - variance 1 over examples and positions (as LSUV, Mishkin and Matas 2016, arXiv 1511.06422,
      which leaves the mean); 1/branches for the last layer of a residual branch without
      normalisation; 0.09 for the model's last layer, and for what a tied head makes of a layer's.

    If gradients are then more than three times as large at the first layer as at the last, units
    before a rectifier or a smooth activation get a positive mean, so that they are nearly linear:
    the smallest that brings the ratio into range, at most 2.

    Raises InitlintError if the model is sharded or cannot be run, or if a weight is not finite;
    `copies` then has the old weights.
    """
    if is_sharded(model):
        raise InitlintError(
            "the policy calibrated runs the model: use it before sharding, or another policy"
        )
    bare, _ = unwrapped(model)
    probes = probes_for(bare, inputs, seed)
    tensors = {n: p for n, p in model.named_parameters() if n in choice.sources}
    fill_(model, choice, copies)
    loud = loudness(model, lambda name: _rms(model.get_parameter(name)))
    # Embeddings look rows up; as tied heads they keep the scale that was planned.
    layers = tuple(x for x in choice.layers if "norm" not in x.following.via and x.fan_in)
    subject = _Subject(bare, layers, tensors, probes, loud)
    try:
        with _running(bare), contained():
            _calibrate(subject)
    except InitlintError:
        raise
    except Exception as error:
        raise InitlintError(f"the model cannot be run: {described(error)}") from error
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise InitlintError(
            f"calibration makes {broken[0]} infinite or not a number: give inputs that the model "
            "can be run on, or take another policy"
        )


@dataclass(frozen=True, slots=True)
class _Subject:
    """A model, the layers to correct, their tensors, what it is run on, and its tied heads."""

    model: nn.Module
    layers: tuple[Layer, ...]
    tensors: Mapping[str, nn.Parameter]
    probes: Probes
    loud: Mapping[str, float]


def _calibrate(subject: _Subject) -> None:
    def ratio(shift: float) -> float:
        plans = _corrected_run(subject, shift)
        return _gradient_ratio(subject.model, plans, subject.probes)

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


def _corrected_run(subject: _Subject, shift: float) -> dict[int, _Plan]:
    plans = {
        id(subject.tensors[layer.parameter]): _plan(layer, subject, shift)
        for layer in subject.layers
    }
    with torch.no_grad(), _Correction(plans):
        subject.model(*subject.probes.args, **subject.probes.kwargs)
    return plans


def _rms(tensor: torch.Tensor) -> float:
    return tensor.detach().float().square().mean().sqrt().item()


@dataclass(slots=True)
class _Plan:
    """What one weight's results are to be: their std and the mean of every unit."""

    bias: nn.Parameter | None
    std: float
    shift: float
    head: bool
    done: bool = False


def _plan(layer: Layer, subject: _Subject, shift: float) -> _Plan:
    bias = subject.tensors.get(bias_of(layer.parameter))
    final = layer.head and family(layer) == "unscaled"
    std = _HEAD if final else 1.0
    if is_before(layer, subject.loud):
        std = _HEAD / subject.loud[layer.after or ""]
    if layer.branch == "last":
        std = 1 / math.sqrt(max(1, layer.branches))
    bends = family(layer) in ("rectifier", "smooth")
    free = bias is not None and bends and not layer.head and layer.branch != "last"
    return _Plan(bias, std, shift if free else 0.0, final)


class _WeightedCalls(TorchFunctionMode):
    """Shows every call that multiplies with a planned weight to `met`, which gives its result."""

    def __init__(self, plans: Mapping[int, _Plan]) -> None:
        super().__init__()
        self._plans = plans

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
                if id(value) in self._plans:
                    return self.met((func, args, keywords), result, value)
        return result

    def met(self, call: _Call, result: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """What a call's result is to be."""
        return result


class _Correction(_WeightedCalls):
    """While the model runs, corrects each weight when it is used first, and its result with it."""

    def met(self, call: _Call, result: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        plan = self._plans[id(weight)]
        if plan.done:
            return result
        plan.done = True
        return _corrected(*call, result, weight, plan)


class _Watch(_WeightedCalls):
    """Collects the results of the weights but the last, in order."""

    def __init__(self, plans: Mapping[int, _Plan]) -> None:
        super().__init__(plans)
        self.seen: list[torch.Tensor] = []

    def met(self, call: _Call, result: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        if result.requires_grad and not self._plans[id(weight)].head:
            self.seen.append(result)
        return result


def _corrected(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    keywords: Mapping[str, Any],
    result: torch.Tensor,
    weight: torch.Tensor,
    plan: _Plan,
) -> torch.Tensor:
    """The call's result after `weight`, and the bias, have been set to what makes it as planned."""
    biased = plan.bias is not None and any(v is plan.bias for v in (*args, *keywords.values()))
    channel = channel_of(func, result)
    if channel is None:
        mean = result.float().mean()
    else:
        others = [d for d in range(result.dim()) if d != channel]
        mean = result.float().mean(others, keepdim=True)
    if not _depends_on_data(result, mean):
        return result
    if not biased and centred(func, args, weight):
        result = func(*args, **keywords)
    centre = mean if biased else result.float().mean()
    std = (result.float() - centre).square().mean().sqrt().item()
    if not math.isfinite(std) or std < _SMALLEST:
        return result
    factor = plan.std / std
    weight.data.mul_(factor)
    if not biased or plan.bias is None:
        return result * factor
    flat = mean.reshape(-1).to(plan.bias.dtype)
    plan.bias.data.sub_(flat).mul_(factor).add_(plan.shift)
    return ((result.float() - mean) * factor + plan.shift).to(result.dtype)


def _depends_on_data(result: torch.Tensor, mean: torch.Tensor) -> bool:
    """Whether a result varies over examples and positions: not what a zero was multiplied with."""
    varying = (result.float() - mean).square().mean().sqrt()
    return bool(varying > _ROUNDING * result.float().square().mean().sqrt())


def _gradient_ratio(model: nn.Module, plans: Mapping[int, _Plan], probes: Probes) -> float:
    """The gradient's norm, of one example, at the first weight's result over that at the last's.

    The model's results are weighted with signs by chance. 1 where there is nothing to compare.
    """
    watch = _Watch(plans)
    with torch.enable_grad(), watch:
        outputs = probes.tensors(model(*probes.args, **probes.kwargs))
        total = sum((out.float() * probes.signs(out)).sum() for out in outputs)
    if not watch.seen or not isinstance(total, torch.Tensor) or not total.requires_grad:
        return 1.0
    found = torch.autograd.grad(total, watch.seen, allow_unused=True)
    norms = [gradient.float().norm().item() for gradient in found if gradient is not None]
    return norms[0] / norms[-1] if len(norms) > 1 and norms[-1] else 1.0


@contextlib.contextmanager
def _running(model: nn.Module) -> Iterator[None]:
    """For the run: no dropout, but normalisations use the statistics of what they see."""
    with quiet(), unchanged(model):
        for module in model.modules():
            module.training = isinstance(module, _NormBase)
        yield

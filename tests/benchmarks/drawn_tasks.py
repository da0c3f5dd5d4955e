"""Tasks for nets that are drawn at random: inputs, targets, a loss, and a score in points.

A score is accuracy in percent, or 100·R² of a prediction, or the share of the reward in percent:
100 is perfect, chance or worse is near 0 (accuracy: 100/classes).
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]
SCALES = ("unit", "0..1", "0..255")


@dataclass(frozen=True)
class Data:
    """Inputs and targets to train and to test on, what is minimised, and what is measured."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    loss: Loss
    score: Loss
    chance: float = 0.0


@dataclass(frozen=True)
class Training:
    """How a net is trained: the optimiser (sgd or adam), its learning rate, steps and batch."""

    optimiser: str
    rate: float
    steps: int
    batch: int


def trained(
    nets: Sequence[nn.Module], data: Data, how: Training, seeds: Sequence[int]
) -> list[float]:
    """The scores of alike nets after training side by side, each on the batches of its seed.

    A net whose result is no number has the score of chance. The learning rate falls linearly to
    zero. Nothing is clipped.
    """
    if not nets:
        return []
    run, parameters = _together(nets)
    make = {
        "sgd": lambda: torch.optim.SGD(parameters, how.rate, 0.9, fused=True),
        "adam": lambda: torch.optim.Adam(parameters, how.rate, fused=True),
    }
    optimiser = make[how.optimiser]()
    inputs, targets = data.train
    generators = {seed: torch.Generator().manual_seed(seed) for seed in seeds}
    for step in range(how.steps):
        optimiser.param_groups[0]["lr"] = how.rate * (1 - step / how.steps)
        drawn = {
            seed: torch.randint(len(inputs), (how.batch,), generator=generator)
            for seed, generator in generators.items()
        }
        index = torch.stack([drawn[seed] for seed in seeds])
        optimiser.zero_grad()
        vmap(data.loss)(run(inputs[index]), targets[index]).sum().backward()
        optimiser.step()
    with torch.no_grad():
        # Norms use the statistics of the whole test set: few steps are no good running mean.
        results = run(data.test[0].expand(len(nets), *data.test[0].shape))
        found = [data.score(result, data.test[1]) for result in results]
    return [max(0.0, x.item()) if x.isfinite() else data.chance for x in found]


def _together(nets: Sequence[nn.Module]) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    """A function that runs all nets on their inputs, which are stacked, and all parameters."""
    parameters = _stacked([dict(net.named_parameters()) for net in nets])
    buffers = _stacked([dict(net.named_buffers()) for net in nets])
    for value in parameters.values():
        value.requires_grad_()
    net = copy.deepcopy(nets[0])

    def one(parameters: Any, buffers: Any, x: Tensor) -> Tensor:
        return functional_call(net, (parameters, buffers), (x,))

    def each(x: Tensor) -> Tensor:
        """torch's recurrent modules cannot be vectorised."""
        apart = {name: value.unbind() for name, value in parameters.items()}
        runs = [{name: value[i] for name, value in apart.items()} for i in range(len(nets))]
        return torch.stack([one(run, {}, part) for run, part in zip(runs, x, strict=True)])

    is_recurrent = any(isinstance(x, nn.RNNBase) for x in net.modules())
    side_by_side = vmap(one)
    run = each if is_recurrent else lambda x: side_by_side(parameters, buffers, x)
    return run, list(parameters.values())


def _stacked(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([x[name].detach() for x in states]) for name in states[0]}


def _accuracy(found: Tensor, wanted: Tensor) -> Tensor:
    return 100 * (found.argmax(-1) == wanted).float().mean()


def _explained(found: Tensor, wanted: Tensor) -> Tensor:
    """100·R², over all outputs together."""
    left = (found - wanted).square().sum()
    return 100 * (1 - left / (wanted - wanted.mean(0)).square().sum())


def _squares(found: Tensor, wanted: Tensor) -> Tensor:
    """Squared errors in units of the targets' variance; many outputs weigh as their root."""
    sizes = (found - wanted).square().flatten(1).sum(1) / wanted.var()
    return 0.5 * sizes.mean() / math.sqrt(found[0].numel())


def _split(inputs: Tensor, targets: Tensor, count: int) -> dict[str, tuple[Tensor, Tensor]]:
    return {
        "train": (inputs[:-count], targets[:-count]),
        "test": (inputs[-count:], targets[-count:]),
    }


def _scaled(values: Tensor, scale: str) -> Tensor:
    """Values with mean 0 and std 1, or in 0..1 or 0..255."""
    if scale == "unit":
        return (values - values.mean()) / values.std()
    shifted = (values - values.min()) / (values.max() - values.min())
    return shifted if scale == "0..1" else 255 * shifted


@functools.cache
def _digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(found.data, dtype=torch.float32)[order]
    return images, torch.tensor(found.target)[order]


def digits(scale: str, shape: tuple[int, ...] = (64,)) -> Data:
    """Ten classes of images of 8×8 pixels; by rows, (8, 8) is a sequence."""
    images, labels = _digits()
    parts = _split(_scaled(images, scale).view(-1, *shape), labels, 397)
    return Data(**parts, loss=F.cross_entropy, score=_accuracy, chance=10.0)


def restored(scale: str, size: int = 24) -> Data:
    """An autoencoder's: `size` numbers made of six, from themselves (for 0..255: over 255)."""
    generator = torch.Generator().manual_seed(0)
    made = torch.randn(2000, 6, generator=generator)
    x = (made @ torch.randn(6, size, generator=generator) / math.sqrt(6)).sigmoid()
    wanted = _scaled(x, "unit" if scale == "unit" else "0..1")
    return Data(**_split(_scaled(x, scale), wanted, 400), loss=_squares, score=_explained)


def generated(scale: str) -> Data:
    """A generator's: smooth images in -1..1 from codes of 16 numbers, six of which decide."""
    images, _ = _digits()
    centred = images - images.mean(0)
    ways = torch.linalg.svd(centred, full_matrices=False)[2][:16]
    codes = centred @ ways.T
    smooth = (images.mean(0) + codes[:, :6] @ ways[:6]) / 10 - 0.8
    parts = _split(_scaled(codes / codes.std(0), scale), smooth.clamp(-1, 1).view(-1, 1, 8, 8), 397)
    return Data(**parts, loss=_squares, score=_explained)


def judged(scale: str) -> Data:
    """A critic's: true images against those with the pixels of two digits mixed."""
    images, _ = _digits()
    generator = torch.Generator().manual_seed(1)
    mask = (torch.rand(images.shape, generator=generator) < 0.5).float()
    false = mask * images + (1 - mask) * images.roll(1, 0)
    both = torch.stack([images, false], 1).flatten(0, 1)
    labels = torch.arange(len(both)) % 2
    parts = _split(_scaled(both, scale).view(-1, 1, 8, 8), labels, 600)

    def loss(found: Tensor, wanted: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(found[:, 0], wanted.float())

    def score(found: Tensor, wanted: Tensor) -> Tensor:
        return 100 * ((found[:, 0] > 0) == wanted).float().mean()

    return Data(**parts, loss=loss, score=score, chance=50.0)


def regression(scale: str, size: int = 8) -> Data:
    """A smooth function of `size` numbers."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2400, size, generator=generator)
    x = x if scale == "unit" else x.sigmoid()
    ways = torch.randn(size, 4, generator=generator) / math.sqrt(size)
    y = torch.sin((x - x.mean()) / x.std() @ ways).sum(1, keepdim=True)
    parts = _split(_scaled(x, scale), (y - y.mean()) / y.std(), 400)
    return Data(**parts, loss=_squares, score=_explained)


def places(scale: str) -> Data:
    """A picture, in 0..1, as a function of two coordinates in -1..1."""
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(3000, 2, generator=generator) - 1
    y = 0.5 + 0.25 * (torch.sin(5 * x[:, :1]) + torch.cos(3 * x.prod(1, keepdim=True)))
    return Data(**_split(x, y, 1000), loss=_squares, score=_explained)


def recalled(length: int, symbols: int = 6, back: int = 5) -> Data:
    """Sequences of symbols (numbers): which one stood `back` places before the end?"""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(symbols, (3000, length), generator=generator)
    parts = _split(x, x[:, -min(back, length)], 600)
    return Data(**parts, loss=F.cross_entropy, score=_accuracy, chance=100 / symbols)


def sets(scale: str, count: int) -> Data:
    """Sets of points in the plane: on a ring, in a disc, on a cross, or in two heaps."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(1600) % 4
    noise = torch.randn(1600, count, 2, generator=generator)
    ring = F.normalize(noise, dim=-1) * 1.2
    disc = ring * torch.rand(1600, count, 1, generator=generator).sqrt()
    side = torch.randint(2, (1600, count, 1), generator=generator).float()
    cross = torch.cat([noise[..., :1] * side, noise[..., 1:] * (1 - side)], -1)
    heaps = 0.5 * noise + 2 * side - 1
    kinds = torch.stack([ring, disc, cross, heaps])
    x = kinds[labels, torch.arange(1600)] + 0.1 * torch.randn(noise.shape, generator=generator)
    parts = _split(_scaled(x, scale), labels, 400)
    return Data(**parts, loss=F.cross_entropy, score=_accuracy, chance=25.0)


def actions(scale: str, kind: str) -> Data:
    """A policy's: the expected reward of four actions (softmax), or of a move in -1..1 (tanh)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2400, 6, generator=generator)
    bent = torch.sin(0.4 * x @ torch.randn(6, 4, generator=generator))
    if kind == "tanh":
        parts = _split(_scaled(x, scale), 0.8 * bent[:, :2], 400)
        return Data(**parts, loss=_squares, score=_explained)
    reward = (bent - bent.mean(1, keepdim=True)) / bent.std(1, keepdim=True)
    parts = _split(_scaled(x, scale), reward, 400)

    def share(found: Tensor, wanted: Tensor) -> Tensor:
        return 100 * (found * wanted).sum(1).mean() / wanted.amax(1).mean()

    return Data(**parts, loss=lambda f, w: -(f * w).sum(1).mean(), score=share)

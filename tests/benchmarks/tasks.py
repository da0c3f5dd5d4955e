"""Small training tasks with fixed data: each a model with its own initialisation, and its score."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

Make = Callable[[], nn.Module]


@dataclass(frozen=True)
class Task:
    """`make` builds the model, `score` trains it and gives accuracy in percent, or a loss.

    `shapes` are those of its inputs; an integer stands for tokens, so many in each of 16 texts.
    """

    name: str
    make: Make
    score: Callable[[nn.Module, int], float]
    kind: str = "loss"
    shapes: tuple[tuple[int, ...] | int, ...] = ((64,),)

    def inputs(self) -> tuple[torch.Tensor, ...]:
        """Noise in the shapes of the inputs, 64 examples; of tokens, any."""
        generator = torch.Generator().manual_seed(0)
        return tuple(
            torch.randint(20, (16, shape), generator=generator)
            if isinstance(shape, int)
            else torch.randn(64, *shape, generator=generator)
            for shape in self.shapes
        )


@functools.cache
def split():
    """The digits: standardised pixels and labels, 1,400 to train and the rest to test."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.tensor(data.data, dtype=torch.float32)
    images = (images - images.mean()) / images.std()
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    first, rest = order[:1400], order[1400:]
    return (images[first], labels[first]), (images[rest], labels[rest])


def batches(count: int, size: int, steps: int, seed: int) -> Iterator[torch.Tensor]:
    """The indices of `steps` batches; the same ones for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        yield torch.randint(count, (size,), generator=generator)


def trained(
    model: nn.Module,
    loss: Callable[[torch.Tensor], torch.Tensor],
    count: int,
    steps: int,
    seed: int,
    rate: float = 1e-3,
    size: int = 64,
    sgd: bool = False,
) -> float:
    """Train on the indices of batches; the mean loss of the last tenth of the steps.

    A model may bring its own optimisers (`scaled.py`).
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimisers = getattr(model, "optimisers", torch.optim)
    momentum = {"lr": rate, "momentum": 0.9}
    step = optimisers.SGD(parameters, **momentum) if sgd else optimisers.Adam(parameters, lr=rate)
    seen = []
    torch.manual_seed(seed)
    for index in batches(count, size, steps, seed):
        step.zero_grad()
        found = loss(index)
        found.backward()
        nn.utils.clip_grad_norm_(parameters, 10.0)
        step.step()
        seen.append(found.item())
    last = seen[-max(1, steps // 10) :]
    return sum(last) / len(last)


def classified(steps: int, rate: float, shape: tuple[int, ...] = (64,), sgd: bool = True):
    """A score: accuracy on the digits after training on them."""

    def score(model: nn.Module, seed: int) -> float:
        (images, labels), (tests, answers) = split()
        images, tests = images.view(-1, *shape), tests.view(-1, *shape)

        def loss(index: torch.Tensor) -> torch.Tensor:
            return F.cross_entropy(model(images[index]), labels[index])

        trained(model.train(), loss, len(images), steps, seed, rate, sgd=sgd)
        with torch.no_grad():
            right = model.eval()(tests).argmax(1) == answers
        return 100 * right.float().mean().item()

    return score


def plain(depth: int, activation: Callable[[], nn.Module], width: int = 64) -> Make:
    def make() -> nn.Module:
        layers = [m for _ in range(depth) for m in (nn.Linear(width, width), activation())]
        return nn.Sequential(*layers, nn.Linear(width, 10))

    return make


class Highway(nn.Module):
    """Gates whose bias of −2 lets the data pass at first (Srivastava 2015)."""

    def __init__(self, depth: int = 12, width: int = 64) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.gates = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        for gate in self.gates:
            nn.init.constant_(gate.bias, -2.0)
        self.out = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for hidden, gate in zip(self.hidden, self.gates, strict=True):
            share = torch.sigmoid(gate(x))
            x = share * F.relu(hidden(x)) + (1 - share) * x
        return self.out(x)


class Skips(nn.Module):
    """Two nets of residual blocks without normalisation, whose results are added."""

    def __init__(self, width: int = 24, depth: int = 8) -> None:
        super().__init__()
        self.into = nn.ModuleList(nn.Linear(2, width) for _ in range(2))
        self.blocks = nn.ModuleList(
            nn.ModuleList(nn.Linear(width, width) for _ in range(depth)) for _ in range(2)
        )
        self.out = nn.ModuleList(nn.Linear(width, 2) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        results = []
        for into, blocks, out in zip(self.into, self.blocks, self.out, strict=True):
            y = into(x)
            for block in blocks:
                y = y + torch.tanh(block(y))
            results.append(out(y))
        return results[0] + results[1]


def circles(model: nn.Module, seed: int) -> float:
    generator = torch.Generator().manual_seed(0)
    angle = 2 * math.pi * torch.rand(800, generator=generator)
    labels = torch.arange(800) % 2
    radius = torch.where(labels == 1, 1.0, 0.6) + 0.08 * torch.randn(800, generator=generator)
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)

    def loss(index: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(points[:600][index]), labels[:600][index])

    trained(model, loss, 600, 150, seed, 0.02, sgd=True)
    with torch.no_grad():
        return 100 * (model(points[600:]).argmax(1) == labels[600:]).float().mean().item()


class SkipInit(nn.Module):
    """Residual convolutions without normalisation, each scaled by a zero (De and Smith 2020)."""

    def __init__(self, width: int = 16, depth: int = 6) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.first = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.second = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.alphas = nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in range(depth))
        for layer in (*self.first, *self.second):
            nn.init.kaiming_normal_(layer.weight)
        self.out = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for first, second, alpha in zip(self.first, self.second, self.alphas, strict=True):
            x = x + alpha * second(F.relu(first(F.relu(x))))
        return self.out(F.relu(x).mean((2, 3)))


class Retina(nn.Module):
    """A tower and a dense head, std 0.01, whose bias is the prior of an object (Lin 2017)."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        tower = [
            m for i in range(3) for m in (nn.Conv2d(width if i else 1, width, 3, 1, 1), nn.ReLU())
        ]
        self.tower = nn.Sequential(*tower)
        self.head = nn.Conv2d(width, 10, 3, padding=1)
        for layer in (*tower[::2], self.head):
            nn.init.normal_(layer.weight, std=0.01 if layer is self.head else 0.1)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.head.bias, -math.log(99))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.tower(x))


def retina(model: nn.Module, seed: int) -> float:
    (images, labels), _ = split()
    images = images.view(-1, 1, 8, 8)
    rows = images.new_zeros(len(images), 10, 8, 8)
    rows[torch.arange(len(images)), labels, 4, 4] = 1

    def loss(index: torch.Tensor) -> torch.Tensor:
        logits, wanted = model(images[index]), rows[index]
        plain = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        share = torch.exp(-plain)
        return ((1 - share) ** 2 * plain).sum() / len(index)

    return trained(model, loss, len(images), 120, seed, 0.005, sgd=True)


class Encoder(nn.Module):
    """A transformer on the rows of digits; `std` as many write it."""

    def __init__(self, std: float | None, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        self.patch, self.place = nn.Linear(8, width), nn.Parameter(torch.randn(1, 8, width) * 0.02)
        layer = (width, 4, 2 * width, 0.0, F.gelu)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(*layer, batch_first=True, norm_first=True)
            for _ in range(depth)
        )
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 10)
        for module in self.modules() if std else ():
            for name, value in module.named_parameters(recurse=False):
                if value.dim() == 2 and "weight" in name:
                    nn.init.trunc_normal_(value, std=std)
                elif "bias" in name:
                    nn.init.zeros_(value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x) + self.place
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x).mean(1))


class Mixer(nn.Module):
    def __init__(self, width: int = 32, depth: int = 4) -> None:
        super().__init__()
        self.patch = nn.Linear(8, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * depth))
        self.tokens = nn.ModuleList(self._mlp(8, 32) for _ in range(depth))
        self.channels = nn.ModuleList(self._mlp(width, 64) for _ in range(depth))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 10)

    @staticmethod
    def _mlp(size: int, hidden: int) -> nn.Module:
        return nn.Sequential(nn.Linear(size, hidden), nn.GELU(), nn.Linear(hidden, size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x)
        for place, (tokens, channels) in enumerate(zip(self.tokens, self.channels, strict=True)):
            x = x + tokens(self.norms[2 * place](x).transpose(1, 2)).transpose(1, 2)
            x = x + channels(self.norms[2 * place + 1](x))
        return self.out(self.norm(x).mean(1))


class TNet(nn.Module):
    """PointNet: a net that turns the points, which starts as the identity (Qi 2017)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.look, self.turn = nn.Linear(3, width), nn.Linear(width, 9)
        nn.init.zeros_(self.turn.weight)
        self.turn.bias.data.copy_(torch.eye(3).flatten())
        self.first, self.second = nn.Linear(3, width), nn.Linear(width, width)
        self.hidden, self.out = nn.Linear(width, width), nn.Linear(width, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        turn = self.turn(F.relu(self.look(x)).amax(1)).view(-1, 3, 3)
        x = F.relu(self.second(F.relu(self.first(torch.bmm(x, turn)))))
        return self.out(F.relu(self.hidden(x.amax(1))))


def points(model: nn.Module, seed: int) -> float:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(800) % 4
    cloud = torch.randn(800, 32, 3, generator=generator)
    sizes = torch.tensor([[1.0, 1, 1], [1, 1, 0.3], [1, 0.3, 0.3], [0.6, 0.6, 0.6]])
    turned = torch.linalg.qr(torch.randn(800, 3, 3, generator=generator))[0]
    cloud = torch.bmm(cloud * sizes[labels][:, None], turned)

    def loss(index: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(cloud[:600][index]), labels[:600][index])

    trained(model, loss, 600, 200, seed, 2e-3)
    with torch.no_grad():
        return 100 * (model(cloud[600:]).argmax(1) == labels[600:]).float().mean().item()


class UNet(nn.Module):
    """A denoiser whose last convolution is zero."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.time = nn.Linear(1, width)
        self.into = nn.Conv2d(1, width, 3, padding=1)
        self.down = nn.Conv2d(width, 2 * width, 3, 2, 1)
        self.middle = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.up = nn.ConvTranspose2d(2 * width, width, 4, 2, 1)
        self.join, self.out = (
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.Conv2d(width, 1, 3, 1, 1),
        )
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        high = F.silu(self.into(x) + self.time(time)[:, :, None, None])
        low = F.silu(self.middle(F.silu(self.down(high))))
        return self.out(F.silu(self.join(torch.cat([high, self.up(low)], 1))))


def denoised(model: nn.Module, seed: int) -> float:
    (images, _), _ = split()
    images = images.view(-1, 1, 8, 8)

    def loss(index: torch.Tensor) -> torch.Tensor:
        noise, time = torch.randn(len(index), 1, 8, 8), torch.rand(len(index), 1)
        share = (math.pi / 2 * time).cos()[:, :, None, None]
        seen = share * images[index] + (1 - share**2).sqrt() * noise
        return F.mse_loss(model(seen, time), noise)

    return trained(model, loss, len(images), 250, seed, 2e-3)


def autoencoder() -> nn.Module:
    sizes = (64, 48, 32, 16, 32, 48, 64)
    layers = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def reconstructed(model: nn.Module, seed: int) -> float:
    (images, _), _ = split()

    def loss(index: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(model(images[index]), images[index])

    return trained(model, loss, len(images), 300, seed)


def lenet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 10)),
    )


def convolutions(depth: int) -> Make:
    def make() -> nn.Module:
        layers = [m for _ in range(depth) for m in (nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())]
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            *layers,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, 10),
        )

    return make


IMAGES, ROWS = (1, 8, 8), (8, 8)


def _digits(name: str, make: Make, steps: int, rate: float, shape: tuple[int, ...] = (64,)) -> Task:
    return Task(name, make, classified(steps, rate, shape), "accuracy", (shape,))


TASKS = (
    _digits("MLP 5 relu", plain(5, nn.ReLU), 300, 0.01),
    _digits("MLP 20 relu", plain(20, nn.ReLU), 300, 0.01),
    _digits("MLP 5 gelu", plain(5, nn.GELU), 300, 0.01),
    _digits("MLP 4 sigmoid", plain(4, nn.Sigmoid), 300, 0.05),
    _digits("LeNet", lenet, 300, 0.01, IMAGES),
    _digits("CNN 12 relu", convolutions(12), 250, 0.01, IMAGES),
    _digits("Highway, bias −2", Highway, 300, 0.01),
    Task("circles, 2 nets with skips", Skips, circles, "accuracy", ((2,),)),
    _digits("SkipInit conv", SkipInit, 200, 0.01, IMAGES),
    Task("RetinaNet head", Retina, retina, shapes=(IMAGES,)),
    Task("U-Net diffusion, zero conv", UNet, denoised, shapes=(IMAGES, (1,))),
    Task("PointNet T-Net", TNet, points, "accuracy", ((32, 3),)),
    _digits("ViT digits, std 0.02", lambda: Encoder(0.02), 250, 0.01, ROWS),
    _digits("ViT digits, default", lambda: Encoder(None), 250, 0.01, ROWS),
    _digits("MLP-Mixer", Mixer, 250, 0.01, ROWS),
    Task("autoencoder", autoencoder, reconstructed),
)

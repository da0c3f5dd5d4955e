"""Training tasks beside images and text: fields, equations, graphs, games, and agents."""

from __future__ import annotations

import itertools
import math

import torch
from tasks import Task, trained
from torch import nn
from torch.nn import functional as F


class Field(nn.Module):
    """A coordinate net on positional encodings (NeRF), relu and a sigmoid at the end."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        sizes = (2 + 4 * 6, width, width, width, width)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.out = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        waves = [f(2**k * math.pi * x) for k in range(6) for f in (torch.sin, torch.cos)]
        x = torch.cat([x, *waves], 1)
        for layer in self.layers:
            x = F.relu(layer(x))
        return torch.sigmoid(self.out(x))


class Siren(nn.Module):
    """Its own uniform bounds, with sine (Sitzmann 2020)."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(2 if i == 0 else width, width) for i in range(3))
        self.out = nn.Linear(width, 1)
        for place, layer in enumerate((*self.layers, self.out)):
            fan = layer.in_features
            bound = 1 / fan if place == 0 else math.sqrt(6 / fan) / 30
            nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.sin(30 * layer(x))
        return self.out(x)


def field(steps: int, rate: float):
    generator = torch.Generator().manual_seed(0)
    places = 2 * torch.rand(2000, 2, generator=generator) - 1
    values = 0.5 + 0.25 * (torch.sin(9 * places[:, :1]) + torch.cos(7 * places.prod(1, True)))

    def score(model: nn.Module, seed: int) -> float:
        def loss(index: torch.Tensor) -> torch.Tensor:
            return F.mse_loss(model(places[index]), values[index])

        return trained(model, loss, len(places), steps, seed, rate, size=256) * 1000

    return score


def equation_net() -> nn.Module:
    sizes = (2, 32, 32, 32, 32)
    layers = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), nn.Tanh())]
    return nn.Sequential(*layers, nn.Linear(32, 1))


def equation(model: nn.Module, seed: int) -> float:
    """Poisson's equation with a known solution: the residual and the boundary (PINN)."""
    generator = torch.Generator().manual_seed(0)
    inner = torch.rand(1000, 2, generator=generator)
    edge = torch.rand(200, 2, generator=generator)
    edge[::2, 0], edge[1::2, 1] = edge[::2, 0].round(), edge[1::2, 1].round()

    def loss(index: torch.Tensor) -> torch.Tensor:
        x = inner[index].requires_grad_()
        value = model(x)
        (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
        curves = [
            torch.autograd.grad(slope[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(2)
        ]
        source = -2 * math.pi**2 * torch.sin(math.pi * x).prod(1)
        residual = sum(curves) - source
        return 1e-2 * residual.square().mean() + model(edge).square().mean()

    return trained(model, loss, len(inner), 250, seed, 2e-3)


class Pair(nn.Module):
    """A generator and a critic of 2-D points."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.make = self._net(4, width, 2, nn.ReLU)
        self.judge = self._net(2, width, 1, lambda: nn.LeakyReLU(0.2))

    @staticmethod
    def _net(into: int, width: int, out: int, activation) -> nn.Module:
        sizes = (into, width, width, width)
        pairs = itertools.pairwise(sizes)
        layers = [m for a, b in pairs for m in (nn.Linear(a, b), activation())]
        return nn.Sequential(*layers, nn.Linear(width, out))

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        return self.judge(self.make(noise))


def played(model: nn.Module, seed: int) -> float:
    """The sliced distance of what the generator makes from eight points in a ring."""
    torch.manual_seed(seed)
    angles = 2 * math.pi * torch.arange(8) / 8
    ring = torch.stack([angles.cos(), angles.sin()], 1)
    steps = [
        torch.optim.Adam(part.parameters(), 1e-3, (0.5, 0.9)) for part in (model.make, model.judge)
    ]
    for _ in range(500):
        true = ring[torch.randint(8, (128,))] + 0.05 * torch.randn(128, 2)
        false = model.make(torch.randn(128, 4))
        lost = F.softplus(-model.judge(true)) + F.softplus(model.judge(false.detach()))
        for step, value in ((steps[1], lost.mean()), (steps[0], None)):
            step.zero_grad()
            (F.softplus(-model.judge(false)).mean() if value is None else value).backward()
            step.step()
    with torch.no_grad():
        true = ring[torch.randint(8, (2000,))] + 0.05 * torch.randn(2000, 2)
        ways = F.normalize(torch.randn(2, 50), dim=0)
        found, wanted = (v @ ways for v in (model.make(torch.randn(2000, 4)), true))
        return (found.sort(0)[0] - wanted.sort(0)[0]).square().mean().sqrt().item()


def values_net() -> nn.Module:
    return nn.Sequential(
        nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3)
    )


def valued(model: nn.Module, seed: int) -> float:
    """Fitted Q-learning of a car on a line with a copy as target (DQN): the error of its values."""
    import copy

    generator = torch.Generator().manual_seed(0)
    state = 2 * torch.rand(3000, 4, generator=generator) - 1
    action = torch.randint(3, (3000,), generator=generator)
    push = (action - 1.0) * 0.2
    after = state.clone()
    after[:, 0] = (state[:, 0] + 0.3 * state[:, 1] + push).clamp(-1, 1)
    reward = 1 - after[:, 0].abs()
    target = copy.deepcopy(model)
    done = 0

    def loss(index: torch.Tensor) -> torch.Tensor:
        nonlocal done
        if done % 50 == 0:
            target.load_state_dict(model.state_dict())
        done += 1
        with torch.no_grad():
            wanted = reward[index] + 0.8 * target(after[index]).amax(1)
        return F.smooth_l1_loss(model(state[index]).gather(1, action[index, None])[:, 0], wanted)

    return trained(model, loss, len(state), 500, seed, 1e-3) * 100


class Neighbours(nn.Module):
    """Graph convolutions on a fixed graph (Kipf and Welling 2017)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, width), nn.Linear(width, width)
        self.out = nn.Linear(width, 4)

    def forward(self, x: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
        x = F.relu(graph @ self.first(x))
        return self.out(graph @ F.relu(graph @ self.second(x)))


def connected(model: nn.Module, seed: int) -> float:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 4
    chance = torch.where(labels[:, None] == labels, 0.04, 0.01)
    graph = (torch.rand(400, 400, generator=generator) < chance).float()
    graph = ((graph + graph.T) > 0).float() + torch.eye(400)
    scale = graph.sum(1).rsqrt()
    graph = scale[:, None] * graph * scale
    x = torch.randn(400, 16, generator=generator) + F.one_hot(labels, 16)

    def loss(index: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(x, graph)[:100], labels[:100])

    trained(model, loss, 100, 100, seed, 5e-3)
    with torch.no_grad():
        return 100 * (model(x, graph)[100:].argmax(1) == labels[100:]).float().mean().item()


class Policy(nn.Module):
    """A Gaussian policy with a small last layer (Andrychowicz 2021)."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(4, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh()
        )
        self.mean, self.log_std = nn.Linear(width, 2), nn.Parameter(torch.full((2,), -0.5))
        nn.init.orthogonal_(self.mean.weight, 0.01)
        nn.init.zeros_(self.mean.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mean(self.body(x))


def acted(model: nn.Module, seed: int) -> float:
    """REINFORCE with a mean baseline: the mean distance from a wanted action."""
    generator = torch.Generator().manual_seed(0)
    state = torch.randn(2000, 4, generator=generator)
    wanted = torch.stack([torch.sin(state[:, 0]), state[:, 1] * 0.5], 1)

    def loss(index: torch.Tensor) -> torch.Tensor:
        mean = model(state[index])
        noise = torch.randn_like(mean)
        action = (mean + model.log_std.exp() * noise).detach()
        cost = (action - wanted[index]).square().sum(1)
        gain = (cost - cost.mean()) / (cost.std() + 1e-6)
        shift = (action - mean) / model.log_std.exp()
        score = -0.5 * shift.square().sum(1) - model.log_std.sum()
        return (gain * score).mean()

    trained(model, loss, len(state), 300, seed, 3e-3, size=256)
    with torch.no_grad():
        return (model(state) - wanted).square().sum(1).mean().item()


TASKS = (
    Task("NeRF field", Field, field(300, 2e-3), shapes=((2,),)),
    Task("SIREN", Siren, field(300, 3e-4), shapes=((2,),)),
    Task("PINN", equation_net, equation, shapes=((2,),)),
    Task("GAN", Pair, played, shapes=((4,),)),
    Task("DQN", values_net, valued, shapes=((4,),)),
    Task("GNN", Neighbours, connected, "accuracy", ((16,), (64,))),
    Task("policy", Policy, acted, shapes=((4,),)),
)

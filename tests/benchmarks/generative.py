"""Training tasks of generative models, and of others that learn by their own results."""

from __future__ import annotations

import copy
import functools
import math

import torch
from structures import dense, drawn
from tasks import Task, split, trained
from torch import nn
from torch.nn import functional as F


class Couplings(nn.Module):
    """RealNVP (Dinh 2017), whose networks end in zeros: it starts as the identity."""

    def __init__(self, width: int = 48, depth: int = 6) -> None:
        super().__init__()
        self.nets = nn.ModuleList(dense(1, width, width, 2) for _ in range(depth))
        for net in self.nets:
            nn.init.zeros_(net[-1].weight)
            nn.init.zeros_(net[-1].bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The log-likelihood of points."""
        volume = torch.zeros(len(x))
        for net in self.nets:
            a, b = x[:, :1], x[:, 1:]
            scale, shift = net(a).chunk(2, 1)
            scale = torch.tanh(scale)
            x = torch.cat([b * scale.exp() + shift, a], 1)
            volume = volume + scale[:, 0]
        return volume - 0.5 * x.square().sum(1) - math.log(2 * math.pi)


@functools.cache
def moons(count: int = 3000) -> torch.Tensor:
    """Two half-moons of unit scale."""
    generator = torch.Generator().manual_seed(0)
    angle = math.pi * torch.rand(count, generator=generator)
    upper = torch.arange(count) % 2 == 0
    x = torch.where(upper, angle.cos(), 1 - angle.cos())
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin())
    points = torch.stack([x, y], 1) + 0.08 * torch.randn(count, 2, generator=generator)
    return (points - points.mean(0)) / points.std(0)


def likely(model: nn.Module, seed: int) -> float:
    """The negative log-likelihood of new points."""
    points = moons()

    def loss(index: torch.Tensor) -> torch.Tensor:
        return -model(points[index]).mean()

    trained(model, loss, 2000, 250, seed, 2e-3)
    with torch.no_grad():
        return -model(points[2000:]).mean().item()


class Flow(nn.Module):
    """A neural ODE in ten steps of Euler's (Chen 2018), with two dimensions more (Dupont 2019)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.slope, self.out = dense(5, width, width, 4, activation=nn.Tanh), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.pad(x, (0, 2))
        for step in range(10):
            time = torch.full_like(x[:, :1], step / 10)
            x = x + 0.1 * self.slope(torch.cat([x, time], 1))
        return self.out(x)


def rings(model: nn.Module, seed: int) -> float:
    labels = torch.arange(1200) % 2
    way = F.normalize(drawn(1200, 2), dim=1)
    points = way * (0.6 + 0.7 * labels + 0.15 * drawn(1200, seed=1))[:, None]

    def loss(index: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(points[index]), labels[index])

    trained(model, loss, 900, 200, seed, 5e-3)
    with torch.no_grad():
        return 100 * (model(points[900:]).argmax(1) == labels[900:]).float().mean().item()


class Mixture(nn.Module):
    """Five Gaussians, whose weights, means and log-stds a network gives (Bishop 1994)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.body = dense(1, width, width, width, activation=nn.Tanh)
        self.share, self.mean, self.size = (nn.Linear(width, 5) for _ in range(3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = torch.tanh(self.body(x))
        return self.share(x), self.mean(x), self.size(x)


def mixed(model: nn.Module, seed: int) -> float:
    """The negative log-likelihood of the inverse of a sine, which has several values."""
    y = 2 * torch.rand(3000, 1, generator=torch.Generator().manual_seed(0)) - 1
    x = y + 0.6 * torch.sin(2 * math.pi * y) + 0.05 * drawn(3000, 1)

    def loss(index) -> torch.Tensor:
        share, mean, size = model(x[index])
        far = -0.5 * ((y[index] - mean) / size.exp()).square() - size
        return -(share.log_softmax(1) + far).logsumexp(1).mean()

    trained(model, loss, 2000, 300, seed, 2e-3)
    with torch.no_grad():
        return loss(slice(2000, None)).item()


class Variational(nn.Module):
    """A VAE: two heads for the mean and the log-variance of a code (Kingma 2014)."""

    def __init__(self, width: int = 64, code: int = 8) -> None:
        super().__init__()
        self.body = dense(64, width, width)
        self.mean, self.size = nn.Linear(width, code), nn.Linear(width, code)
        self.back = dense(code, width, width, 64)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = F.relu(self.body(x))
        mean, size = self.mean(x), self.size(x)
        return self.back(mean + torch.randn_like(mean) * (0.5 * size).exp()), mean, size


def encoded(model: nn.Module, seed: int) -> float:
    """The bound on the likelihood of new digits, divided by the number of pixels."""
    (images, _), (tests, _) = split()

    def loss(x: torch.Tensor) -> torch.Tensor:
        again, mean, size = model(x)
        prior = 0.5 * (mean.square() + size.exp() - size - 1).sum(1).mean()
        return (again - x).square().sum(1).mean() + prior

    trained(model, lambda index: loss(images[index]), len(images), 300, seed)
    with torch.no_grad():
        torch.manual_seed(seed)
        return loss(tests.repeat(8, 1)).item() / 64


class Agent(nn.Module):
    """DDPG: an actor, its last layer small, and a critic (Lillicrap 2016)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.actor, self.critic = dense(3, width, width, 1), dense(4, width, width, 1)
        for net in (self.actor, self.critic):
            nn.init.uniform_(net[-1].weight, -3e-3, 3e-3)

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        action = torch.tanh(self.actor(state))
        return self.critic(torch.cat([state, action], 1))


def driven(model: nn.Module, seed: int) -> float:
    """A point on a line that has to reach another: what twenty steps of the actor cost."""
    torch.manual_seed(seed)
    target = copy.deepcopy(model)
    state, action = 2 * torch.rand(4000, 3) - 1, 2 * torch.rand(4000, 1) - 1

    def moved(state: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        speed = 0.8 * state[:, 1:2] + 0.4 * action
        place = (state[:, :1] + 0.3 * speed).clamp(-2, 2)
        return torch.cat([place, speed, state[:, 2:]], 1)

    def cost(state: torch.Tensor) -> torch.Tensor:
        return (state[:, :1] - state[:, 2:]).square()

    after = moved(state, action)
    steps = [torch.optim.Adam(net.parameters(), 1e-3) for net in (model.critic, model.actor)]
    for _ in range(400):
        index = torch.randint(4000, (128,))
        with torch.no_grad():
            wanted = 0.9 * target(after[index]) - cost(after[index])
        given = torch.cat([state[index], action[index]], 1)
        for step, is_critic in zip(steps, (True, False), strict=True):
            step.zero_grad()
            lost = F.mse_loss(model.critic(given), wanted) if is_critic else -model(state[index])
            lost.mean().backward()
            step.step()
        with torch.no_grad():
            for old, new in zip(target.parameters(), model.parameters(), strict=True):
                old.lerp_(new, 0.02)
    start, total = 2 * torch.rand(500, 3, generator=torch.Generator().manual_seed(9)) - 1, 0.0
    with torch.no_grad():
        for _ in range(20):
            start = moved(start, torch.tanh(model.actor(start)))
            total += cost(start).mean().item() / 20
    return total


class Denoiser(nn.Module):
    """An MLP with skips that gets points and the time (Ho 2020)."""

    def __init__(self, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        self.into, self.time = nn.Linear(2, width), nn.Linear(16, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.out = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        angle = time * 2.0 ** torch.arange(8)
        time = self.time(torch.cat([angle.sin(), angle.cos()], 1))
        x = self.into(x) + time
        for block in self.blocks:
            x = x + block(F.silu(x))
        return self.out(F.silu(x))


def noised(model: nn.Module, seed: int) -> float:
    """The error of the noise found in points, on new ones."""
    points = moons()

    def loss(x: torch.Tensor) -> torch.Tensor:
        noise, time = torch.randn_like(x), torch.rand(len(x), 1)
        share = (math.pi / 2 * time).cos()
        return F.mse_loss(model(share * x + (1 - share**2).sqrt() * noise, time), noise)

    trained(model, lambda index: loss(points[index]), 2000, 400, seed, 2e-3)
    with torch.no_grad():
        torch.manual_seed(0)
        return loss(points[2000:].repeat(10, 1)).item()


TASKS = (
    Task("RealNVP, zero last layers", Couplings, likely, shapes=((2,),)),
    Task("neural ODE, Euler", Flow, rings, "accuracy", ((2,),)),
    Task("mixture density", Mixture, mixed, shapes=((1,),)),
    Task("VAE", Variational, encoded),
    Task("DDPG", Agent, driven, shapes=((3,),)),
    Task("diffusion MLP", Denoiser, noised, shapes=((2,), (1,))),
)

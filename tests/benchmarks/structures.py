"""Training tasks of further structures: sequences, pairs, capsules, graphs and sets."""

from __future__ import annotations

import itertools

import torch
from tasks import IMAGES, Task, classified, split, trained
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

SYMBOLS, TURNED = 20, 6


def dense(*sizes: int, activation=nn.ReLU) -> nn.Sequential:
    """Linear layers with an activation between them."""
    pairs = itertools.pairwise(sizes)
    layers = [m for a, b in pairs for m in (nn.Linear(a, b), activation())]
    return nn.Sequential(*layers[:-1])


def drawn(count: int, *shape: int, seed: int = 0) -> torch.Tensor:
    """Numbers of N(0, 1), the same ones for the same seed."""
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))


class Reverser(nn.Module):
    """A GRU reads symbols, a second one, with additive attention, writes them (Bahdanau 2015)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, width)
        self.reads = nn.GRU(width, width, batch_first=True)
        self.writes = nn.GRUCell(2 * width, width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.energy, self.out = nn.Linear(width, 1), nn.Linear(width, SYMBOLS)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        read, state = self.reads(self.embed(tokens))
        state, keys, found = state[0], self.key(read), []
        last = torch.zeros_like(state)
        for _ in range(tokens.shape[1]):
            scores = self.energy(torch.tanh(keys + self.query(state)[:, None]))
            seen = (scores.softmax(1) * read).sum(1)
            state = self.writes(torch.cat([last, seen], 1), state)
            found.append(self.out(state))
            last = self.embed(found[-1].argmax(1))
        return torch.stack(found, 1)


def turned(model: nn.Module, seed: int) -> float:
    """Accuracy of symbols written in the opposite order."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(8, (2500, TURNED), generator=generator)

    def loss(index: torch.Tensor) -> torch.Tensor:
        given = tokens[index]
        return F.cross_entropy(model(given).flatten(0, 1), given.flip(1).flatten())

    trained(model, loss, 2000, 250, seed, 5e-3)
    with torch.no_grad():
        right = model(tokens[2000:]).argmax(2) == tokens[2000:].flip(1)
    return 100 * right.float().mean().item()


def twins(model: nn.Module, seed: int) -> float:
    """Pairs of digits by a contrastive loss: accuracy of the best threshold on new pairs."""
    (images, labels), (tests, answers) = split()

    def apart(x: torch.Tensor) -> torch.Tensor:
        return (model(x) - model(x.roll(1, 0))).square().sum(1)

    def loss(index: torch.Tensor) -> torch.Tensor:
        # Sorted by label in halves, so that many pairs are of one kind.
        index = torch.cat([index[:32], index[32:][labels[index[32:]].argsort()]])
        same = (labels[index] == labels[index].roll(1)).float()
        far = apart(images[index])
        near = F.relu(1 - (far + 1e-6).sqrt()).square()
        return (same * far + (1 - same) * near).mean()

    trained(model, loss, len(images), 250, seed)
    order = answers.argsort()
    with torch.no_grad():
        order = torch.cat([order, torch.randperm(len(order), generator=torch.Generator())])
        far = apart(tests[order])
    same = answers[order] == answers[order].roll(1)
    right = [((far < limit) == same).float().mean() for limit in far]
    return 100 * max(right).item()


class Capsules(nn.Module):
    """Vectors that are squashed and agree on what they see, by two rounds (Sabour 2017)."""

    def __init__(self, width: int = 16, parts: int = 12) -> None:
        super().__init__()
        self.look, self.parts = nn.Conv2d(1, width, 3), nn.Conv2d(width, 4 * parts, 3, 2)
        self.votes = nn.Parameter(0.05 * torch.randn(4 * parts, 10, 8, 4))

    @staticmethod
    def squash(x: torch.Tensor) -> torch.Tensor:
        size = x.square().sum(-1, keepdim=True)
        return x * size / (1 + size) / (size + 1e-8).sqrt()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.parts(F.relu(self.look(x)))
        x = self.squash(x.flatten(1).view(len(x), self.votes.shape[0], -1))
        votes = torch.einsum("bpi,pcoi->bpco", x, self.votes)
        agreed = torch.zeros_like(votes[..., 0])
        for _ in range(2):
            found = self.squash((agreed.softmax(2)[..., None] * votes).sum(1))
            agreed = agreed + (votes * found[:, None]).sum(3)
        return 10 * found.square().sum(2).add(1e-8).sqrt()


class GraphAttention(nn.Module):
    """Two layers of attention over neighbours (Velickovic 2018)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        sizes = ((16, width), (width, 4))
        self.linear = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in sizes)
        self.near = nn.ModuleList(nn.Linear(b, 1) for _, b in sizes)
        self.far = nn.ModuleList(nn.Linear(b, 1, bias=False) for _, b in sizes)

    def forward(self, x: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
        for place, linear in enumerate(self.linear):
            x = linear(F.elu(x) if place else x)
            scores = F.leaky_relu(self.near[place](x) + self.far[place](x).T, 0.2)
            x = scores.masked_fill(graph == 0, -1e9).softmax(1) @ x
        return x


def communities(model: nn.Module, seed: int) -> float:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(300) % 4
    chance = torch.where(labels[:, None] == labels, 0.06, 0.01)
    graph = (torch.rand(300, 300, generator=generator) < chance).float()
    graph = ((graph + graph.T + torch.eye(300)) > 0).float()
    x = torch.randn(300, 16, generator=generator) + F.one_hot(labels, 16)

    def loss(index: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(x, graph)[:80], labels[:80])

    trained(model, loss, 80, 100, seed, 5e-3)
    with torch.no_grad():
        return 100 * (model(x, graph)[80:].argmax(1) == labels[80:]).float().mean().item()


class Sets(nn.Module):
    """Each point by itself, the mean, and layers behind it (Zaheer 2017)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.each, self.all = dense(2, width, width, width), dense(width, width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.all(self.each(x).mean(1))


def spread(model: nn.Module, seed: int) -> float:
    """Regression on the mean distance of points from their middle."""
    scale = 0.5 + torch.rand(2000, 1, 1, generator=torch.Generator().manual_seed(1))
    points = scale * drawn(2000, 12, 2)
    wanted = (points - points.mean(1, True)).norm(dim=2).mean(1, True)

    def loss(index: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(model(points[index]), wanted[index])

    trained(model, loss, 1500, 250, seed)
    with torch.no_grad():
        return 1000 * F.mse_loss(model(points[1500:]), wanted[1500:]).item()


class Dilated(nn.Module):
    """A TCN: residual causal convolutions under weight norm (Bai 2018)."""

    def __init__(self, width: int = 24, depth: int = 3) -> None:
        super().__init__()
        self.first, self.second, self.skips = (nn.ModuleList() for _ in range(3))
        for place in range(depth):
            into = width if place else 2
            convs = [nn.Conv1d(n, width, 3, dilation=2**place) for n in (into, width)]
            skip = nn.Identity() if place else nn.Conv1d(into, width, 1)
            self.first.append(weight_norm(convs[0]))
            self.second.append(weight_norm(convs[1]))
            self.skips.append(skip)
        self.out = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for place, skip in enumerate(self.skips):
            past = (2 * 2**place, 0)
            y = F.relu(self.first[place](F.pad(x, past)))
            x = F.relu(skip(x) + F.relu(self.second[place](F.pad(y, past))))
        return self.out(x[:, :, -1])


def added(model: nn.Module, seed: int) -> float:
    """The adding problem: the sum of the two values that are marked."""
    generator = torch.Generator().manual_seed(0)
    values, marks = torch.rand(3000, 16, generator=generator), torch.zeros(3000, 16)
    for row in marks:
        row[torch.randperm(16, generator=generator)[:2]] = 1
    given, wanted = torch.stack([values, marks], 1), (values * marks).sum(1, True)

    def loss(index: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(model(given[index]), wanted[index])

    trained(model, loss, 2500, 200, seed, 4e-3)
    with torch.no_grad():
        return 1000 * F.mse_loss(model(given[2500:]), wanted[2500:]).item()


TASKS = (
    Task("seq2seq with attention", Reverser, turned, "accuracy", (TURNED,)),
    Task("siamese, contrastive", lambda: dense(64, 64, 64, 64, 16), twins, "accuracy"),
    Task("capsules", Capsules, classified(200, 3e-3, IMAGES, sgd=False), "accuracy", (IMAGES,)),
    Task("graph attention", GraphAttention, communities, "accuracy", ((16,), (64,))),
    Task("deep sets, mean", Sets, spread, shapes=((12, 2),)),
    Task("TCN, weight norm", Dilated, added, shapes=((2, 16),)),
)

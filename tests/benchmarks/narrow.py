"""Pre-norm stacks of width 64 whose layers all have std 0.02: as they are, and with blocks filled.

    python tests/benchmarks/narrow.py [--tasks WORD,…] [--seeds N]

Prints a row for every task, depth and optimiser: accuracy in percent, or a loss. Tasks whose names
begin with a star have one result for all positions and read no tokens: INIT301 reports these.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from sequences import text
from tasks import split
from torch import nn
from torch.nn import functional as F

import initlint

WIDTH, STD = 64, 0.02
Data = Callable[[int, torch.Generator, bool], tuple[torch.Tensor, torch.Tensor]]


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


class Block(nn.Module):
    def __init__(self, norm: Callable[[int], nn.Module], is_gated: bool, is_causal: bool) -> None:
        super().__init__()
        self.n1, self.n2, self.is_causal = norm(WIDTH), norm(WIDTH), is_causal
        self.qkv, self.o = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.gate = nn.Linear(WIDTH, 2 * WIDTH) if is_gated else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size, count, _ = x.shape
        heads = (
            part.view(size, count, 4, WIDTH // 4).transpose(1, 2)
            for part in self.qkv(self.n1(x)).chunk(3, -1)
        )
        seen = F.scaled_dot_product_attention(*heads, is_causal=self.is_causal)
        x = x + self.o(seen.transpose(1, 2).reshape(size, count, WIDTH))
        h = self.n2(x)
        h = F.gelu(self.up(h)) if self.gate is None else F.silu(self.gate(h)) * self.up(h)
        return x + self.down(h)


class Mixing(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.a, self.b = nn.Linear(count, 2 * count), nn.Linear(2 * count, count)
        self.c, self.d = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.b(F.gelu(self.a(self.n1(x).transpose(1, 2)))).transpose(1, 2)
        return x + self.d(F.gelu(self.c(self.n2(x))))


class Net(nn.Module):
    """`places` positions have a vector each, if given; `is_pooled` means one result for all."""

    def __init__(
        self,
        stem: nn.Module,
        blocks: list[nn.Module],
        results: int,
        is_pooled: bool,
        places: int = 0,
        norm: Callable[[int], nn.Module] = nn.LayerNorm,
    ) -> None:
        super().__init__()
        self.stem, self.is_pooled = stem, is_pooled
        self.pos = nn.Parameter(torch.zeros(1, places, WIDTH)) if places else None
        self.blocks = nn.Sequential(*blocks)
        self.norm, self.head = norm(WIDTH), nn.Linear(WIDTH, results)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv1d)):
                nn.init.normal_(module.weight, std=STD)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=STD)
        if self.pos is not None:
            nn.init.normal_(self.pos, std=STD)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x if self.pos is None else x + self.pos
        x = self.norm(self.blocks(x))
        return self.head(x.mean(1) if self.is_pooled else x)


class Windows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, WIDTH, 8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).transpose(1, 2)


def rows(size: int, source: torch.Generator, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of digits, row by row, and which digit each is."""
    (images, labels), held = split()
    if not train:
        return held[0].view(-1, 8, 8), held[1]
    chosen = torch.randint(0, len(images), (size,), generator=source)
    return images[chosen].view(-1, 8, 8), labels[chosen]


def masked(size: int, source: torch.Generator, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Digits of which some rows are hidden, beside which ones; and all rows."""
    x, _ = rows(size, source, train)
    hidden = (torch.rand(len(x), 8, 1, generator=source) < 0.4).float()
    return torch.cat([x * (1 - hidden), hidden], -1), x


def series(size: int, source: torch.Generator, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums of two sines with noise, and the same one step later."""
    speed = torch.rand(size, 2, 1, generator=source) * 1.2 + 0.2
    phase = torch.rand(size, 2, 1, generator=source) * 2 * math.pi
    x = torch.sin(speed * torch.arange(25.0) + phase).sum(1)
    x = x + 0.05 * torch.randn(size, 25, generator=source)
    return x[:, :24, None], x[:, 1:, None]


def steered(size: int, source: torch.Generator, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The states of a mass that is steered to the origin, and what its controller does in each."""
    gains = torch.tensor([[1.0, 0.3, 0.8, 0.0], [0.2, 1.0, 0.0, 0.7]])
    state, states, actions = torch.randn(size, 4, generator=source), [], []
    for _ in range(16):
        action = -torch.tanh(state @ gains.T * 1.5)
        states.append(state)
        actions.append(action)
        moved = state + 0.1 * torch.cat([state[:, 2:], action], 1)
        state = moved + 0.02 * torch.randn(size, 4, generator=source)
    return torch.stack(states, 1), torch.stack(actions, 1)


def solids(size: int, source: torch.Generator, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """24 points of a sphere, a cube, an octahedron or a cylinder, turned at random; and which."""
    labels = torch.randint(0, 4, (size,), generator=source)
    p = torch.randn(size, 24, 3, generator=source)
    kinds = (
        p / p.norm(dim=-1, keepdim=True),
        p / p.abs().max(-1, keepdim=True).values,
        p / p.abs().sum(-1, keepdim=True) * 1.3,
        torch.cat([p[..., :2] / p[..., :2].norm(dim=-1, keepdim=True), p[..., 2:]], -1),
    )
    turn = torch.linalg.qr(torch.randn(size, 3, 3, generator=source)).Q
    return torch.stack(kinds, 1)[torch.arange(size), labels] @ turn, labels


def chords(size: int, source: torch.Generator, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """128 samples of three tones with noise, and on which of eight notes they stand."""
    labels = torch.randint(0, 8, (size,), generator=source)
    speed = (torch.arange(8) * 0.09 + 0.15)[labels][:, None]
    phase = torch.rand(size, 3, 1, generator=source) * 2 * math.pi
    time = torch.arange(128.0)
    x = sum(torch.sin(speed * (1 + 0.5 * k) * time + phase[:, k]) for k in range(3))
    return (x + 0.8 * torch.randn(size, 128, generator=source))[:, None], labels


def letters(size: int, source: torch.Generator, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """24 characters of a source file, and each one's next."""
    every, _ = text()
    start = torch.randint(0, 60000, (size,), generator=source)
    start = start if train else 61000 + torch.arange(size) * 25
    found = every[start[:, None] + torch.arange(25)]
    return found[:, :24], found[:, 1:]


class Kind(NamedTuple):
    data: Data
    make: Callable[[int], nn.Module]
    score: str


def blocks(depth: int, norm=nn.LayerNorm, gated: bool = False, causal: bool = False):
    return [Block(norm, gated, causal) for _ in range(depth)]


KINDS = {
    "* rows of digits": Kind(
        rows, lambda n: Net(nn.Linear(8, WIDTH), blocks(n), 10, True, 8), "accuracy"
    ),
    "* points": Kind(solids, lambda n: Net(nn.Linear(3, WIDTH), blocks(n), 4, True), "accuracy"),
    "* chords": Kind(chords, lambda n: Net(Windows(), blocks(n), 8, True, 16), "accuracy"),
    "* mixer, rows of digits": Kind(
        rows,
        lambda n: Net(nn.Linear(8, WIDTH), [Mixing(8) for _ in range(n)], 10, True),
        "accuracy",
    ),
    "masked rows": Kind(
        masked, lambda n: Net(nn.Linear(9, WIDTH), blocks(n), 8, False, 8), "square"
    ),
    "series": Kind(
        series,
        lambda n: Net(nn.Linear(1, WIDTH), blocks(n, RMSNorm, True, True), 1, False, 24, RMSNorm),
        "square",
    ),
    "steering": Kind(
        steered,
        lambda n: Net(nn.Linear(4, WIDTH), blocks(n, causal=True), 2, False, 16),
        "square",
    ),
    "characters": Kind(
        letters,
        lambda n: Net(nn.Embedding(text()[1], WIDTH), blocks(n, causal=True), text()[1], False, 24),
        "entropy",
    ),
}
OPTIMISERS = {
    "AdamW 0.001": lambda parameters: torch.optim.AdamW(parameters, 1e-3),
    "SGD 0.01": lambda parameters: torch.optim.SGD(parameters, 0.01, momentum=0.9),
    "SGD 0.03": lambda parameters: torch.optim.SGD(parameters, 0.03, momentum=0.9),
}
STEPS = {4: 200, 10: 100}


def loss(kind: Kind, found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    if kind.score == "square":
        return F.mse_loss(found, wanted)
    return F.cross_entropy(found.flatten(0, -2), wanted.flatten())


def score(kind: Kind, depth: int, optimiser: str, seed: int, is_filled: bool) -> float:
    """Accuracy in percent, or the loss, on data that were not trained on."""
    torch.manual_seed(seed)
    model = kind.make(depth)
    if is_filled:
        x, _ = kind.data(4, torch.Generator().manual_seed(5), True)
        initlint.apply_(model, x, seed=seed, scope="all", only="blocks")
    step = OPTIMISERS[optimiser](model.parameters())
    source = torch.Generator().manual_seed(seed + 100)
    for _ in range(STEPS[depth]):
        x, wanted = kind.data(16, source, True)
        step.zero_grad()
        loss(kind, model(x), wanted).backward()
        step.step()
    x, wanted = kind.data(400, torch.Generator().manual_seed(7), False)
    with torch.no_grad():
        found = model(x)
    if kind.score == "accuracy":
        return (found.argmax(1) == wanted).float().mean().item() * 100
    return loss(kind, found, wanted).item()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", default="", help="only tasks with these words")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name, kind in KINDS.items():
        if not any(word in name for word in given.tasks.split(",")):
            continue
        form = "{:.0f}" if kind.score == "accuracy" else "{:.3g}"
        for depth in STEPS:
            for optimiser in OPTIMISERS:
                cells = (
                    " / ".join(
                        form.format(score(kind, depth, optimiser, seed, is_filled))
                        for seed in range(given.seeds)
                    )
                    for is_filled in (False, True)
                )
                print(f"| {name} | {depth} | {optimiser} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

"""What the rules of the whole advise, trained: nets as they are reported, and as they are told.

    python tests/benchmarks/whole.py [--rows WORD,…] [--seeds N]

Prints for every row the scores of all seeds: accuracy in percent on the digits, or a loss. The
first way of a row is what a rule reports (or, where it says so, leaves alone), the others are what
it advises.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import sequences
import torch
from tasks import ROWS, Encoder, classified, trained
from torch import nn
from torch.nn import functional as F

Make = Callable[[], nn.Module]
Score = Callable[[nn.Module, int], float]


class Row(NamedTuple):
    """One task, and the ways to initialise its model."""

    rule: str
    name: str
    score: Score
    ways: Mapping[str, Make]


def filled(make: Make, fill: Callable[[nn.Module], None]) -> Make:
    def made() -> nn.Module:
        model = make()
        fill(model)
        return model

    return made


# --- runs of linear layers ------------------------------------------------------------------------


def factors(count: int, width: int = 64, rank: int = 32) -> Make:
    """relu layers whose matrices are products of two, and Kaiming before relu."""

    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for _ in range(count):
            down, up = nn.Linear(width, rank, bias=False), nn.Linear(rank, width)
            nn.init.kaiming_normal_(up.weight, nonlinearity="relu")
            layers += [down, up, nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(width, 10))

    return make


def linear(count: int, width: int = 64) -> Make:
    return lambda: nn.Sequential(
        *(nn.Linear(width, width) for _ in range(count)), nn.Linear(64, 10)
    )


def xavier(model: nn.Module) -> None:
    """Xavier for every layer that only another linear layer follows."""
    layers = [*model]
    for layer, after in itertools.pairwise(layers):
        if isinstance(layer, nn.Linear) and isinstance(after, nn.Linear):
            nn.init.xavier_normal_(layer.weight)


def normal(std: float) -> Callable[[nn.Module], None]:
    def fill(model: nn.Module) -> None:
        for layer in model:
            if isinstance(layer, nn.Linear) and layer.out_features != 10:
                nn.init.normal_(layer.weight, std=std)

    return fill


# --- residual streams -----------------------------------------------------------------------------


class Block(nn.Module):
    def __init__(self, make: Make) -> None:
        super().__init__()
        self.a, self.b = make(), make()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.b(F.relu(self.a(x)))


def residual(count: int) -> Make:
    def make() -> nn.Module:
        blocks = (Block(lambda: nn.Linear(64, 64)) for _ in range(count))
        return nn.Sequential(nn.Linear(64, 64), *blocks, nn.ReLU(), nn.Linear(64, 10))

    return make


class Conditioned(nn.Module):
    """A stream of one half of a digit; its branches see the other half, too."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, 64), nn.Linear(64, 10)
        self.blocks = nn.ModuleList(Block(lambda: nn.Linear(64, 64)) for _ in range(count))
        self.others = nn.ModuleList(nn.Linear(64, 64) for _ in range(count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        is_left = torch.arange(64) % 8 < 4
        h, v = self.first(x * is_left), x * ~is_left
        for block, other in zip(self.blocks, self.others, strict=True):
            h = h + block.b(F.relu(block.a(h) + other(v)))
        return self.last(h)


def by_kaiming(ends: Callable[[torch.Tensor], object] | None) -> Callable[[nn.Module], None]:
    """Kaiming before every relu; `ends` fills what is added to the stream, if given."""

    def fill(model: nn.Module) -> None:
        for block, other in zip(model.blocks, model.others, strict=True):
            for layer in (block.a, other):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if ends is not None:
                ends(block.b.weight)

    return fill


def kaiming(last: Callable[[torch.Tensor, int], object]) -> Callable[[nn.Module], None]:
    """Kaiming in every block; `last` then fills its last layer, of so many blocks."""

    def fill(model: nn.Module) -> None:
        blocks = [block for block in model if isinstance(block, Block)]
        for block in blocks:
            for layer in (block.a, block.b):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            last(block.b.weight, len(blocks))

    return fill


def kept(weight: torch.Tensor, count: int) -> None:
    pass


def zeros(weight: torch.Tensor, count: int) -> None:
    nn.init.zeros_(weight)


def divided(weight: torch.Tensor, count: int) -> None:
    with torch.no_grad():
        weight /= math.sqrt(count)


# --- transformers of width 64 ---------------------------------------------------------------------


def encoder(std: float | None) -> Make:
    """A small vision transformer whose blocks have this std, and whose patches the default."""

    def make() -> nn.Module:
        model = Encoder(std)
        model.patch.reset_parameters()
        return model

    return make


# --- sines ----------------------------------------------------------------------------------------


class Waves(nn.Module):
    def __init__(self, first: str, hidden: str, omega: float = 30.0, width: int = 64) -> None:
        super().__init__()
        self.omega = omega
        self.layers = nn.ModuleList(nn.Linear(2 if i == 0 else width, width) for i in range(4))
        self.out = nn.Linear(width, 1)
        for place, layer in enumerate(self.layers):
            n, how = layer.in_features, hidden if place else first
            bound = {"own": 1 / n, "small": math.sqrt(6 / n) / omega, "default": n**-0.5}[how]
            nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.sin(self.omega * layer(x))
        return self.out(x)


def picture(model: nn.Module, seed: int) -> float:
    """A picture with fine and coarse parts, on every second pixel; 1000 times the error between."""
    line = torch.linspace(-1, 1, 64)
    places = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2)
    x, y = places[:, :1], places[:, 1:]
    values = 0.5 * torch.sin(25 * x) * torch.cos(18 * y) + 0.5 * torch.sign(x * y - 0.1)
    known = torch.arange(0, len(places), 2)

    def loss(index: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(model(places[known[index]]), values[known[index]])

    trained(model, loss, len(known), 400, seed, 1e-3, size=512)
    with torch.no_grad():
        return 1000 * F.mse_loss(model(places), values).item()


# --- tokens ---------------------------------------------------------------------------------------


class Drowned(nn.Module):
    """A decoder to whose tokens a vector is added, the same for all of them."""

    def __init__(self, table: float, common: float) -> None:
        super().__init__()
        self.inner = sequences.Decoder(
            sequences.Gelu, lambda: nn.LayerNorm(sequences.WIDTH), depth=2
        )
        nn.init.normal_(self.inner.embed.weight, std=table)
        nn.init.normal_(self.inner.place.weight, std=table)
        self.common = nn.Parameter(common * torch.randn(sequences.WIDTH))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        inner = self.inner
        x = inner.embed(tokens) + inner.place(torch.arange(tokens.shape[1])) + self.common
        for place, (attention, layer) in enumerate(
            zip(inner.attentions, inner.layers, strict=True)
        ):
            x = x + attention(inner.norms[2 * place](x))
            x = x + layer(inner.norms[2 * place + 1](x))
        return inner.out(inner.norm(x))


def rows() -> list[Row]:
    """Every row of the table."""
    return [*runs(), *streams(), *widths(), *tokens(), *sines()]


def runs() -> Iterator[Row]:
    for word, rate, sgd in OPTIMISERS:
        score = classified(300, rate, sgd=sgd)
        for name, make in (("20 linear layers", linear(20)), ("10 products, relu", factors(10))):
            yield Row("INIT301", f"{name}, {word}", score, {"default": make, "Xavier": told(make)})
        ways = {f"normal {s}": filled(linear(10), normal(s)) for s in (0.3, 0.5)}
        yield Row(
            "INIT302", f"10 linear layers, {word}", score, {**ways, "Xavier": told(linear(10))}
        )


def told(make: Make) -> Make:
    return filled(make, xavier)


def streams() -> Iterator[Row]:
    for word, rate, sgd in OPTIMISERS:
        for count in (2, 5, 7, 10, 20):
            ways = {w.__name__: filled(residual(count), kaiming(w)) for w in (kept, zeros, divided)}
            score = classified(300, rate, sgd=sgd)
            yield Row("INIT303", f"{count} blocks of relu, {word}", score, ways)
        make = partial(Conditioned, 8)
        drawn = partial(nn.init.kaiming_normal_, nonlinearity="relu")
        ways = {
            "default": make,
            "Kaiming before relu": filled(make, by_kaiming(None)),
            "Kaiming": filled(make, by_kaiming(drawn)),
            "zeros": filled(make, by_kaiming(nn.init.zeros_)),
        }
        name = f"8 blocks with a second input, {word}"
        yield Row("INIT303", name, classified(250, rate, sgd=sgd), ways)


def widths() -> Iterator[Row]:
    for word, rate, sgd in OPTIMISERS:
        ways = {"0.02": encoder(0.02), "0.07": encoder(0.07), "default": encoder(None)}
        yield Row("INIT301", f"ViT of width 64, {word}", classified(250, rate, ROWS, sgd), ways)


def tokens() -> Iterator[Row]:
    stds = ((0.02, 1.0), (0.02, 0.02), (1.0, 1.0), (1.0, 0.02))
    ways = {f"tokens {t}, vector {c}": partial(Drowned, t, c) for t, c in stds}
    yield Row("INIT306", "a vector added to all tokens", sequences.language(200), ways)


def sines() -> Iterator[Row]:
    kinds = {"small": ("small", "small"), "SIREN": ("own", "small"), "default": ("default",) * 2}
    ways = {name: partial(Waves, *kind) for name, kind in kinds.items()}
    yield Row("INIT106", "sines, omega 30", picture, ways)


OPTIMISERS = (("SGD", 0.01, True), ("Adam", 1e-3, False))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="", help="only rows with these words")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for row in rows():
        if not any(word in f"{row.rule} {row.name}" for word in given.rows.split(",")):
            continue
        begun = time.time()
        for way, make in row.ways.items():
            scores = []
            for seed in range(given.seeds):
                torch.manual_seed(seed)
                scores.append(row.score(make(), seed))
            shown = " / ".join(f"{score:.3g}" for score in scores)
            print(f"| {row.rule} | {row.name} | {way} | {shown} |", flush=True)
        print(f"    {time.time() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()

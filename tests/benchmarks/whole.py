"""What the rules of the whole advise, trained: nets as they are reported, and as they are told.

    python tests/benchmarks/whole.py [--rows WORD,…] [--seeds N]

Prints for every row the scores of all seeds: accuracy in percent on the digits, or a loss. The
first way of a row is what a rule reports (or, where it says so, leaves alone), the others are what
it advises.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping
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
    for layer, after in zip(layers, layers[1:], strict=False):
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


def residual(count: int, images: bool = False) -> Make:
    def make() -> nn.Module:
        width = 16 if images else 64
        layer = (lambda: nn.Conv2d(16, 16, 3, padding=1)) if images else (lambda: nn.Linear(64, 64))
        first = nn.Conv2d(1, 16, 3, padding=1) if images else nn.Linear(64, 64)
        last = nn.Linear(width * 64 if images else 64, 10)
        blocks = (Block(layer) for _ in range(count))
        return nn.Sequential(first, *blocks, nn.ReLU(), nn.Flatten(), last)

    return make


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


def writers(model: nn.Module) -> list[nn.Linear]:
    """The layers of a transformer that write into its stream."""
    return [*(a.o for a in model.attentions), *(layer.down for layer in model.layers)]


def loud(scale: bool, gain: float = 1.0) -> Callable[[nn.Module], None]:
    """Kaiming and Xavier in a pre-norm transformer; with `scale`, 1/sqrt(2 L) on the writers."""

    def fill(model: nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=gain / math.sqrt(module.in_features))
        for layer in model.layers:
            nn.init.kaiming_normal_(layer.up.weight)
        for writer in writers(model) if scale else ():
            divided(writer.weight, len(writers(model)))

    return fill


def quiet(std: float | None, bias: bool = True) -> Callable[[nn.Module], None]:
    """One std for all linear layers of a transformer, 0.02 for its tables."""

    def fill(model: nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, nn.Linear) and std is not None:
                nn.init.normal_(module.weight, std=std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    return fill


def decoder(depth: int) -> Make:
    return sequences.decoder(sequences.Gelu, sequences._norm, depth=depth)


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
        self.inner = decoder(2)()
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
    sgd, adam = classified(300, 0.01), classified(300, 1e-3, sgd=False)
    small, own = sequences.language(200), classified(250, 0.01, ROWS)
    images, images_adam = (
        classified(250, 0.01, (1, 8, 8)),
        classified(250, 1e-3, (1, 8, 8), sgd=False),
    )
    own_adam = classified(250, 1e-3, ROWS, sgd=False)
    found = []
    for word, score in (("SGD", sgd), ("Adam", adam)):
        deep, mixed = linear(20), factors(10)
        told = {"default": deep, "Xavier": filled(deep, xavier)}
        found.append(Row("INIT301", f"20 linear layers, {word}", score, told))
        told = {"default": mixed, "Xavier": filled(mixed, xavier)}
        found.append(Row("INIT301", f"10 products of two, relu, {word}", score, told))
        told = {f"normal {s}": filled(linear(10), normal(s)) for s in (0.3, 0.5)}
        told["Xavier"] = filled(linear(10), xavier)
        found.append(Row("INIT302", f"10 linear layers, {word}", score, told))
        for count in (2, 5, 10, 20, 40):
            ways = {w.__name__: filled(residual(count), kaiming(w)) for w in (kept, zeros, divided)}
            ways["default"] = residual(count)
            found.append(Row("INIT303", f"{count} blocks of relu, {word}", score, ways))
    for word, score in (("SGD", images), ("Adam", images_adam)):
        for count in (5, 10):
            base = residual(count, True)
            ways = {w.__name__: filled(base, kaiming(w)) for w in (kept, zeros, divided)}
            found.append(Row("INIT303", f"{count} blocks of convolutions, {word}", score, ways))
    for depth in (4, 12):
        told = {
            "Xavier": filled(decoder(depth), loud(False)),
            "scaled": filled(decoder(depth), loud(True)),
        }
        told |= {
            "gain 2": filled(decoder(depth), loud(False, 2.0)),
            "gain 2, scaled": filled(decoder(depth), loud(True, 2.0)),
        }
        found.append(Row("INIT303", f"pre-norm decoder of {depth} blocks", small, told))
    for word, score in (("SGD", own), ("Adam", own_adam)):
        told = {
            "0.02": lambda: Encoder(0.02),
            "scaled": lambda: Encoder(0.02 * math.sqrt(768 / 64)),
        }
        told["default"] = lambda: Encoder(None)
        found.append(Row("INIT301", f"ViT of width 64, {word}", score, told))
    for depth in (3, 8):
        told = {
            "0.02": filled(decoder(depth), quiet(0.02)),
            "0.08": filled(decoder(depth), quiet(0.08)),
        }
        told["default"] = decoder(depth)
        found.append(Row("INIT301", f"decoder of {depth} blocks, width 48", small, told))
    told = {
        f"{t} and {c}": lambda t=t, c=c: Drowned(t, c)
        for t, c in ((0.02, 1.0), (0.02, 0.02), (1.0, 1.0), (1.0, 0.02))
    }
    found.append(Row("INIT306", "tokens and what is common to them", small, told))
    told = {"small": lambda: Waves("small", "small"), "SIREN": lambda: Waves("own", "small")}
    told["default"] = lambda: Waves("default", "default")
    found.append(Row("INIT106", "sines, omega 30", picture, told))
    return found


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

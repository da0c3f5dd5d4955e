"""Does what apply_ leaves train? Networks on digits, by policy, beside PyTorch's default and LSUV.

    python tests/benchmarks/outcomes.py [--epochs N] [--seeds N] [--rows "MLP 20 relu,CNN 30 relu"]

Prints test accuracies in percent for each seed, without normalisation unless said; SGD with
momentum 0.9 and a learning rate of 0.01 unless said, 64 digits a step. LSUV is given the data,
our policies are not.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import initlint

SEEDS = (0, 1, 2)
ACTIVATIONS = {
    "relu": nn.ReLU(),
    "leaky": nn.LeakyReLU(0.2),
    "tanh": nn.Tanh(),
    "elu": nn.ELU(),
    "selu": nn.SELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "sigmoid": nn.Sigmoid(),
    "softplus": nn.Softplus(),
}
ROWS = (
    *(f"MLP 5 {name}" for name in ("relu", "leaky", "tanh", "gelu", "silu", "softplus", "sigmoid")),
    *(f"MLP 20 {name}" for name in ACTIVATIONS),
    *(f"MLP 20 {name} Adam" for name in ("relu", "tanh", "gelu")),
    *("CNN 20 relu", "CNN 30 relu", "CNN 30 tanh", "CNN 10 relu BatchNorm"),
    *("residual MLP 20 relu", "residual CNN 20 relu"),
)


class Block(nn.Module):
    """x + b(relu(a(x)))"""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.a, self.b = make(), make()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.b(F.relu(self.a(x)))


def network(row: str) -> nn.Module:
    """The network of a row: kind, number of layers (or residual blocks), activation."""
    kind, depth, name = re.match(r"(\D+) (\d+) (\w+)", row).groups()
    width = 128 if "MLP" in kind else 16
    make = (lambda n=width: nn.Linear(n, width)) if "MLP" in kind else conv
    first = [nn.Linear(64, width) if "MLP" in kind else conv(1)]
    last = nn.Linear(width if "MLP" in kind else width * 64, 10)
    if "residual" in kind:
        blocks = [Block(make) for _ in range(int(depth))]
        return nn.Sequential(*first, *blocks, nn.ReLU(), nn.Flatten(), last)
    layers: list[nn.Module] = []
    for place in range(int(depth) - 1):
        layers += [make()] if place else first
        layers += [nn.BatchNorm2d(width)] if "BatchNorm" in row else []
        layers += [ACTIVATIONS[name]]
    return nn.Sequential(*layers, nn.Flatten(), last)


def conv(channels: int = 16) -> nn.Module:
    """A convolution with zero padding that keeps images' size."""
    return nn.Conv2d(channels, 16, 3, padding=1)


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels, shuffled; the last 397 are for testing."""
    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(found.data, dtype=torch.float32)[order]
    return (images - images.mean()) / images.std(), torch.tensor(found.target)[order]


def accuracy(row: str, prepare: Callable[..., object], seed: int, epochs: int) -> float:
    """Test accuracy in percent after training from what `prepare` makes of the weights."""
    images, labels = digits()
    images = images if "MLP" in row else images.view(-1, 1, 8, 8)
    torch.manual_seed(seed)
    model = network(row)
    prepare(model, images[:256], seed)
    optimiser = None
    if row.endswith("Adam"):
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    return trained(model, images, labels, epochs, optimiser)


def trained(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    epochs: int,
    optimiser: torch.optim.Optimizer | None = None,
) -> float:
    """Test accuracy in percent after training; by SGD with momentum where nothing else is given."""
    optimiser = optimiser or torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(epochs):
        for batch in torch.randperm(1400).split(64):
            optimiser.zero_grad()
            F.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimiser.step()
    with torch.no_grad():
        right = model.eval()(images[1400:]).argmax(1) == labels[1400:]
    return 100 * right.float().mean().item()


def lsuv(model: nn.Module, images: torch.Tensor, seed: int) -> None:
    """Mishkin and Matas 2016: orthogonal, then each layer divided by its result's std on data."""

    def divide(layer: nn.Module, args: object, result: torch.Tensor) -> torch.Tensor:
        std = result.std()
        layer.weight.data.div_(std)
        return result / std

    hooks = []
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.orthogonal_(layer.weight)
            nn.init.zeros_(layer.bias)
            hooks.append(layer.register_forward_hook(divide))
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()


def policy(name: str) -> Callable[..., object]:
    """What `apply_` does under a policy."""
    return lambda model, images, seed: initlint.apply_(model, seed=seed, policy=name, scope="all")


COLUMNS: dict[str, Callable[..., object]] = {
    "PyTorch's default": lambda model, images, seed: None,
    "following": policy("following"),
    "orthogonal": policy("orthogonal"),
    "LSUV, on data": lsuv,
    "calibrated": policy("calibrated"),
}


def main() -> None:
    """Print one row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--rows", default=",".join(ROWS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| {options.epochs} epochs | {' | '.join(COLUMNS)} | best − calibrated, means |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    for row in options.rows.split(","):
        found = {
            name: [accuracy(row, prepare, seed, options.epochs) for seed in range(options.seeds)]
            for name, prepare in COLUMNS.items()
        }
        means = {name: sum(values) / len(values) for name, values in found.items()}
        shown = " | ".join(" / ".join(f"{v:.1f}" for v in values) for values in found.values())
        print(f"| {row} | {shown} | {max(means.values()) - means['calibrated']:.1f} |", flush=True)


if __name__ == "__main__":
    main()

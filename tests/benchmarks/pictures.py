"""Makes the pictures of docs/profile.md: python tests/benchmarks/pictures.py [FOLDER]

AlexNet of torchvision's, and a tanh MLP of 20 layers, each at PyTorch's default.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from predicted import kernels
from torch import nn

import initlint

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"


def tanh_mlp() -> nn.Module:
    layers = [x for _ in range(19) for x in (nn.Linear(256, 256), nn.Tanh())]
    return TanhMLP(*layers, nn.Linear(256, 10))


class TanhMLP(nn.Sequential):
    """A class of its own, so that the picture has its name."""


def alexnet() -> nn.Module:
    kernels()
    from torchvision import models

    found: nn.Module = models.alexnet()
    return found


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    made = {"alexnet": (alexnet, (8, 3, 224, 224)), "tanh_mlp": (tanh_mlp, (128, 256))}
    for name, (make, shape) in made.items():
        torch.manual_seed(0)
        found = initlint.profile(make(), torch.randn(shape))
        found.plot().savefig(folder / f"{name}.png", dpi=90)
        print(found)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)

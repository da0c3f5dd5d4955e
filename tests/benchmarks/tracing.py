"""What `initlint.check` costs beside bare symbolic tracing, and how it grows with depth.

    python tests/benchmarks/tracing.py

Needs torchvision (`pip install --no-deps torchvision`); prints ratios taken in this one run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from public import import_torchvision
from torch import fx, nn

import initlint

MODELS = (
    "alexnet",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "mnasnet1_0",
    "mobilenet_v3_large",
    "regnet_y_400mf",
    "resnet50",
    "squeezenet1_1",
    "vit_b_16",
)


def seconds(action: Callable[[], object], repeats: int = 5) -> float:
    """The median time of an action, once it has run before."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def deep(depth: int) -> nn.Module:
    """A chain of `depth` linear layers with ReLU between."""
    layers = [part for _ in range(depth) for part in (nn.Linear(8, 8), nn.ReLU())]
    return nn.Sequential(*layers)


def main() -> None:
    """Print the ratio for each of ten models, their median, and the growth with depth."""
    models = import_torchvision().models
    ratios = []
    for name in MODELS:
        model = models.get_model(name, weights=None)
        bare = seconds(lambda model=model: fx.symbolic_trace(model))
        ours = seconds(lambda model=model: initlint.check(model))
        ratios.append(ours / bare)
        print(
            f"{name:20} trace {bare * 1e3:7.1f} ms   check {ours * 1e3:7.1f} ms   ×{ratios[-1]:.2f}"
        )
    print(
        f"median of {len(MODELS)} models: check takes ×{statistics.median(ratios):.2f} of the trace"
    )
    with torch.device("meta"):
        short, long = deep(100), deep(10_000)
    ours = seconds(lambda: initlint.check(long), 1) / seconds(lambda: initlint.check(short))
    bare = seconds(lambda: fx.symbolic_trace(long), 1) / seconds(lambda: fx.symbolic_trace(short))
    print(f"100 times the layers (100 to 10,000): check ×{ours:.0f}, bare trace ×{bare:.0f}")


if __name__ == "__main__":
    main()

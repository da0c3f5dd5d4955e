"""What `check` and `apply_` cost beside bare symbolic tracing, and how it grows with depth.

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
    """The median processor time of an action, once it has run before."""
    action()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return statistics.median(times)


def deep(depth: int) -> nn.Module:
    """A chain of `depth` linear layers with ReLU between."""
    layers = [part for _ in range(depth) for part in (nn.Linear(8, 8), nn.ReLU())]
    return nn.Sequential(*layers)


def normed(depth: int) -> nn.Module:
    """The same with norms: no layer is in question."""
    blocks = ((nn.LayerNorm(8), nn.Linear(8, 8), nn.ReLU()) for _ in range(depth))
    return nn.Sequential(*(part for block in blocks for part in block))


def printed(name: str, model: nn.Module, repeats: int) -> tuple[float, float]:
    """The times of check and of apply_ for a model, as multiples of the trace's; prints them."""
    bare = seconds(lambda: fx.symbolic_trace(model), repeats)
    check = seconds(lambda: initlint.check(model), repeats)
    apply = seconds(lambda: initlint.apply_(model, seed=0), repeats)
    shown = (
        f"check {check:8.3f} s ×{check / bare:5.1f}   apply_ {apply:8.3f} s ×{apply / bare:5.1f}"
    )
    print(f"{name:22} trace {bare:8.3f} s   {shown}", flush=True)
    return check / bare, apply / bare


def initialised(model: nn.Module) -> None:
    """What people write by hand."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)


def main() -> None:
    """Print the ratios for ten models, their medians, and the growth with depth."""
    models = import_torchvision().models
    torch.set_num_threads(1)
    ratios = [printed(name, models.get_model(name, weights=None), 3) for name in MODELS]
    check, apply = map(statistics.median, zip(*ratios, strict=True))
    print(f"median of {len(MODELS)}: check ×{check:.1f}, apply_ ×{apply:.1f}")
    for depth in (100, 1_000, 10_000, 20_000):
        model = deep(depth)
        printed(f"{depth} layers, plain", model, 1)
        loop = seconds(lambda model=model: initialised(model), 1)
        print(f"{'':22} a loop of nn.init {loop:.3f} s")
    printed("20,000 with norms", normed(20_000), 1)


if __name__ == "__main__":
    main()

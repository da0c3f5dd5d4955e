"""Filling weights against torch's own initialisers: ratios of times measured in one run."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

import initlint
from initlint.fill.blocks import Source
from initlint.fill.shards import fill_parameters

_WIDTH = 8192


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes, on the device too."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    begin = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def ratio(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> float:
    """The median over rounds of their time divided by ours, measured in turn."""
    ours()
    return statistics.median(seconds(theirs) / seconds(ours) for _ in range(rounds))


def fill(tensors: list[torch.Tensor], distribution: str = "normal") -> None:
    """Fill all tensors as `apply_` does once it knows what to fill them with."""
    sources = [Source(0, f"layers.{i}.weight", distribution, 0.02) for i in range(len(tensors))]
    fill_parameters(list(zip(tensors, sources, strict=True)))


def loop(tensors: list[torch.Tensor]) -> None:
    """What people write by hand."""
    for tensor in tensors:
        nn.init.kaiming_normal_(tensor, nonlinearity="relu")


def truncated(tensors: list[torch.Tensor]) -> None:
    """What torch takes for our truncated normal distribution, which ends at two of its std.

    The ends that torch has by default, -2 and 2, are a hundred std away here: nothing is cut off.
    """
    for tensor in tensors:
        nn.init.trunc_normal_(tensor, std=0.02, a=-0.04, b=0.04)


def untruncated(tensors: list[torch.Tensor]) -> None:
    """The same with torch's own ends."""
    for tensor in tensors:
        nn.init.trunc_normal_(tensor, std=0.02)


def flat(tensors: list[torch.Tensor]) -> None:
    """As fast as the device can draw: one call for everything."""
    torch.empty(sum(t.numel() for t in tensors), device=tensors[0].device).normal_(0.0, 0.02)


def layers(count: int) -> nn.Sequential:
    """A model of square layers before ReLU."""
    found = [m for _ in range(count) for m in (nn.Linear(_WIDTH // 2, _WIDTH // 2), nn.ReLU())]
    return nn.Sequential(*found)


def by_hand(module: nn.Module) -> None:
    """What people give to `model.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)


def drawn(large: list[torch.Tensor], rounds: int) -> None:
    """Print what filling costs beside torch's own calls."""
    times = ratio(lambda: fill(large), lambda: loop(large), rounds)
    print(f"nn.init loop / ours: {times:.2f} (at least 1.7)")
    few = large[:2]
    times = ratio(lambda: fill(few, "trunc_normal"), lambda: truncated(few), rounds)
    print(f"nn.init.trunc_normal_ cut at two std / ours: {times:.1f} (at least 12)")
    times = ratio(lambda: fill(few, "trunc_normal"), lambda: untruncated(few), rounds)
    print(f"  as it is called by default, which cuts nothing off at this std: {times:.1f}")
    small = [torch.empty(64, 64, device=large[0].device) for _ in range(20_000)]
    times = ratio(lambda: loop(small), lambda: fill(small), rounds)
    print(f"ours / nn.init loop on 20,000 matrices of 64x64: {times:.2f} (under 2)")
    if large[0].is_cuda:
        times = ratio(lambda: fill(large), lambda: flat(large), rounds)
        print(f"one flat normal_ / ours: {times:.2f} (at least 0.9)")


def built(device: str, depth: int, rounds: int) -> None:
    """Print what building and initialising costs beside doing one after the other."""

    def usual() -> None:
        with torch.device(device):
            layers(depth).apply(by_hand)

    def ours() -> None:
        initlint.materialize(layers, device=device, seed=0, args={"count": depth}, scope="all")

    print(f"build and apply / materialize: {ratio(ours, usual, rounds):.2f} (at least 2.2)")


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=float, default=1e9)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    count = max(2, int(options.parameters) // _WIDTH**2)
    large = [torch.empty(_WIDTH, _WIDTH, device=device) for _ in range(count)]
    total = sum(t.numel() for t in large)
    print(f"{device}, {torch.get_num_threads()} threads, {total:,} parameters in {count} matrices")
    drawn(large, options.rounds)
    del large
    built(device, 4 * count, options.rounds)


if __name__ == "__main__":
    main()

"""Filling weights against torch's own initialisers: ratios of times measured in one run."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

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
    """The same with torch's truncated normal distribution."""
    for tensor in tensors:
        nn.init.trunc_normal_(tensor, std=0.02)


def flat(tensors: list[torch.Tensor]) -> None:
    """As fast as the device can draw: one call for everything."""
    torch.empty(sum(t.numel() for t in tensors), device=tensors[0].device).normal_(0.0, 0.02)


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=float, default=1e9)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    count = max(2, int(options.parameters) // _WIDTH**2)
    large = [torch.empty(_WIDTH, _WIDTH, device=device) for _ in range(count)]
    small = [torch.empty(64, 64, device=device) for _ in range(20_000)]
    total = sum(t.numel() for t in large)
    print(f"{device}, {torch.get_num_threads()} threads, {total:,} parameters in {count} matrices")
    times = ratio(lambda: fill(large), lambda: loop(large), options.rounds)
    print(f"nn.init loop / ours: {times:.2f} (at least 1.7)")
    few = large[:2]
    times = ratio(lambda: fill(few, "trunc_normal"), lambda: truncated(few), options.rounds)
    print(f"nn.init.trunc_normal_ / ours: {times:.1f} (at least 12)")
    times = ratio(lambda: loop(small), lambda: fill(small), options.rounds)
    print(f"ours / nn.init loop on 20,000 matrices of 64x64: {times:.2f} (under 2)")
    if device == "cuda":
        times = ratio(lambda: fill(large), lambda: flat(large), options.rounds)
        print(f"one flat normal_ / ours: {times:.2f} (at least 0.9)")


if __name__ == "__main__":
    main()

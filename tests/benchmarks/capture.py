"""What a check costs where a recorded run is needed, and what the largest models cost in memory.

    python tests/benchmarks/capture.py [--models N]

Needs torchvision and timm (`pip install --no-deps torchvision timm`) and transformers.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from public import import_torchvision

import initlint

sys.path.insert(0, str(Path(__file__).parent.parent / "corpus"))
# 80 layers of width 8192: the 70 billion parameters of Llama 2 and 3.
_LARGE = {
    "vocab_size": 128_256,
    "hidden_size": 8192,
    "intermediate_size": 28_672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
}


def recorded(count: int) -> None:
    """Time a check of timm's models that symbolic tracing cannot capture, evenly spread."""
    import collection

    from initlint.tracing.build import construct
    from initlint.tracing.capture import capture

    factories = collection.timm_models()
    names = list(factories)
    times = []
    # About one of six needs a run.
    for name in names[:: max(1, len(names) // (8 * count))]:
        built = construct(factories[name], name, {})
        if capture(built.model, name).way != "recorded":
            continue
        with torch.device("meta"):
            start = time.perf_counter()
            initlint.check(built.model)
            times.append(time.perf_counter() - start)
        print(f"{name:40} {times[-1]:.3f} s", flush=True)
        if len(times) == count:
            break
    print(f"median of {len(times)} recorded checks: {statistics.median(times):.3f} s")


def large() -> None:
    """Check a transformer of 70 billion parameters in this process, and print its peak memory."""
    import_torchvision()
    from transformers import LlamaConfig, LlamaForCausalLM

    def model() -> torch.nn.Module:
        return LlamaForCausalLM(LlamaConfig(**_LARGE))

    start = time.perf_counter()
    report = initlint.check(model)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    parameters = sum(torch.Size(layer.shape).numel() for layer in report.layers)
    print(f"{parameters / 1e9:.1f} billion weights in {len(report.layers)} layers: {seconds:.1f} s")
    print(f"peak resident memory: {peak:.2f} GiB")
    assert report.layers, report.unanalysed


def main() -> None:
    """Time recorded runs, then check the large model in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=21)
    parser.add_argument("--large", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.large:
        large()
        return
    recorded(options.models)
    subprocess.run([sys.executable, __file__, "--large"], check=True)


if __name__ == "__main__":
    main()

"""Public models: apply_ changes nothing without a finding; materialize draws what their code does.

    python tests/corpus/filled.py COLLECTION FILE [NAME …] [--least N] [--most N]

Every model of torchvision, timm or transformers, or those of these names, whose millions of
parameters lie between these numbers, the smallest first; FILE gets a line of JSON for each, and
those that it has are not run again. Distributions are compared by the test of Kolmogorov and
Smirnov, parameter by parameter.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import Any

import collection
import torch
from torch import nn

import initlint
from initlint.fill.apply import bias_of

Build = Callable[[], nn.Module]
COLLECTIONS = {
    "torchvision": collection.torchvision_models,
    "timm": collection.timm_models,
    "transformers": collection.transformers_models,
}
SEEDS = (0, 1)
# Elements of a parameter that are compared for each seed, and the chance of a false alarm.
ELEMENTS, CHANCE = 4096, 1e-9


def tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def size_of(build: Build) -> int:
    """The number of parameters; constructors that compute with tensors are run in earnest."""
    try:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build().parameters())
    except NotImplementedError:
        return sum(parameter.numel() for parameter in build().parameters())


def ordinary(build: Build, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build()


def sample(value: torch.Tensor) -> torch.Tensor:
    """Some elements, spread over the tensor, of one that may be large."""
    flat = value.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // ELEMENTS)].double()


def differ(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether two samples are of different distributions (Kolmogorov and Smirnov)."""
    first, second = first.sort().values, second.sort().values
    # Constants differ by rounding only.
    if torch.allclose(first[[0, -1]], second[[0, -1]], rtol=1e-4) and first[0] == first[-1]:
        return False
    every = torch.cat([first, second])
    shares = [torch.searchsorted(x, every, right=True) / len(x) for x in (first, second)]
    size = len(first) * len(second) / (len(first) + len(second))
    apart = (shares[0] - shares[1]).abs().max().item()
    return apart > math.sqrt(-math.log(CHANCE / 2) / 2 / size)


def reported(target: nn.Module | Build) -> set[str]:
    """Parameters with a finding, those of layers that do it together, and their biases.

    Of branches that add nothing to their stream, all layers of the blocks count: they are filled.
    """
    report = initlint.check(target)
    found = {name for finding in report.findings for name in finding.parameters}
    wholes = [one for x in report.layers if x.parameter in found for one in x.wholes]
    found = found.union(*(one.layers for one in wholes))
    blocks = {
        block_of(name) for one in wholes if one.kind in ("faint", "narrow") for name in one.layers
    }
    found |= {x.parameter for x in report.layers if block_of(x.parameter) in blocks}
    return found | set(map(bias_of, found))


def block_of(name: str) -> str:
    """The name up to its first number: blocks.0 of blocks.0.mlp.fc1.weight."""
    parts = name.split(".")
    numbers = [place for place, part in enumerate(parts) if part.isdigit()]
    return ".".join(parts[: numbers[0] + 1]) if numbers else name


def wrong(build: Build) -> dict[str, Any]:
    """What is not as it should be, by name, and how many tensors there were.

    At most three models are held at once, so that large ones can be compared, too.
    """
    model = ordinary(build, SEEDS[0])
    usual, found = tensors(model), reported(model)
    # What construction on meta does not tell of a draw, the values do.
    left = usual.keys() - found - reported(build)
    other = tensors(ordinary(build, SEEDS[1]))
    differing = {name for name in left if not usual[name].equal(other[name])}
    drawn: _Samples = {
        name: ([sample(usual[name]), sample(other[name])], [])
        for name in differing
        if usual[name].is_floating_point()
    }
    # Whole numbers that are drawn are not compared: a permutation has all of them.
    left -= differing - drawn.keys()
    del other
    said: list[tuple[str, str]] = []
    for seed in SEEDS:
        said += _apart(usual, tensors(initlint.materialize(build, seed=seed)), left, drawn)
        gc.collect()
    for name, (first, second) in drawn.items():
        if differ(torch.cat(first), torch.cat(second)):
            said.append((name, "another distribution"))
    before = {name: value.detach().clone() for name, value in usual.items()}
    initlint.apply_(model, seed=0)
    changed = [
        name
        for name, value in tensors(model).items()
        if not torch.equal(value.nan_to_num(), before[name].nan_to_num())
    ]
    said += [(name, "changed without a finding") for name in changed if name not in found]
    return {"wrong": said, "tensors": len(usual), "found": len(found), "changed": len(changed)}


_Samples = dict[str, tuple[list[torch.Tensor], list[torch.Tensor]]]


def _apart(
    usual: dict[str, torch.Tensor],
    made: dict[str, torch.Tensor],
    left: Set[str],
    drawn: _Samples,
) -> Iterator[tuple[str, str]]:
    """Tensors of a materialized model that are no such as an ordinary one's."""
    if usual.keys() != made.keys():
        yield "", "other names"
        return
    for name in sorted(left):
        value, other = usual[name], made[name]
        if (value.shape, value.dtype, value.requires_grad) != (
            *(other.shape, other.dtype, other.requires_grad),
        ):
            yield name, "another kind"
        elif name in drawn:
            drawn[name][1].append(sample(other))
        elif value.is_floating_point():
            if not torch.allclose(value, other, equal_nan=True):
                yield name, "other values"
        elif not value.equal(other):
            yield name, "other values"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection", choices=COLLECTIONS)
    parser.add_argument("file", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--least", type=float, default=0)
    parser.add_argument("--most", type=float, default=150)
    asked = parser.parse_args()
    lines = asked.file.read_text().splitlines() if asked.file.exists() else []
    done = {json.loads(line)["name"] for line in lines}
    every, sizes = COLLECTIONS[asked.collection](), {}
    for name in (set(asked.names) or every.keys()) - done:
        try:
            sizes[name] = size_of(every[name])
        except Exception as error:  # The model's own code.
            _say(asked.file, name, error=f"{type(error).__name__}: {error}"[:200])
    for name in sorted(sizes, key=lambda name: (sizes[name], name)):
        if not asked.least * 1e6 < sizes[name] <= asked.most * 1e6:
            continue
        try:
            _say(asked.file, name, size=sizes[name], **wrong(every[name]))
        except Exception as error:
            _say(asked.file, name, size=sizes[name], error=f"{type(error).__name__}: {error}"[:200])


def _say(file: Path, name: str, **found: Any) -> None:
    with file.open("a") as out:
        out.write(json.dumps({"name": name, **found}) + "\n")


if __name__ == "__main__":
    main()

"""Does apply_ harm training? Small tasks, each by its own initialisation and by every scope.

    python tests/benchmarks/training.py [--quick] [--tasks WORD,…] [--ways WORD,…] [--runs FILE]

Prints, as a table in Markdown, accuracy in percent or loss for three seeds. A row in which the
default scope is worse than the model's own initialisation, beyond the spread of the seeds, is
marked; the exit code is the number of such rows. `--runs` keeps the score of every run in a file,
a line of JSON each, and takes from it those that it has.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fields
import generative
import sequences
import structures
import tasks
import torch
from tasks import Task
from torch import nn

import initlint

SEEDS = (0, 1, 2)
PLACES = (tasks, fields, sequences, structures, generative)
EVERY = tuple(task for place in PLACES for task in place.TASKS)
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)
QUICK = ("MLP 5 relu", "Highway", "RetinaNet", "policy", "IRNN")


# Fills a model, given inputs and a seed; says whether it changed anything.
Fill = Callable[[nn.Module, tuple[torch.Tensor, ...], int], bool]


def _own(model: nn.Module, inputs: tuple[torch.Tensor, ...], seed: int) -> bool:
    return False


def _lsuv(model: nn.Module, inputs: tuple[torch.Tensor, ...], seed: int) -> bool:
    """Mishkin and Matas 2016: orthogonal, then each result divided by its std, of every layer."""

    def divide(layer: nn.Module, args: object, result: torch.Tensor) -> torch.Tensor:
        std = result.std().clamp(min=1e-6)
        layer.weight.data.div_(std)
        return result / std

    layers = [module for module in model.modules() if isinstance(module, WEIGHTED)]
    for layer in layers:
        nn.init.orthogonal_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    hooks = [layer.register_forward_hook(divide) for layer in layers]
    with torch.no_grad():
        model(*inputs)
    for hook in hooks:
        hook.remove()
    return True


def _filled(**options: str) -> Fill:
    def fill(model: nn.Module, inputs: tuple[torch.Tensor, ...], seed: int) -> bool:
        report = initlint.apply_(model, *inputs, seed=seed, **options)
        return any(one.status == "filled" for one in report.outcomes)

    return fill


WAYS: dict[str, Fill] = {
    "own": _own,
    "findings": _filled(),
    "recommended": _filled(scope="recommended"),
    "all": _filled(scope="all"),
    "orthogonal-findings": _filled(policy="orthogonal"),
    "orthogonal": _filled(scope="recommended", policy="orthogonal"),
    "calibrated": _filled(scope="recommended", policy="calibrated"),
    "lsuv": _lsuv,
}


class Runs:
    """The scores of all runs by task, way and seed, kept in a file if one is given."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._known: dict[tuple[str, str, int], float] = {}
        for line in self._path.read_text().splitlines() if path and Path(path).exists() else ():
            task, way, seed, score = json.loads(line)
            self._known[task, way, seed] = score

    def score(self, task: Task, way: str, seed: int) -> float:
        """The score of one run; not a number where it cannot be made.

        Where nothing was filled it is that of the model's own initialisation.
        """
        if (task.name, way, seed) not in self._known:
            score = self._run(task, way, seed)
            self._known[task.name, way, seed] = score
            if self._path:
                with self._path.open("a") as file:
                    file.write(json.dumps([task.name, way, seed, score]) + "\n")
        return self._known[task.name, way, seed]

    def _run(self, task: Task, way: str, seed: int) -> float:
        torch.manual_seed(seed)
        model = task.make()
        try:
            changed = WAYS[way](model, task.inputs(), seed)
        except initlint.InitlintError as error:
            print(f"{task.name}, {way}: {error}", file=sys.stderr)
            return float("nan")
        if not changed and way != "own":
            return self.score(task, "own", seed)
        return task.score(model, seed)


def is_worse(task: Task, own: list[float], found: list[float]) -> bool:
    """Whether the mean is worse than the own one by more than the spread of both."""
    if any(map(math.isnan, (*own, *found))):
        return True
    gap = statistics.mean(own) - statistics.mean(found)
    gap = gap if task.kind == "accuracy" else -gap
    spread = statistics.stdev(own) + statistics.stdev(found)
    return gap > max(spread, 1.5 if task.kind == "accuracy" else 0.01 * abs(statistics.mean(own)))


def _shown(task: Task, values: list[float]) -> str:
    form = "{:.0f}" if task.kind == "accuracy" else "{:.3g}"
    return " / ".join(form.format(value) for value in values)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="five tasks, two ways")
    parser.add_argument("--tasks", default="", help="only tasks with these words in their names")
    parser.add_argument("--ways", default="own,findings,recommended,all")
    parser.add_argument("--runs", default="", help="a file with a line of JSON for each run")
    given = parser.parse_args()
    torch.set_num_threads(1)
    ways = ["own", "findings"] if given.quick else given.ways.split(",")
    words = list(QUICK) if given.quick else given.tasks.split(",")
    print(f"| task | {' | '.join(ways)} | |\n|{'---|' * (len(ways) + 2)}", flush=True)
    worse, runs = 0, Runs(given.runs)
    for task in (one for one in EVERY if any(word in one.name for word in words)):
        begun = time.time()
        found = {way: [runs.score(task, way, seed) for seed in SEEDS] for way in ways}
        judged = {"own", "findings"} <= found.keys()
        harmed = judged and is_worse(task, found["own"], found["findings"])
        worse += harmed
        cells = " | ".join(_shown(task, found[way]) for way in ways)
        kind = "%" if task.kind == "accuracy" else "loss"
        print(f"| {task.name} ({kind}) | {cells} | {'worse' if harmed else ''} |", flush=True)
        print(f"{task.name}: {time.time() - begun:.0f} s", file=sys.stderr, flush=True)
    return worse


if __name__ == "__main__":
    sys.exit(main())

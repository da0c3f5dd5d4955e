"""Does apply_ harm training? Small tasks, each by its own initialisation and by every scope.

    python tests/benchmarks/training.py [--quick] [--tasks WORD,…] [--ways WORD,…]

Prints, as a table in Markdown, accuracy in percent or loss for three seeds. A row in which the
default scope is worse than the model's own initialisation, beyond the spread of the seeds, is
marked; the exit code is the number of such rows.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable

import fields
import sequences
import tasks
import torch
from tasks import Task
from torch import nn

import initlint

SEEDS = (0, 1, 2)
EVERY = (*tasks.TASKS, *fields.TASKS, *sequences.TASKS)
QUICK = ("MLP 5 relu", "Highway", "RetinaNet", "policy", "IRNN")


# Fills a model, given inputs and a seed; says whether it changed anything.
Fill = Callable[[nn.Module, tuple[torch.Tensor, ...], int], bool]


def _own(model: nn.Module, inputs: tuple[torch.Tensor, ...], seed: int) -> bool:
    return False


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
    "orthogonal": _filled(scope="recommended", policy="orthogonal"),
    "calibrated": _filled(scope="recommended", policy="calibrated"),
}


def outcome(task: Task, way: str, seed: int, own: dict[int, float]) -> float:
    """The score of one run; not a number where it cannot be made.

    Where nothing was filled it is that of the model's `own` initialisation.
    """
    torch.manual_seed(seed)
    model = task.make()
    try:
        changed = WAYS[way](model, task.inputs(), seed)
    except initlint.InitlintError as error:
        print(f"{task.name}, {way}: {error}", file=sys.stderr)
        return float("nan")
    if not changed and seed in own:
        return own[seed]
    score = task.score(model, seed)
    if not changed:
        own[seed] = score
    return score


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
    given = parser.parse_args()
    torch.set_num_threads(1)
    ways = ["own", "findings"] if given.quick else given.ways.split(",")
    words = list(QUICK) if given.quick else given.tasks.split(",")
    print(f"| task | {' | '.join(ways)} | |\n|{'---|' * (len(ways) + 2)}", flush=True)
    worse = 0
    for task in (one for one in EVERY if any(word in one.name for word in words)):
        begun = time.time()
        own: dict[int, float] = {}
        found = {way: [outcome(task, way, seed, own) for seed in SEEDS] for way in ways}
        harmed = is_worse(task, found["own"], found["findings"])
        worse += harmed
        cells = " | ".join(_shown(task, found[way]) for way in ways)
        kind = "%" if task.kind == "accuracy" else "loss"
        print(f"| {task.name} ({kind}) | {cells} | {'worse' if harmed else ''} |", flush=True)
        print(f"{task.name}: {time.time() - begun:.0f} s", file=sys.stderr, flush=True)
    return worse


if __name__ == "__main__":
    sys.exit(main())

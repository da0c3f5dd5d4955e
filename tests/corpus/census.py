"""What becomes of every model of a collection: captured or why not, and what its layers meet.

python tests/corpus/census.py timm [--spread] [--part 0/8] [--out results.jsonl] [NAME …]
"""

from __future__ import annotations

import argparse
import json
import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import collection
import torch

from initlint.graph.ops import Graph, Op
from initlint.judge import findings, load
from initlint.project.select import Selection
from initlint.recommend import with_recommendations
from initlint.records import InitlintError, Layer
from initlint.tracing import capture, layers
from initlint.tracing.build import Built, construct, quiet

COLLECTIONS = {
    "torchvision": collection.torchvision_models,
    "timm": collection.timm_models,
    "transformers": collection.transformers_models,
}
# What a walk looks through, as the follower does.
_THROUGH = ("shape", "dropout", "pool", "norm", "merge_add", "merge_cat", "scale")


@dataclass
class Entry:
    """One model of a collection.

    `state` is captured, unbuilt, uncaptured or crashed; `reason` says why. `way` is symbolic or
    recorded. `following` counts layers by following activation; `stops` counts the operations at
    which nothing could be said; `unreached` are weights that forward did not use; `findings` are
    the codes of the default rules, what the layer's path begins at, and the messages.
    """

    name: str
    state: str = "captured"
    reason: str = ""
    way: str = ""
    seconds: float = 0.0
    following: dict[str, int] = field(default_factory=dict)
    stops: dict[str, int] = field(default_factory=dict)
    unreached: int = 0
    findings: list[str] = field(default_factory=list)


def entry(name: str, factory: Callable[[], torch.nn.Module]) -> Entry:
    """What becomes of one model; a crash of initlint's is a state too, with its traceback."""
    try:
        built = construct(factory, name, {})
    except InitlintError as error:
        return Entry(name, "unbuilt", str(error))
    made = time.perf_counter()
    try:
        with quiet():
            found = _judged(built)
    except capture.CaptureError as error:
        found = Entry(name, "uncaptured", str(error))
    except Exception:
        found = Entry(name, "crashed", traceback.format_exc(limit=-4))
    found.seconds = round(time.perf_counter() - made, 3)
    return found


def _judged(built: Built) -> Entry:
    graphs = layers.graphs_of(built)
    listed = with_recommendations(layers.layers_of_graphs(built, graphs))
    used = {w.parameter for graph in graphs for op in graph.nodes for w in op.weights}
    unknown = [layer for layer in listed if layer.following.activation == "unknown"]
    reached = [layer for layer in unknown if _names(built, layer) & used]
    parameters = {name for layer in reached for name in _names(built, layer)}
    origins = {layer.parameter: layer.origin for layer in listed}
    rules = load()
    found = findings(listed, rules, Selection.default(rules).codes())
    stops: Counter[str] = Counter()
    for graph in graphs:
        stops += _stops(graph, parameters)
    return Entry(
        built.name,
        way=_way(graphs),
        following=dict(Counter(layer.following.activation for layer in listed)),
        stops=dict(stops),
        unreached=len(unknown) - len(reached),
        findings=[f"{f.code} [{origins[f.parameter]}] {f.message}" for f in found],
    )


def _way(graphs: list[Graph]) -> str:
    if not graphs or not graphs[0].whole:
        return "in parts"
    recorded = any(op.role == "input" and op.name.startswith("input_") for op in graphs[0].nodes)
    return "recorded" if recorded else "symbolic"


def _names(built: Built, layer: Layer) -> set[str]:
    """All names of a parameter: a tied one has several."""
    tensors = dict(built.model.named_parameters(remove_duplicate=False))
    own = tensors.get(layer.parameter)
    return {name for name, tensor in tensors.items() if tensor is own}


def _stops(graph: Graph, parameters: set[str]) -> Counter[str]:
    """The operations at which the walks from unknown layers end, by how many end there."""
    users: dict[Op, list[Op]] = {op: [] for op in graph.nodes}
    for op in graph.nodes:
        for value in op.inputs:
            users[value].append(op)
    found: Counter[str] = Counter()
    for op in graph.nodes:
        for weight in op.weights:
            if weight.parameter in parameters:
                found.update(set(_ends(users, op)) or {"nowhere"})
    return found


def _ends(users: dict[Op, list[Op]], start: Op) -> Iterator[str]:
    waiting, seen = list(users[start]), set()
    while waiting:
        op = waiting.pop()
        if op in seen:
            continue
        seen.add(op)
        if op.role == "unknown":
            yield op.name
        elif op.role in _THROUGH:
            waiting.extend(users[op])


def summary(entries: Iterable[Entry]) -> str:
    """Captured, failed by reason, layers by following activation, the share that is unknown."""
    entries = list(entries)
    states = Counter(e.state for e in entries)
    lines = [f"{len(entries)} models: " + ", ".join(f"{n} {s}" for s, n in states.most_common())]
    ways = Counter(e.way for e in entries if e.way)
    lines.append("  by " + ", ".join(f"{way} {count}" for way, count in ways.items()))
    lines += [f"  {e.state} {e.name}: {e.reason}" for e in entries if e.state != "captured"]
    following: Counter[str] = Counter()
    stops: Counter[str] = Counter()
    for e in entries:
        following.update(e.following)
        stops.update(e.stops)
    total, unreached = following.total(), sum(e.unreached for e in entries)
    missed = following["unknown"] - unreached
    lines.append(f"{total} layers: " + ", ".join(f"{n} {c}" for n, c in following.most_common()))
    if total:
        lines.append(f"  unknown {missed} ({missed / total:.2%}), not used by forward {unreached}")
    lines += [f"  stops at {name}: {count}" for name, count in stops.most_common(25)]
    speaking = [e for e in entries if e.findings]
    lines.append(f"{len(speaking)} with findings ({len(speaking) / max(1, len(entries)):.1%})")
    lines += [f"  {e.name}: {len(e.findings)}, {e.findings[0][:200]}" for e in speaking]
    for way in ways:
        times = sorted(e.seconds for e in entries if e.way == way)
        lines.append(f"{way}: median {times[len(times) // 2]:.3f} s, most {times[-1]:.1f} s")
    return "\n".join(lines)


def main() -> None:
    """Run a collection, or part of one, and print the summary; results go to a file at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection", choices=COLLECTIONS)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--spread", action="store_true", help="one model of every module of timm")
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    given: dict[str, Any] = {"spread": True} if options.spread else {}
    factories = COLLECTIONS[options.collection](**given)
    part, parts = map(int, options.part.split("/"))
    names = options.names or list(factories)[part::parts]
    entries = []
    for name in names:
        entries.append(entry(name, factories[name]))
        if options.out:
            with options.out.open("a") as file:
                file.write(json.dumps(asdict(entries[-1])) + "\n")
    print(summary(entries))


if __name__ == "__main__":
    main()

"""Tables and picture of what `trains.py` found: python trains_report.py FILE [--write DOCS]

Words used: a net *trains* if its mean score is within 2 points of the best way's; it *fails* if
it gets less than half of the way from chance to the best, and is more than 2 points beyond the
spread of the seeds below it; *no way trains it* if even the best is less than 10 points above
chance.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

POINTS = 2.0
FIRST = ("apply_", "first layer 1", "first layer full")


class Row:
    """One net: what was drawn, what initlint says of it, and its scores."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found
        self.scores: dict[str, list[float]] = found["scores"]
        self.chance: float = found["chance"]
        self.best = max(self.mean(way) for way in self.scores)
        self.is_reported = bool(found["codes"] or found["traced"])
        self.factor: float = found["factor"]

    def mean(self, way: str) -> float:
        return statistics.mean(self.scores[way])

    def spread(self, way: str) -> float:
        return statistics.stdev(self.scores[way]) if len(self.scores[way]) > 1 else 0.0

    @property
    def is_trainable(self) -> bool:
        return self.best >= self.chance + 10

    def trains(self, way: str = "own") -> bool:
        return self.mean(way) >= self.best - POINTS

    def fails(self, way: str = "own") -> bool:
        return self.mean(way) < self.chance + 0.5 * (self.best - self.chance)

    @property
    def is_failing(self) -> bool:
        """Whether the net itself fails, not by luck: the best way may be a lone run."""
        return self.fails() and self.is_worse("own", max(self.scores, key=self.mean))

    def is_worse(self, way: str, than: str = "own") -> bool:
        """Whether a way is worse by more than 2 points beyond the spread of the seeds."""
        gap = self.mean(than) - self.mean(way)
        return gap > POINTS + self.spread(way) + self.spread(than)

    def __str__(self) -> str:
        x = self.found
        norm = "" if x["norm"] == "none" else f", {x['norm']}"
        own = x["own"].replace("(weight)", "()").replace("weight, ", "") or "PyTorch's default"
        about = f"{x['number']} {x['family']} {x['depth']}×{x['width']} {x['activation']}{norm}"
        return f"{about}; `{own}`; {x['scale']}; {x['task']}; {x['how']}"


def read(path: Path) -> list[Row]:
    """The nets of a file by number, each with the scores of all its seeds."""
    by_number: dict[int, dict[str, Any]] = {}
    for found in map(json.loads, path.read_text().splitlines()):
        known = by_number.setdefault(found["number"], {**found, "scores": defaultdict(list)})
        for way, scores in found["scores"].items():
            known["scores"][way] += scores
    return [Row(by_number[number]) for number in sorted(by_number)]


def auc(good: Sequence[float], bad: Sequence[float]) -> float:
    """The chance that a bad net has a higher score than a good one; a tie counts as half."""
    wins = sum((b > g) + 0.5 * (b == g) for g in good for b in bad)
    return wins / (len(good) * len(bad)) if good and bad else math.nan


def curve(good: Sequence[float], bad: Sequence[float]) -> list[tuple[float, float]]:
    """The points of the ROC: shares of good and of bad nets above every threshold."""
    steps = sorted({*good, *bad}, reverse=True)
    shares = [
        (sum(g >= s for g in good) / len(good), sum(b >= s for b in bad) / len(bad)) for s in steps
    ]
    return [(0.0, 0.0), *shares]


def told_apart(rows: Iterable[Row], failing: bool) -> tuple[list[float], list[float]]:
    """The predicted factors of nets that train (or do not fail), and of the others."""
    sides: tuple[list[float], list[float]] = ([], [])
    for row in rows:
        bad = row.is_failing if failing else not row.trains()
        sides[bad].append(row.factor)
    return sides


def summary(rows: list[Row]) -> str:
    """The table of AUC, hits and misses, by family."""
    lines = [
        "| nets | number | trains | reported: trains / not | silent: trains / not | AUC, trains |"
        " AUC, fails |",
        "|---|---|---|---|---|---|---|",
    ]
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups["all"].append(row)
        if not row.is_trainable:
            groups["no way trains it"].append(row)
            continue
        groups["some way trains it"].append(row)
        groups[f"… inputs {row.found['scale']}"].append(row)
        groups[f"… {row.found['family']}"].append(row)
    first = ["all", "no way trains it", "some way trains it"]
    for name in [*first, *sorted(set(groups) - set(first))]:
        lines.append(_summed(name, groups[name]))
    return "\n".join(lines)


def _summed(name: str, rows: list[Row]) -> str:
    counts = Counter((row.is_reported, row.trains()) for row in rows)
    cells = [name, len(rows), sum(row.trains() for row in rows)]
    cells += [f"{counts[said, True]} / {counts[said, False]}" for said in (True, False)]
    cells += [f"{auc(*told_apart(rows, failing)):.3f}" for failing in (False, True)]
    return f"| {' | '.join(map(str, cells))} |".replace("nan", "–")


def rescued(rows: list[Row]) -> str:
    """How many failing nets apply_ and the fix rescue, of those that some initialiser does."""
    failing = [row for row in rows if row.is_trainable and row.is_failing]
    lines = [
        "| of nets that fail and that some way rescues | number | no longer fail | train |",
        "|---|---|---|---|",
    ]
    for name, some in (("all", failing), ("reported", [r for r in failing if r.is_reported])):
        for way in ("apply_", "fix"):
            up = sum(not row.fails(way) for row in some)
            right = sum(row.trains(way) for row in some)
            lines.append(f"| {name}: {way} | {len(some)} | {up} | {right} |")
    return "\n".join(lines)


def harmed(rows: list[Row]) -> str:
    lines = ["| net | codes | own | apply_ | fix | best |", "|---|---|---|---|---|---|"]
    for row in rows:
        if any(row.is_worse(way) for way in ("apply_", "fix")):
            lines.append(_listed(row))
    return "\n".join(lines)


def _listed(row: Row) -> str:
    shown = [" / ".join(f"{x:.0f}" for x in row.scores[way]) for way in ("own", "apply_", "fix")]
    best = max(row.scores, key=row.mean)
    codes = ", ".join(sorted({*row.found["codes"], *row.found["traced"]})) or "silent"
    return f"| {row} | {codes} | {' | '.join(shown)} | {row.best:.0f} {best} |"


def first_layers(rows: list[Row]) -> str:
    """The three policies for the layer that sees the data, over the nets where they differ."""
    lines = [
        "| nets whose first layer has PyTorch's default | number | policy | mean score |"
        " better than own | worse than own | better than left alone | worse |",
        "|---|---|---|---|---|---|---|---|",
    ]
    some = [
        r for r in rows if r.scores["first layer full"] != r.scores["apply_"] and r.is_trainable
    ]
    groups = {"all": some, "others reported": [r for r in some if r.is_reported]}
    groups["silent"] = [r for r in some if not r.is_reported]
    groups["ten layers or more"] = [r for r in some if r.found["depth"] >= 10]
    for scale in sorted({row.found["scale"] for row in some}):
        groups[f"inputs {scale}"] = [r for r in some if r.found["scale"] == scale]
    for name, chosen in groups.items():
        for way in FIRST:
            cells = [name, len(chosen), way.replace("apply_", "left alone")]
            cells += [f"{statistics.mean(r.mean(way) for r in chosen):.1f}" if chosen else "–"]
            for than in ("own", "apply_"):
                cells += [sum(r.is_worse(than, way) for r in chosen)]
                cells += [sum(r.is_worse(way, than) for r in chosen)]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def wrong(rows: list[Row], reported: bool) -> str:
    """The nets of which the verdict is wrong: reported though they train, or silent."""
    lines = ["| net | codes | own | apply_ | fix | best |", "|---|---|---|---|---|---|"]
    for row in rows:
        if row.is_trainable and row.is_reported == reported and row.trains() == reported:
            lines.append(_listed(row))
    return "\n".join(lines)


def picture(rows: list[Row], path: Path) -> None:
    """The ROC as an SVG."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 5))
    some = [row for row in rows if row.is_trainable]
    kinds = (("fails: less than half of the best", True), ("2 points below the best", False))
    for name, failing in kinds:
        good, bad = told_apart(some, failing)
        points = curve(good, bad)
        label = f"{name}: AUC {auc(good, bad):.2f}"
        axes.plot(*zip(*points, strict=True), marker=".", markersize=3, label=label)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.5)
    axes.set_xlabel("share of the nets that train and are reported")
    axes.set_ylabel("share of the others that are reported")
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    matplotlib.rcParams["svg.hashsalt"] = "initlint"
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--write", type=Path, help="the folder docs: its picture is written")
    given = parser.parse_args()
    rows = read(given.file)
    parts = {
        "Verdict": summary(rows),
        "Rescue": rescued(rows),
        "Harm": harmed(rows),
        "First layer": first_layers(rows),
        "Silent, and not within 2 points of the best": wrong(rows, reported=False),
        "Reported, and within 2 points of the best": wrong(rows, reported=True),
    }
    print("\n\n".join(f"### {name}\n\n{text}" for name, text in parts.items()))
    if given.write is not None:
        picture(rows, given.write / "pictures" / "trains.svg")
        _insert(given.write / "trains.md", parts)


def _insert(page: Path, parts: dict[str, str]) -> None:
    """Write each part between its marks in a page."""
    text = page.read_text()
    for name, table in parts.items():
        mark = name.split(",")[0].lower()
        head, rest = text.split(f"<!-- {mark} -->\n")
        tail = rest.split(f"<!-- /{mark} -->")[1]
        text = f"{head}<!-- {mark} -->\n{table}\n<!-- /{mark} -->{tail}"
    page.write_text(text)


if __name__ == "__main__":
    main()

"""Draws docs/pictures/digits.svg: deep_mlp.py before and after `initlint check --fix`.

    python docs/examples/curves.py

Left: the std of each layer's result over 512 inputs. Right: the accuracies that train.py prints.
Needs initlint with torch, scikit-learn and matplotlib.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
PICTURE = HERE.parent / "pictures" / "digits.svg"
SEEDS = (0, 1, 2)
SIGNAL = """
import torch
from deep_mlp import DeepMLP

torch.manual_seed(0)
model, seen = DeepMLP(), []
for layer in (model.stem, *model.hidden, model.head):
    layer.register_forward_hook(lambda *call: seen.append(call[2].var(0).mean().sqrt().item()))
model(torch.randn(512, 64))
print(*seen)
"""


def run(folder: Path, *command: str) -> str:
    """What a Python command prints that is run beside the model."""
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def measured(folder: Path) -> tuple[list[float], list[list[float]]]:
    """The signal after each layer, and the accuracy by epoch for each seed, in percent."""
    signal = [float(number) for number in run(folder, "-c", SIGNAL).split()]
    printed = [run(folder, "train.py", str(seed)) for seed in SEEDS]
    return signal, [[float(n) for n in re.findall(r"accuracy ([\d.]+)%", text)] for text in printed]


def drawn(
    before: tuple[list[float], list[list[float]]], after: tuple[list[float], list[list[float]]]
) -> None:
    """Write the picture; text stays text, and the file is the same for the same numbers."""
    matplotlib.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "initlint", "font.size": 10}
    )
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    sides = (
        (before, "#c0392b", "PyTorch's default"),
        (after, "#2471a3", "after initlint check --fix"),
    )
    for (signal, curves), colour, label in sides:
        left.semilogy(
            range(1, len(signal) + 1), signal, "o-", color=colour, label=label, markersize=3
        )
        for number, curve in enumerate(curves):
            right.plot(range(1, len(curve) + 1), curve, color=colour, label="" if number else label)
    left.set(xlabel="layer", ylabel="std over 512 inputs", xticks=range(0, 21, 5))
    right.set(xlabel="epoch", ylabel="test accuracy, %", ylim=(0, 100), xticks=range(0, 21, 5))
    left.legend(frameon=False, loc="lower left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, metadata={"Date": None})


def main() -> None:
    """Measure in a copy of the example, before and after the fix."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("deep_mlp.py", "train.py"):
            shutil.copy(HERE / name, folder)
        before = measured(Path(folder))
        run(Path(folder), "-m", "initlint", "check", "deep_mlp.py", "--fix")
        after = measured(Path(folder))
    drawn(before, after)
    for name, (signal, curves) in (("before", before), ("after", after)):
        print(f"{name}: signal {signal[-2]:.3g}; accuracy", *(curve[-1] for curve in curves))


if __name__ == "__main__":
    main()

"""Does the fix make networks train? MLPs of 20 layers on digits, before and after `--fix`.

    python tests/benchmarks/digits.py [--epochs N] [--activations relu,tanh]

Prints test accuracies (three seeds) with PyTorch's default and after the fix, same optimiser.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from outcomes import SEEDS, digits, trained
from torch import nn

EXPRESSIONS = {
    "relu": "F.relu({})",
    "leaky_relu": "F.leaky_relu({}, 0.2)",
    "tanh": "torch.tanh({})",
    "elu": "F.elu({})",
    "selu": "F.selu({})",
}
SOURCE = """import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self, width: int = 128, depth: int = 20):
        super().__init__()
        self.stem = nn.Linear(64, width)
        self.hidden = nn.ModuleList([nn.Linear(width, width) for _ in range(depth - 2)])
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = {stem}
        for layer in self.hidden:
            x = {hidden}
        return self.head(x)
"""


def source_of(activation: str) -> str:
    """A network of 20 layers with this activation, left to PyTorch's default."""
    expression = EXPRESSIONS[activation]
    return SOURCE.format(
        stem=expression.format("self.stem(x)"), hidden=expression.format("layer(x)")
    )


def fixed(path: Path) -> None:
    """Run the command that a user would run, and require that nothing is left to find."""
    command = [sys.executable, "-m", "initlint", "check", f"{path}:Net"]
    subprocess.run([*command, "--fix"], check=True, capture_output=True)
    subprocess.run(command, check=True, capture_output=True)


def network(path: Path) -> nn.Module:
    """The model that a file holds now."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Net()


def accuracy(path: Path, seed: int, epochs: int) -> float:
    """Test accuracy in percent after training by SGD with momentum from this file's weights."""
    images, labels = digits()
    torch.manual_seed(seed)
    return trained(network(path), images, labels, epochs)


def main() -> None:
    """Print one row for each activation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--activations", default=",".join(EXPRESSIONS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| 20 layers, {options.epochs} epochs | PyTorch's default | after `check --fix` |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for activation in options.activations.split(","):
            path = Path(folder) / f"{activation}_net.py"
            path.write_text(source_of(activation))
            before = [accuracy(path, seed, options.epochs) for seed in SEEDS]
            fixed(path)
            after = [accuracy(path, seed, options.epochs) for seed in SEEDS]
            shown = (" / ".join(f"{value:.1f}" for value in row) for row in (before, after))
            print(f"| {activation} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()

"""muP and unit scaling (the packages mup and unit-scaling) in the tasks of training.py.

    python tests/benchmarks/scaled.py [--tasks WORD,…]

Both change more than weights: mup the learning rate of every layer and the model's last layer,
unit-scaling every layer. So this is no column of training.py. Each task is run with several
learning rates, of which the one with the best mean over three seeds is printed; the other columns
of training.py have one rate. unit-scaling has no layers for relu, tanh, sigmoid and images; its
models here are those of the tasks, written with its layers and trained by its Adam, or rewritten by
its `unit_scale` where that can. (With torch 2.13, 12 of the 34 tasks end in TypeError there, and of
an nn.Sequential only the weights are changed.)
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace

import sequences
import torch
from tasks import Task
from torch import nn
from training import EVERY, SEEDS

RATES = {"mup": (1 / 4, 1.0, 4.0), "unit-scaling": (1.0, 4.0, 16.0, 64.0, 256.0)}
# How much narrower muP's base model is.
NARROWER = 4
# Tasks whose hidden sizes are widths. DQN copies its model, which loses what mup notes on it.
MUP = ("MLP 5", "MLP 20", "MLP 4", "autoencoder", "NeRF", "PINN", "policy", "ViT", "Mixer")


def wide(task: Task, factor: float) -> nn.Module:
    """The task's model, its last layer and its optimisers as muP has them."""
    import mup

    model = task.make()
    name, last = [x for x in model.named_modules() if isinstance(x[1], nn.Linear)][-1]
    readout = mup.MuReadout(last.in_features, last.out_features)
    readout.load_state_dict(last.state_dict())
    owner, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(owner), attribute, readout)
    shapes = dict(narrower(model, set(task.inputs()[0].shape[1:])))
    mup.set_base_shapes(model, shapes)
    return with_optimisers(model, factor, mup.MuSGD, mup.MuAdam)


def narrower(model: nn.Module, given: set[int]) -> Iterator[tuple[str, torch.Size]]:
    """The shapes of a narrower model: every size but those of inputs and results divided.

    Of the first layer the inputs stay, of the last one the results; of mixers and positions what
    counts them.
    """
    names = [name for name, _ in model.named_parameters()]
    layers = [x for x, value in model.named_parameters() if value.dim() > 1]
    for name in names:
        value = model.get_parameter(name)
        fixed: set[int] = set()
        if name == layers[0] or (value.dim() == 2 and "patch.weight" in name):
            fixed |= {1}
        if name in (layers[-1], layers[-1].replace("weight", "bias")):
            fixed |= {0}
        if value.dim() == 3:
            fixed |= {0, 1}
        if name.startswith("tokens") or "log_std" in name:
            fixed |= {axis for axis, size in enumerate(value.shape) if size in given or size == 32}
            fixed |= {0} if "log_std" in name else set()
        sizes = [n if axis in fixed else n // NARROWER for axis, n in enumerate(value.shape)]
        yield name, torch.Size(sizes)


def with_optimisers(
    model: nn.Module, factor: float, sgd: Callable[..., object], adam: Callable[..., object]
) -> nn.Module:
    """The model, trained by these with rates that are larger by a factor."""

    def scaled(make: Callable[..., object]) -> Callable[..., object]:
        return lambda parameters, lr, **options: make(parameters, lr=factor * lr, **options)

    model.optimisers = SimpleNamespace(SGD=scaled(sgd), Adam=scaled(adam))
    return model


def unit_mlp() -> nn.Module:
    import unit_scaling as uu

    layers = [m for _ in range(5) for m in (uu.Linear(64, 64, bias=True), uu.GELU())]
    return uu.DepthSequential(*layers, uu.LinearReadout(64, 10, bias=True))


def unit_encoder() -> nn.Module:
    """The transformer on the rows of digits, as unit-scaling builds its layers."""
    import unit_scaling as uu

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch = uu.Linear(8, 64, bias=True, weight_mup_type="weight")
            self.place = uu.Parameter(torch.randn(1, 8, 64), mup_type="bias")
            layer = (64, 4, 0.5, 0.5, False)
            self.blocks = uu.DepthModuleList(uu.TransformerLayer(*layer) for _ in range(4))
            self.norm, self.out = uu.RMSNorm(64), uu.LinearReadout(64, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = (self.patch(x) + self.place) / 2**0.5
            for block in self.blocks:
                x = block(x)
            return self.out(self.norm(x).mean(1))

    return Encoder()


def unit_decoder() -> nn.Module:
    import unit_scaling as uu

    return uu.TransformerDecoder(sequences.WIDTH, sequences.text()[1], 3, sequences.HEADS)


UNIT = {
    "MLP 5 gelu": unit_mlp,
    "ViT digits, default": unit_encoder,
    "pre-LN GPT, torch default": unit_decoder,
}
# Rewritten by unit_scale, which goes through modules of the user's own classes only.
REWRITTEN = ("MLP-Mixer", "post-LN GPT, torch default")


def unit(task: Task, factor: float) -> nn.Module:
    import unit_scaling as uu

    if task.name in REWRITTEN:
        from unit_scaling.transforms import unit_scale

        model = unit_scale(task.make())
        return with_optimisers(model, factor, torch.optim.SGD, torch.optim.Adam)

    def adam(parameters: object, lr: float, momentum: float = 0.0) -> object:
        return uu.optim.Adam(parameters, lr=lr)

    return with_optimisers(UNIT[task.name](), factor, adam, adam)


def best(
    task: Task, make: Callable[[Task, float], nn.Module], rates: Sequence[float]
) -> tuple[float, list[float]]:
    """The rate, as a factor of the task's, with the best mean score, and the scores."""
    found = {}
    for factor in rates:
        scores = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            scores.append(task.score(make(task, factor), seed))
        found[factor] = scores
    sign = 1 if task.kind == "accuracy" else -1

    def mean(factor: float) -> float:
        value = statistics.mean(found[factor])
        return sign * value if value == value else float("-inf")

    chosen = max(found, key=mean)
    return chosen, found[chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default="", help="only tasks with these words in their names")
    words = parser.parse_args().tasks.split(",")
    torch.set_num_threads(1)
    print("| task | way | scores | rate |\n|---|---|---|---|", flush=True)
    for task in (one for one in EVERY if any(word in one.name for word in words)):
        ways: dict[str, Callable[[Task, float], nn.Module]] = {}
        ways |= {"mup": wide} if task.name.startswith(MUP) or "Mixer" in task.name else {}
        ways |= {"unit-scaling": unit} if task.name in (*UNIT, *REWRITTEN) else {}
        for way, make in ways.items():
            factor, scores = best(task, make, RATES[way])
            shown = " / ".join(f"{score:.3g}" for score in scores)
            print(f"| {task.name} | {way} | {shown} | × {factor:g} |", flush=True)


if __name__ == "__main__":
    main()

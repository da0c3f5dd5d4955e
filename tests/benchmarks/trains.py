"""How well does the verdict predict training? Small nets drawn at random, each trained briefly.

    python tests/benchmarks/trains.py [--nets N] [--seeds 0,1] [--out FILE] [--only 3,17]
        [--quick] [--again]

Each net (`drawn_nets.py`) is source text. It is trained as it is, after `check --fix
--unsafe-fixes` of its source, after `apply_` of the live model, and from other initialisers; the
learning rate and the batches are the same for all. One line of JSON a net and seed is added to
FILE, first for all nets with the first seed; what is in it already is left out, so a run that was
stopped goes on. With --again, what initlint says is worked out anew for all that is in FILE, and
only those ways are trained again whose weights are others than before. `trains_report.py` makes the
tables and the picture.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from drawn_nets import Net, drawn
from drawn_tasks import trained
from torch import nn

import initlint
from initlint.recommend import family, sees_data
from initlint.torchlib import catalog

Make = Callable[[], nn.Module]
Key = tuple[str, int]
WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
# What the best initialiser is chosen from, beside the net's own, apply_ and the fix.
HANDFUL = ("default", "kaiming", "xavier", "orthogonal", "lsuv")
# The layers that see the data, with gain 1 or the activation's, after apply_.
FIRST = {"first layer 1": 1.0, "first layer full": None}


def made_of(source: str) -> Make:
    """The class `Net` of a source text, which torch's own functions find in a file."""
    module = ModuleType("drawn")
    exec(compile(source, "<drawn>", "exec"), module.__dict__)
    made: Make = module.__dict__["Net"]
    return made


def filled(net: nn.Module, weight: Callable[[torch.Tensor], object]) -> None:
    """Fill all matrices by one initialiser; recurrent weights orthogonal, inputs' by Xavier."""
    for module in net.modules():
        if isinstance(module, WEIGHTED):
            weight(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.RNNBase):
            for name, value in module.named_parameters():
                make = nn.init.zeros_ if "bias" in name else nn.init.xavier_uniform_
                (nn.init.orthogonal_ if "weight_hh" in name else make)(value)


def default(net: nn.Module) -> None:
    """PyTorch's default, whatever the constructor has written since."""
    for module in net.modules():
        if isinstance(module, (*WEIGHTED, nn.RNNBase)):
            module.reset_parameters()


def lsuv(net: nn.Module, inputs: torch.Tensor) -> None:
    """Mishkin and Matas 2016: orthogonal, then each result divided by its std on data."""

    def divide(layer: nn.Module, args: object, result: torch.Tensor) -> torch.Tensor:
        std = result.std().clamp(min=1e-6)
        layer.weight.data.div_(std)
        return result / std

    filled(net, nn.init.orthogonal_)
    layers = [x for x in net.modules() if isinstance(x, WEIGHTED)]
    hooks = [layer.register_forward_hook(divide) for layer in layers]
    with torch.no_grad():
        net(inputs)
    for hook in hooks:
        hook.remove()


def prepared(way: str, make: Make, inputs: torch.Tensor, seed: int) -> nn.Module:
    """A model of `make` with the initialisation of a way."""
    torch.manual_seed(seed)
    model = make()
    if way == "apply_" or way in FIRST:
        report = initlint.apply_(model, inputs[:64], seed=seed)
        if way in FIRST:
            first_layer(model, report, FIRST[way])
    elif way == "default":
        default(model)
    elif way == "lsuv":
        lsuv(model, inputs[:256])
    elif way in HANDFUL:
        filled(model, getattr(nn.init, {"orthogonal": "orthogonal_"}.get(way, f"{way}_normal_")))
    return model


def first_layer(model: nn.Module, report: initlint.Report, gain: float | None) -> bool:
    """Draw the layers that see the data and hold PyTorch's default with another gain."""
    kept = {x.parameter for x in report.outcomes if "sees the data" in x.reason}
    values = dict(model.named_parameters())
    changed = False
    for layer in report.layers:
        if layer.parameter not in kept or not sees_data(layer) or family(layer) in ("", "unscaled"):
            continue
        activation = catalog.activations()[layer.following.activation]
        wanted = gain or activation.recommended_gain(layer.following.args, first=False)
        nn.init.normal_(values[layer.parameter], std=wanted / math.sqrt(layer.fan_in or 1))
        bias = values.get(layer.parameter.replace("weight", "bias"))
        if bias is not None:
            nn.init.zeros_(bias)
        changed = True
    return changed


def verdict(net: Net, make: Make) -> tuple[dict[str, Any], str]:
    """What initlint says of a net, read and traced, and its source after the fix."""
    read = initlint.check(net.source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.py"
        path.write_text(net.source)
        traced = initlint.check(make)
    found = initlint.fix(net.source, unsafe=True)
    said = {
        "codes": sorted({x.code for x in read.findings}),
        "traced": sorted({x.code for x in traced.findings}),
        "factor": max(factor(read), factor(traced)),
        "messages": [x.message for x in read.findings],
        "unknown": [x.reason for x in (*read.unanalysed, *traced.unanalysed)][:3],
        "fixed": found.count,
        "refused": [why for _, why in found.refused],
    }
    return said, found.source


def factor(report: initlint.Report) -> float:
    """The worst factor by which a signal is predicted to be off; 1 where none is.

    That of a run, of several layers together, or of a loud result. A finding that no prediction
    stands behind counts as 2, about what is worth a word.
    """
    worst = 2.0 if any(x.code[:5] != "INIT1" for x in report.findings) else 1.0
    for layer in report.layers:
        found = [x.forward for x in layer.wholes if x.kind in ("run", "stream")]
        found += [x.backward for x in layer.wholes if x.kind == "run"]
        if layer.signal is not None:
            found += [layer.signal.forward, layer.signal.backward, max(1.0, layer.signal.result)]
        logs = (abs(math.log(x)) for x in found if x)
        worst = max(worst, math.exp(min(50.0, max(logs, default=0.0))))
    return worst


def examined(number: int, seeds: Sequence[int], known: dict[str, float]) -> dict[str, Any]:
    """One net: the verdict, and its scores for the seeds by each way.

    `known` are scores by the print of the weights that were trained.
    """
    net = drawn(number)
    data, make = net.data(), made_of(net.source)
    said, source = verdict(net, make)
    ways = ("own", "apply_", "fix", *HANDFUL, *FIRST)
    models: dict[Key, nn.Module] = {}
    for seed, way in itertools.product(seeds, ways):
        makes = made_of(source) if way == "fix" else make
        models[way, seed] = prepared("own" if way == "fix" else way, makes, data.train[0], seed)
    prints = {key: printed(model, key[1]) for key, model in models.items()}
    new = {prints[key]: key for key in reversed(models) if prints[key] not in known}
    apart = list(new.values())
    found = trained([models[key] for key in apart], data, net.how, [x[1] for x in apart])
    by_print = known | dict(zip(new, found, strict=True))
    scores = {w: [round(by_print[prints[w, seed]], 2) for seed in seeds] for w in ways}
    kept = {w: [prints[w, seed] for seed in seeds] for w in ways}
    about = {**shown(net), "seeds": list(seeds), **said, "chance": data.chance}
    return {**about, "scores": scores, "prints": kept}


def printed(model: nn.Module, seed: int) -> str:
    """A print of the values of a model that is trained on the batches of a seed."""
    found = hashlib.sha256(str(seed).encode())
    for value in model.state_dict().values():
        found.update(value.contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def shown(net: Net) -> dict[str, Any]:
    """What was drawn, as a line of the report has it."""
    names = ("number", "family", "activation", "norm", "depth", "width", "own", "scale", "task")
    how = f"{net.how.optimiser} {net.how.rate}"
    return {**{name: getattr(net, name) for name in names}, "how": how}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", type=int, default=520)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--only", default="", help="numbers of nets")
    parser.add_argument("--out", type=Path, default=Path("trains.jsonl"))
    parser.add_argument("--quick", action="store_true", help="24 nets, one seed: two minutes")
    parser.add_argument("--again", action="store_true", help="what has changed since, in FILE.new")
    given = parser.parse_args()
    torch.set_num_threads(1)
    numbers = [int(x) for x in given.only.split(",")] if given.only else range(given.nets)
    seeds = [int(x) for x in given.seeds.split(",")]
    if given.quick:
        numbers, seeds = range(24), [0]
    lines = given.out.read_text().splitlines() if given.out.exists() else []
    before = {(x["number"], x["seeds"][0]): x for x in map(json.loads, lines)}
    out = given.out.with_suffix(".new") if given.again else given.out
    begun = time.time()
    for seed, number in itertools.product(seeds, numbers):
        if ((number, seed) in before) == given.again:
            found = examined(number, [seed], scored(before.get((number, seed))))
            with out.open("a") as file:
                file.write(json.dumps(found) + "\n")
            print(_line(found), file=sys.stderr)
    print(f"{time.time() - begun:.0f} s; python trains_report.py {out}", file=sys.stderr)


def scored(line: dict[str, Any] | None) -> dict[str, float]:
    """The scores in a line of the file by the print of the weights."""
    if line is None:
        return {}
    known = [way for way, scores in line["scores"].items() if scores]
    return {line["prints"][way][0]: line["scores"][way][0] for way in known}


def _line(found: dict[str, Any]) -> str:
    said = ",".join(found["codes"]) or "silent"
    means = {way: sum(x) / len(x) for way, x in found["scores"].items()}
    own, best = means["own"], max(means.values())
    return f"{found['number']} {found['family']}: {said}, own {own:.0f}, best {best:.0f}"


if __name__ == "__main__":
    main()

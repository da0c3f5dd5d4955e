"""Models as people write them, before and after: the text, and what it does to the weights."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from initlint import api
from initlint.fix.text import comments_of
from initlint.records import Finding

PAIRS = Path(__file__).parent.parent / "pairs"
NAMES = sorted(path.stem for path in PAIRS.glob("*.py"))
# What is built where that is no class without arguments.
MADE = {"assembled_in_a_function": "build", "returned": "build", "in_the_module": "model"}
INPUTS = {"bare_parameters": (2, 32), "sequential_literal": (2, 784)}
REFUSED = {
    "activations_unclear": "its instances meet different activations, and no one attribute of the "
    "class says which"
}


@dataclass
class Run:
    """All pairs, repaired in one run."""

    folder: Path
    before: api.Report
    fixed: api.Fixed

    def target(self, name: str) -> str:
        path = self.folder / f"{name}.py"
        return f"{path}:{MADE[name]}" if name in MADE else str(path)

    def fixed_findings(self, model: str) -> list[Finding]:
        return [f for f in self.before.findings if f.model == model and f.fix]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("pairs")
    made = Run(folder, api.Report(), api.Fixed(api.Report(), (), "", 0, ()))
    for name in NAMES:
        shutil.copy(PAIRS / f"{name}.py", folder)
    options = api.Options(trace=True)
    targets = [made.target(name) for name in NAMES]
    made.before = api.check_all(targets, options)
    made.fixed = api.fix_all(targets, options, unsafe=True, write=True)
    return made


def test_ninety_five_percent_of_the_findings_are_fixed(run: Run) -> None:
    assert len(NAMES) >= 30
    promised = [f for f in run.before.findings if f.fix]
    assert run.fixed.count == len(promised) > 45
    assert run.fixed.count >= 0.95 * (len(promised) + len(run.fixed.refused))
    reasons = {(Path(f.model).stem.partition(".")[0], reason) for f, reason in run.fixed.refused}
    assert reasons == set(REFUSED.items())


@pytest.mark.parametrize("name", NAMES)
def test_the_text_is_what_a_person_would_write(
    name: str, run: Run, request: pytest.FixtureRequest
) -> None:
    new = (run.folder / f"{name}.py").read_text(encoding="utf-8")
    golden = PAIRS / "after" / f"{name}.py"
    if request.config.getoption("--update-golden"):
        golden.write_text(new, encoding="utf-8")
    assert new == golden.read_text(encoding="utf-8")
    before = (PAIRS / f"{name}.py").read_text(encoding="utf-8")
    assert comments_of(new) == comments_of(before)
    assert (new == before) == (name in REFUSED)


def test_a_second_run_changes_nothing(run: Run) -> None:
    targets = [run.target(name) for name in NAMES]
    again = api.fix_all(targets, api.Options(trace=True), unsafe=True, write=False)
    assert again.files == () and again.count == 0
    assert {Path(f.model).stem.partition(".")[0] for f in again.findings} == set(REFUSED)


def built(path: Path, name: str) -> nn.Module:
    torch.manual_seed(0)
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    attribute = namespace[MADE[name]] if name in MADE else classes(namespace)[-1]
    return attribute if isinstance(attribute, nn.Module) else attribute()


def classes(namespace: dict[str, Any]) -> list[Any]:
    made = [value for value in namespace.values() if isinstance(value, type)]
    return [value for value in made if issubclass(value, nn.Module)]


def given(model: nn.Module, name: str) -> torch.Tensor:
    if name in INPUTS:
        return torch.randn(INPUTS[name])
    first = next(m for m in model.modules() if isinstance(m, LAYERS))
    if isinstance(first, nn.Linear):
        return torch.randn(2, first.in_features)
    return torch.randn(2, first.in_channels, 16, 16)


LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@pytest.mark.parametrize("name", NAMES)
def test_the_model_is_the_same_but_for_its_weights(name: str, run: Run) -> None:
    old, new = built(PAIRS / f"{name}.py", name), built(run.folder / f"{name}.py", name)
    shapes = [{key: value.shape for key, value in m.state_dict().items()} for m in (old, new)]
    assert shapes[0] == shapes[1]
    inputs = given(old, name)
    assert old(inputs).shape == new(inputs).shape


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REFUSED])
def test_the_weights_have_the_recommended_std(name: str, run: Run) -> None:
    made = built(run.folder / f"{name}.py", name)
    values = dict(made.named_parameters())
    model = f"{run.folder / name}.py:{MADE.get(name, type(made).__name__)}"
    wanted = {p for f in run.fixed_findings(model) for p in f.parameters}
    layers = [x for x in run.before.layers if x.model == model and x.parameter in wanted]
    assert layers and wanted == {layer.parameter for layer in layers}
    for layer in layers:
        weight = values[layer.parameter]
        error = 5 / math.sqrt(2 * weight.numel())
        assert layer.recommended
        assert weight.std().item() == pytest.approx(layer.recommended.std, rel=error)

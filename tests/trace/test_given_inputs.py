"""Example inputs that are not ones of the model are refused, also where its graph needs none."""

import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import initlint  # noqa: E402
from initlint.cli.main import main  # noqa: E402
from initlint.project.inputspec import parse  # noqa: E402

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 2)

    def forward(self, x, scale=None):
        x = torch.relu(self.a(x))
        {line}
        return self.c(torch.relu(self.b(x)))
"""
# Symbolic tracing follows the one; the other has to be run.
LINES = ("pass", "x = x * 2 if x.sum() > 0 else x")
OTHER = """

class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 64, 3)
        self.c = nn.Linear(64, 2)

    def forward(self, image):
        return self.c(torch.relu(self.a(image)).mean((2, 3)))
"""
REFUSED = {
    "y=4,8": "forward takes no argument y; it takes x, scale",
    "scael=4,8": "forward takes no argument scael; did you mean scale?",
    "4,7": "[8, 64]; inputs that fit: x=2,8",
    "8,3,2,2": "inputs that fit: x=2,8",
    "4,8 4,64 2,2": "too many positional arguments",
    "x=4,8 x=4,8": "more than one input is given for forward's argument x",
    "4,8 x=4,8": "multiple values for argument 'x'",
}
TAKEN = ("4,8", "x=4,8", "1,8", "8", "5,4,8", "x=float64[4,8]", "scale=64", "x=4,8 scale=4,64")


def _report(path: Path, inputs: str, text: str, trace: bool = False) -> initlint.Report:
    path.write_text(text)
    target = str(path) if trace else f"{path}:Net"
    return initlint.check(target, *map(parse, inputs.split()), trace=trace)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("inputs", REFUSED)
def test_inputs_that_do_not_fit_are_refused_in_one_line(
    inputs: str, line: str, tmp_path: Path
) -> None:
    with pytest.raises(initlint.InitlintError) as caught:
        _report(tmp_path / "net.py", inputs, NET.format(line=line))
    assert REFUSED[inputs] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("inputs", TAKEN)
def test_inputs_that_fit_change_nothing(inputs: str, line: str, tmp_path: Path) -> None:
    text = NET.format(line=line)
    without = _report(tmp_path / "net.py", "", text)
    found = _report(tmp_path / "net.py", inputs, text)
    assert str(found) == str(without)
    assert found.layers


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ("x=2,8", ""),
        ("image=2,3,9,9", ""),
        ("2,8", ""),
        ("y=2,8", "forward takes no argument y"),
        ("image=2,4,9,9", "inputs that fit: image=2,3,32,32"),
    ],
)
def test_inputs_go_to_the_models_that_take_them(inputs: str, says: str, tmp_path: Path) -> None:
    text = NET.format(line="pass") + OTHER
    report = _report(tmp_path / "net.py", inputs, text, trace=True)
    assert says in " ".join(gap.reason for gap in report.unanalysed)
    assert bool(report.unanalysed) == bool(says)
    assert {layer.layer for layer in report.layers} == {"a", "b", "c"}


@pytest.mark.parametrize(
    "command", ["check net.py:Net", "check --trace net.py", "apply net.py:Net"]
)
def test_the_command_ends_with_2(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET.format(line="pass"))
    assert main([*command.split(), "--input", "scael=4,8"]) == 2
    assert "forward takes no argument scael; did you mean scale?" in capsys.readouterr().err


class Twice(nn.Module):
    """Takes two inputs, of one batch."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(8, 4)
        self.b = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return self.a(x) + self.b(v)


class Free(nn.Module):
    """Takes any names."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor, **settings: object) -> torch.Tensor:
        return self.a(x)


class Strange(nn.Module):
    """Runs on no input here, though its graph can be had."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x.to("xpu"))


class Open(nn.Module):
    """Answers every name, so that it cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(8, 4)

    def __getattr__(self, name: str) -> object:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return lambda *args: None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x)


def test_a_model_in_python_is_asked_too() -> None:
    with pytest.raises(initlint.InitlintError, match="inputs that fit: x=2,8 v=2,8"):
        initlint.check(Twice(), torch.ones(3, 8), torch.ones(3, 9))
    with pytest.raises(initlint.InitlintError, match="too many positional"):
        initlint.check(Twice(), torch.ones(3, 8), torch.ones(3, 8), torch.ones(3))
    with pytest.raises(initlint.InitlintError, match="inputs that fit: x=2,8 v=2,8"):
        initlint.apply_(Twice(), torch.ones(3, 8), torch.ones(3, 9))


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (Twice(), (torch.ones(3, 8), torch.ones(3, 8))),
        # The second is guessed, in another batch size.
        (Twice(), (torch.ones(3, 8),)),
        (Twice(), ({"x": torch.ones(3, 8), "v": torch.ones(3, 8)},)),
        (Free(), ({"x": torch.ones(3, 8)},)),
        (Free(), (torch.ones(8),)),
        (Strange(), (torch.ones(3, 8),)),
        (Open(), (torch.ones(3, 8),)),
        (nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)), (torch.ones(3, 8),)),
        (nn.DataParallel(Twice()), (torch.ones(3, 8), torch.ones(3, 8))),
        (nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 8)), (torch.ones(3, 8).long(),)),
    ],
)
def test_a_model_is_not_refused_for_what_its_inputs_are_not_to_blame_for(
    model: nn.Module, inputs: tuple[object, ...]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = initlint.check(model, *inputs)
    assert report.layers

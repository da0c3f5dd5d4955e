"""Models that override torch's walks over their parts, or what a class is: one line, or judged."""

import itertools

import pytest
import torch
from torch import nn

import initlint


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.f, self.g, self.h = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        return self.h(torch.relu(self.g(torch.relu(self.f(x)))))


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def raising(error):
    def walk(*args, **kwargs):
        raise error

    return walk


def endless(*args, **kwargs):
    return itertools.repeat(("w", nn.Parameter(torch.zeros(3))))


def generating(*args, **kwargs):
    yield from itertools.count()


WALKS = (
    *("parameters", "named_parameters", "buffers", "named_buffers", "_named_members"),
    *("children", "named_children", "modules", "named_modules"),
)
LIES = {
    "raises": raising(RuntimeError("not today")),
    "exits": raising(SystemExit(0)),
    "interrupts": raising(KeyboardInterrupt()),
    "raises what has no text": raising(UnprintableError()),
    "never ends": generating,
    "never ends, with parameters": endless,
    "gives nothing": lambda *args, **kwargs: None,
    "gives numbers": lambda *args, **kwargs: [1, 2],
    "gives other pairs": lambda *args, **kwargs: [(None, None), ("a", 3)],
    "calls itself": lambda self, *args, **kwargs: self.parameters(),
}
USES = {
    "check": initlint.check,
    "apply_": lambda model: initlint.apply_(model, seed=0),
    "profile": initlint.profile,
    "materialize": lambda model: initlint.materialize(type(model), seed=0),
}
every_use = pytest.mark.parametrize("use", USES.values(), ids=USES)


def judged_or_refused(use, model):
    """What a use says of a model: a line of an InitlintError, or empty."""
    try:
        use(model)
    except initlint.InitlintError as error:
        assert "\n" not in str(error) and "internal error" not in str(error)
        return str(error)
    return ""


@every_use
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("name", ["named_parameters", "modules"])
def test_a_walk_that_lies_is_one_line(name, lie, use):
    model = type("Net", (Base,), {name: lie})()
    assert judged_or_refused(use, model).startswith("Net")


@pytest.mark.parametrize("lie", ["raises", "never ends", "gives numbers"])
@pytest.mark.parametrize("name", WALKS)
def test_every_walk_is_asked_also_that_of_a_part(name, lie):
    part = type("Part", (Base,), {name: LIES[lie]})()
    found = judged_or_refused(initlint.check, nn.Sequential(part, nn.ReLU()))
    assert found.startswith("Part.")


def test_a_walk_of_the_instance_is_asked():
    model = Base()
    model.parameters = generating
    assert "yields" in judged_or_refused(initlint.check, model)


def test_other_models_of_the_file_are_judged(tmp_path):
    path = tmp_path / "nets.py"
    text = "import itertools, torch\nfrom torch import nn\n\n"
    forward = (
        "    def forward(self, x):\n        return torch.relu(self.g(torch.relu(self.f(x))))\n"
    )
    for name, more in (("Net", "    def modules(self):\n        return 3\n"), ("Good", "")):
        text += f"class {name}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        text += "        self.f = nn.Linear(8, 8)\n        self.g = nn.Linear(8, 8)\n"
        text += f"{forward}{more}\n"
    path.write_text(text)
    report = initlint.check(path, trace=True)
    assert {finding.model.rpartition(":")[2] for finding in report.findings} == {"Net", "Good"}
    (gap,) = report.unanalysed
    assert gap.target == f"{path}:Net" and "Net.modules() raises TypeError" in gap.reason


class Frozen(Base):
    """Hides what is not to be trained, as encoders do."""

    def parameters(self, recurse=True):
        return self.h.parameters(recurse)

    def named_parameters(self, *args, **kwargs):
        return ((n, p) for n, p in super().named_parameters(*args, **kwargs) if n[0] == "h")


@every_use
def test_an_override_that_only_hides_is_fine(use):
    assert judged_or_refused(use, Frozen()) == ""


CLASSES = {
    "raises": property(raising(RuntimeError("no"))),
    "exits": property(raising(SystemExit(0))),
    "is no class": property(lambda self: 3),
    "is the model": property(lambda self: self),
}


@every_use
@pytest.mark.parametrize("told", CLASSES.values(), ids=CLASSES)
def test_a_class_that_is_none(told, use):
    model = type("Net", (Base,), {"__class__": told})()
    found = judged_or_refused(use, model)
    assert found == "" or found.startswith("Net")


class Hiding(type):
    """Says nothing of its classes."""

    def __getattribute__(cls, name):
        return None


@pytest.mark.parametrize("use", [initlint.check, initlint.profile])
def test_a_metaclass_that_hides_everything(use):
    # `type(…)` is asked by Python itself; a call of the class would not work.
    model = Base()
    object.__setattr__(model, "__class__", Hiding("Net", (Base,), {}))
    assert judged_or_refused(use, model).startswith("Net")

"""Statements of initialisers that raise, that fill a copy, or that are never reached."""

import pytest
from judged import found

from initlint import api

HEAD = """\
import copy

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.conv = nn.Conv2d(3, d, 3)
        self.fc = nn.Linear(d, d)
        self.one = nn.Linear(d, 1)
        self.out = nn.Linear(d, 2, bias=False)
        ids = [1, 2]
        {lines}

    def init_weights(self):
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        x = self.conv(x).relu().mean((2, 3))
        return self.out(self.fc(x).relu()), self.one(x)
"""


def codes(tmp_path, lines, code):
    """How often one rule reports a constructor with these lines."""
    body = lines.replace("\n", "\n        ")
    return len(found(tmp_path, HEAD.replace("{lines}", body), code))


LOOP = "for m in self.modules{call}:\n    if isinstance(m, nn.Linear):\n        {body}"
RAISES = {
    "a tensor for a parameter": "self.fc.weight = torch.eye(d)",
    "a part of another one": "self.fc.bias = self.out.weight[0]",
    "its own data": "self.fc.weight = self.fc.weight.data",
    "a method gone through": LOOP.format(call="", body="nn.init.zeros_(m.weight)"),
    "a named method gone through": "for name, p in self.named_parameters:\n    nn.init.zeros_(p)",
    "the truth of a bias": "if self.fc.bias:\n    nn.init.zeros_(self.fc.bias)",
    "not the truth of a bias": "if not self.fc.bias:\n    nn.init.zeros_(self.fc.weight)",
    "the truth of each bias": LOOP.format(
        call="()", body="if m.bias:\n            m.bias.data.zero_()"
    ),
    "the truth of a bias, and more": "for m in self.modules():\n"
    "    if isinstance(m, nn.Linear) and m.bias:\n        m.bias.data.zero_()",
    "whole numbers": "self.scale = nn.Parameter(torch.tensor([1, 2, 3]))",
    "a range of whole numbers": "self.scale = nn.Parameter(torch.arange(8))",
    "truths": "self.scale = nn.Parameter(torch.ones(4, dtype=torch.bool))",
    "a lazy layer": "self.lazy = nn.LazyLinear(4)\nnn.init.xavier_uniform_(self.lazy.weight)",
    "a lazy convolution": "self.lazy = nn.LazyConv2d(4, 3)\nnn.init.normal_(self.lazy.weight)",
}
RUNS = {
    "an attribute of another object": "import argparse\nparser = argparse.ArgumentParser()\n"
    "for action in parser._actions:\n    print(action)",
    "a parameter for a parameter": "self.fc.weight = nn.Parameter(torch.eye(d))",
    "another one's parameter": "self.fc.weight = self.out.weight",
    "no parameter": "self.fc.bias = None",
    "another attribute": "self.fc.scale = torch.eye(d)",
    "one that was deleted": "del self.fc.weight\nself.fc.weight = torch.eye(d)",
    "a buffer": "self.register_buffer('b', torch.zeros(2))\nself.b = torch.ones(2)",
    "a method called": LOOP.format(call="()", body="nn.init.zeros_(m.weight)"),
    "whether there is a bias": "if self.fc.bias is not None:\n    nn.init.zeros_(self.fc.bias)",
    "one number": "if self.one.bias:\n    nn.init.zeros_(self.one.bias)",
    "no bias": "if self.out.bias:\n    nn.init.zeros_(self.out.bias)",
    "numbers with a point": "self.scale = nn.Parameter(torch.tensor([1.0, 2, 3]))",
    "a dtype": "self.scale = nn.Parameter(torch.tensor([1, 2], dtype=torch.float32))",
    "a range with a dtype": "self.scale = nn.Parameter(torch.arange(8, dtype=torch.float))",
    "whole numbers that are not trained": "self.scale = nn.Parameter(torch.arange(8), False)",
    "a layer that is not lazy": "self.lazy = nn.Linear(4, 4)\nnn.init.normal_(self.lazy.weight)",
    "a lazy layer that has run": "self.lazy = nn.LazyLinear(4)\nself.lazy(torch.zeros(1, 3))\n"
    "nn.init.normal_(self.lazy.weight)",
}


@pytest.mark.parametrize("lines", RAISES.values(), ids=RAISES)
def test_what_raises(tmp_path, lines):
    assert codes(tmp_path, lines, "INIT007") == 1


@pytest.mark.parametrize("lines", RUNS.values(), ids=RUNS)
def test_what_runs(tmp_path, lines):
    assert codes(tmp_path, lines, "INIT007") == 0


EARLY = """\
import torch
from torch import nn


class Base(nn.Module):
    pass


class Net({base}):
    def __init__(self, d=8):
        {first}
        {second}
        self.fc = nn.Linear(d, 2)

    def forward(self, x):
        return self.fc(x * self.scale)
"""
SCALE = "self.scale = nn.Parameter(torch.ones(d))"


@pytest.mark.parametrize(
    ("base", "first", "second", "count"),
    [
        ("nn.Module", SCALE, "super().__init__()", 1),
        ("nn.Module", "self.part = nn.Linear(2, 2)", "super(Net, self).__init__()", 1),
        ("nn.Module", "self.d = d", "super().__init__()", 0),
        ("nn.Module", "super().__init__()", SCALE, 0),
        ("nn.Module", "nn.Module.__init__(self)", SCALE, 0),
        ("Base", SCALE, "super().__init__()", 0),
    ],
)
def test_parts_before_the_constructor_of_module(tmp_path, base, first, second, count):
    source = EARLY.format(base=base, first=first, second=second)
    assert len(found(tmp_path, source, "INIT007")) == count


COPIED = {
    "rows by a list": "self.fc.weight.data[ids].normal_()",
    "rows by a list of numbers": "self.fc.weight.data[[0, 1]].zero_()",
    "rows of torch.nn.init": "nn.init.normal_(self.fc.weight[ids])",
    "a view of a copy": "nn.init.normal_(self.fc.weight.clone().view(-1))",
    "a copied module": "copy.deepcopy(self.fc).apply(lambda m: nn.init.zeros_(m.bias))",
    "a copied module's weight": "nn.init.normal_(copy.deepcopy(self.fc).weight)",
    "a copied module's reset": "copy.deepcopy(self.fc).reset_parameters()",
}
KEPT = {
    "one row": "self.fc.weight.data[1].normal_()",
    "several rows": "self.fc.weight.data[1:3].normal_()",
    "rows assigned": "self.fc.weight.data[ids] = 0.0",
    "a view": "nn.init.normal_(self.fc.weight.view(-1))",
    "transposed": "nn.init.normal_(self.fc.weight.T)",
    "a copy that is kept": "self.two = copy.deepcopy(self.fc)\nself.two.reset_parameters()",
}


@pytest.mark.parametrize("lines", COPIED.values(), ids=COPIED)
def test_a_copy_is_filled(tmp_path, lines):
    assert codes(tmp_path, lines, "INIT002") == 1


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_the_parameter_is_filled(tmp_path, lines):
    assert codes(tmp_path, lines, "INIT002") == 0


CHAIN = """\
for m in self.modules():
    if {first}:
        nn.init.xavier_uniform_(m.weight)
    elif {second}:
        nn.init.zeros_(m.weight)
"""
LINEAR, CONV = "isinstance(m, nn.Linear)", "isinstance(m, nn.Conv2d)"


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        (LINEAR, LINEAR, 1),
        (LINEAR, f"{LINEAR} and m.bias is not None", 1),
        ("isinstance(m, (nn.Linear, nn.Conv2d))", CONV, 1),
        (LINEAR, CONV, 0),
        (f"{LINEAR} and m.bias is None", LINEAR, 0),
        (LINEAR, "isinstance(m, (nn.Linear, nn.Embedding))", 0),
        ("type(m) is nn.Linear", "isinstance(m, nn.Linear)", 0),
    ],
)
def test_a_branch_that_is_never_reached(tmp_path, first, second, count):
    lines = CHAIN.format(first=first, second=second)
    assert codes(tmp_path, lines, "INIT003") == count


NAMES = """\
for name, p in self.fc.named_parameters():
    if "{first}" in name:
        nn.init.normal_(p)
    elif "{second}" in name:
        nn.init.zeros_(p)
"""


@pytest.mark.parametrize(("second", "count"), [("weight", 1), ("bias", 0), ("nothing", 0)])
def test_a_name_that_an_earlier_test_takes(tmp_path, second, count):
    assert codes(tmp_path, NAMES.format(first="w", second=second), "INIT003") == count


@pytest.mark.parametrize(
    ("test", "count"),
    [
        ("isinstance(m, nn.Linear or nn.Conv2d)", 1),
        ("type(m) == (nn.Linear or nn.Conv2d)", 1),
        ("m.__class__.__name__ == ('Linear' or 'Conv2d')", 1),
        ("isinstance(m, (nn.Linear, nn.Conv2d))", 0),
        ("isinstance(m, nn.Linear) or isinstance(m, nn.Conv2d)", 0),
        ("m.__class__.__name__ in ('Linear', 'Conv2d')", 0),
    ],
)
def test_the_first_of_several_classes(tmp_path, test, count):
    lines = f"for m in self.modules():\n    if {test}:\n        nn.init.zeros_(m.weight)"
    assert codes(tmp_path, lines, "INIT003") == count


TEACHER = """\
self.teacher = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, 2))
self.student = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, 2))
{first}
{second}
"""
COPY = "self.teacher.load_state_dict(self.student.state_dict())"
DRAW = "self.apply(lambda m: nn.init.xavier_uniform_(m.weight) if isinstance(m, nn.Linear) else 0)"
WALK = "for m in self.modules():\n    if isinstance(m, nn.Linear):\n        m.weight.data.normal_()"


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [(COPY, WALK, 1), (COPY, DRAW, 1), (WALK, COPY, 0), (COPY, "self.fc.reset_parameters()", 0)],
)
def test_a_teacher_that_is_drawn_after_it_was_copied(tmp_path, first, second, count):
    lines = TEACHER.format(first=first, second=second)
    assert codes(tmp_path, lines, "INIT005") == count


@pytest.mark.torch
@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("copy.deepcopy(self.fc).reset_parameters()", "INIT002"),
        ("self.fc.weight.data[ids].normal_()", "INIT002"),
        ("self.init_weights", "INIT002"),
    ],
)
def test_a_built_model_is_read_for_it(tmp_path, lines, code):
    path = tmp_path / "net.py"
    path.write_text(HEAD.replace("{lines}", lines))
    report = api.check_all([f"{path}:Net"], api.Options(codes=frozenset({code})))
    assert [finding.code for finding in report.findings] == [code]

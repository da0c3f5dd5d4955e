"""Reading and tracing keep one ledger: every parameter, what was written to it, and the calls."""

import dataclasses

import pytest

from initlint import api
from initlint.reading import read
from initlint.tracing.build import build_all
from initlint.tracing.layers import recorded
from initlint.tracing.parameters import calls_of

pytestmark = pytest.mark.torch

NET = """\
import torch
import torch.nn.functional as F
from torch import nn


def old(m):
    if isinstance(m, nn.Bilinear):
        nn.init.constant(m.bias, 0.5)


class Block(nn.Module):
    def __init__(self, n=8):
        super().__init__()
        self.fc = nn.Linear(n, n)
        self.norm = nn.LayerNorm(n)

    def forward(self, x):
        return x + self.fc(self.norm(x)).relu()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 8)
        self.conv = nn.Conv1d(8, 8, 3, padding=1, groups=2)
        self.up = nn.ConvTranspose1d(8, 6, 3)
        self.bn = nn.BatchNorm1d(6)
        self.seen = nn.InstanceNorm1d(6, affine=True, track_running_stats=True)
        self.plain = nn.InstanceNorm1d(6)
        self.group = nn.GroupNorm(2, 6)
        self.rms = nn.RMSNorm(6)
        self.act = nn.PReLU(6, init=0.1)
        self.rnn = nn.GRU(6, 8, num_layers=2, bidirectional=True)
        self.cell = nn.LSTMCell(16, 8, bias=False)
        self.att = nn.MultiheadAttention(16, 2, add_bias_kv=True)
        self.both = nn.Bilinear(16, 16, 8)
        self.blocks = nn.Sequential(Block(), Block())
        self.bare = nn.Parameter(torch.empty(8, 8))
        self.drawn = nn.Parameter(torch.randn(8) * 0.02)
        self.fixed = nn.Parameter(torch.ones(8), requires_grad=False)
        self.register_buffer("mask", torch.ones(8))
        self.register_buffer("late", torch.zeros(8))
        self.late.fill_(3.0)
        self.head = nn.Linear(8, 10, bias=False)
        self.head.weight = self.table.weight
        self.spare = nn.Linear(8, 4)
        nn.init.xavier_uniform(self.spare.weight)
        nn.init.normal_(self.spare.weight, std=0.1)
        self.spare.weight.data.mul_(0.5)
        self.spare.bias.data = torch.zeros(4)
        self.conv.weight.requires_grad_(False)
        self.apply(self._init)
        self.apply(old)

    def _init(self, m):
        if isinstance(m, nn.LayerNorm):
            nn.init.constant_(m.weight, 0.5)
            m.bias.data.zero_()

    def forward(self, x):
        x = self.conv(self.table(x).transpose(1, 2))
        x = self.act(self.group(self.plain(self.seen(self.bn(self.up(x))))))
        x, _ = self.rnn(self.rms(x.transpose(1, 2)))
        x, _ = self.att(x, x, x)
        x = self.blocks(self.both(x, x)) @ self.bare * self.drawn * self.fixed + self.mask
        return self.head(x)
"""


def both(source, tmp_path, name="Net"):
    """The parameters and calls of one model, by reading its file and by building it."""
    path = tmp_path / "net.py"
    path.write_text(source)
    found = read([str(path)])
    assert found.broken == found.unanalysed == ()
    (built,) = (b for b in build_all(str(path), {}) if b.name.endswith(f":{name}"))
    mine = {p.name: p for p in found.parameters if p.model == name}
    theirs = {p.name: p for p in recorded(built)[1]}
    return mine, theirs, [c for c in found.calls if c.model == name], calls_of(built)


def facts(parameter):
    """All that is recorded of a parameter, numbers as both engines can know them."""
    values = {f.name: getattr(parameter, f.name) for f in dataclasses.fields(parameter)}
    del values["model"]
    values["site"] = parameter.site and parameter.site.line
    values["history"] = [_draw(draw) for draw in parameter.history]
    return values


def _draw(draw):
    values = {f.name: getattr(draw, f.name) for f in dataclasses.fields(draw)}
    values["site"] = draw.site and draw.site.line
    for key in ("mean", "std"):
        values[key] = values[key] if values[key] is None else round(values[key], 6)
    values["args"] = {
        key: round(value, 6) if isinstance(value, float) else value
        for key, value in draw.args.items()
    }
    return values


def test_both_engines_know_every_parameter_and_its_history(tmp_path):
    mine, theirs, *_ = both(NET, tmp_path)
    assert mine.keys() == theirs.keys()
    for name, parameter in theirs.items():
        if parameter.kind == "buffer" and parameter.used is None:
            # What is computed of buffers alone has no place in the traced graph.
            parameter = dataclasses.replace(parameter, used=mine[name].used)
        assert facts(mine[name]) == facts(parameter)


@pytest.mark.parametrize("engine", [0, 1], ids=["read", "traced"])
def test_what_is_recorded_of_a_parameter(engine, tmp_path):
    found = both(NET, tmp_path)[engine]
    kinds = {name: found[name].kind for name in ("table.weight", "bn.weight", "bn.bias", "bare")}
    assert kinds == {
        "table.weight": "table",
        "bn.weight": "norm",
        "bn.bias": "bias",
        "bare": "bare",
    }
    assert found["bare"].history == () and found["bare"].used
    assert found["head.weight"].tied_to == "table.weight"
    assert found["fixed"].trainable is found["conv.weight"].trainable is False
    assert found["spare.weight"].used is found["cell.weight_hh"].used is False
    assert found["blocks.0.fc.bias"].used and found["blocks.1.norm.bias"].used
    assert [(d.spelled, d.name, d.by) for d in found["spare.weight"].history] == [
        ("kaiming_uniform_", "kaiming_uniform_", "torch"),
        ("xavier_uniform", "xavier_uniform_", "user"),
        ("normal_", "normal_", "user"),
        ("mul_", "normal_", "user"),
    ]
    assert [d.name for d in found["late"].history] == ["zeros_", "constant_"]
    (before, after) = found["blocks.0.norm.weight"].history
    assert (before.by, after.by, after.through) == ("torch", "user", "_init")


def test_both_engines_see_the_same_calls(tmp_path):
    _, _, mine, theirs = both(NET, tmp_path)
    assert {(c.spelled, c.resolved, c.site, c.within, frozenset(c.targets)) for c in mine} == {
        (c.spelled, c.resolved, c.site, c.within, frozenset(c.targets)) for c in theirs
    }
    assert {c.spelled: c.within for c in mine} == {
        "xavier_uniform": "__init__",
        "normal_": "__init__",
        "constant_": "_init",
        "constant": "old",
    }


UNDECIDED = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, small=None, n=None):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        if len(str(small)) > n:
            nn.init.zeros_(self.fc.weight)
            self.fc.bias.requires_grad_(False)
        self.many = nn.Linear(8, 8)
        for i in range(100):
            nn.init.normal_(self.many.weight, std=0.5)
            nn.init.zeros_(self.many.weight)

    def forward(self, x):
        return self.fc(x)
"""


def test_a_write_under_an_undecided_condition_is_not_certain(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(UNDECIDED)
    found = {p.name: p for p in read([str(path)]).parameters}
    weight, bias = found["fc.weight"], found["fc.bias"]
    assert [(d.name, d.certain) for d in weight.history] == [
        ("kaiming_uniform_", True),
        ("zeros_", False),
    ]
    assert bias.trainable is None
    (layer,) = (x for x in read([str(path)]).layers if x.parameter == "fc.weight")
    assert layer.current.name == "unknown"


def test_of_many_writes_the_first_and_the_last_are_kept(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(UNDECIDED)
    (many,) = (p for p in read([str(path)]).parameters if p.name == "many.weight")
    assert len(many.history) == 32
    assert (many.history[0].by, many.history[-1].name) == ("torch", "zeros_")


def test_what_others_redraw_is_said_to_be_unclear(tmp_path):
    path = tmp_path / "net.py"
    source = UNDECIDED.replace("n=None", "n=3") + "\n\nnet = Net()\n"
    path.write_text(source + "from away import f\nf(net)\n")
    (weight,) = (p for p in read([str(path)]).parameters if p.name == "many.weight")
    assert (weight.history[-1].name, weight.history[-1].by) == ("unknown", "unclear")
    path.write_text(source + "net.apply(print)\n")
    (weight,) = (p for p in read([str(path)]).parameters if p.name == "many.weight")
    assert weight.history[-1].name == "zeros_"


def test_a_live_model_has_what_it_holds_for_a_history():
    from torch import nn

    (weight, _) = api.check(nn.Sequential(nn.Linear(64, 64))).parameters
    (draw,) = weight.history
    assert (draw.name, draw.by, draw.site) == ("measured", "unclear", None)


def test_parameters_of_files_are_listed_only_where_they_are_asked_for(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET)
    options = api.Options()
    assert api.check_all([str(path)], options).parameters == ()
    wanted = api.check_all([str(path)], dataclasses.replace(options, parameters=True))
    assert {p.name for p in wanted.parameters} >= {"conv.bias", "mask", "bare"}
    assert api.check(str(path)).parameters == wanted.parameters


ASSIGNED = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 64)
        with torch.no_grad():
            self.layer.{write}

    def forward(self, x):
        return self.layer(x)
"""
ASSIGNMENTS = {
    "weight[:] = torch.randn(64, 64) * 0.1": ("normal_", 0.1),
    "weight.data[...] = torch.randn(64, 64) * 0.1": ("normal_", 0.1),
    "weight[None] = torch.zeros(64, 64)": ("zeros_", 0.0),
    "weight[...] = 0": ("constant_", 0.0),
    "weight[:3] = torch.randn(3, 64) * 0.1": ("unknown", None),
    "weight[:, 0] = 0": ("unknown", None),
    "weight[torch.eye(64) > 0] = 1": ("unknown", None),
}


@pytest.mark.parametrize("write", ASSIGNMENTS)
def test_what_an_assignment_to_all_elements_leaves(write, tmp_path):
    for found in both(ASSIGNED.format(write=write), tmp_path)[:2]:
        last = found["layer.weight"].history[-1]
        assert (last.name, last.std) == ASSIGNMENTS[write]

"""INIT205: gains, biases and learned factors that are drawn like weights."""

import pytest

from initlint import api

NET = """\
import math
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 64)
        self.norm = nn.LayerNorm(64)
        self.act = nn.PReLU()
        self.scale = nn.Parameter(torch.ones([]) * math.log(1 / 0.07))
        self.temperature = nn.Parameter(torch.tensor(0.07))
        self.layer_scale = nn.Parameter(torch.full((64,), 1e-5))
        self.token = nn.Parameter(torch.zeros(1, 64))
        self.head = nn.Linear(64, 10)
        {fill}

    def forward(self, x):
        x = x + self.layer_scale * self.act(self.norm(self.fc(x + self.token)))
        return self.head(x) * self.scale.exp() / self.temperature
"""
FACTORS = {"norm.weight", "act.weight", "scale", "temperature", "layer_scale"}
VIEWS = ("unsqueeze(0)", "view(1, -1)", "data[None]", "reshape(1, -1)", "data.unsqueeze(1)")


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.torch, id="traced"), False])
def found(request, tmp_path):
    """The parameters of INIT205 in a net that is filled by some lines."""

    def judged(*fill):
        path = tmp_path / "net.py"
        path.write_text(NET.format(fill="\n        ".join(fill)))
        report = api.check_all([str(path)], api.Options(trace=request.param))
        assert report.layers and not report.unanalysed
        ours = [finding for finding in report.findings if finding.code == "INIT205"]
        return {name for finding in ours for name in finding.parameters}

    return judged


@pytest.mark.parametrize("call", ["xavier_uniform_", "kaiming_normal_", "orthogonal_"])
@pytest.mark.parametrize("view", VIEWS)
def test_a_scheme_on_a_view_of_a_bias(found, view, call):
    assert found(f"nn.init.{call}(self.fc.bias.{view})") == {"fc.bias"}


@pytest.mark.parametrize(
    "draw",
    [
        "nn.init.normal_(p, std=0.02)",
        "nn.init.trunc_normal_(p, std=0.02)",
        "p.data.uniform_(-0.1, 0.1)",
        "torch.nn.init.normal_(p.data, 0, 0.01)",
    ],
)
def test_a_loop_over_all_parameters(found, draw):
    assert found("for p in self.parameters():", f"    {draw}") == FACTORS


def test_a_gain_around_zero_in_a_line_of_its_own(found):
    assert found("nn.init.normal_(self.norm.weight.data, 0.0, 0.02)") == {"norm.weight"}


def test_views_in_a_loop(found):
    assert found(
        "for name, p in self.named_parameters():",
        "    if 'weight' in name:",
        "        nn.init.xavier_normal_(p if p.dim() > 1 else p.unsqueeze(0))",
    ) == {"norm.weight", "act.weight"}


@pytest.mark.parametrize(
    "fill",
    [
        ("for p in self.parameters():", "    if p.dim() > 1:", "        nn.init.xavier_normal_(p)"),
        ("for m in self.modules():", "    if isinstance(m, nn.Linear):",
         "        nn.init.normal_(m.weight, std=0.02)",
         "        nn.init.normal_(m.bias, std=0.02)"),
        # Alone, a draw of a factor is a choice, and so is one around its constant.
        ("nn.init.normal_(self.layer_scale, std=0.02)",),
        ("nn.init.normal_(self.norm.weight, 1.0, 0.02)",),
        ("nn.init.uniform_(self.norm.weight)",),
        # Zeros and ones are no draw.
        ("for p in self.parameters():", "    nn.init.zeros_(p)"),
        ("nn.init.zeros_(self.norm.weight)",),
        # What comes later counts.
        ("for p in self.parameters():", "    nn.init.normal_(p, std=0.02)",
         "for p in (self.norm.weight, self.act.weight, self.scale, self.temperature,",
         "          self.layer_scale):",
         "    nn.init.ones_(p)"),
        ("nn.init.xavier_uniform_(self.fc.bias.unsqueeze(0))", "nn.init.zeros_(self.fc.bias)"),
        # A token is made with zeros, and may be drawn like anything.
        ("for p in (self.token, self.fc.weight):", "    nn.init.trunc_normal_(p, std=0.02)"),
    ],
)  # fmt: skip
def test_silent(found, fill):
    assert found(*fill) == set()


HOOK = """\
from torch import nn
from transformers import PreTrainedModel


class Base(PreTrainedModel):
    def _init_weights(self, module):
        if isinstance(module, {classes}):
            module.weight.data.normal_(mean=0.0, std=self.config.initializer_range)
        {other}


class Model(Base):
    def __init__(self, config):
        super().__init__(config)
        self.norm = nn.LayerNorm(config.hidden_size)
        self.fc = nn.Linear(config.hidden_size, config.hidden_size)
        self.post_init()

    def forward(self, x):
        return self.fc(self.norm(x))
"""


@pytest.mark.parametrize(
    ("classes", "other", "wrong"),
    [
        ("(nn.Linear, nn.LayerNorm)", "", True),
        ("(nn.Linear, nn.LayerNorm)", "if hasattr(module, 'bias'): module.bias.data.zero_()", True),
        ("(nn.Linear, nn.LayerNorm)",
         "if isinstance(module, nn.LayerNorm): module.weight.data.fill_(1.0)", False),
        ("nn.Linear", "", False),
    ],
)  # fmt: skip
def test_a_hook_whose_std_is_only_a_name(tmp_path, classes, other, wrong):
    path = tmp_path / "net.py"
    path.write_text(HOOK.format(classes=classes, other=other))
    found = api.check(str(path), select=["INIT205"]).findings
    assert [f.parameter for f in found] == (["norm.weight"] if wrong else [])


GUARDED = """\
import torch

FUNCTIONS = {"normal_": torch.nn.init.normal_}


def normal_(tensor, mean=0.0, std=1.0):
    if not getattr(tensor, "_is_hf_initialized", False):
        return FUNCTIONS["normal_"](tensor, mean=mean, std=std)
    return tensor
"""


def test_the_functions_by_which_transformers_5_fills(tmp_path, monkeypatch):
    """They are torch's own, but for what was loaded; the line is that of the hook."""
    home = tmp_path / "transformers"
    (home / "models").mkdir(parents=True)
    (home / "__init__.py").write_text("")
    (home / "initialization.py").write_text(GUARDED)
    text = HOOK.format(classes="(nn.Linear, nn.LayerNorm)", other="")
    text = text.replace("module.weight.data.normal_(", "init.normal_(module.weight, ")
    text = text.replace("from transformers", "from ..modeling_utils")
    text = text.replace("from torch", "from .. import initialization as init\nfrom torch")
    (home / "models" / "net.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    files = ["__init__.py", "initialization.py", "models/net.py"]
    options = api.Options(codes=frozenset({"INIT205"}))
    report = api.check_all([f"transformers/{name}" for name in files], options)
    (finding,) = report.findings
    assert (finding.code, finding.site.path) == ("INIT205", "transformers/models/net.py")


CHANNELS = """\
import torch
from torch import nn


class ChannelNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.gamma = nn.Parameter(torch.Tensor(1, channels, 1))
        self.beta = nn.Parameter(torch.Tensor(1, channels, 1))
        self.gamma.data.fill_(1)
        self.beta.data.zero_()

    def forward(self, x):
        x = x - x.mean(1, keepdim=True)
        return self.gamma * x / (x.pow(2).mean(1, keepdim=True) + 1e-8).sqrt() + self.beta


class Net(nn.Module):
    def __init__(self, channels{default}):
        super().__init__()
        self.conv = nn.Conv1d(8, channels, 3)
        self.norm = ChannelNorm(channels)
        self.out = nn.Conv1d(channels, 4, 3)
        for p in self.parameters():
            if p.dim() > {most}:
                nn.init.{call}(p)

    def forward(self, x):
        return self.out(self.norm(self.conv(x)).relu())
"""


@pytest.mark.parametrize("call", ["xavier_normal_", "kaiming_uniform_"])
@pytest.mark.parametrize("default", ["=16", ""])
@pytest.mark.parametrize(("most", "wrong"), [(1, True), (3, False)])
def test_a_gain_whose_size_is_only_a_name(tmp_path, call, default, most, wrong):
    """A gain of shape (1, channels, 1) has three dimensions, and is no weight."""
    path = tmp_path / "net.py"
    path.write_text(CHANNELS.format(call=call, default=default, most=most))
    codes = {finding.code for finding in api.check(str(path)).findings}
    assert ("INIT205" in codes) == wrong


TABLES = """\
import torch
from torch import nn


class Positions(nn.Module):
    def __init__(self, shape, dims):
        super().__init__()
        self.weights = nn.ParameterList()
        for axis, d in enumerate(dims):
            sizes = [1] * len(shape)
            sizes[axis] = shape[axis]
            self.weights.append(nn.Parameter(torch.ones(tuple(sizes) + (d,))))
        self.fc = nn.Linear(64, 64)
        self.apply(self.init)

    def init(self, m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0.0, 0.02)
        if isinstance(m, Positions):
            for w in m.weights:
                nn.init.normal_(w, std=0.02)

    def forward(self, x):
        return self.fc(x) + torch.cat([w.expand(x.shape) for w in self.weights], -1)
"""


def test_a_tensor_of_an_unknown_number_of_dimensions_is_no_line(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(TABLES)
    assert not api.check(str(path), select=["INIT205"]).findings

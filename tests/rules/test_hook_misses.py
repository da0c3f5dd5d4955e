"""INIT014: parameters that transformers' hook leaves out, and those that it does not."""

import pytest

from initlint import api

HEAD = """\
import torch
from torch import nn


class PreTrainedModel(nn.Module):
    def __init__(self, config=None):
        super().__init__()
        self.config = config

    def post_init(self):
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(64))

    def forward(self, x):
        return x * self.weight


class Net(PreTrainedModel):
    def __init__(self, config=None):
        super().__init__(config)
        self.first = nn.Linear(64, 64, bias=False)
        self.part = {part}
        {start}

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
        {hook}

    def forward(self, x):
        return self.part(self.first(x))
"""
POST = "self.post_init()"
# What the hook does: the part, the code of the hook, and the parameters that it leaves out.
HOOKS = {
    "bare": ("Scale()", "", {"part.weight"}),
    "bias": ("nn.Linear(64, 64)", "", {"part.bias"}),
    "norm": ("nn.LayerNorm(64)", "", {"part.weight"}),
    "by class": (
        "Scale()",
        "elif isinstance(module, Scale):\n    module.weight.data.fill_(1.0)",
        set(),
    ),
    "by name": (
        "Scale()",
        'if hasattr(module, "part"):\n    module.part.weight.data.zero_()',
        set(),
    ),
    "its own reset": (
        "nn.LayerNorm(64)",
        'if hasattr(module, "reset_parameters"):\n    module.reset_parameters()',
        set(),
    ),
    "a loop": ("Scale()", "for p in module.parameters():\n    nn.init.normal_(p)", set()),
    "a new parameter": (
        "Scale()",
        "elif isinstance(module, Scale):\n    module.weight = nn.Parameter(torch.rand(64))",
        set(),
    ),
    "never called": ("Scale()", "", None),
}


@pytest.mark.parametrize("trace", [pytest.param(True, marks=pytest.mark.torch), False])
@pytest.mark.parametrize(("part", "hook", "missed"), HOOKS.values(), ids=HOOKS)
def test_what_a_hook_leaves_out(part, hook, missed, trace, tmp_path):
    path = tmp_path / "net.py"
    start = "pass" if missed is None else POST
    hook = hook.replace("\n", "\n        ")
    path.write_text(HEAD.format(part=part, hook=hook or "pass", start=start))
    report = api.check_all([str(path)], api.Options(trace=trace, codes=frozenset({"INIT014"})))
    assert {finding.parameter for finding in report.findings} == (missed or set())
    assert report.layers

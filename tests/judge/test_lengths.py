"""No message is longer than 160 characters; what belongs to it has fields of its own."""

import re

import pytest

from initlint import api
from initlint.judge import load

EXAMPLES = re.compile(r"```python[^\n]*\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("code", sorted(load().cards))
def test_messages_of_a_card(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rule = load().cards[code]
    messages = []
    for number, example in enumerate(EXAMPLES.findall(rule.sections["Bad"])):
        name = f"net_{number}.py"
        (tmp_path / name).write_text(example)
        messages += [f.message for f in api.check(name, select=code).findings]
    assert messages
    assert [message for message in messages if len(message) > 160] == []


LONG = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a_rather_long_name_of_a_holder = nn.ModuleList(
            [nn.Linear(64, 64) for _ in range(12)])
        self.another_long_name_of_a_layer = nn.Linear(64, 10)

    def forward(self, x):
        for layer in self.a_rather_long_name_of_a_holder:
            x = nn.functional.leaky_relu(layer(x), negative_slope=0.0125)
        return self.another_long_name_of_a_layer(x)
"""


def test_long_names_of_many_layers(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(LONG)
    [finding] = api.check(path).findings
    assert len(finding.message) <= 160
    assert "more of this line" in finding.message

"""Every layer of a chain gets its call, in a loop with isinstance; calls precede optimisers."""

from itertools import pairwise

import pytest

from initlint import api
from initlint.records import Preferences

HEAD = "import copy\n\nimport torch\nfrom torch import nn\nfrom torch.nn.utils import prune\n\n\n"


def chain(*sizes, act="nn.ReLU()", end=""):
    parts = [f"nn.Linear({a}, {b})" for a, b in pairwise(sizes)]
    return f"nn.Sequential({f', {act}, '.join(parts)}{end})"


def fixed(tmp_path, monkeypatch, text):
    """The lines that --fix adds; a second --fix adds none."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.py"
    path.write_text(HEAD + text)
    api.fix_all(["net.py"], api.Options())
    after = path.read_text()
    assert not api.fix_all(["net.py"], api.Options()).files
    assert not api.check_all(["net.py"], api.Options()).findings
    old = iter((HEAD + text).splitlines())
    expected, added = next(old, None), []
    for line in after.splitlines():
        if line == expected:
            expected = next(old, None)
        else:
            added.append(line)
    assert expected is None, "a line of the old file is lost"
    return added, after


CALL = 'nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")'


def test_a_long_chain_is_a_loop_with_isinstance(tmp_path, monkeypatch):
    added, _ = fixed(tmp_path, monkeypatch, f"net = {chain(*[64] * 10, 4)}\n")
    assert added == [
        "for layer in net[1:-1]:",
        "    if isinstance(layer, nn.Linear):",
        f"        {CALL}",
    ]


def test_only_the_layer_that_sees_the_data_is_cut_off(tmp_path, monkeypatch):
    text = f"net = {chain(*[64] * 5, end=', nn.ReLU()')}\n"
    added, _ = fixed(tmp_path, monkeypatch, text)
    assert added[0] == "for layer in net[1:]:"


def test_two_chains_get_a_loop_each(tmp_path, monkeypatch):
    text = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    text += f"        self.pi = {chain(*[64] * 5, 4)}\n        self.v = {chain(*[64] * 5, 1)}\n\n"
    text += "    def forward(self, x):\n        return self.pi(x), self.v(x)\n"
    added, _ = fixed(tmp_path, monkeypatch, text)
    assert added[0::3] == [
        "        for layer in self.pi[1:-1]:",
        "        for layer in self.v[1:-1]:",
    ]


def test_members_of_an_unknown_class_keep_the_indices(tmp_path, monkeypatch):
    text = f"act = nn.ReLU()\nnet = {chain(*[64] * 5, 4, act='act')}\n"
    added, _ = fixed(tmp_path, monkeypatch, text)
    assert added[0] == "for layer in (net[2], net[4], net[6]):"


@pytest.mark.parametrize(
    "later",
    [
        "self.optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)",
        "self.target = copy.deepcopy(self.q)",
        "self.ema = torch.optim.swa_utils.AveragedModel(self.q)",
    ],
)
def test_calls_precede_what_uses_the_layers(tmp_path, monkeypatch, later):
    text = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    text += f"        self.q = {chain(*[64] * 6, 4)}\n        {later}\n        self.steps = 0\n\n"
    text += "    def forward(self, x):\n        return self.q(x)\n"
    added, after = fixed(tmp_path, monkeypatch, text)
    assert added
    assert after.index(CALL) < after.index(later)


def test_calls_precede_an_optimiser_and_a_copy_in_a_function(tmp_path, monkeypatch):
    text = f"def make():\n    q = {chain(*[64] * 6, 4)}\n    target = copy.deepcopy(q)\n"
    text += "    return q, target, torch.optim.SGD(q.parameters(), lr=0.1)\n"
    _, after = fixed(tmp_path, monkeypatch, text)
    assert after.index(CALL) < after.index("copy.deepcopy(q)")


def test_a_pruned_weight_is_filled_before_it_is_pruned_or_not_at_all(tmp_path, monkeypatch):
    text = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    text += "        self.a = nn.Linear(64, 64)\n        self.b = nn.Linear(64, 64)\n"
    text += "        self.c = nn.Linear(64, 4)\n"
    text += (
        '        prune.l1_unstructured(self.b, "weight", amount=0.5)\n\n    def forward(self, x):\n'
    )
    text += "        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))\n"
    added, after = fixed(tmp_path, monkeypatch, text)
    assert all(after.index(line) < after.index("prune.l1") for line in added if "self.b" in line)


def test_both_arms_of_a_conditional_expression_share_the_loop(tmp_path, monkeypatch):
    text = "class Field(nn.Module):\n    def __init__(self, n=64, skips=(3,)):\n"
    text += "        super().__init__()\n        self.skips = skips\n"
    text += "        self.parts = nn.ModuleList(\n            [nn.Linear(n, n)]\n"
    text += "            + [nn.Linear(n, n)"
    text += " if i not in skips else nn.Linear(2 * n, n) for i in range(6)]\n        )\n"
    text += "        self.out = nn.Linear(n, 3)\n\n    def forward(self, x):\n        h = x\n"
    text += "        for i, part in enumerate(self.parts):\n            h = torch.relu(part(h))\n"
    text += "            if i in self.skips:\n                h = torch.cat([x, h], -1)\n"
    text += "        return self.out(h)\n"
    added, _ = fixed(tmp_path, monkeypatch, text)
    assert added[-2:] == ["        for layer in self.parts[1:]:", f"            {CALL}"]


def test_a_loop_stands_in_the_method_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (
        f"{HEAD}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.net = {chain(*[64] * 5, 4)}\n\n"
        "    def forward(self, x):\n        return self.net(x)\n"
    )
    (tmp_path / "net.py").write_text(text)
    options = api.Options(preferences=Preferences(style="method"))
    api.fix_all(["net.py"], options)
    after = (tmp_path / "net.py").read_text()
    assert after.count("self.reset_parameters()") == 1
    assert (
        "    def reset_parameters(self):\n"
        "        for layer in self.net[1:-1]:\n"
        "            if isinstance(layer, nn.Linear):\n" in after
    )
    assert not api.fix_all(["net.py"], options).files

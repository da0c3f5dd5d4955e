"""Fixes go where the present initialiser is written, if that suits all that it fills."""

import pytest

from initlint import api
from initlint.cli.main import main

NET = """import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, n_out=8):
        super().__init__()
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, n_out)

    def forward(self, x):
        return self.c(F.relu(self.b(F.relu(self.a(x)))))


"""
# The rules whose fix is asked for here: what else is wrong with such numbers is another matter.
OPTIONS = api.Options(codes=frozenset(f"INIT10{number}" for number in range(1, 7)))
WANTED = 'nn.init.kaiming_normal_({}, mode="fan_in", nonlinearity="relu")'


def fixed(tmp_path, monkeypatch, files, *targets):
    """The files after --fix --unsafe-fixes, and what check had said before."""
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    wanted = list(targets or files)
    said = api.check_all(wanted, OPTIONS)
    api.fix_all(wanted, OPTIONS, unsafe=True)
    after = {name: (tmp_path / name).read_text() for name in files}
    again = api.fix_all(wanted, OPTIONS, unsafe=True)
    assert not again.files, "a second --fix changes something"
    return said, after


def reasons(report):
    return [f.unfixed for f in report.findings]


CALLBACKS = {
    "isinstance": "    if isinstance(m, nn.Linear):\n        {}\n",
    "type": "    if type(m) == nn.Linear:\n        {}\n        nn.init.zeros_(m.bias)\n",
    "name": '    if m.__class__.__name__.find("Linear") != -1:\n        {}\n',
    "elif": "    if isinstance(m, nn.Conv2d):\n        pass\n"
    "    elif type(m) is nn.Linear:\n        {}\n",
}
CALLS = {
    "function": ("nn.init.normal_(m.weight, 0.0, 2.0)", "m.weight"),
    "data": ("m.weight.data.normal_(0.0, 2.0)", "m.weight.data"),
    "detached": ("m.weight.detach().normal_(0.0, 2.0)", "m.weight.detach()"),
}
USES = {
    "script": "net = Net()\nnet.apply(init)\n",
    "main": "def main():\n    net = Net()\n    net.apply(init)\n",
    "loop": "net = Net()\nfor module in net.modules():\n    init(module)\n",
    "agent": "class Agent:\n    def __init__(self):\n        self.q = Net()\n"
    "        self.q.apply(init)\n",
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("callback", CALLBACKS)
def test_a_callbacks_arm_is_corrected(tmp_path, monkeypatch, callback, call, use):
    written, tensor = CALLS[call]
    text = NET + "def init(m):\n" + CALLBACKS[callback].format(written) + "\n\n" + USES[use]
    said, after = fixed(tmp_path, monkeypatch, {"net.py": text})
    assert {f.layer for f in said.findings} == {"a", "b"}
    assert reasons(said) == ["", ""]
    assert after["net.py"] == text.replace(written, WANTED.format(tensor))


def test_a_callback_that_the_constructor_applies_is_corrected(tmp_path, monkeypatch):
    text = NET.replace("n_out)\n", "n_out)\n        self.apply(self.init)\n", 1).rstrip()
    text += "\n\n    def init(self, m):\n        if isinstance(m, nn.Linear):\n"
    text += "            nn.init.normal_(m.weight, 0.0, 2.0)\n"
    _, after = fixed(tmp_path, monkeypatch, {"net.py": text})
    wanted = WANTED.format("m.weight")
    assert after["net.py"] == text.replace("nn.init.normal_(m.weight, 0.0, 2.0)", wanted)


WRITTEN = {
    "memory": "self.{}.weight.data = torch.randn(64, 64) * 0.01",
    "copy": "self.{}.weight.data.copy_(torch.randn(64, 64) * 0.01)",
    "parameter": "self.{}.weight = nn.Parameter(torch.randn(64, 64) * 0.01)",
    "negative": "self.{}.weight.data = -torch.randn(64, 64)",
}


@pytest.mark.parametrize("how", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("place", ["constructor", "method"])
def test_a_call_follows_what_cannot_be_corrected(tmp_path, monkeypatch, how, place):
    fills = [how.format(name) for name in "ab"]
    body = "".join(f"        {line}\n" for line in fills)
    if place == "method":
        text = NET.replace("n_out)\n", "n_out)\n        self.fill()\n", 1).rstrip()
        text += f"\n\n    def fill(self):\n{body}"
    else:
        text = NET.replace("n_out)\n", f"n_out)\n{body}", 1)
    said, after = fixed(tmp_path, monkeypatch, {"net.py": text})
    assert reasons(said) == ["", ""]
    assert {WANTED.format(f"self.{name}.weight") in after["net.py"] for name in "ab"} == {True}
    left = [line for line in after["net.py"].splitlines() if "kaiming" not in line]
    assert left == text.splitlines()


OTHER = """class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.d = nn.Linear(64, 64)
        self.e = nn.Linear(64, 64)
        self.f = nn.Linear(64, 64)
        self.g = nn.Linear(64, 4)

    def forward(self, x):
        return self.g(F.selu(self.f(F.selu(self.e(F.selu(self.d(x)))))))


"""
INIT = """def init(m):
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight, 0.0, 3.0)


"""


def test_a_callback_that_does_not_suit_all_its_models_is_refused(tmp_path, monkeypatch):
    # The call for ReLU is too large before SELU, which keeps the signal with a gain of 1.
    text = NET + OTHER + INIT + "net, other = Net(), Other()\nnet.apply(init)\nother.apply(init)\n"
    said, after = fixed(tmp_path, monkeypatch, {"net.py": text})
    assert after["net.py"] == text
    assert any("also fills" in reason and "of Other" in reason for reason in reasons(said))
    assert all(finding.fix is None for finding in said.findings)


def test_a_model_of_another_file_counts_as_well(tmp_path, monkeypatch):
    other = "import torch.nn.functional as F\nfrom torch import nn\n\n\n" + OTHER
    use = "from other import Other\n\nnet, other = Net(), Other()\n"
    text = NET + INIT + use + "net.apply(init)\nother.apply(init)\n"
    files = {"net.py": text, "other.py": other}
    for targets in (["net.py"], ["net.py", "other.py"]):
        _, after = fixed(tmp_path, monkeypatch, files, *targets)
        assert after == files


def test_biases_that_the_same_call_fills_are_not_given_a_scheme_for_weights(tmp_path, monkeypatch):
    for call in ("nn.init.normal_(p, 0.0, 2.0)", "p.data.normal_(0.0, 2.0)"):
        text = NET + f"net = Net()\nfor p in net.parameters():\n    {call}\n"
        said, after = fixed(tmp_path, monkeypatch, {"net.py": text})
        assert after["net.py"] == text
        assert said.findings
        assert all(reasons(said))


def test_a_loop_over_weights_alone_is_corrected(tmp_path, monkeypatch):
    call = "nn.init.normal_(p, 0.0, 2.0)"
    text = NET + f"net = Net()\nfor p in net.parameters():\n    if p.dim() > 1:\n        {call}\n"
    _, after = fixed(tmp_path, monkeypatch, {"net.py": text})
    assert after["net.py"] == text.replace(call, WANTED.format("p"))


@pytest.mark.parametrize(
    ("call", "tensor"),
    [
        ("nn.init.normal_(net.b.weight, std=2.0)", "net.b.weight"),
        ("net.b.weight.data.normal_(0, 2.0)", "net.b.weight.data"),
        ("nn.init.normal_(tensor=net.b.weight.data, std=2.0)", "net.b.weight.data"),
    ],
)
def test_a_scripts_call_on_one_layer_is_corrected(tmp_path, monkeypatch, call, tensor):
    text = NET + f"net = Net()\n{call}  # small\n"
    _, after = fixed(tmp_path, monkeypatch, {"net.py": text})
    changed = after["net.py"].splitlines()
    assert WANTED.format(tensor) + "  # small" in changed


def test_a_class_of_one_file_that_another_fills_is_corrected_there(tmp_path, monkeypatch):
    run = "from torch import nn\n\nfrom net import Net\n\nnet = Net()\n"
    run += "nn.init.normal_(net.a.weight, 0, 2.0)\nnn.init.normal_(net.b.weight, 0, 2.0)\n"
    files = {"net.py": NET, "run.py": run}
    said, after = fixed(tmp_path, monkeypatch, files)
    assert {f.site.path for f in said.findings} == {"net.py"}
    assert {f.fix.site.path for f in said.findings} == {"run.py"}
    assert after["net.py"] == NET
    assert after["run.py"].count("kaiming_normal_") == 2


def test_a_file_that_nobody_named_is_not_changed(tmp_path, monkeypatch, capsys):
    run = "from torch import nn\n\nfrom net import Net\n\nnet = Net()\n"
    run += "nn.init.normal_(net.b.weight, 0, 2.0)\n"
    files = {"net.py": NET, "run.py": run}
    _, after = fixed(tmp_path, monkeypatch, files, "net.py")
    assert after["run.py"] == run
    main(["check", "net.py", "--no-cache"])
    said = capsys.readouterr().out
    assert "no fix: it is to be made at run.py:6; check that file, too" in said


FIXABLE = {
    "conditional": "self.a = nn.Linear(64, 64) if n_out > 3 else nn.Linear(64, 64, bias=False)",
    "lambda": "self.a = (lambda: nn.Linear(64, 64))()",
    "plain": "self.a = nn.Linear(64, 64)",
}


@pytest.mark.parametrize("kind", FIXABLE)
def test_check_says_fixable_of_what_fix_changes_and_of_nothing_else(tmp_path, monkeypatch, kind):
    text = NET.replace("self.a = nn.Linear(64, 64)", FIXABLE[kind])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(text)
    said = api.check_all(["net.py"], OPTIONS)
    promised = sum(finding.fix is not None for finding in said.findings)
    done = api.fix_all(["net.py"], api.Options(), write=False)
    assert promised == done.count
    assert all(f.fix is not None or f.unfixed for f in said.findings)


HELPER = """def layer_init(layer, std={std}):
    {call}
    return layer


"""


@pytest.mark.parametrize(
    "call",
    [
        "nn.init.normal_(layer.weight, 0.0, std)",
        "nn.init.normal_(layer.weight, std=2 * std)",
        "layer.weight.data.normal_(0.0, std)",
    ],
)
def test_a_helper_that_is_told_the_values_keeps_its_arguments(tmp_path, monkeypatch, call):
    net = NET.replace("nn.Linear(64, 64)", "layer_init(nn.Linear(64, 64))")
    head, cls = net.split("class Net", 1)
    text = head + HELPER.format(call=call, std=2.0) + "class Net" + cls + "net = Net()\n"
    said, after = fixed(tmp_path, monkeypatch, {"net.py": text})
    assert [f.layer for f in said.findings] == ["a", "b"]
    assert call in after["net.py"]
    assert WANTED.format("self.a.weight") in after["net.py"]

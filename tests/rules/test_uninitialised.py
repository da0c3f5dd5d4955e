"""INIT001 and INIT004: memory that nothing writes, and the method that would write it uncalled."""

import pytest

from initlint import api

HEAD = """\
import math
import torch
import torch.nn.functional as F
from torch import nn


def ones(value):
    if isinstance(value, torch.Tensor):
        value.data.fill_(1.0)
"""
NET = """

class Net(nn.Module):
    def __init__(self, n=4, bias=True, deep=False):
        super().__init__()
        self.fc = nn.Linear(n, n)
        {}

    def forward(self, x):
        x = self.fc(x)
        {}
"""
USE = "return x @ self.w"


def found(tmp_path, *lines, use=USE, after="", engine="read", codes=("INIT001",)):
    """The names of parameters, with their codes, of a model whose constructor has these lines."""
    body = "\n        ".join(line.replace("\n", "\n        ") for line in lines)
    (tmp_path / "net.py").write_text(HEAD + NET.format(body, use) + after)
    target = str(tmp_path / "net.py") + (":Net" if engine == "traced" else "")
    report = api.check_all([target], api.Options(codes=frozenset(codes)))
    assert report.layers
    return [(f.code, name) for f in report.findings for name in f.parameters or (f.parameter,)]


@pytest.fixture(params=["read", pytest.param("traced", marks=pytest.mark.torch)])
def engine(request):
    return request.param


UNWRITTEN = {
    "torch.empty": "torch.empty(n, n)",
    "torch.Tensor": "torch.Tensor(n, n)",
    "FloatTensor": "torch.FloatTensor(n, n)",
    "one size": "torch.FloatTensor(n)",
    "empty_like": "torch.empty_like(self.fc.weight)",
    "new_empty": "self.fc.weight.new_empty(n, n)",
    "one device or another": "torch.cuda.FloatTensor(n, n) if torch.cuda.is_available() else "
    "torch.FloatTensor(n, n)",
    "of a device": "torch.empty((n, n), dtype=torch.float32)",
}


@pytest.mark.parametrize("made", UNWRITTEN.values(), ids=UNWRITTEN)
def test_memory_that_nothing_writes(tmp_path, made, engine):
    line = f"self.w = nn.Parameter({made})"
    use = "return x @ self.w.reshape(4, -1)"
    assert found(tmp_path, line, use=use, engine=engine) == [("INIT001", "w")]


WAYS = {
    "register_parameter": "self.register_parameter('w', nn.Parameter(torch.empty(n, n)))",
    "setattr in a loop": "for name in ('w', 'v'):\n"
    "    setattr(self, name, nn.Parameter(torch.empty(n, n)))\nnn.init.ones_(self.v)",
    "the sibling alone": "self.w = nn.Parameter(torch.empty(n, n))\n"
    "self.v = nn.Parameter(torch.empty(n, n))\nself.v.data.normal_()",
    "one branch": "self.w = nn.Parameter(torch.empty(n, n))\nif deep:\n    nn.init.ones_(self.w)",
    "a loop over matrices": "self.w = nn.Parameter(torch.empty(n))\nfor p in self.parameters():\n"
    "    if p.dim() > 1:\n        nn.init.xavier_uniform_(p)",
    "a callback for layers": "self.w = nn.Parameter(torch.empty(n, n))\nself.apply(lambda m: "
    "nn.init.ones_(m.weight) if isinstance(m, nn.Linear) else None)",
}


@pytest.mark.parametrize("lines", WAYS.values(), ids=WAYS)
def test_every_way_to_make_one(tmp_path, lines, engine):
    use = "return x @ self.w.reshape(4, -1)"
    assert found(tmp_path, lines, use=use, engine=engine) == [("INIT001", "w")]


WRITTEN = {
    "values": "self.w = nn.Parameter(torch.FloatTensor([[1.0] * 4] * 4))",
    "no elements": "self.w = nn.Parameter(torch.empty(0, n))",
    "copy_": "self.w = nn.Parameter(torch.empty(n, n))\nself.w.data.copy_(torch.eye(n))",
    ".data": "self.w = nn.Parameter(torch.empty(n, n))\nself.w.data = torch.eye(n)",
    "parts": "self.w = nn.Parameter(torch.empty(n, n))\nself.w.data[:2] = 1\nself.w.data[2:] = 0",
    "before": "w = torch.empty(n, n)\nnn.init.ones_(w)\nself.w = nn.Parameter(w)",
    "all parameters": "self.w = nn.Parameter(torch.empty(n, n))\n"
    "for p in self.parameters():\n    p.data.uniform_(-1, 1)",
    "by name": "self.w = nn.Parameter(torch.empty(n, n))\n"
    "for name, p in self.named_parameters():\n    if 'w' in name:\n        nn.init.ones_(p)",
    "lists": "self.ws = nn.ParameterList([nn.Parameter(torch.empty(n, n)) for _ in range(2)])\n"
    "for w in self.ws:\n    nn.init.ones_(w)\nself.w = self.ws[0]",
}


@pytest.mark.parametrize("lines", WRITTEN.values(), ids=WRITTEN)
def test_memory_that_something_writes(tmp_path, lines, engine):
    use = "return x @ self.w.reshape(4, -1)"
    assert found(tmp_path, lines, use=use, engine=engine) == []


def test_lists_and_tables_of_parameters(tmp_path, engine):
    lines = (
        "self.ws = nn.ParameterList([nn.Parameter(torch.empty(n, n)) for _ in range(2)])",
        "self.t = nn.ParameterDict({'a': nn.Parameter(torch.empty(n)), "
        "'b': nn.Parameter(torch.ones(n))})",
    )
    use = "return x @ self.ws[0] @ self.ws[1] + self.t['a'] + self.t['b']"
    names = found(tmp_path, *lines, use=use, engine=engine)
    assert names == [("INIT001", "ws.0"), ("INIT001", "ws.1"), ("INIT001", "t.a")]


def test_a_bias_that_an_option_makes(tmp_path):
    after = """

class Layer(nn.Module):
    def __init__(self, n, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n, n))
        if bias:
            self.bias = nn.Parameter(torch.empty(n))
        else:
            self.register_parameter("bias", None)
        {}

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)
"""
    forgotten = found(tmp_path, use="return x", after=after.format("nn.init.ones_(self.weight)"))
    filled = after.format("if self.bias is not None:\n            nn.init.zeros_(self.bias)")
    assert forgotten == [("INIT001", "bias")]
    assert found(tmp_path, use="return x", after=filled) == []


BUFFERS = {
    "read": ("return x * self.b", [("INIT001", "b")]),
    "written before it is read": ("self.b.copy_(x[0].detach())\n        return x * self.b", []),
    "written in part": ("self.b[0] = 1.0\n        return x * self.b", []),
    "never used": ("return x", []),
}


@pytest.mark.parametrize(("use", "expected"), BUFFERS.values(), ids=BUFFERS)
def test_buffers(tmp_path, use, expected, engine):
    line = "self.register_buffer('b', torch.empty(n))"
    assert found(tmp_path, line, use=use, engine=engine) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("self.b = nn.Buffer(torch.empty(n))", [("INIT001", "b")]),
        ("self.b = nn.Buffer(torch.zeros(n))", []),
        ("self.b = nn.Buffer(torch.empty(n))\nnn.init.ones_(self.b)", []),
        ("self.register_buffer('b', torch.empty(n))\nnn.init.ones_(self.b)", []),
        ("self.register_buffer('b', torch.empty(n))\nself.b.fill_(1.0)", []),
        ("self.register_buffer('b', torch.empty(n))\nself.b.data.fill_(1.0)", []),
        ("self.register_buffer('b', torch.empty(n))\nself.b.data = torch.ones(n)", []),
        ("self.register_buffer('b', torch.empty(n))\nones(self.b)", []),
        ("self.register_buffer('b', torch.empty(n), persistent=False)", [("INIT001", "b")]),
        ("b = torch.empty(n)\nself.register_buffer('b', b)\nones(self.b)", []),
    ],
)
def test_buffers_that_the_constructor_fills(tmp_path, line, expected, engine):
    assert found(tmp_path, line, use="return x * self.b", engine=engine) == expected


def test_a_parent_may_fill_it(tmp_path):
    after = """

class Inner(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.w = nn.Parameter(torch.empty(n, n))

    def forward(self, x):
        return x @ self.w


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Inner(4)
        {}

    def forward(self, x):
        return self.inner(x)
"""
    fills = after.format("nn.init.eye_(self.inner.w)")
    assert found(tmp_path, use="return x", after=fills) == []
    assert found(tmp_path, use="return x", after=after.format("")) == [("INIT001", "inner.w")]


@pytest.mark.parametrize(
    "code",
    [
        "def load(model, path):\n    model.w.data.copy_(torch.load(path))",
        "def fill(model):\n    for p in model.parameters():\n        p.data.uniform_(-1, 1)",
    ],
)
def test_code_that_nothing_calls_may_fill_it(tmp_path, code):
    line = "self.w = nn.Parameter(torch.empty(n, n))"
    assert found(tmp_path, line, after=f"\n\n{code}\n") == []


def test_unread_code_may_fill_it(tmp_path):
    line = "self.w = nn.Parameter(torch.empty(n, n))"
    assert found(tmp_path, "from lib import fill", line, "fill(self)") == []
    assert found(tmp_path, "from lib import fill", line, "fill(self.w)") == []


METHOD = """
    def {name}(self):
        nn.init.ones_({target})
"""


@pytest.mark.parametrize("name", ["reset_parameters", "_init_weights", "init_weights"])
def test_a_method_that_nothing_calls(tmp_path, name):
    line = "self.w = nn.Parameter(torch.empty(n, n))"
    codes = ("INIT001", "INIT004")
    method = METHOD.format(name=name, target="self.w")
    report = found(tmp_path, line, after=method, codes=codes)
    assert [code for code, _ in report] == ["INIT004"]
    called = found(tmp_path, line, f"self.{name}()", after=method, codes=codes)
    assert called == []


def test_a_private_method_for_layers_with_a_default(tmp_path):
    codes = ("INIT004",)
    for name, expected in (("_init_weights", 1), ("reset_parameters", 0), ("init_weights", 0)):
        method = METHOD.format(name=name, target="self.fc.weight")
        report = found(tmp_path, use="return x", after=method, codes=codes)
        assert len(report) == expected, name


def test_a_public_method_of_a_model_that_is_trained(tmp_path):
    method = METHOD.format(name="init_weights", target="self.fc.weight")
    script = """

net = Net()
{}
optimiser = torch.optim.SGD(net.parameters(), 0.1)
net(torch.randn(2, 4)).sum().backward()
optimiser.step()
"""
    for line, expected in (("", 1), ("net.init_weights()", 0)):
        after = method + script.format(line)
        assert len(found(tmp_path, use="return x", after=after, codes=("INIT004",))) == expected


TRANSFORMERS = """

from transformers import PreTrainedModel


class Base(PreTrainedModel):
    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)


class Body(Base):
    def __init__(self, config):
        super().__init__(config)
        self.fc = nn.Linear(8, 8)
        self.post_init()

    def forward(self, x):
        return self.fc(x)


class Head(Base):
    def __init__(self, config):
        super().__init__(config)
        self.body = Body(config)
        {}

    def forward(self, x):
        return self.body(x)
"""


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("self.out = nn.Linear(8, 2)", 1),
        ("self.out = nn.Linear(8, 2)\n        self.post_init()", 0),
        ("self.out = nn.Linear(8, 2)\n        nn.init.zeros_(self.out.weight)", 0),
        ("self.width = 8", 0),
    ],
)
def test_a_model_of_transformers_without_post_init(tmp_path, lines, expected):
    after = TRANSFORMERS.replace("{}", lines)
    assert len(found(tmp_path, use="return x", after=after, codes=("INIT004",))) == expected


def test_a_model_that_another_one_makes_by_its_configuration(tmp_path):
    after = (
        TRANSFORMERS.replace("{}", "self.out = nn.Linear(8, 2)")
        + """

class Whole(Base):
    def __init__(self, config):
        super().__init__(config)
        self.head = Head._from_config(config.head)
        self.post_init()

    def forward(self, x):
        return self.head(x)
"""
    )
    assert found(tmp_path, use="return x", after=after, codes=("INIT004",)) == []


def test_a_loop_that_asks_for_reset_parameters_calls_it(tmp_path):
    after = """

class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Net()
        self.reset_parameters()

    def reset_parameters(self):
        for m in self.children():
            if hasattr(m, "reset_parameters"):
                m.reset_parameters()

    def forward(self, x):
        return self.inner(x)
"""
    fill = "\n\n    def reset_parameters(self):\n        nn.init.ones_(self.w)\n"
    made = "self.w = nn.Parameter(torch.empty(n, n))"
    assert found(tmp_path, made, use=USE + fill, after=after, codes=("INIT001", "INIT004")) == []

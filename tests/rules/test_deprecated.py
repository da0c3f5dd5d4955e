"""INIT008: calls of initialisers by their old names, in both engines, and their fix."""

import pytest

from initlint import api

pytestmark = pytest.mark.torch

NET = """\
import torch
from torch import nn
{imports}


{functions}class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 10)
        {call}

    def forward(self, x):
        return self.head(x)
"""
# A call, the imports and functions that it needs, and what it becomes.
CALLS = {
    "nn.init.xavier_uniform(self.head.weight)": (
        "",
        "",
        "nn.init.xavier_uniform_(self.head.weight)",
    ),
    "torch.nn.init.normal(self.head.weight, 0.0, 0.01)": (
        "",
        "",
        "torch.nn.init.normal_(self.head.weight, 0.0, 0.01)",
    ),
    "I.constant(self.head.bias, val=0.5)": (
        "import torch.nn.init as I",
        "",
        "I.constant_(self.head.bias, val=0.5)",
    ),
    "init.kaiming_normal(  # why\n            self.head.weight, a=1\n        )": (
        "from torch.nn import init",
        "",
        "init.kaiming_normal_(  # why\n            self.head.weight, a=1\n        )",
    ),
    "orthogonal(self.head.weight)": (
        "from torch.nn.init import orthogonal",
        "",
        "nn.init.orthogonal_(self.head.weight)",
    ),
    "sparse(tensor=self.head.weight, sparsity=0.5)": (
        "from torch.nn.init import sparse_ as s, sparse as sparse",
        "",
        "s(tensor=self.head.weight, sparsity=0.5)",
    ),
    "self.apply(fill)": (
        "",
        "def fill(m):\n    if isinstance(m, nn.Linear):\n        nn.init.eye(m.weight)\n\n\n",
        "self.apply(fill)",
    ),
    "nn.init.uniform(nn.init.normal_(self.head.weight))": (
        "",
        "",
        "nn.init.uniform_(nn.init.normal_(self.head.weight))",
    ),
}


DEEP = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.body = nn.Linear(8, 64), nn.Linear(64, 64)
        self.head = nn.Linear(64, 10)
        {}

    def forward(self, x):
        return self.head(self.body(self.first(x).relu()).relu())
"""


def check(path, trace, source):
    path.write_text(source)
    options = api.Options(trace=trace)
    return options, api.check_all([str(path)], options).findings


@pytest.mark.parametrize("trace", [False, True], ids=["read", "traced"])
@pytest.mark.parametrize("call", CALLS)
def test_an_old_name_is_reported_and_gets_its_underscore(call, trace, tmp_path):
    imports, functions, new = CALLS[call]
    path = tmp_path / "net.py"
    source = NET.format(imports=imports, functions=functions, call=call)
    options, found = check(path, trace, source)
    (finding,) = [f for f in found if f.code == "INIT008"]
    assert finding.severity == "error" and finding.fix.applicability == "safe"
    fixed = api.fix_all([str(path)], options)
    assert fixed.count == 1 and not fixed.refused
    written = path.read_text()
    assert new in written
    assert ("nn.init.eye_(m.weight)" in written) == bool(functions)
    assert [f for f in fixed.report.findings if f.code == "INIT008"] == []


# Nothing that an old name is called by, or nothing that could be another function elsewhere.
REFUSED = {
    "TABLE['x'](self.head.weight)": "TABLE = {'x': nn.init.xavier_normal}",
    "FILL(self.head.weight)": "FILL = nn.init.xavier_normal",
    "Fills.fill(self.head.weight)": "class Fills:\n    fill = staticmethod(nn.init.xavier_normal)",
}


@pytest.mark.parametrize("call", REFUSED)
def test_a_call_that_does_not_name_the_function_is_reported_and_left(call, tmp_path):
    path = tmp_path / "net.py"
    source = NET.format(imports=REFUSED[call], functions="", call=call)
    options, found = check(path, True, source)
    assert [f.code for f in found] == ["INIT008"]
    fixed = api.fix_all([str(path)], options)
    assert path.read_text() == source
    assert [reason.split("`")[2] for _, reason in fixed.refused] == [
        " is called here, which may be another function elsewhere"
    ]


def test_a_call_that_gets_another_initialiser_needs_no_new_name(tmp_path):
    path = tmp_path / "net.py"
    source = DEEP.format("nn.init.xavier_uniform(self.body.weight, gain=0.5)")
    options, found = check(path, True, source)
    assert {f.code for f in found} == {"INIT008", "INIT102"}
    fixed = api.fix_all([str(path)], options)
    assert fixed.count == 2 and fixed.findings == ()
    assert 'kaiming_normal_(self.body.weight, mode="fan_in"' in path.read_text()


def test_the_old_name_is_mended_where_the_rest_is_left(tmp_path):
    path = tmp_path / "net.py"
    calls = "nn.init.uniform(self.body.weight)\n        nn.init.normal(self.body.weight)"
    path.write_text(DEEP.format(calls))
    options = api.Options(trace=True, codes=frozenset({"INIT008", "INIT106"}))
    fixed = api.fix_all([str(path)], options)
    assert fixed.count == 2 and [f.code for f in fixed.findings] == ["INIT106"]


@pytest.mark.parametrize("trace", [False, True], ids=["read", "traced"])
@pytest.mark.parametrize(
    "call",
    [
        "nn.init.trunc_normal_(self.head.weight)",
        "self.head.weight.data.normal_()",
        "self.head.weight.data = torch.normal(0.0, 0.1, (10, 64))",
        "nn.init.calculate_gain('relu')",
    ],
)
def test_what_has_no_new_name_is_left_alone(call, trace, tmp_path):
    source = NET.format(imports="", functions="", call=call)
    _, found = check(tmp_path / "net.py", trace, source)
    # A head of std 1 is loud, which is another rule's matter.
    assert {f.code for f in found} <= {"INIT305"}

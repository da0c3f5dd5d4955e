"""What numbers, texts and lists are instances of: the abstract classes of Python's library."""

import pytest

from initlint import api

NET = """\
import collections.abc
import numbers
from torch import nn


class Net(nn.Module):
    def __init__(self, size={value}):
        super().__init__()
        width = 8 if isinstance(size, {wanted}) else 16
        self.fc = nn.Linear(width, 3)

    def forward(self, x):
        return self.fc(x)
"""


@pytest.mark.parametrize(
    ("value", "wanted", "width"),
    [
        ("4", "numbers.Integral", 8),
        ("4", "numbers.Number", 8),
        ("4.5", "numbers.Integral", 16),
        ("4.5", "(str, numbers.Real)", 8),
        ("True", "numbers.Integral", 8),
        ("'4'", "numbers.Number", 16),
        ("(4, 4)", "numbers.Number", 16),
        ("[4, 4]", "(numbers.Number, list)", 8),
        ("4", "collections.abc.Iterable", 16),
        ("4", "collections.abc.Hashable", 8),
        ("'4'", "collections.abc.Sequence", 8),
        ("(4, 4)", "collections.abc.Sequence", 8),
    ],
)
def test_instances_of_abstract_classes(tmp_path, value, wanted, width):
    path = tmp_path / "net.py"
    path.write_text(NET.format(value=value, wanted=wanted))
    assert [layer.fan_in for layer in api.check(str(path)).layers] == [width]


HELD = """\
import types
import weakref
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 4)

    def forward(self, x):
        return self.c(self.b(self.a(x).relu()).relu())


def fill(m):
    if isinstance(m, nn.Linear):
        nn.init.kaiming_normal_(m.weight, nonlinearity="relu")


net = Net()
{held}
torch.optim.SGD(net.parameters(), 0.1)
"""


@pytest.mark.parametrize(
    ("held", "is_filled"),
    [
        ("seen = weakref.WeakKeyDictionary()\nseen.get(net)\nseen[net] = 1", False),
        ("seen = weakref.WeakSet()\nseen.add(net)", False),
        ("weakref.ref(net)().eval()", False),
        ("weakref.ref(net)().apply(fill)", True),
        ("weakref.proxy(net).train()", False),
        ("weakref.proxy(net).apply(fill)", True),
        ("nets = weakref.WeakValueDictionary()\nnets['a'] = net\nnets['a'].apply(fill)", True),
        ("types.MappingProxyType({'a': net})['a'].apply(fill)", True),
        ("types.MappingProxyType({'a': net}).get('a')", False),
    ],
)
def test_what_holds_a_model_weakly_leaves_it_as_it_is(tmp_path, held, is_filled):
    path = tmp_path / "net.py"
    path.write_text(HELD.format(held=held))
    report = api.check(str(path))
    assert report.unanalysed == ()
    # What is not filled leaves a function that nothing calls.
    assert {f.code for f in report.findings} == (set() if is_filled else {"INIT101", "INIT004"})

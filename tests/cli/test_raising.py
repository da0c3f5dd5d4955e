"""A model whose constructor or initialiser raises: one line that names it, and exit code 2."""

import pytest

from initlint.cli.main import main

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.w = nn.Parameter(torch.zeros(8, 8))
        {}

    def forward(self, x):
        return self.fc(x) @ self.w
"""
IN_PLACE = "self.w.normal_()"
RAISING = {
    "Kaiming of a bias": "nn.init.kaiming_normal_(self.fc.bias)",
    "in place": IN_PLACE,
    "no such function": "nn.init.zeros(self.w)",
    "no such attribute": "nn.init.zeros_(self.cf.weight)",
    "a module": "nn.init.xavier_uniform_(self.fc)",
    "None": "nn.init.zeros_(self.register_parameter('b', None))",
    "an error of the user's": "raise KeyError('width')",
    "a number": "nn.init.normal_(self.w, std='0.1')",
    "an end": "raise SystemExit(3)",
    "an interrupt": "raise KeyboardInterrupt",
    "no message": "assert self.fc is None",
    "other letters": "raise ValueError('gr\\xf6\\xdfe \\u202e')",
    "several lines": "raise ValueError('one\\ntwo')",
    "several errors": "raise ExceptionGroup('many', [ValueError('a'), KeyError('b')])",
    "a text that raises": "raise type('E', (Exception,), {'__str__': lambda e: 1 / 0})()",
    "a package that is missing": "import no_such_package",
    "too few arguments": "nn.Linear(3)",
    "a bias that is None": "nn.init.zeros_(nn.Linear(4, 4, bias=False).bias)",
    "groups": "nn.Conv2d(3, 8, 3, groups=2)",
    "heads": "nn.MultiheadAttention(10, 3)",
    "norm groups": "nn.GroupNorm(3, 8)",
    "a state of other sizes": "self.load_state_dict({'w': torch.zeros(3, 3)})",
    "a copy of other sizes": "self.w.data.copy_(torch.zeros(5, 8))",
    "a scheme that is not there": "{'xavier': nn.init.xavier_uniform_}['kaiming'](self.w)",
    "a function by its name": "getattr(nn.init, 'xavier')(self.w)",
    "a name twice": "self.register_buffer('w', torch.zeros(3))",
    "a dot in a name": "self.add_module('a.b', nn.Linear(2, 2))",
    "no module": "nn.ModuleList([nn.Linear(2, 2), 3])",
    "an index": "nn.init.zeros_(nn.Sequential(nn.Linear(2, 2))[3].weight)",
    "a callback with two arguments": "self.apply(lambda m, std: None)",
    "a number by zero": "nn.init.normal_(self.w, std=1 / len([]))",
    "a value of meta": "torch.zeros(1, device='meta').item()",
    "a file": "self.load_state_dict(torch.load('nowhere.pt'))",
    "a device": "torch.zeros(1, device='cuda:99')",
    "the environment": "int(__import__('os').environ['NOWHERE_SET'])",
    "a pair that is none": "a, b = self.children()",
    "a text and a number": "nn.Linear('4' + 4, 3)",
    "an error in Python's library": "__import__('json').loads('{')",
    "a copy of what has none": "__import__('copy').deepcopy(__import__('threading').Lock())",
}
HIDDEN = {
    "a range": "nn.init.uniform_(self.w, 1.0, 0.02)",
    "the range of a method": "self.w.data.uniform_(1.0, 0.02)",
}


def run(tmp_path, capsys, line, command):
    path = tmp_path / "net.py"
    path.write_text(NET.format(line))
    code = main([command, f"{path}:Net"])
    return code, capsys.readouterr()


@pytest.mark.torch
@pytest.mark.parametrize("line", RAISING.values(), ids=RAISING)
def test_a_constructor_that_raises(tmp_path, capsys, line):
    code, printed = run(tmp_path, capsys, line, "apply" if line == IN_PLACE else "check")
    assert code == 2
    assert "net.py:10: " in printed.err and "internal error" not in printed.err
    assert "Traceback" not in printed.err + printed.out
    assert len(printed.err.strip().splitlines()) == 1


@pytest.mark.torch
@pytest.mark.parametrize("line", HIDDEN.values(), ids=HIDDEN)
def test_what_meta_hides_ends_when_it_is_drawn(tmp_path, capsys, line):
    code, printed = run(tmp_path, capsys, line, "apply")
    assert code == 2
    assert "net.py:10: RuntimeError: uniform_ expects" in printed.err
    assert "internal error" not in printed.err

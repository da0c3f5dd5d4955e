"""What --fix says of the fixes that it leaves out."""

import pytest

from initlint.cli import main as cli

DEEP = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(64, 64)
        self.first = nn.ModuleList([nn.Linear(64, 64) for _ in range(4)])
        self.second = nn.ModuleList([nn.Linear(64, 64) for _ in range(4)])
        self.head = nn.Linear(64, 10)
        for layer in self.second:
            nn.init.normal_(layer.weight, 0, 0.01)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        for layer in self.first:
            x = torch.relu(layer(x))
        for layer in self.second:
            x = torch.relu(layer(x))
        return self.head(x)
"""
# The members of a dict meet different activations, and nothing tells them apart.
REFUSED = """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ModuleDict({k: nn.Linear(64, 64) for k in "abcd"})
        for p in self.parameters():
            nn.init.normal_(p, 0, 0.001)

    def forward(self, x):
        x = torch.relu(self.up["b"](torch.relu(self.up["a"](x))))
        return torch.tanh(self.up["d"](torch.relu(self.up["c"](x))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(64, 64)
        self.block = Block()
        self.l1 = nn.Linear(64, 64)
        self.l2 = nn.Linear(64, 64)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.block(torch.relu(self.stem(x)))
        return self.fc(torch.relu(self.l2(torch.relu(self.l1(x)))))
"""
WHY = "(may override a deliberate choice).\n"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(source, options):
        (tmp_path / "net.py").write_text(source)
        code = cli.main(["check", "net.py", *options.split()])
        return code, *capsys.readouterr()

    return run


def test_what_remains_is_counted_with_the_option_that_fixes_it(run):
    code, out, err = run(DEEP, "--fix")
    assert code == 1 and "INIT106" in out and "INIT101" not in out
    remain = f"1 finding remains in 1 model; 1 fixable with --fix --unsafe-fixes {WHY}"
    assert err == f"Fixed 1 finding in 1 file.\n{remain}"


def test_a_number_in_the_code_stays_without_the_option(run, tmp_path):
    run(DEEP, "--fix")
    assert "nn.init.normal_(layer.weight, 0, 0.01)" in (tmp_path / "net.py").read_text()
    code, out, _ = run(DEEP, "--fix --unsafe-fixes")
    assert (code, out) == (0, "")
    assert "normal_(layer.weight, 0" not in (tmp_path / "net.py").read_text()


def test_a_patch_says_what_it_leaves_out(run):
    code, _, err = run(DEEP, "--diff")
    assert (code, err) == (1, f"Would fix 1 finding in 1 file; 1 more with --unsafe-fixes {WHY}")
    code, _, err = run(DEEP, "--diff --select INIT106")
    assert (code, err) == (0, f"Would fix nothing; 1 finding with --unsafe-fixes {WHY}")


@pytest.mark.parametrize("option", ["", "--fix", "--fix --unsafe-fixes"])
def test_no_option_is_named_that_would_not_fix(run, option):
    """--fix plans what remains as check plans all findings."""
    _, out, err = run(REFUSED, option)
    assert "INIT106" in out and "unsafe-fixes" not in out + err

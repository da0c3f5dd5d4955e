"""initlint apply: weights that a constructor loads from a file are not overwritten unasked."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from initlint.cli import main as cli

SOURCE = """import torch
from torch import load, nn
from safetensors.torch import load_file


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 4)
        {loading}

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))
"""


@pytest.fixture
def apply(tmp_path, monkeypatch, capsys):
    """Writes a model with this line in its constructor, and applies; gives code and stderr."""
    monkeypatch.chdir(tmp_path)
    weights = nn.Linear(8, 16).state_dict()
    torch.save(weights, "a.pt")
    save_file(weights, "a.safetensors")

    def run(loading, *options):
        (tmp_path / "net.py").write_text(SOURCE.format(loading=loading))
        code = cli.main(["apply", "net.py:Net", "--out", "out.safetensors", *options])
        return code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    "loading",
    [
        'self.a.load_state_dict(torch.load("a.pt"))',
        'self.a.load_state_dict(load("a.pt"))',
        'self.a.load_state_dict(torch.load("a.pt"), assign=True)',
        'self.a.weight.data.copy_(torch.load("a.pt")["weight"])',
        'self.a.load_state_dict(load_file("a.safetensors"))',
    ],
)
def test_loaded_weights_are_refused_in_one_line(apply, loading, tmp_path):
    code, stderr = apply(loading)
    assert code == 2 and not (tmp_path / "out.safetensors").exists()
    assert "loaded from a file (a.weight" in stderr and stderr.count("\n") == 1


@pytest.mark.parametrize(
    "loading",
    [
        "self.a.load_state_dict(nn.Linear(8, 16).state_dict())",
        'torch.load("a.pt")',
        'self.a.load_state_dict(torch.load("a.pt")); nn.init.normal_(self.a.weight); '
        "nn.init.zeros_(self.a.bias)",
    ],
    ids=["of another module", "thrown away", "drawn again"],
)
def test_what_is_not_loaded_is_not_refused(apply, loading):
    assert apply(loading)[0] == 0


def test_skip_keeps_what_was_loaded_and_force_does_not(apply):
    loading = 'self.a.load_state_dict(torch.load("a.pt"))'
    assert apply(loading, "--skip", "a", "--seed", "1")[0] == 0
    loaded = torch.load("a.pt")["weight"]
    assert load_file("out.safetensors")["a.weight"].equal(loaded)
    assert apply(loading, "--force", "--scope", "all", "--seed", "1")[0] == 0
    assert not load_file("out.safetensors")["a.weight"].equal(loaded)

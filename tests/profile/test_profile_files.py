"""profile of paths: read, predicted without torch, every model with a heading of its own."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

import initlint
from initlint.cli import main as cli

ROOT = Path(__file__).parents[2]
NET = """from torch import nn
import torch


class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.fc1 = nn.Linear(64, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, width)
        self.head = nn.Linear(width, 10)
        {init}

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        {between}
        x = torch.relu(self.fc3(x))
        return self.head(x)


class Other(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, width) for _ in range(4)])
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.norm(x)
"""


def source(init="pass", between="pass"):
    return NET.format(init=init, between=between)


def profile(tmp_path, text):
    (tmp_path / "net.py").write_text(text)
    return initlint.profile(tmp_path / "net.py")


def test_all_models_of_a_file(tmp_path):
    found = profile(tmp_path, source())
    assert [model.model for model in found.models] == ["Net", "Other"]
    net, other = found.models
    assert [row.layer for row in net.rows["present"]] == ["fc1", "fc2", "fc3", "head"]
    assert [row.layer for row in other.rows["present"]] == [f"layers.{n}" for n in range(4)]
    assert all(row.measured is None for row in found.rows)
    assert all("  measured" not in line for line in str(found).splitlines())
    assert any("nothing is run" in note for note in net.notes)
    assert any("taken for equal" in note for note in other.notes)
    text = str(found)
    assert text.index("Net:") < text.index("Other:")


def test_the_three_ways(tmp_path):
    found = profile(tmp_path, source("nn.init.normal_(self.fc2.weight, std=1.0)"))
    rows = [course[1].predicted for course in (found.rows, found.recommended, found.default)]
    present, recommended, default = rows
    assert present == pytest.approx(default * 8 * math.sqrt(3), rel=0.2)
    assert found.rows[0].predicted == pytest.approx(1 / math.sqrt(3), rel=0.05)
    assert default < recommended < present


def test_recommended_is_what_fix_leaves(tmp_path):
    """The first layer and the last have no finding, so they stay as they are."""
    found = profile(tmp_path, source("pass"))
    assert found.recommended[0].predicted == found.rows[0].predicted
    mended = tmp_path / "mended.py"
    mended.write_text((tmp_path / "net.py").read_text())
    assert initlint.fix(mended, write=True).count > 0
    fixed = initlint.profile(mended).models[0].rows["present"]
    for row, other in zip(found.recommended, fixed, strict=False):
        # apply_ zeroes the biases, too.
        assert row.predicted == pytest.approx(other.predicted, rel=0.03)


def test_indices_are_spoken_of_only_where_there_is_a_table(tmp_path):
    assert "indices" not in str(profile(tmp_path, source("pass")))
    text = (
        "from torch import nn\n\nclass Words(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.emb = nn.Embedding(100, 16)\n"
        "        self.fc = nn.Linear(16, 4)\n\n    def forward(self, ids):\n"
        "        return self.fc(self.emb(ids))\n"
    )
    assert "uniform over the rows of the embedding" in str(profile(tmp_path, text))


@pytest.mark.torch
def test_what_is_read_is_what_is_measured(tmp_path):
    pytest.importorskip("torch")
    text = source("nn.init.kaiming_normal_(self.fc2.weight)")
    read = profile(tmp_path, text)
    namespace = {}
    exec(compile(text, "net", "exec"), namespace)
    run = initlint.profile(namespace["Net"])
    for one, other in zip(read.models[0].rows["present"], run.rows, strict=True):
        assert one.parameter == other.parameter
        assert one.predicted == pytest.approx(other.measured, rel=0.25)
        assert one.predicted_gradient == pytest.approx(other.measured_gradient, rel=0.25)


UNKNOWN = {
    "operation": ("pass", "x = torch.cumsum(x, -1)", "cumsum", "fc3"),
    "function": ("pass", "x = helper(x)", "an operation is not known", "fc3"),
    "initialiser": ("load(self.fc2)", "pass", "initialisation of fc2.weight", "fc2"),
}


@pytest.mark.parametrize(("init", "between", "said", "first"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_known_starts_again(tmp_path, init, between, said, first):
    text = "from lib import helper, load\n" + source(init, between)
    found = profile(tmp_path, text).models[0]
    rows = {row.layer: row for row in found.rows["present"]}
    assert said in rows[first].relative_to
    assert rows["fc1"].relative_to == "" and rows["fc1"].predicted > 0


def test_what_a_birth_fills_counts(tmp_path):
    text = source() + "\nmodel = Net()\nnn.init.zeros_(model.fc3.weight)\n"
    found = profile(tmp_path, text)
    rows = {row.layer: row for row in found.models[0].rows["present"]}
    # Its bias is left.
    assert rows["fc3"].predicted == pytest.approx(1 / math.sqrt(3 * 64), rel=0.01)


BAD = {
    "a syntax error": "def f(:\n",
    "no model": "x = 1\n",
    "no forward": "from torch import nn\nclass A(nn.Module):\n    pass\n",
    "hostile names": source().replace("self.fc1", "self.fc1").replace("Net", "Nét"),
    "nothing": "",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_bad_files_end_in_no_traceback(tmp_path, text, capsys):
    (tmp_path / "net.py").write_text(text)
    code = cli.main(["profile", str(tmp_path / "net.py"), "--out", str(tmp_path / "p.html")])
    captured = capsys.readouterr()
    assert code in (0, 2) and "internal error" not in captured.err
    assert captured.err.count("\n") <= 1


def test_a_folder(tmp_path, capsys):
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(source().replace("Net", f"Net{name}"))
    assert cli.main(["profile", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "Neta" in out and "Netb" in out


def test_torch_is_not_needed(tmp_path):
    (tmp_path / "net.py").write_text(source())
    script = (
        "import sys; sys.modules['torch'] = None; from initlint.cli.main import main;"
        f"sys.exit(main(['profile', {str(tmp_path / 'net.py')!r}, '--out',"
        f" {str(tmp_path / 'p.html')!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "fc1" in done.stdout and "<svg" in (tmp_path / "p.html").read_text()
    script = script.replace("net.py'", "net.py:Net'")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "torch" in done.stderr and done.stderr.count("\n") == 1

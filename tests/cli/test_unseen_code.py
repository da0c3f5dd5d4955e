"""A file whose model is made by code that is not read: said, and no failure of the request."""

import pytest

from initlint.cli.main import main

UNSEEN = {
    "its parts": "from torch import nn\nfrom elsewhere import build\n\nclass Net(nn.Module):\n"
    "    def __init__(self, config):\n        super().__init__()\n"
    "        self.body = build(config)\n\n"
    "    def forward(self, x):\n        return self.body(x)\n",
    "its base class": "import torch\nfrom elsewhere import Base\n\nclass Net(Base):\n"
    "    def forward(self, x):\n        return torch.relu(x)\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty project, where the command line runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


@pytest.mark.parametrize("source", UNSEEN.values(), ids=UNSEEN)
def test_a_model_that_code_beyond_the_files_makes_is_said_and_passes(folder, capsys, source):
    (folder / "net.py").write_text(source)
    assert main(["check", "net.py"]) == 0
    out, err = capsys.readouterr()
    said, summary = err.splitlines()
    assert out == ""
    assert said.startswith("initlint: not analysed: net.py: Net: ")
    assert summary == "Found no weights to judge; 1 not analysed."


def test_a_model_that_is_given_up_fails_where_nothing_else_is_judged(folder, capsys):
    loop = (
        "        for i in range(9999):\n            for j in range(9999):\n                pass\n"
    )
    (folder / "net.py").write_text(
        "from torch import nn\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        f"        super().__init__()\n        self.fc = nn.Linear(8, 8)\n{loop}"
    )
    assert main(["check", "net.py"]) == 2
    assert "gave up" in capsys.readouterr().err

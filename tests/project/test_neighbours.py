"""A file read alone is judged as it is used in its project."""

import json
import subprocess
import sys

import pytest

import initlint
from initlint import api

BLOCK = """import torch
from torch import nn


class Mlp(nn.Module):
    def __init__(self, dim=64):
        super().__init__()
        self.fc1 = nn.Linear(dim, 64)
        self.fc2 = nn.Linear(64, dim)
        nn.init.normal_(self.fc1.weight, std=0.001)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))
"""
USER = """from torch import nn

from .blocks import Mlp


class Block(nn.Module):
    def __init__(self, dim=64):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)

    def forward(self, x):
        return x + self.mlp(self.norm(x))
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    package = tmp_path / "package"
    package.mkdir()
    for name, text in {"__init__": "", "blocks": BLOCK, "vit": USER}.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    return package


def codes(path):
    return [finding.code for finding in initlint.check(str(path)).findings]


@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
def test_a_part_of_a_file_not_named_is_no_model(project, absolute):
    path = project / "blocks.py" if absolute else "package/blocks.py"
    report = initlint.check(str(path))
    assert not report.findings
    assert {layer.site.path for layer in report.layers} == {str(path)}


def test_what_nobody_uses_is_a_model(project):
    (project / "vit.py").write_text("# Mlp is only spoken of here\n")
    assert codes("package/blocks.py") == ["INIT106"]


def test_beyond_the_project_nobody_is_asked(project):
    (project / "vit.py").rename(project.parent.parent / "vit.py")
    assert codes("package/blocks.py") == ["INIT106"]


def test_without_a_project_the_folder_is(project):
    (project.parent / "pyproject.toml").unlink()
    assert codes("package/blocks.py") == []


def test_broken_files_beside_are_not_reported(project):
    (project / "broken.py").write_text("class Mlp(\n")
    report = initlint.check("package/blocks.py")
    assert not report.findings and not report.unanalysed


def test_the_command_line_agrees(project):
    done = subprocess.run(
        [sys.executable, "-m", "initlint", "check", "--no-cache", "package/blocks.py"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_another_class_of_that_name_is_another(project):
    other = "from torch import nn\n\nclass Mlp(nn.Module):\n    pass\n\nblocks = [Mlp]\n"
    (project / "vit.py").write_text(other)
    assert codes("package/blocks.py") == ["INIT106"]


def test_what_a_package_hands_on_is_found(project):
    (project / "__init__.py").write_text("from .blocks import Mlp\n")
    text = (project / "vit.py").read_text().replace("from .blocks", "from package")
    (project.parent / "user.py").write_text(text)
    (project / "vit.py").unlink()
    assert codes("package/blocks.py") == []


def test_a_part_that_is_looked_up_by_a_name_worked_out_later_is_no_model(project):
    text = USER.replace("from .blocks import Mlp", "from . import blocks")
    (project / "vit.py").write_text(text.replace("Mlp(dim)", "getattr(blocks, self.kind)(dim)"))
    assert codes("package/blocks.py") == []
    renamed = (project / "vit.py").read_text().replace("import blocks", "import blocks as parts")
    (project / "vit.py").write_text(renamed.replace("getattr(blocks", "getattr(parts"))
    assert codes("package/blocks.py") == []
    # Outside of classes whole models are looked up so.
    (project / "vit.py").write_text("from . import blocks\n\nmodel = getattr(blocks, kind)()\n")
    assert codes("package/blocks.py") == ["INIT106"]


def test_a_part_may_stand_in_another_file_than_its_layers(project):
    outer = project.parent / "outer"
    outer.mkdir()
    wrapper = """from torch import nn

from package.blocks import Mlp


class Wrapper(nn.Module):
    def __init__(self, dim=64):
        super().__init__()
        self.mlp = Mlp(dim)

    def forward(self, x):
        return self.mlp(x)
"""
    (outer / "wrap.py").write_text(wrapper)
    (project / "vit.py").unlink()
    both = ["package/blocks.py", "outer/wrap.py"]
    assert [f.code for f in api.check_all(both, api.Options()).findings] == ["INIT106"]
    user = USER.replace("from .blocks import Mlp", "from outer.wrap import Wrapper as Mlp")
    (project.parent / "user.py").write_text(user)
    assert not api.check_all(both, api.Options()).findings


NET = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(n, 64), nn.Linear(64, 64), nn.Linear(64, 2)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))
"""
AGENT = """from .blocks import Net


class Agent:
    def __init__(self, n):
        self.net = Net(n)

    def load(self, path):
        self.net.load_state_dict(torch.load(path))
"""
PLAY = "from package.agent import Agent\n\nagent = Agent(8)\n"


@pytest.mark.parametrize("kind", ["apart", "in the model's file"])
@pytest.mark.parametrize("load", [False, True], ids=["fresh", "loaded"])
def test_what_a_script_does_to_an_agent_counts_for_its_model(project, kind, load):
    agent = "import torch\n" + AGENT
    (project / "blocks.py").write_text(NET)
    if kind == "apart":
        (project / "agent.py").write_text(agent)
        (project / "vit.py").write_text(PLAY + 'agent.load("net.pt")\n' * load)
    else:
        text = NET + agent.replace("from .blocks import Net\n", "")
        (project / "blocks.py").write_text(text)
        script = PLAY.replace("package.agent", "package.blocks")
        (project / "vit.py").write_text(script + 'agent.load("net.pt")\n' * load)
    alone = [(f.code, f.layer) for f in initlint.check("package/blocks.py").findings]
    assert alone == ([] if load else [("INIT101", "b")])
    whole = [f for f in initlint.check("package").findings if f.site.path.endswith("blocks.py")]
    assert [(f.code, f.layer) for f in whole] == alone


def test_a_notebook_tells_how_a_model_is_made(project):
    (project / "blocks.py").write_text(NET)
    (project / "agent.py").write_text(AGENT)
    (project / "vit.py").unlink()
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**cell, "id": "a", "source": PLAY.splitlines(keepends=True)}]
    book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (project.parent / "play.ipynb").write_text(json.dumps(book, indent=1))
    layers = initlint.check("package/blocks.py").layers
    assert [list(layer.shape) for layer in layers if layer.layer == "a"] == [[64, 8]]


def test_what_is_known_in_the_project_is_no_gap_alone(project):
    (project / "blocks.py").write_text(
        "from package import Base\n" + NET.replace("nn.Module", "Base")
    )
    (project / "__init__.py").write_text("from .base import *\nfrom .blocks import *\n")
    (project / "base.py").write_text("from torch import nn\n\n\nclass Base(nn.Module):\n    pass\n")
    (project / "vit.py").write_text("from package import Net\n\nnet = Net(8)\n")
    report = initlint.check("package/blocks.py")
    assert [f.layer for f in report.findings] == ["b"]
    assert not report.unanalysed

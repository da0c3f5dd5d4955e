"""A file read alone is judged as it is used in its project."""

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

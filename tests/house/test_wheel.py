"""The wheel on its own: built, installed beside nothing of the checkout, and used."""

import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SOURCE = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(64, 64)
        self.fc1 = nn.Linear(64, 64)
        self.fc2 = nn.Linear(64, 2)

    def forward(self, x):
        return self.fc2(self.fc1(self.first(x).relu()).relu())
"""


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a fresh environment with the wheel; torch and click come from this one.

    A folder added by a .pth file has its own .pth files ignored, so that an editable installation
    of the checkout is not seen.
    """
    folder = tmp_path_factory.mktemp("wheel")
    built = run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)),
        str(ROOT),
    )
    assert built.returncode == 0, built.stdout + built.stderr
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    wheel = next(folder.glob("initlint-*.whl"))
    done = run(str(python), "-m", "pip", "install", "--no-deps", "--no-index", str(wheel))
    assert done.returncode == 0, done.stderr
    site = run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout
    Path(site.strip(), "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_the_wheel_brings_its_own_code_and_rules(python, tmp_path):
    script = (
        "from initlint.torchlib.catalog import rules_folder; from initlint.judge import load;"
        "print(rules_folder(), len(load().functions))"
    )
    folder, count = run(str(python), "-c", script, cwd=tmp_path).stdout.split()
    assert Path(folder).is_relative_to(python.parent.parent)
    assert int(count) == len(list((ROOT / "rules").glob("INIT*.md")))


@pytest.mark.torch
def test_a_check_runs_from_the_wheel(python, tmp_path):
    (tmp_path / "net.py").write_text(SOURCE)
    command = python.parent / "initlint"
    done = run(str(command), "check", "net.py:Net", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "net.py:8:20: INIT101" in done.stdout
    fixed = run(str(command), "check", "net.py:Net", "--fix", cwd=tmp_path)
    assert fixed.returncode == 0, fixed.stderr
    assert "nn.init.kaiming_normal_(self.fc1.weight" in (tmp_path / "net.py").read_text()


def test_the_version_is_that_of_the_distribution(python, tmp_path):
    script = (
        "import initlint, importlib.metadata as metadata;"
        "from initlint.output.project import home;"
        "print(initlint.__version__, metadata.version('initlint'), home() or '-')"
    )
    own, told, address = run(str(python), "-c", script, cwd=tmp_path).stdout.split()
    assert own == told
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert address == project.get("urls", {}).get("Repository", "-")


def test_types_are_shipped(python, tmp_path):
    script = "import initlint, pathlib; print(pathlib.Path(initlint.__file__).parent / 'py.typed')"
    assert Path(run(str(python), "-c", script, cwd=tmp_path).stdout.strip()).exists()

"""The hooks under the real pre-commit: what fails, what passes, what is repaired."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pre_commit")
pytestmark = [pytest.mark.hook, pytest.mark.torch]

ROOT = Path(__file__).parents[2]
SHIPPED = (
    *("initlint", "rules", "pyproject.toml", "README.md", "LICENSE"),
    ".pre-commit-hooks.yaml",
)

CONFIG = """repos:
- repo: {repository}
  rev: {revision}
  hooks:
  - id: {name}
"""
BAD = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 8)
        self.fc0, self.fc2 = nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x):
        return self.fc2(self.fc1(self.fc0(x)).relu())
"""
GOOD = BAD.replace(
    "\n    def forward",
    '        nn.init.kaiming_normal_(self.fc1.weight, mode="fan_in", nonlinearity="relu")\n'
    "\n    def forward",
)


def run(*command, cwd, **environment):
    """A command and its output, in an environment in which no git and no hook is at work."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), own["PATH"]])
    who = {f"GIT_{role}_{field}": "x@example.org"
           for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}  # fmt: skip
    return subprocess.run(
        command,
        cwd=cwd,
        env={**own, **who, "PATH": path, "NO_COLOR": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def committed(folder):
    """Make a repository of all that is in a folder."""
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        done = run("git", *command, cwd=folder)
        assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """A repository with what the hooks are made from."""
    folder = tmp_path_factory.mktemp("hooks")
    for name in SHIPPED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    committed(folder)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where pre-commit keeps the environment of the hooks, installed once for all tests."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def hook(shipped, home, tmp_path):
    """Runs one hook on files of a fresh repository; gives exit code and output."""
    revision = run("git", "rev-parse", "HEAD", cwd=shipped).stdout.strip()

    def ran(name, files, *more):
        config = CONFIG.format(repository=shipped, revision=revision, name=name)
        write(tmp_path, files | {".pre-commit-config.yaml": config})
        command = [sys.executable, "-m", "pre_commit", "run", "--verbose", "--all-files", *more]
        done = run(*command, cwd=tmp_path, PRE_COMMIT_HOME=str(home))
        return done.returncode, done.stdout

    return ran


def write(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    committed(folder)


def test_try_repo(shipped, tmp_path):
    write(tmp_path, {"net.py": BAD, "good.py": GOOD})
    command = ["try-repo", str(shipped), "initlint", "--verbose", "--all-files"]
    done = run(sys.executable, "-m", "pre_commit", *command, cwd=tmp_path)
    assert done.returncode == 1
    assert "net.py:7:20: INIT101 default-before-rectifier" in done.stdout
    assert "good.py" not in done.stdout


def test_bad_file_fails_with_the_finding(hook):
    code, output = hook("initlint", {"net.py": BAD})
    assert code == 1
    assert "net.py:7:20: INIT101 default-before-rectifier" in output


def test_clean_files_pass(hook):
    code, output = hook("initlint", {"net.py": GOOD, "setup.py": "x = 1\n"})
    assert code == 0, output


def test_excludes_hold_for_files_that_are_named(hook):
    settings = '[tool.initlint]\nextend-exclude = ["gen"]\n'
    code, output = hook("initlint", {"pyproject.toml": settings, "gen/net.py": BAD})
    assert code == 0, output
    assert "no Python files" in output


def test_settings_of_a_folder_hold_for_its_files(hook):
    settings = '[tool.initlint]\nignore = ["INIT101"]\n'
    files = {"a/pyproject.toml": settings, "a/net.py": BAD, "b/other.py": BAD}
    code, output = hook("initlint", files)
    assert code == 1
    assert "b/other.py:7:20: INIT101" in output
    assert "a/net.py" not in output


def test_hook_brings_no_torch(hook, home):
    hook("initlint", {"net.py": GOOD})
    installed = {path.name for path in home.glob("*/py_env-*/lib/python*/site-packages/*")}
    assert "click" in installed
    assert "torch" not in installed


def test_fix_hook_repairs(hook, tmp_path):
    code, output = hook("initlint-fix", {"net.py": BAD})
    assert code == 1, "pre-commit fails where a hook changes files"
    assert "files were modified by this hook" in output
    assert (tmp_path / "net.py").read_text() == GOOD


def test_trace_hook_judges_the_models_of_the_settings(hook):
    settings = '[tool.initlint]\nmodels = ["net.py:Net"]\n'
    code, output = hook("initlint-trace", {"pyproject.toml": settings, "net.py": BAD})
    assert code == 1
    assert "net.py:7:20: INIT101 default-before-rectifier" in output


def test_trace_hook_passes_what_is_right(hook):
    settings = '[tool.initlint]\nmodels = ["net.py:Net"]\n'
    code, output = hook("initlint-trace", {"pyproject.toml": settings, "net.py": GOOD})
    assert code == 0, output
    assert "No findings in 3 weights of 1 model." in output


def test_trace_hook_fails_where_a_model_is_not_there(hook):
    settings = '[tool.initlint]\nmodels = ["net.py:Nett"]\n'
    code, output = hook("initlint-trace", {"pyproject.toml": settings, "net.py": GOOD})
    assert code == 1
    assert "there is no Nett in net; did you mean Net?" in output


@pytest.mark.parametrize("name", ["initlint", "initlint-fix", "initlint-trace"])
def test_no_python_file_is_success(hook, name):
    code, output = hook(name, {"README.md": "# Nothing to judge\n"})
    assert code == 0, output
    assert "(no files to check)" in output

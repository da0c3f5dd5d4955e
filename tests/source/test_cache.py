"""What was read is kept as long as nothing that it depends on has changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from initlint.pipeline import files as reading
from initlint.project import cache, cachefolder
from initlint.project.sourcefiles import Texts

NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        nn.init.uniform_(self.fc.weight, -0.01, 0.01)
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        return self.out(self.fc(x).relu())
"""
BROKEN = "class Net(:\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Files that are together large enough to be kept, in the working directory."""
    monkeypatch.chdir(tmp_path)
    padding = f"# {'-' * reading._SMALL}\n"
    texts = {"net.py": NET + padding, "broken.py": BROKEN}
    for name, text in texts.items():
        Path(name).write_text(text)
    return list(texts)


def read(files):
    return reading.read(files, Texts(), reading.Reader(cache=True))


def entries():
    return sorted(Path(os.environ[cachefolder.VARIABLE]).glob("*/*.json"))


def test_a_second_reading_gives_the_same_without_reading(files, monkeypatch):
    first = read(files)
    assert len(first.layers) == 2 and len(first.gaps) == 1
    assert first.layers[0].current.site.line == 9
    monkeypatch.setattr(reading, "_fresh", None)
    assert read(files) == first


def test_the_same_as_without_a_cache(files):
    assert read(files) == read(files) == reading.read(files, Texts())


def test_parameters_and_calls_are_kept_as_well(files):
    reader = reading.Reader(cache=True, parameters=True)
    fresh = reading.read(files, Texts(), reading.Reader(parameters=True))
    assert not reading.read(files, Texts(), reading.Reader(cache=True)).parameters
    first, second = (reading.read(files, Texts(), reader) for _ in range(2))
    assert first == second == fresh
    assert second.parameters[0].history and second.calls


def test_a_changed_file_is_read_anew(files):
    read(files)
    text = Path("net.py").read_text()
    Path("net.py").write_text(text.replace("relu", "tanh"))
    assert read(files).layers[0].following.activation == "tanh"


@pytest.mark.parametrize("what", ["version", "rules", "code"])
def test_another_initlint_reads_anew(files, monkeypatch, what):
    read(files)
    if what == "version":
        monkeypatch.setattr(cache, "__version__", "99")
    elif what == "rules":
        monkeypatch.setattr(cache.catalog, "tables", lambda: [b"other"])
    else:
        monkeypatch.setattr(cache, "_code", lambda: [("cache.py", 0)])
    assert len(entries()) == 1
    read(files)
    assert len(entries()) == 2


def test_the_code_is_that_which_runs():
    assert (cache.__file__, Path(cache.__file__).stat().st_mtime_ns) in cache._code()


def test_a_folder_that_cannot_be_made_is_as_good_as_none(files, monkeypatch):
    Path("taken").write_text("a file stands where the folder would")
    monkeypatch.setenv(cachefolder.VARIABLE, "taken/cache")
    assert len(read(files).layers) == 2
    monkeypatch.setenv(cachefolder.VARIABLE, "taken")
    assert len(read(files).layers) == 2


def test_a_project_keeps_its_newest_entries(files):
    for number in range(cachefolder.MOST + 3):
        Path("broken.py").write_text(f"{BROKEN}# {number}\n")
        read(files)
    assert len(entries()) == cachefolder.MOST


def test_projects_that_are_long_gone_are_dropped(files, tmp_path, monkeypatch):
    monkeypatch.setattr(cachefolder, "_MOST_PROJECTS", 3)
    for number in range(5):
        project = tmp_path / f"project{number}"
        project.mkdir()
        (project / "setup.py").write_text("")
        monkeypatch.chdir(project)
        read([str(tmp_path / name) for name in files])
    assert len(entries()) == len({entry.parent for entry in entries()}) == 3


def test_one_project_has_one_folder_wherever_it_is_read_from(files, tmp_path, monkeypatch):
    Path("pyproject.toml").write_text("")
    read(files)
    Path("sub").mkdir()
    monkeypatch.chdir("sub")
    read([f"../{name}" for name in files])
    assert len({entry.parent for entry in entries()}) == 1 and len(entries()) == 2


def test_the_command_line_keeps_a_cache_unless_told_not_to(files):
    line = [sys.executable, "-m", "initlint", "check", "net.py", "-q"]
    assert subprocess.run([*line, "--no-cache"], capture_output=True).returncode == 1
    assert entries() == []
    assert subprocess.run(line, capture_output=True).returncode == 1
    assert len(entries()) == 1
    assert sorted(map(str, Path().iterdir())) == ["broken.py", "net.py"]


def test_little_is_not_kept(files):
    Path("net.py").write_text(NET)
    assert len(read(files).layers) == 2
    assert entries() == []

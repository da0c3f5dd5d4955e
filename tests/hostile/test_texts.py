"""Files that change, vanish or turn into something else while initlint looks at them."""

import json
import os
import pickle
from pathlib import Path

import pytest
from hostile_nets import NET

from initlint import api
from initlint.cli import main as cli
from initlint.project.sourcefiles import Texts, texts_of
from initlint.reading.sources import files as source_files

SILENT = NET.replace("(8, 8)", "(8, 8)  # noqa: INIT101")
NEW = NET.replace("return torch.relu(self.fc(self.before(x)))", "return self.fc(self.before(x))")


def empty(path):
    path.write_text("")


def shifted(path):
    path.write_text("# mine\n" * 3 + NET)


def shorter(path):
    path.write_text("x\n")


def other(path):
    path.write_text(NET.replace("relu", "tanh"))


def silenced(path):
    path.write_text(SILENT)


def gone(path):
    path.unlink()


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def elsewhere(path):
    path.unlink()
    path.symlink_to("../other.py")


CHANGES = [empty, shifted, shorter, other, silenced, gone, folder, pipe, elsewhere]
changes = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


@pytest.fixture
def changing(tmp_path, monkeypatch):
    """Lets a file change as soon as it has been read; the neighbours stay."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    (tmp_path / "other.py").write_text(NET)
    for name in ("a.py", "b.py", "c.py"):
        Path(name).write_text(NET)
    original = source_files._bytes

    def start(change):
        done = []

        def read(path, texts):
            data = original(path, texts)
            if not done:
                done.append(path)
                change(Path("a.py"))
            return data

        monkeypatch.setattr(source_files, "_bytes", read)

    return start


def state(path):
    """What lies at a path, without opening what is no file."""
    status = path.lstat() if os.path.lexists(path) else None
    is_file = status is not None and path.is_file()
    return status and status.st_mode, path.read_bytes() if is_file else b""


def run(line, capfd):
    code = cli.main(["check", "--isolated", "--no-cache", *line])
    out, err = capfd.readouterr()
    assert "internal error" not in err
    return code, out, err


@pytest.mark.slow
@changes
@pytest.mark.parametrize(
    "form", ["full", "concise", "json", "sarif", "github", "gitlab", "full --show-layers"]
)
def test_reports_are_of_what_was_read(change, form, changing, capfd):
    flags = ["--output-format", *form.split(), "."]
    wanted = run(flags, capfd)
    changing(change)
    assert run(flags, capfd) == wanted


@changes
def test_a_patch_is_of_what_was_read(change, changing, capfd):
    wanted = run(["--diff", "."], capfd)
    changing(change)
    assert run(["--diff", "."], capfd) == wanted


@changes
def test_a_fix_writes_the_others_and_not_over_it(change, changing, capfd):
    change(Path("a.py"))
    wanted = state(Path("a.py"))
    Path("a.py").rmdir() if Path("a.py").is_dir() else Path("a.py").unlink(missing_ok=True)
    Path("a.py").write_text(NET)
    changing(change)
    code, out, err = run(["--fix", "."], capfd)
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.startswith("initlint: error: ")]
    assert line.startswith("initlint: error: a.py: ")
    assert "changed since it was read" in line or "cannot be written" in line
    assert "Fixed 2 findings in 2 files." in err
    assert state(Path("a.py")) == wanted
    assert Path("../other.py").read_text() == NET
    assert all("kaiming_normal_" in Path(name).read_text() for name in ("b.py", "c.py"))
    # What is still there is shown as it was read.
    assert "a.py:8:19: INIT101" in out
    assert "8 |         self.fc = nn.Linear(8, 8)" in out
    assert [p.name for p in Path.cwd().iterdir() if p.name.startswith(".initlint-")] == []


def test_a_file_that_is_whole_again_is_written(changing, capfd):
    changing(lambda path: path.write_text(NET))
    assert run(["--fix", "."], capfd)[0] == 0


@pytest.mark.torch
@pytest.mark.parametrize("change", [shifted, other, empty], ids=lambda change: change.__name__)
def test_a_model_that_changes_before_it_is_imported(change, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    from initlint.pipeline import apart

    original = apart.traced_apart

    def late(*arguments):
        change(Path("net.py"))
        return original(*arguments)

    monkeypatch.setattr(apart, "traced_apart", late)
    code, out, err = run(["--fix", "net.py:Net"], capfd)
    assert (code, "net.py:8:19: INIT101" in out) == (2, True)
    assert "net.py: changed since it was read; run again" in err
    wanted = tmp_path / "wanted.py"
    change(wanted)
    assert Path("net.py").read_text() == wanted.read_text()


def test_a_report_shows_the_text_that_it_was_made_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    report = api.check("net.py")
    shown = str(report)
    assert "8 |         self.fc = nn.Linear(8, 8)" in shown
    Path("net.py").write_text("# mine\n" * 20)
    assert str(report) == shown
    assert str(pickle.loads(pickle.dumps(report))) == shown
    Path("net.py").unlink()
    assert str(report) == shown
    assert texts_of(report).all() == {str(tmp_path / "net.py"): NET.encode()}


def test_a_notebook_that_changes(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    cells = [{"cell_type": "code", "source": text} for text in ("x = 1", NET)]
    source = json.dumps({"cells": cells, "metadata": {}})
    Path("n.ipynb").write_text(source)
    wanted = [run([*flags, "n.ipynb"], capfd) for flags in ([], ["--output-format", "json"])]
    original = source_files._bytes

    def read(path, texts):
        Path("n.ipynb").write_text("{")
        return original(path, texts)

    monkeypatch.setattr(source_files, "_bytes", read)
    for flags, before in zip(([], ["--output-format", "json"]), wanted, strict=True):
        Path("n.ipynb").write_text(source)
        assert run([*flags, "n.ipynb"], capfd) == before
    Path("n.ipynb").write_text(source)
    code, _, err = run(["--fix", "n.ipynb"], capfd)
    assert (code, Path("n.ipynb").read_text()) == (2, "{")
    assert "n.ipynb: changed since it was read; run again" in err


# Texts


def test_each_file_is_read_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("x = 1\n")
    Path("link.py").symlink_to("net.py")
    texts = Texts()
    assert texts.source("net.py") == b"x = 1\n"
    Path("net.py").write_text("y = 2\n")
    assert texts.source("./net.py") == texts.source("link.py") == b"x = 1\n"
    assert texts.lines("net.py") == ["x = 1"]
    changed = texts.changed({"link.py": b"z = 3\n"})
    assert (changed.lines("net.py"), texts.lines("net.py")) == (["z = 3"], ["x = 1"])


def test_a_file_that_could_not_be_read_stays_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = Texts()
    assert texts.lines("net.py") == []
    Path("net.py").write_text("x = 1\n")
    with pytest.raises(FileNotFoundError):
        texts.source("net.py")
    assert "net.py" not in texts
    assert texts.all() == {}


@pytest.mark.parametrize("path", ["a\0b.py", "\ud800.py", "x" * 5000, "", "/", "/dev/zero"])
def test_paths_of_no_file(path):
    assert Texts().lines(path) == []
    assert path not in Texts()

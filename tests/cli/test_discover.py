"""Which files a path stands for, with git and without it."""

import os
import subprocess
from pathlib import Path

import pytest

from initlint.project import config
from initlint.project.config import Config, Settings
from initlint.project.discover import discover


@pytest.fixture(params=["git", "no git"])
def tree(request, tmp_path, monkeypatch):
    """A function that makes files in an empty working directory and says what is found in it."""
    config._nearest.cache_clear()
    monkeypatch.chdir(tmp_path)
    if request.param == "git":
        git("init", "-q")

    def found(files, paths=(".",), settings=None):
        for name in files:
            make(tmp_path / name)
        return list(discover(paths, settings or Settings(Config())).files)

    found.git = request.param == "git"
    return found


def git(*command, cwd="."):
    subprocess.run(["git", *command], check=True, cwd=cwd, capture_output=True)


def make(path, text="x = 1\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_python_and_notebooks_sorted(tree):
    files = ["b.py", "a.py", "src/n.ipynb", "src/a.pyi", "src/data.txt", "src/deep/er/m.py"]
    assert tree(files) == ["a.py", "b.py", "src/deep/er/m.py", "src/n.ipynb"]
    assert tree([], ["src", "b.py", "src/n.ipynb"]) == ["b.py", "src/deep/er/m.py", "src/n.ipynb"]


def test_paths_are_written_as_their_target(tree, tmp_path):
    assert tree(["src/a.py"], ["./src/"]) == ["src/a.py"]
    assert tree([], [str(tmp_path / "src")]) == [str(tmp_path / "src/a.py")]


def test_what_nobody_means(tree):
    unmeant = ["venv/a.py", ".venv/lib/b.py", "web/node_modules/c.py", "build/d.py",
               ".ipynb_checkpoints/e.ipynb", "__pycache__/f.py"]  # fmt: skip
    assert tree([*unmeant, "builder/a.py"]) == ["builder/a.py"]
    assert tree([], ["build/d.py", "venv/a.py"]) == ["build/d.py", "venv/a.py"]
    assert tree([], ["build"]) == ["build/d.py"]


def test_exclude_replaces_and_extend_exclude_adds(tree, tmp_path):
    files = ["build/a.py", "old/a.py", "a.py"]
    file = tmp_path / "pyproject.toml"
    assert tree(files, settings=Settings(Config(file, exclude=("old",)))) == ["a.py", "build/a.py"]
    assert tree(files, settings=Settings(Config(file, extend_exclude=("old",)))) == ["a.py"]


def test_exclude_holds_for_what_is_named(tree, tmp_path):
    settings = Settings(Config(tmp_path / "pyproject.toml", extend_exclude=("old", "gen/*_pb2.py")))
    named = ["old/a.py", "gen/a_pb2.py", "gen/a.py", "old"]
    assert tree(["old/a.py", "gen/a_pb2.py", "gen/a.py"], named, settings) == ["gen/a.py"]


def test_each_file_follows_its_own_config(tree, tmp_path):
    make(tmp_path / "sub/pyproject.toml", '[tool.initlint]\nextend-exclude = ["gen.py"]\n')
    files = ["gen.py", "sub/gen.py", "sub/deep/gen.py", "sub/a.py"]
    assert tree(files, settings=Settings()) == ["gen.py", "sub/a.py"]
    assert tree([], ["sub/gen.py"], settings=Settings()) == []


def test_missing_and_found(tree):
    make_sure = tree(["a.py"], ["a.py", "gone.py", "gone/"])
    assert make_sure == ["a.py"]
    gaps = discover(["a.py", "gone.py"], Settings(Config())).gaps
    assert [gap.reason for gap in gaps] == ["gone.py: no such file or folder"]


def test_empty_folder(tree, tmp_path):
    (tmp_path / "empty").mkdir()
    assert tree([], ["empty"]) == []


def test_any_suffix_where_it_is_named(tree):
    assert tree(["script"], ["script"]) == ["script"]


def test_a_folder_may_be_called_like_a_file(tree):
    assert tree(["a.py/b.py"]) == ["a.py/b.py"]


def test_links_are_not_followed_but_may_be_named(tree, tmp_path):
    make(tmp_path / "src/a.py")
    (tmp_path / "src/loop").symlink_to(tmp_path / "src")
    (tmp_path / "src/self.py").symlink_to("self.py")
    (tmp_path / "src/b.py").symlink_to("../other.py")
    make(tmp_path / "other.py")
    (tmp_path / "link").symlink_to("src")
    assert tree([]) == ["other.py", "src/a.py"]
    assert tree([], ["link", "src/b.py"]) == ["link/a.py", "src/b.py"]
    assert discover(["src/self.py"], Settings(Config())).gaps


def test_a_file_of_several_names_is_met_once(tree, tmp_path):
    make(tmp_path / "src/a.py")
    (tmp_path / "b.py").symlink_to("src/a.py")
    (tmp_path / "link").symlink_to("src")
    for names, first in ((["b.py", "src"], "b.py"), (["link", "b.py", "src/a.py"], "link/a.py")):
        assert tree([], names) == [first]


def test_odd_names(tree):
    names = ["größe.py", "two words.py", "new\nline.py", "-a.py", "a:b.py"]
    assert tree(names) == sorted(names)


def test_names_that_are_no_text(tree, tmp_path):
    name = os.fsdecode(b"gr\xf6sse.py")
    try:
        make(tmp_path / name)
    except OSError:
        pytest.skip("the file system takes no such name")
    assert tree([]) == [name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_folder_is_named(tree, tmp_path):
    tree(["locked/a.py", "b.py"])
    (tmp_path / "locked").chmod(0)
    try:
        found = discover(["."], Settings(Config()))
    finally:
        (tmp_path / "locked").chmod(0o755)
    assert found.files == ("b.py",)
    assert "locked" in found.gaps[0].reason


def test_walk_names_what_it_cannot_enter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = os.scandir

    def scandir(folder):
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    make(tmp_path / "a.py")
    make(tmp_path / "locked/b.py")
    monkeypatch.setattr(os, "scandir", scandir)
    found = discover(["."], Settings(Config()))
    assert found.files == ("a.py",)
    assert [gap.reason for gap in found.gaps] == ["locked: cannot be read: Permission denied"]


# What .gitignore files leave out


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    make(tmp_path / ".gitignore", "ignored/\n*_gen.py\n")
    for name in ("a.py", "ignored/b.py", "c_gen.py", "src/d.py", "src/e_gen.py"):
        make(tmp_path / name)
    return lambda *paths: list(discover(paths or ["."], Settings(Config())).files)


def test_ignored_files_are_left_out(repository):
    assert repository() == ["a.py", "src/d.py"]
    assert repository("src") == ["src/d.py"]


def test_ignored_files_may_be_named(repository):
    assert repository("c_gen.py", "ignored/b.py") == ["c_gen.py", "ignored/b.py"]
    assert repository("ignored") == ["ignored/b.py"]


def test_tracked_files_are_ignored_too(repository):
    git("add", "-f", "c_gen.py")
    assert repository() == ["a.py", "src/d.py"]


def test_deleted_files_are_not_there(repository, tmp_path):
    git("add", ".")
    (tmp_path / "a.py").unlink()
    assert repository() == ["src/d.py"]


def test_repositories_inside_a_repository(repository, tmp_path):
    make(tmp_path / "inner/f.py")
    git("init", "-q", cwd=tmp_path / "inner")
    assert repository() == ["a.py", "inner/f.py", "src/d.py"]


def test_a_hook_of_git_does_not_mislead(repository, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert repository() == ["a.py", "src/d.py"]


def test_git_itself_is_not_needed(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert repository() == ["a.py", "src/d.py"]

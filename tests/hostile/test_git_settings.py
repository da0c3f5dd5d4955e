"""`diff git:REVISION` reads the repository around it, and no file that its settings name."""

import os

import pytest

from initlint.cli.main import main

dulwich = pytest.importorskip("dulwich.porcelain")

NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(8, 8)

    def forward(self, x):
        return self.f(x).relu()
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "net.py").write_text(NET)
    dulwich.init(folder)
    dulwich.add(folder, [folder / "net.py"])
    dulwich.commit(folder, b"x", author=b"a <a@b>", committer=b"a <a@b>")
    monkeypatch.chdir(folder)
    return folder


def settings(repository, text):
    with (repository / ".git" / "config").open("a") as file:
        file.write(text)


@pytest.mark.parametrize("form", ["[include]", '[includeIf "gitdir:/**"]'])
def test_what_settings_include_is_not_read(form, repository, tmp_path, capsys):
    secret = tmp_path / "secret"
    secret.write_text("the-secret: of somebody else\n")
    settings(repository, f"{form}\n\tpath = {secret}\n")
    assert main(["diff", "git:HEAD", "net.py"]) == 0
    said = capsys.readouterr()
    assert "secret" not in said.out + said.err


BROKEN = {
    "an unknown extension": "[extensions]\n\tx = y\n",
    "no section": "]\n[\n",
    "another format": "[core]\n\trepositoryformatversion = 9\n",
    "no number": "[core]\n\trepositoryformatversion = x\n",
    "a null": "[a\0]\n\tb = c\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_settings_that_are_broken_are_one_line(text, repository, capsys):
    settings(repository, text)
    assert main(["diff", "git:HEAD", "net.py"]) in (0, 2)
    said = capsys.readouterr().err
    assert "internal error" not in said and said.count("\n") == 1


def test_settings_that_are_no_file_are_not_opened(repository, capsys):
    (repository / ".git" / "config").unlink()
    os.mkfifo(repository / ".git" / "config")
    assert main(["diff", "git:HEAD", "net.py"]) == 2
    assert "it is a named pipe, not a file" in capsys.readouterr().err


PLACES = [
    "HEAD",
    "config",
    "refs/heads/master",
    "refs/heads/deep/er",
    "packed-refs",
    "shallow",
    "commondir",
    "info/grafts",
    "objects/info/alternates",
    "objects/pack/pack-1.idx",
]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_pipe_or_a_device_in_the_place_of_a_file_of_git_is_not_opened(
    kind, place, repository, capsys
):
    file = repository / ".git" / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    os.mkfifo(file) if kind == "pipe" else file.symlink_to("/dev/zero")
    assert main(["diff", "git:HEAD", "net.py"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{place}: it is a" in line


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("place", [".git", "linked", "objects", "objects of objects", "common"])
def test_a_pipe_is_found_wherever_a_repository_leads(place, repository, capsys):
    git, away = repository / ".git", repository / "away"
    (away / "more").mkdir(parents=True)
    os.mkfifo(away / "more" / "pipe")
    if place == ".git":
        git.rename(repository / "was")
        os.mkfifo(git)
    elif place == "linked":
        (git / "refs" / "linked").symlink_to(away)
    elif place == "objects":
        (git / "objects" / "info" / "alternates").write_text("../../away\n")
    elif place == "objects of objects":
        (repository / "between" / "info").mkdir(parents=True)
        (repository / "between" / "info" / "alternates").write_text("../away\n")
        (git / "objects" / "info" / "alternates").write_text("../../between\n")
    else:
        (git / "commondir").write_text("../away\n")
    assert main(["diff", "git:HEAD", "net.py"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "a named pipe, not a file" in line


def test_a_worktree_and_a_link_in_git_are_read(repository, monkeypatch, capsys):
    (repository / ".git").rename(repository.parent / "kept")
    (repository / ".git").write_text(f"gitdir: {repository.parent / 'kept'}\n")
    (repository.parent / "kept" / "refs" / "up").symlink_to("..")
    assert main(["diff", "git:HEAD", "net.py"]) == 0

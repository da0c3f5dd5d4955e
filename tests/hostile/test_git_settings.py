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

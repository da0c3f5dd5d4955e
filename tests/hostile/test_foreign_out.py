"""`initlint apply --out`: a whole new file or the old one untouched, and one line that says why."""

import os
import resource
import stat
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from initlint.cli import main as cli
from initlint.fill.save import replacing
from initlint.records import InitlintError

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(400, 400)

    def forward(self, x):
        return torch.relu(self.a(x))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    return tmp_path


def refused(out):
    """The one line that a name for the file is refused with, before anything is built."""
    with pytest.raises(InitlintError) as raised, replacing(out):
        raise AssertionError("it was taken")
    assert "\n" not in str(raised.value).replace(out, "")
    return str(raised.value)


@pytest.mark.parametrize("aim", ["real.safetensors", "absent.safetensors", "link.safetensors", "/"])
def test_a_symbolic_link_is_refused_and_the_remedy_named(folder, aim):
    Path("real.safetensors").write_bytes(b"old")
    Path("link.safetensors").symlink_to(aim)
    assert "is a symbolic link, which is not followed; name /" in refused("link.safetensors")
    assert Path("real.safetensors").read_bytes() == b"old" and Path("link.safetensors").is_symlink()


def test_a_folder_behind_a_link_is_a_folder(folder):
    Path("real").mkdir()
    Path("linked").symlink_to("real")
    with replacing("linked/w.safetensors") as new:
        Path(new).write_bytes(b"new")
    assert Path("real/w.safetensors").read_bytes() == b"new"


def test_what_is_no_regular_file_is_refused(folder):
    Path("d.safetensors").mkdir()
    os.mkfifo("f.safetensors")
    for name in ("d.safetensors", "f.safetensors"):
        assert refused(name) == f"--out {name}: is not a regular file; give another name"
    assert stat.S_ISFIFO(Path("f.safetensors").stat().st_mode)


def test_a_missing_folder_is_named(folder):
    assert (
        refused("a/b.safetensors") == "--out a/b.safetensors: there is no folder a; make it first"
    )
    assert "there is no folder net.py" in refused("net.py/b.safetensors")


@pytest.mark.parametrize("name", ["net.py", "w", "w.pt", "", ".safetensors", "w.safetensors/"])
def test_other_names_are_refused_or_end_in_the_suffix(folder, name):
    if name != "w.safetensors/":
        assert "safetensors format" in refused(name)


@pytest.mark.parametrize(
    "name", ["a\0b.safetensors", "x" * 300 + ".safetensors"], ids=["NUL", "long"]
)
def test_names_that_the_system_refuses(folder, name):
    assert "cannot be written" in refused(name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(folder):
    Path("shut").mkdir(mode=0o500)
    assert "cannot be written: Permission denied" in refused("shut/w.safetensors")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_whatever_happens_meanwhile_the_old_file_is_whole(folder, error):
    Path("w.safetensors").write_bytes(b"old")
    with (
        pytest.raises((InitlintError, KeyboardInterrupt)),
        replacing("w.safetensors") as new,
    ):
        Path(new).write_bytes(b"half")
        raise error
    assert Path("w.safetensors").read_bytes() == b"old"
    assert sorted(map(str, Path().iterdir())) == ["net.py", "w.safetensors"]


def test_rights_are_those_of_the_old_file_or_what_the_umask_leaves(folder):
    Path("old.safetensors").touch(0o600)
    before = os.umask(0o027)
    try:
        for name in ("old.safetensors", "new.safetensors"):
            with replacing(name) as new:
                Path(new).write_bytes(b"new")
    finally:
        os.umask(before)
    modes = [oct(stat.S_IMODE(Path(f"{n}.safetensors").stat().st_mode)) for n in ("old", "new")]
    assert modes == ["0o600", "0o640"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_full_disk_is_one_line(folder, capfd):
    """A limit on the size of files stands for it: the process that writes inherits it."""
    Path("w.safetensors").write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        code = cli.main(["apply", "net.py:Net", "--seed", "0", "--out", "w.safetensors"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = capfd.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.startswith("initlint: error: ") and len(said.err.splitlines()) == 1
    assert Path("w.safetensors").read_bytes() == b"old"
    names = [path.name for path in Path().iterdir() if path.name != "__pycache__"]
    assert sorted(names) == ["net.py", "w.safetensors"]


def test_weights_are_written(folder, capfd):
    assert cli.main(["apply", "net.py:Net", "--seed", "0", "--out", "w.safetensors"]) == 0
    assert set(load_file("w.safetensors")) == {"a.weight", "a.bias"}
    assert "Written to w.safetensors" in capfd.readouterr().err


def test_weights_are_written_where_the_user_is_and_not_where_the_model_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "net.py").write_text(
        "import os\nfrom torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.f = nn.Linear(8, 8)\n"
        f"        os.chdir({str(tmp_path / 'elsewhere')!r})\n\n"
        "    def forward(self, x):\n        return self.f(x).relu()\n"
    )
    assert cli.main(["apply", "net.py:Net", "--out", "w.safetensors"]) == 0
    assert (tmp_path / "w.safetensors").exists()
    assert not list((tmp_path / "elsewhere").iterdir())

"""Only regular files of a bounded size are opened: nothing waits, nothing grows without end."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_nets import DEEPER as NET

import initlint
from initlint.safe import regular

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("good.py").write_text(NET)
    return tmp_path


def pipe(path):
    os.mkfifo(path)


def pipe_link(path):
    os.mkfifo("pipe")
    Path(path).symlink_to("pipe")


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


def zero(path):
    Path(path).symlink_to("/dev/zero")


def terminal(path):
    Path(path).symlink_to("/dev/tty")


def sparse(path):
    with Path(path).open("wb") as file:
        file.truncate(1 << 40)


def folder(path):
    Path(path).mkdir()


def loop(path):
    Path(path).symlink_to(path)


def dangling(path):
    Path(path).symlink_to("gone")


KINDS = {
    pipe: "it is a named pipe, not a file",
    pipe_link: "it is a named pipe, not a file",
    a_socket: "it is a socket, not a file",
    zero: "it is a device, not a file",
    sparse: "larger than",
    loop: "",
    dangling: "no such file",
}
# What can be a file of the tree itself, and not a link to something.
OWN = {kind: reason for kind, reason in KINDS.items() if kind in (pipe, a_socket, sparse)}


def check(*line, **options):
    """Runs the command line; TimeoutExpired where it waits for what never comes."""
    done = subprocess.run(
        [sys.executable, "-m", "initlint", "check", "--output-format", "concise", *line],
        **{"capture_output": True, "text": True, "check": False, "timeout": 60, **options},
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr
    return done


@pytest.mark.slow
@pytest.mark.parametrize("name", ["odd.py", "odd.ipynb", "odd"])
@pytest.mark.parametrize(
    ("kind", "reason"), KINDS.items(), ids=lambda x: getattr(x, "__name__", "")
)
def test_what_is_named_and_no_file_is_said_in_one_line(kind, reason, name):
    kind(name)
    done = check("-q", name, "good.py")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"initlint: error: {name}: ") and reason in line
    assert "good.py:7:" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--no-cache"], ["--diff"], ["--fix"], ["-j2"]], ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_all_ways_of_reading(kind, options):
    kind("odd.py")
    assert check("-q", *options, "odd.py", "good.py").returncode == 2


@pytest.mark.parametrize(("kind", "reason"), OWN.items(), ids=[k.__name__ for k in OWN])
def test_what_a_folder_holds_and_is_no_file_is_a_named_gap(kind, reason):
    kind("odd.py")
    done = check("-q", ".")
    assert done.returncode == 2
    assert "odd.py: " in done.stderr and reason in done.stderr
    assert "good.py:7:" in done.stdout


@pytest.mark.parametrize("kind", [pipe_link, zero, loop, dangling], ids=lambda kind: kind.__name__)
def test_links_in_a_folder_are_passed_over(kind):
    kind("odd.py")
    done = check("-q", ".")
    assert (done.returncode, done.stderr) == (1, "")


def test_a_folder_may_be_called_like_a_file():
    folder("odd.py")
    (Path("odd.py") / "inner.py").write_text(NET)
    assert "odd.py/inner.py:7:" in check("-q", ".").stdout


@pytest.mark.parametrize("kind", [pipe, pipe_link, zero, a_socket, sparse])
def test_from_python(kind):
    kind("odd.py")
    with pytest.raises(initlint.InitlintError):
        report = initlint.check("odd.py")
        raise initlint.InitlintError(report.unanalysed[0].reason)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/proc/kmsg", "/proc/self/mem", "/proc/kcore", "/dev/stdin"])
def test_files_of_the_system(path):
    if not os.path.lexists(path):
        pytest.skip(f"there is no {path} here")
    read, write = os.pipe()
    try:
        done = check("-q", path, stdin=read)
    finally:
        os.close(read)
        os.close(write)
    assert done.returncode in (0, 1, 2) and len(done.stderr.splitlines()) <= 1


# Files that nobody names


@pytest.mark.parametrize("kind", [pipe, pipe_link, zero, a_socket, sparse])
def test_settings(kind):
    kind("pyproject.toml")
    assert check("-q", "good.py").returncode in (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pipe, pipe_link, zero, a_socket, sparse, folder, dangling])
def test_settings_that_are_named(kind):
    kind("settings.toml")
    done = check("-q", "--config", "settings.toml", "good.py")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("initlint: error: settings.toml: ")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", ["user.py", "setup.py", ".gitignore", ".git", "setup.cfg"])
def test_what_lies_beside_a_file_with_a_finding(kind, name):
    Path("pyproject.toml").touch()
    kind(name)
    done = check("-q", "good.py")
    assert done.returncode == 1 and "good.py:7:" in done.stdout
    assert check("-q", ".").returncode in (1, 2)


@pytest.mark.parametrize("kind", [pipe, zero])
def test_a_file_that_is_replaced_after_it_was_read(kind, monkeypatch):
    """The lines of findings, and of comments that silence them, are read once more."""
    report = initlint.check("good.py")
    Path("good.py").unlink()
    kind("good.py")
    assert "INIT101" in str(report)


# The standard input


def test_standard_input_without_end():
    with Path("/dev/zero").open("rb") as endless:
        done = check("-q", "-", stdin=endless)
    assert done.returncode == 2
    assert done.stderr == ("initlint: error: standard input cannot be read: larger than 20 MB\n")


# The one function


def test_no_more_is_read_than_the_limit():
    Path("x").write_bytes(b"12345")
    assert regular.read_regular("x", 5) == b"12345"
    with pytest.raises(OSError, match="larger"):
        regular.read_regular("x", 4)


def test_a_size_of_nothing_is_not_believed():
    if not Path("/proc/self/maps").exists():
        pytest.skip("there is no /proc here")
    assert Path("/proc/self/maps").stat().st_size == 0
    with pytest.raises(OSError, match="it says that it is empty, and is not"):
        regular.read_regular("/proc/self/maps", 1_000_000)


def test_links_are_followed_only_where_it_is_asked_for():
    Path("link").symlink_to("good.py")
    assert regular.read_regular("link", 1000) == NET.encode()
    with pytest.raises(OSError, match="it is a link, not a file"):
        regular.read_regular("link", 1000, follow=False)


def test_a_device_is_not_opened(monkeypatch):
    monkeypatch.setattr(os, "open", None)
    with pytest.raises(OSError, match="it is a device, not a file"):
        regular.read_regular("/dev/zero", 1000)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000])
def test_names_of_no_file(name):
    with pytest.raises(OSError):
        regular.read_regular(name, 1000)


def test_nothing_else_opens_files_of_a_tree():
    """Who reads a file of the user's does so by the one function."""
    apart = (
        *("safe/regular.py", "project/cachefolder.py", "fix/files.py", "fill", "tracing"),
        # Of initlint's own and installed packages, not of a tree.
        *("torchlib/catalog.py", "judge/cards.py", "judge/installed.py", "judge/unknown.py"),
        "profile/page.py",
    )
    package = Path(initlint.__file__).parent
    for path in package.rglob("*.py"):
        if not path.relative_to(package).as_posix().startswith(apart):
            text = path.read_text()
            assert not any(way in text for way in (".read_bytes(", ".read_text(", " open(")), path
            assert "linecache.getline" not in text, path

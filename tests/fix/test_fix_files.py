"""Files on disk: all or nothing, and patches that git takes."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from initlint.fix.files import unified_diff, write_atomically
from initlint.records import InitlintError

OLD = b"x = 1\ny = 2\n"
NEW = b"x = 1\nz = 3\ny = 2\n"
as_root = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_bytes(OLD)
    return path


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_the_new_bytes_replace_the_old(file: Path) -> None:
    write_atomically(file, OLD, NEW)
    assert file.read_bytes() == NEW
    assert names(file.parent) == ["net.py"]


def test_a_path_as_text_relative_to_the_working_directory(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    write_atomically("net.py", OLD, NEW)
    assert file.read_bytes() == NEW


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755, 0o664])
def test_mode_bits_are_kept(file: Path, mode: int) -> None:
    file.chmod(mode)
    write_atomically(file, OLD, NEW)
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_link_stays_a_link(file: Path) -> None:
    (file.parent / "links").mkdir()
    link = file.parent / "links" / "alias.py"
    link.symlink_to("../net.py")
    write_atomically(link, OLD, NEW)
    assert link.is_symlink()
    assert link.readlink() == Path("../net.py")
    assert file.read_bytes() == NEW
    assert names(link.parent) == ["alias.py"]


def refused(path: Path, folder: Path) -> str:
    """The message, where nothing must have changed and nothing be left behind."""
    before = {p: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    with pytest.raises(InitlintError) as error:
        write_atomically(path, OLD, NEW)
    assert {p: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before
    return str(error.value).replace(str(path), "PATH")


def test_a_file_changed_meanwhile(file: Path) -> None:
    file.write_bytes(b"x = 0\n")
    assert refused(file, file.parent) == "PATH: changed since it was read; run again"


def test_a_file_that_is_gone(file: Path) -> None:
    file.unlink()
    message = refused(file, file.parent)
    assert message == "PATH: cannot be written: No such file or directory"


def test_a_link_to_nothing(file: Path) -> None:
    link = file.parent / "alias.py"
    link.symlink_to("missing.py")
    with pytest.raises(InitlintError, match="No such file"):
        write_atomically(link, OLD, NEW)


def test_a_read_only_file(file: Path) -> None:
    file.chmod(0o444)
    message = refused(file, file.parent)
    assert message == "PATH: the file is read-only; make it writable and run again"


@pytest.mark.skipif(as_root, reason="root may write everywhere")
def test_a_read_only_folder(file: Path) -> None:
    file.parent.chmod(0o555)
    try:
        message = refused(file, file.parent)
    finally:
        file.parent.chmod(0o755)
    assert message == "PATH: cannot be written: Permission denied"


@pytest.mark.parametrize("function", ["mkstemp", "fsync", "replace"])
def test_a_failure_at_any_step(file: Path, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    where = {"mkstemp": "tempfile.mkstemp", "fsync": "os.fsync", "replace": "pathlib.Path.replace"}
    monkeypatch.setattr(where[function], fail)
    assert refused(file, file.parent) == "PATH: cannot be written: Permission denied"


def test_an_interruption_leaves_nothing_behind(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(file, OLD, NEW)
    assert file.read_bytes() == OLD
    assert names(file.parent) == ["net.py"]


WRITER = """
import sys
from pathlib import Path
from initlint.fix.files import write_atomically
path, old, new = sys.argv[1], b"o" * 300_000, b"n" * 300_000
print("ready", flush=True)
while True:
    write_atomically(path, old, new)
    old, new = new, old
"""


def killed(file: Path, times: int) -> None:
    """Kill a process that rewrites `file` over and over; each time the file must be whole."""
    whole = (b"o" * 300_000, b"n" * 300_000)
    for attempt in range(times):
        file.write_bytes(whole[0])
        command = [sys.executable, "-c", WRITER, str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.0007 * (attempt % 29))
            process.send_signal(signal.SIGKILL)
        assert file.read_bytes() in whole


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_at_any_moment_the_file_is_old_or_new(file: Path) -> None:
    killed(file, 20)


@pytest.mark.corpus
def test_killed_two_hundred_times(file: Path) -> None:
    killed(file, 200)


def test_no_patch_for_equal_bytes() -> None:
    assert unified_diff("net.py", OLD, OLD) == ""


def test_the_patch_s_text(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert unified_diff("net.py", OLD, NEW) == (
        "--- a/net.py\n+++ b/net.py\n@@ -1,2 +1,3 @@\n x = 1\n+z = 3\n y = 2\n"
    )


def test_a_path_outside_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    header = unified_diff(tmp_path / "net.py", OLD, NEW).splitlines()[0]
    assert header == f"--- a/{str(tmp_path).lstrip('/')}/net.py"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD, NEW),
        (b"x = 1", b"x = 1\ny = 2"),
        (b"x = 1\ny = 2", b"x = 1\nz = 3\ny = 2"),
        (b"x = 1\r\ny = 2\r\n", b"x = 1\r\nz = 3\r\ny = 2\r\n"),
        (b"x = 1\r\ny = 2", b"x = 1\r\ny = 2\r\nz = 3"),
        ("# größe\nx = 1\n".encode(), "# größe\nx = 1\ny = 2\n".encode()),
        (b"# gr\xf6\xdfe\nx = 1\n", b"# gr\xf6\xdfe\nx = 1\ny = 2\n"),
        (b"\xef\xbb\xbfx = 1\n", b"\xef\xbb\xbfx = 1\ny = 2\n"),
        (b"x = 1\n\x0c\ny = '\xe2\x80\xa8'\n", b"x = 1\n\x0c\ny = '\xe2\x80\xa8'\nz = 3\n"),
        (b"a\n" * 50 + b"x\n" + b"b\n" * 50, b"c\n" + b"a\n" * 50 + b"b\n" * 50 + b"d\n"),
    ],
    ids=[
        *("plain", "one line", "no newline", "CRLF", "CRLF, no newline", "UTF-8", "latin-1"),
        *("byte order mark", "form feed and separators", "several hunks"),
    ],
)
@pytest.mark.parametrize("name", ["net.py", "pkg/net.py", "my nets/a net.py", "netz-größe.py"])
def test_git_applies_the_patch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bytes, new: bytes, name: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(old)
    monkeypatch.chdir(tmp_path)
    patch = unified_diff(name, old, new).encode("utf-8", "surrogateescape")
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=patch, check=True)
    assert path.read_bytes() == new

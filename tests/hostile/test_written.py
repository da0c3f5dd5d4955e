"""What --fix writes over: nothing that changed, nothing whose names or attributes would be lost."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hostile_nets import NET

from initlint import api
from initlint.cli import main as cli
from initlint.fix import files, kept
from initlint.fix.files import write_atomically
from initlint.records import InitlintError

ROOT = Path(__file__).parents[2]
OLD, NEW = b"x = 1\n", b"x = 2\n"
needs_attributes = pytest.mark.skipif(not hasattr(os, "listxattr"), reason="Linux only")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.py"
    path.write_bytes(OLD)
    return path


def refusal(path):
    """Why a file is not written, where it and its folder stay as they were."""
    before = {p: (p.lstat().st_ino, p.read_bytes()) for p in path.parent.iterdir() if p.is_file()}
    with pytest.raises(InitlintError) as error:
        write_atomically(path, OLD, NEW)
    after = {p: (p.lstat().st_ino, p.read_bytes()) for p in path.parent.iterdir() if p.is_file()}
    assert before == after
    return str(error.value).removeprefix(f"{path}: ")


def set_attribute(path, name, value):
    try:
        os.setxattr(path, name, value)
    except OSError:
        pytest.skip("the file system has no such attributes")


def test_hard_links_are_refused(file, tmp_path):
    os.link(file, tmp_path / "twin.py")
    assert refusal(file).startswith("it has 2 names (hard links), and a new file would have one")


@needs_attributes
def test_extended_attributes_are_kept(file):
    for name, value in (("user.origin", b"mine"), ("user.empty", b""), ("user.bytes", b"\0\xff")):
        set_attribute(file, name, value)
    before = {name: os.getxattr(file, name) for name in os.listxattr(file)}
    write_atomically(file, OLD, NEW)
    assert file.read_bytes() == NEW
    assert {name: os.getxattr(file, name) for name in os.listxattr(file)} == before


# Version 2; user::rw-, user:1:rwx, group::r--, mask::rwx, other::r--
ACL = bytes.fromhex(
    "02000000" "01000600ffffffff" "0200070001000000" "04000400ffffffff" "10000700ffffffff"
    "20000400ffffffff"
)  # fmt: skip


@needs_attributes
def test_access_lists_are_kept_and_none_is_added(file, tmp_path):
    set_attribute(file, "system.posix_acl_access", ACL)
    mode = stat.S_IMODE(file.stat().st_mode)
    write_atomically(file, OLD, NEW)
    assert os.getxattr(file, "system.posix_acl_access") == ACL
    assert stat.S_IMODE(file.stat().st_mode) == mode
    plain = tmp_path / "plain.py"
    plain.write_bytes(OLD)
    set_attribute(tmp_path, "system.posix_acl_default", ACL)
    write_atomically(plain, OLD, NEW)
    assert "system.posix_acl_access" not in os.listxattr(plain)


@needs_attributes
def test_attributes_that_cannot_be_kept_are_named(file, monkeypatch):
    set_attribute(file, "user.origin", b"mine")

    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setxattr", refuse)
    assert refusal(file) == (
        "its extended attributes cannot be kept (user.origin): Operation not permitted"
    )


def test_an_owner_that_cannot_be_kept_is_refused(file, monkeypatch):
    status = file.stat()
    other = os.stat_result((*status[:4], status.st_uid + 1, *status[5:10]))

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    with file.open("rb") as opened, pytest.raises(kept.NotKeptError, match="another user or group"):
        kept.take_over(opened.fileno(), file, other)


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755, 0o4755, 0o2664, 0o1644])
def test_mode_bits_are_kept(file, mode):
    file.chmod(mode)
    mode = stat.S_IMODE(file.stat().st_mode)
    write_atomically(file, OLD, NEW)
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_link_stays_and_its_file_is_written(file, tmp_path):
    (tmp_path / "sub").mkdir()
    link = tmp_path / "sub/link.py"
    link.symlink_to("../net.py")
    write_atomically(link, OLD, NEW)
    assert (link.is_symlink(), file.read_bytes()) == (True, NEW)


def test_the_longest_name(tmp_path):
    path = tmp_path / f"{'n' * 252}.py"
    path.write_bytes(OLD)
    write_atomically(path, OLD, NEW)
    assert path.read_bytes() == NEW


# What takes the file's place

OTHERS = {
    "other text": b"x = 3\n",
    "longer": OLD + b"# mine\n",
    "empty": b"",
    "huge": OLD * 100_000,
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_other_bytes_are_not_written_over(content, file):
    file.write_bytes(content)
    assert refusal(file) == "changed since it was read; run again"


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_what_is_no_file_any_more_is_not_opened(kind, file, tmp_path, monkeypatch):
    """The file changes at the last moment, after all that was asked about it."""
    original = kept.take_over

    def changing(*arguments):
        original(*arguments)
        file.unlink()
        match kind:
            case "pipe":
                os.mkfifo(file)
            case "folder":
                file.mkdir()
            case "link":
                (tmp_path / "other.py").write_bytes(OLD)
                file.symlink_to("other.py")

    monkeypatch.setattr(files, "take_over", changing)
    with pytest.raises(InitlintError, match="changed since it was read; run again"):
        write_atomically(file, OLD, NEW)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_file_that_another_run_has_written(file):
    file.write_bytes(NEW)
    inode = file.stat().st_ino
    write_atomically(file, OLD, NEW)
    assert (file.read_bytes(), file.stat().st_ino) == (NEW, inode)


# Signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_for_the_file(number, file, tmp_path, monkeypatch):
    received = []
    handler = signal.signal(number, lambda *_: received.append(file.read_bytes()))
    original = os.fsync

    def interrupted(descriptor):
        signal.raise_signal(number)
        original(descriptor)

    monkeypatch.setattr(os, "fsync", interrupted)
    try:
        write_atomically(file, OLD, NEW)
    finally:
        signal.signal(number, handler)
    assert set(received) == {NEW}
    assert [p.name for p in tmp_path.iterdir()] == ["net.py"]


def test_other_threads_write_as_well(file):
    thread = threading.Thread(target=write_atomically, args=(file, OLD, NEW))
    thread.start()
    thread.join()
    assert file.read_bytes() == NEW


TERMINATED = """
import os, signal, sys
from initlint.fix.files import write_atomically
original = os.fsync
def interrupted(descriptor):
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    original(descriptor)
os.fsync = interrupted
write_atomically(sys.argv[1], b"x = 1\\n", b"x = 2\\n")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_process_that_is_ended_leaves_nothing_behind(name, file, tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", TERMINATED, str(file), name]
    done = subprocess.run(command, env=environ, capture_output=True)
    assert done.returncode == -getattr(signal, name)
    assert file.read_bytes() == NEW
    assert [p.name for p in tmp_path.iterdir()] == ["net.py"]


# Whole runs


@pytest.mark.slow
def test_two_runs_at_once(tmp_path):
    for number in range(8):
        (tmp_path / f"m{number}.py").write_text(NET)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "initlint", "check", "-q", "--isolated", "--fix", "."]
    runs = [
        subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for run in runs:
        _, err = run.communicate()
        assert run.returncode == 0 or b"changed since it was read; run again" in err
    contents = {path.read_bytes() for path in tmp_path.glob("m*.py")}
    assert len(contents) == 1
    assert b"kaiming_normal_" in contents.pop()
    assert list(tmp_path.glob(".initlint-*")) == []


def test_the_others_are_written(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b.py"):
        Path(name).write_text(NET)
    os.link("a.py", "a.txt")
    assert cli.main(["check", "--isolated", "--fix", "."]) == 2
    out, err = capfd.readouterr()
    assert "a.py: it has 2 names (hard links)" in err
    assert "Fixed 1 finding in 1 file." in err
    assert "INIT101" in out
    assert Path("a.py").read_text() == Path("a.txt").read_text() == NET
    assert "kaiming_normal_" in Path("b.py").read_text()


@pytest.mark.torch
def test_fix_of_python_raises_what_was_not_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text(NET)
    os.link("a.py", "a.txt")
    with pytest.raises(InitlintError, match=r"a\.py: it has 2 names"):
        api.fix("a.py", write=True)

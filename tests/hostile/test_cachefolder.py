"""What a tree holds cannot reach the cache: no entry is forged, no link followed, no file lost."""

import json
import os
import stat
from pathlib import Path
from unittest.mock import patch

import pytest
from hostile_nets import DEEPER

from initlint.cli.main import main as cli
from initlint.pipeline import files as reading
from initlint.project import cachefolder
from initlint.project.cachefolder import LARGEST, of_project

NET = f"{DEEPER}# {'-' * reading._SMALL}\n"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """The working directory, with a file large enough to be kept, beside other people's files."""
    victim = tmp_path / "victim"
    victim.mkdir()
    for number in range(40):
        (victim / f"data{number}.json").write_text(f'{{"precious": {number}}}')
        (victim / f"{number:032x}.json").write_text("precious")
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "net.py").write_text(NET)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def precious(tree):
    """Says whether what lies beside the tree is as it was."""
    victim = tree.parent / "victim"

    def state():
        return {path: path.read_bytes() for path in victim.rglob("*") if path.is_file()}

    before = state()
    return lambda: state() == before


def check(*line, **environ):
    with patch.dict(os.environ, environ):
        return cli(["check", "-q", *(line or ["net.py"])])


def entries():
    return sorted(Path(os.environ[cachefolder.VARIABLE]).rglob("*.json"))


def project(base):
    """The name of the folder that the tree has in a cache."""
    with of_project() as folder:
        assert folder is not None
    (found,) = Path(os.environ[cachefolder.VARIABLE]).iterdir()
    return Path(base) / found.name


def test_a_folder_of_the_former_name_is_neither_read_nor_written(tree, precious):
    Path(".initlint_cache").symlink_to("../victim")
    assert check() == check() == 1
    assert precious()
    assert sorted(map(str, Path().iterdir())) == [".initlint_cache", "net.py"]


@pytest.mark.parametrize("name", ["cache", "cache/project"])
def test_a_link_in_the_place_of_a_folder_is_not_followed(tree, precious, name):
    link = project("cache") if name == "cache/project" else Path(name)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tree.parent / "victim")
    assert check(INITLINT_CACHE_DIR="cache") == check(INITLINT_CACHE_DIR="cache") == 1
    assert precious()


def test_a_link_above_the_cache_costs_nobody_a_file(tree):
    Path(".cache").symlink_to("../victim")
    environ = {"INITLINT_CACHE_DIR": "", "XDG_CACHE_HOME": ".cache"}
    before = set((tree.parent / "victim").iterdir())
    assert check(**environ) == check(**environ) == 1
    assert before <= set((tree.parent / "victim").iterdir())


def test_links_and_folders_among_the_entries_stay(tree, precious):
    assert check() == 1
    (entry,) = entries()
    for number in range(2 * cachefolder.MOST):
        (entry.parent / f"{number:032x}.json").symlink_to(
            tree.parent / "victim" / f"{number:032x}.json"
        )
    (entry.parent / f"{'f' * 32}.json").mkdir()
    (entry.parent / "notes.json").write_text("mine")
    Path("net.py").write_text(f"{NET}# more\n")
    assert check() == 1
    assert precious()
    assert (entry.parent / "notes.json").exists() and (entry.parent / f"{'f' * 32}.json").exists()
    assert len([path for path in entries() if path.is_symlink()]) == 2 * cachefolder.MOST


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o770])
def test_a_folder_that_others_can_write_to_is_not_used(tree, mode):
    place = project("cache")
    place.mkdir(parents=True)
    place.chmod(mode)
    place.parent.chmod(0o700)
    assert check(INITLINT_CACHE_DIR="cache") == 1
    assert bool(list(place.iterdir())) == (not mode & 0o022)


def test_what_is_kept_is_for_its_owner_alone(tree, kept):
    assert check() == 1
    for path in (kept / "cache").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    key = kept / "state" / "initlint" / "cache.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and len(key.read_bytes()) == 32


# Forged entries


def nothing_found():
    """An entry that says that a file has no layers, as someone without the key can write it."""
    body = json.dumps([[], []]).encode()
    return [body, b"0" * 64 + body, b"", b"0" * 64, b"\xff" * 100]


@pytest.mark.parametrize("data", nothing_found(), ids=range(5))
def test_a_forged_entry_is_no_entry(tree, data):
    assert check() == 1
    (entry,) = entries()
    entry.write_bytes(data)
    assert check() == 1
    assert entry.read_bytes() != data


def test_an_entry_of_another_key_is_no_entry(tree, tmp_path):
    """Whoever knows the image (versions, times, paths) knows an entry's name, but no key."""
    Path("net.py").write_text(NET.replace(".relu()", ""))
    assert check(XDG_STATE_HOME=str(tmp_path / "theirs")) == 0
    (entry,) = entries()
    forged = entry.read_bytes()
    assert check() == 0
    assert entry.read_bytes() != forged


def test_an_entry_under_another_name_is_no_entry(tree):
    assert check() == 1
    (finding,) = entries()
    Path("net.py").write_text(NET.replace(".relu()", ""))
    assert check() == 0
    (silent,) = set(entries()) - {finding}
    finding.write_bytes(silent.read_bytes())
    Path("net.py").write_text(NET)
    assert check() == 1


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 50_000, b"1" * 100_000, b"null"])
def test_a_broken_or_deeply_nested_entry_is_a_miss_even_with_the_mark(tree, body):
    assert check() == 1
    (entry,) = entries()
    with of_project() as folder:
        folder.write(entry.name, body)
    assert check() == 1


def test_a_huge_entry_is_not_read(tree, monkeypatch):
    assert check() == 1
    (entry,) = entries()
    os.truncate(entry, LARGEST + 1)
    with of_project() as folder:
        assert folder.read(entry.name) is None


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_an_entry_that_is_no_file_is_a_miss(tree, kind):
    assert check() == 1
    (entry,) = entries()
    entry.rename(entry.with_name("other"))
    if kind == "pipe":
        os.mkfifo(entry)
    elif kind == "link":
        entry.symlink_to("other")
    else:
        entry.mkdir()
    assert check() == 1


def test_a_key_that_the_tree_brings_is_not_used(tree):
    state = Path("state/initlint")
    state.mkdir(parents=True, mode=0o700)
    (state / "cache.key").write_bytes(b"k" * 32)
    (state / "cache.key").chmod(0o600)
    assert check(XDG_STATE_HOME=str(Path("state").absolute())) == 1
    assert entries() == []


@pytest.mark.parametrize("spoil", ["readable", "short", "link"])
def test_a_key_that_is_not_the_users_alone_is_not_used(tree, kept, spoil):
    assert check() == 1
    key = kept / "state" / "initlint" / "cache.key"
    for entry in entries():
        entry.unlink()
    if spoil == "readable":
        key.chmod(0o644)
    elif spoil == "short":
        key.write_bytes(b"k")
    else:
        key.rename(key.with_name("other"))
        key.symlink_to("other")
    assert check() == 1
    assert entries() == []

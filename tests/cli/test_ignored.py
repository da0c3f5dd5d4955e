"""Ignore rules: the same files as git would list, without git; what cannot be applied is named."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as few
from hypothesis import strategies as st

from initlint.cli import main as cli
from initlint.project import ignored
from initlint.project.config import Config, Settings
from initlint.project.discover import discover

FILES = (
    *("a.py", "a_gen.py", "b.py", "docs/a.py", "docs/deep/a.py", "docs/deep/b_gen.py"),
    *("out/a.py", "out/keep.py", "lib/out/a.py", "lib/out/x/b.py", "lib/a b.py", "lib/#a.py"),
    *("lib/!a.py", "lib/[a].py", "x/out/docs/a.py", "x/y/z/a.py", "x/y/keep.py", "x/-a.py"),
)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A repository with `FILES` as the working directory; a function that says what is found."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    for name in FILES:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("x = 1\n")
    return tmp_path


def git(*command):
    plain = ("-c", "core.excludesFile=/dev/null", "-c", "core.ignoreCase=false")
    done = subprocess.run(["git", *plain, *command], capture_output=True, check=True)
    return [name.decode() for name in done.stdout.split(b"\0") if name]


def listed(folder="."):
    names = git("ls-files", "-z", "--others", "--exclude-standard", "--", folder)
    return sorted(name for name in names if name.endswith(".py"))


def found(*paths):
    return discover(paths or ["."], Settings(Config()))


def write(patterns):
    """Write pattern files by folder, and remove all others."""
    for old in (*Path().rglob(ignored.NAME), Path(".git/info/exclude")):
        old.unlink(missing_ok=True)
    for folder, lines in patterns.items():
        Path(folder).parent.mkdir(parents=True, exist_ok=True)
        Path(folder).write_text("".join(f"{line}\n" for line in lines))


ROOT, INFO = ".gitignore", ".git/info/exclude"
CASES = {
    "a suffix": {ROOT: ["*_gen.py"]},
    "a folder at any depth": {ROOT: ["out/"]},
    "a folder from the root": {ROOT: ["/out"]},
    "a file of a folder's name": {ROOT: ["a.py/"]},
    "between folders": {ROOT: ["x/**/a.py"]},
    "in any folder": {ROOT: ["**/deep"]},
    "all that is in it": {ROOT: ["docs/**"]},
    "what is in it, but one": {ROOT: ["docs/**", "!docs/a.py"]},
    "all in it, said twice": {ROOT: ["docs/**/**"]},
    "folders in it": {ROOT: ["out/**/"]},
    "taken back": {ROOT: ["out/*", "!out/keep.py"]},
    "not in an ignored folder": {ROOT: ["out/", "!out/keep.py"]},
    "all but one kind": {ROOT: ["*", "!*/", "!keep.py"]},
    "nearer wins": {ROOT: ["*.py"], "docs/.gitignore": ["!a.py"]},
    "further does not win": {ROOT: ["!a.py"], "docs/.gitignore": ["a.py"]},
    "only its folder": {"docs/.gitignore": ["a.py"]},
    "from its folder": {"docs/.gitignore": ["/a.py"]},
    "a folder given back": {ROOT: ["out"], "lib/.gitignore": ["!out"]},
    "comments and blanks": {ROOT: ["# a.py", "", "  ", "b.py "]},
    "escapes": {ROOT: [r"\#a.py", r"\!a.py", r"a\ b.py"]},
    "brackets": {ROOT: [r"\[a\].py", "[ab].py", "[!x]_gen.py"]},
    "beside the history": {INFO: ["a.py"]},
    "beside the history, taken back": {INFO: ["a.py"], ROOT: ["!a.py"]},
    "one character": {ROOT: ["?.py"]},
    "line ends of Windows": {ROOT: ["a.py\r", "docs/\r"]},
    "a mark of the byte order": {ROOT: ["\ufeffa.py"]},
    "a dash": {ROOT: ["-a.py"]},
}


@pytest.mark.parametrize("patterns", CASES.values(), ids=CASES)
def test_as_git(tree, patterns):
    write(patterns)
    assert found().files == tuple(listed())
    assert found("lib").files == tuple(listed("lib"))
    assert not found().notes


@pytest.mark.parametrize("pattern", ["*", "**/*", "**/**/*", "/**/**", "**/**/**/*"])
def test_all_files(tree, pattern):
    write({ROOT: [pattern]})
    assert found().files == tuple(listed()) == ()


names = st.sampled_from(["a.py", "out", "docs", "deep", "lib", "x", "y", "*", "**", "*.py", "a*",
                         "?.py", "keep.py", "[ab].py", "*_gen*"])  # fmt: skip
lines = st.builds(
    lambda sign, start, parts, end: sign + start + "/".join(parts) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(names, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)
places = st.sampled_from([ROOT, ROOT, "docs/.gitignore", "lib/.gitignore", "x/y/.gitignore", INFO])


@pytest.mark.slow
@few(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(places, st.lists(lines, min_size=1, max_size=4), max_size=3))
def test_as_git_whatever_the_patterns(tree, patterns):
    write(patterns)
    assert found().files == tuple(listed())


def test_a_repository_inside_another_has_rules_of_its_own(tree):
    write({ROOT: ["a.py"]})
    subprocess.run(["git", "init", "-q", "docs"], check=True)
    assert "docs/a.py" in found().files and "a.py" not in found().files


def test_no_repository_is_needed(tree, tmp_path):
    write({ROOT: ["docs/"]})
    (tmp_path / ".git").rename(tmp_path / "history")
    assert "b.py" in found().files and "docs/a.py" not in found().files


# What cannot be applied


def reasons():
    return [note.reason for note in found().notes]


@pytest.mark.parametrize("bad", ["!", "a\\", "[z-a]", "[[:alpha:]]*", "x" * 5000, "\\"])
def test_a_pattern_that_is_none_is_named_and_the_others_hold(tree, bad):
    write({ROOT: ["# a comment", bad, "docs/"]})
    assert reasons() == [f".gitignore:2: not understood: {bad[:60]!r}; it is not applied"]
    assert "docs/a.py" not in found().files and "a.py" in found().files


def test_too_many_patterns(tree):
    write({ROOT: ["*.py"] * 3000})
    assert reasons() == [".gitignore: more than 2000 patterns; it is not applied"]
    assert "a.py" in found().files


def test_too_large_a_file(tree):
    Path(ROOT).write_text("#" * 2_000_000)
    assert reasons() == [".gitignore: cannot be read: larger than 1 MB; it is not applied"]


def test_a_link_to_patterns_is_not_followed(tree, tmp_path):
    (tmp_path.parent / "elsewhere").write_text("a.py\n")
    Path(ROOT).symlink_to(tmp_path.parent / "elsewhere")
    (reason,) = reasons()
    assert reason == ".gitignore: cannot be read: it is a link, not a file; it is not applied"
    assert "a.py" in found().files


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["*a" * 12 + "b", "**/a" * 12 + "/**/b", "a*" * 200 + "b"])
def test_patterns_that_take_ages_are_given_up(tree, pattern):
    """The count is made before the work: were it done, this test would not end."""
    for number in range(20):
        Path(f"{'a' * 240}{number}.py").write_text("")
    Path("/".join("a" * 60), "deep").mkdir(parents=True)
    Path("/".join("a" * 60), "deep", "c.py").write_text("")
    write({ROOT: [pattern] * 1000})
    assert reasons() == [".gitignore: takes too long to match; it is not applied"]
    assert "a.py" in found().files


def test_notes_are_told_but_no_failure(tree, capsys):
    write({ROOT: ["[z-a]"]})
    assert cli.main(["check", "."]) == 0
    assert (
        "initlint: not analysed: .gitignore:1: not understood: '[z-a]'" in capsys.readouterr().err
    )

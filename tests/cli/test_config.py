"""`[tool.initlint]`: what is read of it, what is refused, and which file it holds for."""

from pathlib import Path

import pytest

from initlint.judge import load
from initlint.project import config
from initlint.project.config import Config, Settings
from initlint.project.patterns import matches
from initlint.project.select import Selection
from initlint.records import InitlintError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config._nearest.cache_clear()
    return tmp_path


def write(folder, text, name="pyproject.toml"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text if text.startswith("[") else f"[tool.initlint]\n{text}\n")


WHOLE = """[project]
name = "it"
[tool.initlint]
select = ["INIT1"]
ignore = ["INIT106"]
extend-select = ["INIT0"]
exclude = ["old"]
extend-exclude = ["*_pb2.py"]
paths = ["src", "net.py"]
models = ["net.py:Net", "package.net:Net"]
style = "method"
distribution = "uniform"
mode = "fan_out"
bias = "zeros"
baseline = "known.json"
output-format = "concise"
[tool.initlint.per-file-ignores]
"tests/**" = ["INIT1", "INIT0"]
"""


def test_every_key(here):
    write(here, WHOLE)
    assert config.load(here / "pyproject.toml") == Config(
        here / "pyproject.toml",
        select=("INIT1",),
        ignore=("INIT106",),
        extend_select=("INIT0",),
        exclude=("old",),
        extend_exclude=("*_pb2.py",),
        paths=("src", "net.py"),
        models=("net.py:Net", "package.net:Net"),
        per_file_ignores=(("tests/**", ("INIT1", "INIT0")),),
        style="method",
        distribution="uniform",
        mode="fan_out",
        bias="zeros",
        baseline="known.json",
        output_format="concise",
    )
    assert set(config.KEYS) == {line.partition(" = ")[0] for line in WHOLE.splitlines()[3:16]} | {
        "per-file-ignores"
    }


REFUSED = [
    ('style = "apply_"', "style: write one of init, method, apply"),
    ("bias = true", "bias: write one of keep, zeros"),
    ('selct = ["INIT1"]', "selct: there is no such key; did you mean select?"),
    ("extend_select = []", "extend_select: there is no such key; did you mean extend-select?"),
    ("zzz = 1", f"zzz: there is no such key; the keys are {', '.join(config.KEYS)}"),
    ('select = "INIT1"', "select: write a list of strings"),
    ("paths = [1]", "paths: write a list of strings"),
    ("per-file-ignores = []", 'per-file-ignores: write a table of lists, as "tests/**" ='),
    ('per-file-ignores = {"a" = "INIT1"}', "per-file-ignores: write a table of lists"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_refused(here, text, reason):
    write(here, text)
    with pytest.raises(InitlintError) as error:
        config.load(here / "pyproject.toml")
    assert str(error.value).startswith(f"pyproject.toml: [tool.initlint] {reason}")


NO_TOML = {
    'select = ["INIT1"]\nselect = ["INIT2"]\n': (3, "keep one of the two"),
    'style = "init"\n[tool.initlint]\n': (3, "keep one of the two"),
    "style = init\n": (2, "in `style = init`; text goes in quotes"),
    'select = ["INIT1"\nstyle = "init"\n': (3, "close the bracket in the lines above"),
    "select = [": (2, "the file ends too early"),
    "style\n": (2, "in `style`; correct the line"),
}


@pytest.mark.parametrize(("text", "said"), NO_TOML.items())
def test_what_is_no_toml_has_its_line_and_a_remedy(here, text, said):
    (here / "pyproject.toml").write_text(f"[tool.initlint]\n{text}")
    with pytest.raises(InitlintError) as error:
        config.load(here / "pyproject.toml")
    number, remedy = said
    assert str(error.value).startswith(f"pyproject.toml:{number}: not TOML: ")
    assert str(error.value).endswith(remedy)


def test_file_that_is_no_toml_is_named_with_its_line(here):
    write(here, "select = [\nignore")
    with pytest.raises(InitlintError, match=r"^pyproject\.toml:3: not TOML: "):
        Settings().here()


def test_table_that_is_none(here):
    write(here, "[tool]\ninitlint = 3\n")
    with pytest.raises(InitlintError, match="is not a table"):
        Settings().here()


def test_config_file_without_the_table(here):
    write(here, "[tool.other]\nname = 'initlint'\n")
    with pytest.raises(InitlintError, match=r"there is no \[tool.initlint\] in it"):
        config.load(here / "pyproject.toml")


# Which one holds


def test_nearest_that_speaks_of_initlint(here):
    write(here, 'select = ["INIT1"]')
    write(here / "a", "[tool.other]\n")
    write(here / "a/b", 'select = ["INIT2"]')
    assert Settings().of("a/x.py").select == ("INIT1",)
    assert Settings().of("a/b/c/x.py").select == ("INIT2",)
    assert Settings().of("a/b/../x.py").select == ("INIT1",)
    assert Settings().here().select == ("INIT1",)


def test_file_elsewhere_follows_the_working_directory(here, tmp_path_factory):
    write(here, 'select = ["INIT1"]')
    assert Settings().of(tmp_path_factory.mktemp("other") / "x.py").select == ("INIT1",)


def test_nothing_anywhere(here):
    assert Settings().here() == Settings().of("x.py") == Config()


def test_broken_file_that_does_not_speak_of_initlint_is_not_ours(here):
    write(here, "[tool\n")
    assert Settings().here() == Config()


def test_config_and_isolated(here):
    write(here, 'select = ["INIT1"]')
    write(here, 'select = ["INIT2"]', "other.toml")
    assert config.settings("other.toml", False).of("x.py").select == ("INIT2",)
    assert config.settings(None, True).of("x.py") == Config()
    assert config.settings(None, False).of("x.py").select == ("INIT1",)


def test_targets_are_written_from_the_working_directory(here, monkeypatch):
    write(here, WHOLE)
    assert Settings().here().targets() == ("src", "net.py", "net.py:Net", "package.net:Net")
    (here / "deep").mkdir()
    monkeypatch.chdir(here / "deep")
    assert Settings().here().targets() == (
        *("../src", "../net.py", "../net.py:Net", "package.net:Net"),
    )


# Patterns

MATCHES = [
    ("tests", ["tests/a.py", "pkg/tests/b/c.py", "tests"], ["tests.py", "mytests/a.py"]),
    ("tests/", ["tests/a.py", "pkg/tests/a.py"], ["tests.py"]),
    ("*_pb2.py", ["a_pb2.py", "pkg/a_pb2.py"], ["a_pb2.pyi"]),
    ("pkg/*.py", ["pkg/a.py"], ["pkg/b/a.py", "x/pkg/a.py", "pkgs/a.py"]),
    ("pkg/*", ["pkg/a.py", "pkg/b/a.py"], ["a.py"]),
    ("/net.py", ["net.py"], ["pkg/net.py"]),
    ("./pkg/net.py", ["pkg/net.py"], ["net.py"]),
    ("**/old/**", ["old/a.py", "a/old/b/c.py"], ["older/a.py"]),
    ("src/**/gen.py", ["src/gen.py", "src/a/b/gen.py"], ["gen.py"]),
    ("a?.py", ["ab.py"], ["a.py", "a/.py"]),
    ("[ab].py", ["a.py", "c/b.py"], ["c.py"]),
    ("[!a].py", ["b.py"], ["a.py"]),
    ("a+(b).py", ["a+(b).py"], ["aab.py"]),
]


@pytest.mark.parametrize(("pattern", "inside", "outside"), MATCHES, ids=[m[0] for m in MATCHES])
def test_matches(pattern, inside, outside):
    assert [path for path in inside if not matches(pattern, path)] == []
    assert [path for path in outside if matches(pattern, path)] == []


def test_patterns_start_from_their_file(here, monkeypatch):
    write(here / "a", 'exclude = ["src/old.py"]\nper-file-ignores = {"src/*" = ["INIT101"]}')
    monkeypatch.chdir(here / "a/..")
    config_of_a = Settings().of("a/src/x.py")
    assert config_of_a.excludes("a/src/old.py")
    assert not config_of_a.excludes("src/old.py")
    assert config_of_a.ignored_in(Path("a/src/new.py").absolute()) == ("INIT101",)


# What the command line adds

ALL_ON = frozenset(load().cards)
CHOICES = [
    ("", (), (), {"INIT101", "INIT106"}, set()),
    ('select = ["INIT101"]', (), (), {"INIT101"}, {"INIT102"}),
    ('select = ["INIT101"]\nextend-select = ["INIT102"]', (), (), {"INIT101", "INIT102"},
     {"INIT103"}),
    ('ignore = ["INIT101"]', (), (), {"INIT102"}, {"INIT101"}),
    ('ignore = ["INIT101"]', (), ("INIT102",), {"INIT103"}, {"INIT101", "INIT102"}),
    ('ignore = ["INIT101"]', ("INIT101",), (), {"INIT101"}, {"INIT102"}),
    # --ignore comes after the settings, also where these are more specific.
    ('select = ["INIT101"]', (), ("ALL",), set(), {"INIT101", "INIT102"}),
    ('select = ["INIT101", "INIT2"]', (), ("INIT1",), {"INIT201"}, {"INIT101"}),
    ('extend-select = ["INIT106"]', (), ("INIT1",), {"INIT201"}, {"INIT106"}),
    ("", (), ("INIT1",), {"INIT201", "INIT001"}, {"INIT106"}),
    ('select = ["INIT101"]', ("INIT102",), (), {"INIT102"}, {"INIT101"}),
    ('extend-select = ["default-before-rectifier"]', (), (), {"INIT101", "INIT102"}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("text", "select", "ignore", "on", "off"), CHOICES)
def test_selection(here, text, select, ignore, on, off):
    write(here, text)
    codes = Selection(select, ignore, Settings()).codes()
    assert on <= codes
    assert not off & codes


def test_selection_by_file(here):
    write(here, 'per-file-ignores = {"tests" = ["INIT101"], "gen/*" = ["ALL"]}')
    write(here / "sub", 'select = ["INIT103"]')
    selection = Selection((), (), Settings())
    assert "INIT101" in selection.codes("net.py")
    assert selection.codes("net.py") - selection.codes("tests/net.py") == {"INIT101"}
    assert selection.codes("gen/net.py") == frozenset()
    assert selection.codes("sub/net.py") == {"INIT103"}
    assert selection.codes("tests/net.py") < selection.codes()


@pytest.mark.parametrize("key", ["select", "ignore", "extend-select"])
def test_unknown_rules_are_named_with_file_and_key(here, key):
    write(here, f'{key} = ["INIT9999"]')
    with pytest.raises(
        InitlintError,
        match=rf"^pyproject\.toml: \[tool.initlint\] {key}: INIT9999: there is no such",
    ):
        Selection((), (), Settings()).codes()

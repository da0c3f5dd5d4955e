"""Settings and options that do not mean well: one line that names file, key and remedy."""

import fnmatch
import os
from pathlib import Path

import pytest
from hostile_nets import NET
from hypothesis import given
from hypothesis import strategies as st

from initlint.cli import main as cli
from initlint.project import arguments, config, inputspec
from initlint.project.config import Config, Settings
from initlint.project.patterns import fault, matches
from initlint.project.targets import gather
from initlint.records import InitlintError

TABLE = "[tool.initlint]\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project in a folder of its own, with a neighbour that it must not reach."""
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "neighbour.py").write_text(NET)
    (folder / "net.py").write_text(NET)
    monkeypatch.chdir(folder)
    config._nearest.cache_clear()
    return folder


def run(line, capfd):
    code = cli.main(line)
    out, err = capfd.readouterr()
    assert "internal error" not in err
    return code, out, err


def refused(line, capfd):
    """The one line on stderr of a run that is refused."""
    code, out, err = run(line, capfd)
    assert (code, out, err.count("\n")) == (2, "", 1)
    return err.removeprefix("initlint: error: ").removesuffix("\n")


# Files that cannot be settings

FILES = {
    "nested arrays": (TABLE + f"select = {'[' * 5000}{']' * 5000}", "nested too deeply"),
    "nested tables": (TABLE + f"x = {'{a=' * 3000}1{'}' * 3000}", "nested too deeply"),
    "nested elsewhere": (f"x = {'[' * 5000}{']' * 5000}\n{TABLE}", "nested too deeply"),
    "many parts": (TABLE + ".".join(["a"] * 20000) + " = 1", "a key has more than 32 parts"),
    "many parts of a header": (f"[{'.'.join(['a'] * 20000)}]\n{TABLE}", "a key has more than 32"),
    "many parts, quoted": (TABLE + " . ".join(['"a b"'] * 20000) + " = 1", "a key has more than"),
    "many parts inside": (TABLE + f"x = [{{{'.'.join(['a'] * 20000)} = 1}}]", "a key has more"),
    "many digits": (TABLE + f"x = {'1' * 5000}", "Exceeds the limit"),
    "huge": (TABLE + f"# {'x' * 1_000_000}", "larger than 1 MB"),
    "huge list": (TABLE + "exclude = [" + '"abc*", ' * 200_000 + "]", "larger than 1 MB"),
    "no UTF-8": (b"# initlint\n# \xe9\n", "no UTF-8 (at line 2); save it as UTF-8"),
    "UTF-16": ("# initlint".encode("utf-16") + TABLE.encode(), "no UTF-8 (at line 1)"),
    "NUL": (TABLE + 'select = ["\0"]', ":2: not TOML: Illegal character '\\x00' in `select"),
    "no table": ("[tool]\ninitlint = 3\n", "[tool.initlint] is not a table; write its keys below"),
    "text": ("[tool]\ninitlint = 'INIT1'\n", "[tool.initlint] is not a table"),
    "array of tables": ("[[tool.initlint]]\nselect = []\n", "[tool.initlint] is not a table"),
    "twice": (TABLE * 2, ":2: not TOML: Cannot declare ('tool', 'initlint') twice in `[tool."),
    "a line of commands": (TABLE + "x = \x1b[31m\n", ":2: not TOML: Invalid value in `x = "),
    "a long line": (TABLE + "x = " + "y" * 90_000, ":2: not TOML: Invalid value in `x = yyyyyy"),
}


@pytest.mark.parametrize(("content", "reason"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("place", [".", "sub/deep"])
def test_files(content, reason, place, here, capfd):
    file = here / place / "pyproject.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    (file.parent / "net.py").write_text(NET)
    shown = file.relative_to(here)
    begins = f"{shown}{'' if reason.startswith(':') else ': '}{reason}"
    for line in (["check", "."], ["check", "--config", str(shown), "."]):
        said = refused(line, capfd)
        assert said.startswith(begins)
        assert len(said) < 400 and "\x1b" not in said
    assert run(["check", "--isolated", "."], capfd)[0] == 1


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + TABLE.encode() + b'select = ["INIT1"]\n',
        b"tool = 3  # initlint\n",
        b"[tool.other]\nname = 'initlint'\n",
        b"# " + b"a. b. c, d.e.f.g. " * 1000 + b"\n" + TABLE.encode(),
        TABLE.encode() + b'select = [""]\n',
        b"# initlint\nurl = 'https://" + b"a.example/" * 40 + b"'\n",
    ],
)
def test_files_that_do_no_harm(content, here, capfd):
    (here / "pyproject.toml").write_bytes(content)
    assert run(["check", "net.py"], capfd)[0] == 1


@pytest.mark.parametrize("kind", ["pipe", "folder", "dangling link", "loop"])
def test_what_is_no_file_is_not_opened(kind, here, capfd):
    place = here / "pyproject.toml"
    match kind:
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "dangling link":
            place.symlink_to("gone.toml")
        case "loop":
            place.symlink_to("pyproject.toml")
    assert run(["check", "net.py"], capfd)[0] == 1
    assert refused(["check", "--config", "pyproject.toml", "net.py"], capfd).startswith(
        "pyproject.toml: "
    )


# Keys

WRONG = ["3", "1.5", "true", '"INIT1"', "[1]", '[["INIT1"]]', "{}", '{a = "b"}', "nan"]
WRONG += ["1979-05-27", "[{}]", '["INIT1", 3]']
VALUES = {
    **{f"{key} = {value}": f"{key}: write " for key in config.KEYS for value in WRONG},
    'select = ["ZZZ\\u001b[31m\\n::error::x"]': r"select: ZZZ\x1b[31m ::error::x: there is no such",
    'ignore = ["\\u202eINIT1"]': r"ignore: \u202eINIT1: there is no such rule",
    'per-file-ignores = {"*" = ["X9"]}': "per-file-ignores: X9: there is no such rule",
    '"a\\u001b[31m\\n::error::x" = 1': r"a\x1b[31m ::error::x: there is no such key; the keys are",
    f'"{"k" * 100_000}" = 1': f"{'k' * 80}…: there is no such key",
    f'select = ["{"I" * 4000}"]': f"select: {'I' * 80}…: there is no such rule",
    f'select = ["{"I" * 5000}"]': f"select: {'I' * 80}…: longer than 4096 characters",
    "select = [" + '"INIT1",' * 1001 + "]": "select: more than 1000 entries",
    "per-file-ignores = {" + ",".join(f"a{n} = []" for n in range(1001)) + "}": (
        "per-file-ignores: more than 1000 entries"
    ),
    'exclude = ["[z-a]"]': 'exclude: "[z-a]": the range z-a is empty; write a-z',
    'extend-exclude = ["a/[!9-0]/b"]': 'extend-exclude: "a/[!9-0]/b": the range 9-0 is empty',
    'per-file-ignores = {"[z-a]" = ["INIT1"]}': 'per-file-ignores: "[z-a]": the range z-a is',
    'exclude = [""]': 'exclude: "": it names nothing',
    'exclude = ["/"]': 'exclude: "/": it names nothing',
    'exclude = ["a\\u0000"]': r"exclude: a\x00: no name has a null character",
    'style = "init\\n"': "style: write one of init, method, apply",
}
# Wrong for one key, right for another.
VALUES.pop("per-file-ignores = {}")
VALUES.pop('baseline = "INIT1"')
VALUES |= {
    'output-format = "INIT1"': "output-format: INIT1: write one of full, concise",
    'baseline = ""': "baseline: write one name in quotes",
    'baseline = "a\\u0000"': r"baseline: a\x00: no name has a null character",
    'baseline = "/etc/passwd"': "baseline: /etc/passwd is outside of",
    'baseline = "../known.json"': "baseline: ../known.json is outside of",
}


@pytest.mark.parametrize(("text", "reason"), VALUES.items(), ids=[key[:40] for key in VALUES])
def test_values(text, reason, here, capfd):
    (here / "pyproject.toml").write_text(f"{TABLE}{text}\n", encoding="utf-8")
    assert refused(["check", "net.py"], capfd).startswith(
        f"pyproject.toml: [tool.initlint] {reason}"
    )


PATHS = {
    'paths = [""]': 'paths: an empty path; write "." for this folder',
    'paths = ["../neighbour.py"]': "paths: ../neighbour.py is outside of",
    'paths = ["net.py", ".."]': "paths: .. is outside of",
    'paths = ["sub/../../neighbour.py"]': "paths: sub/../../neighbour.py is outside of",
    'paths = ["/etc"]': "paths: /etc is outside of",
    'paths = ["/dev/zero"]': "paths: /dev/zero is outside of",
    'paths = ["link"]': "paths: link is outside of",
    'paths = ["link.py"]': "paths: link.py is outside of",
    'paths = ["a\\u0000b"]': r"paths: a\x00b: no name has a null character",
    f'paths = ["{"a/" * 5000}"]': "paths: a/a/",
    'paths = ["net.py:Net"]': "paths: net.py:Net: no such file or folder; a model belongs under",
    'paths = ["os:path"]': "paths: os:path: no such file or folder; a model belongs under models",
    'models = ["net.py"]': "models: net.py: write path/net.py:Net or package.module:Net",
    'models = ["net.py:"]': "models: net.py:: write path/net.py:Net",
    'models = [":Net"]': "models: :Net: is neither a .py file nor a module",
    'models = ["net.py:N et"]': "models: net.py:N et: write path/net.py:Net",
    'models = ["../neighbour.py:Net"]': "models: ../neighbour.py is outside of",
    'models = ["link.py:Net"]': "models: link.py is outside of",
    'models = ["../net:Net"]': "models: ../net:Net: ../net is neither a .py file nor a module",
    'models = ["-m os:path"]': "models: -m os:path: -m os is neither a .py file nor a module",
}


@pytest.mark.parametrize(("text", "reason"), PATHS.items(), ids=[key[:40] for key in PATHS])
def test_targets(text, reason, here, capfd):
    (here / "pyproject.toml").write_text(f"{TABLE}{text}\n")
    (here / "link").symlink_to("..")
    (here / "link.py").symlink_to("../neighbour.py")
    assert refused(["check"], capfd).startswith(f"pyproject.toml: [tool.initlint] {reason}")


@pytest.mark.parametrize("entry", ["-", "--fix", "-q", "@net.py", "[a]", "{weight}", "a b"])
def test_paths_are_paths_whatever_they_look_like(entry, here, capfd):
    (here / "pyproject.toml").write_text(f'{TABLE}paths = ["{entry}"]\n')
    assert refused(["check"], capfd) == f"{entry}: no such file or folder"
    (here / entry).write_text(NET)
    assert run(["check"], capfd)[0] == 1


def test_paths_inside_may_be_reached_by_detours(here, capfd, monkeypatch):
    (here / "pyproject.toml").write_text(f'{TABLE}paths = ["sub/../net.py", "./inside"]\n')
    (here / "sub").mkdir()
    (here / "inside").symlink_to("net.py")
    assert run(["check"], capfd)[0] == 1
    monkeypatch.chdir(here / "sub")
    assert run(["check"], capfd)[0] == 1


# Patterns

EXPLOSIVE = [
    ("**/" * 30 + "x", "a/" * 200 + "b"),
    ("**/*" * 30 + "x", "a/" * 200 + "b"),
    ("*a" * 30 + "b", "a" * 200),
    ("*a*" * 100 + "b", "a" * 250),
    ("?*" * 60 + "b", "a" * 250),
    ("[ab]*" * 60 + "c", "ab" * 120),
    ("/".join(["*a*a*a*b"] * 50), "/".join(["a" * 80] * 50)),
    ("**/a/" * 50 + "b", "a/" * 200 + "c"),
]


@pytest.mark.parametrize(("pattern", "path"), EXPLOSIVE)
def test_many_stars_are_no_more_than_many(pattern, path):
    assert not matches(pattern, path)
    assert fault(pattern) == ""


def slow(parts, names):
    """Whether a pattern's parts name a path or a folder around it, by trying everything."""
    if not parts:
        return True
    if parts == ["**"]:
        return bool(names)
    if parts[0] == "**":
        return any(slow(parts[1:], names[n:]) for n in range(len(names) + 1))
    fits = bool(names) and fnmatch.fnmatchcase(names[0], parts[0])
    return fits and slow(parts[1:], names[1:])


part = st.one_of(st.just("**"), st.text("ab*?", min_size=1, max_size=4))


@given(st.lists(part, min_size=2, max_size=5), st.lists(st.text("ab", min_size=1), min_size=1))
def test_patterns_are_what_trying_everything_says(parts, names):
    assert matches("/".join(parts), "/".join(names)) is slow(parts, names)


ODD = ["[[:alpha:]]*", "[", "]", "[]", "[!]", "[!", "[]]", "(", "\\", "+", ".", "a[b", "[^a]"]
ODD += ["[a&&b]", "[a||b]", "[a~~b]", "[\\d-z]", "[[a]", "***", "a**b", "**", "//a", "./", "$", "^"]


@pytest.mark.parametrize("pattern", ODD)
def test_odd_patterns_match_or_do_not(pattern, here, capfd, recwarn):
    entry = pattern.replace("\\", "\\\\")
    (here / "pyproject.toml").write_text(f'{TABLE}exclude = ["{entry}"]\n')
    assert run(["check", "net.py"], capfd)[0] == (0 if pattern in ("***", "**") else 1) or fault(
        pattern
    )
    assert not recwarn.list


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("[[]", "["), ("[]]", "]"), ("[!a-c]", "d"), ("a[", "a["), ("[^a]", "^"), ("[a&b]", "&")],
)
def test_brackets(pattern, path):
    assert matches(pattern, path)


# What the file is above


def test_a_folder_deeper_than_calls_can_be_nested(tmp_path, monkeypatch, capfd):
    config._nearest.cache_clear()
    deep = Path("/".join(["d"] * 1500))
    assert Settings().of(deep / "net.py") == Config()
    monkeypatch.chdir(tmp_path)
    assert refused(["check", str(deep / "net.py")], capfd).endswith("no such file or folder")


def test_a_working_directory_that_is_gone(tmp_path, monkeypatch, capfd):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    line = refused(["check", "."], capfd)
    assert line == "the working directory cannot be used: No such file or directory"
    monkeypatch.chdir(tmp_path)


# Options

LITERALS = {
    "deep=" + "(" * 150: "is not a Python literal",
    "deep=" + "(" * 5000: "is not a Python literal",
    "deep=" + "[" * 100_000: "is ",
    "deep=" + "-" * 100_000 + "1": "is nested too deeply",
    "deep=" + "not " * 50_000 + "1": "is nested too deeply",
    "deep=" + "{1:" * 3000: "is ",
    "long=" + "1" * 5000: "has more digits than Python reads",
    "long=-" + "1" * 5000: "has more digits than Python reads",
    "name='\\N{BOGUS}'": "is not a Python literal",
    "\u202e=1": "write name=value, as --arg width=64",
    "n" * 100_000: "write name=value",
}


@pytest.mark.parametrize(("text", "reason"), LITERALS.items(), ids=[key[:12] for key in LITERALS])
def test_arguments(text, reason):
    with pytest.raises(InitlintError) as error:
        arguments.parse([text])
    assert reason in str(error.value)
    assert len(str(error.value)) < 350


SPECS = {
    "1," * 100 + "1": "101 dimensions are more than torch's 64",
    "1,3," + "9" * 5000: "is more than any tensor holds",
    "1,9223372036854775808": "is more than any tensor holds",
    "4294967296,4294967296": "these are more elements than any tensor holds",
    "1,00": "'00' is not a size",
    "1,-9": "'-9' is not a size",
    "1,\u0663": "is not a size",
    "1,1e9": "'1e9' is not a size",
    "x" * 100_000: "is not a size",
    "x" * 100_000 + "[1]": "there is no dtype",
    "[" * 100_000: "write 1,3,32,32",
    "a=b=" * 10_000: "write 1,3,32,32",
}


@pytest.mark.parametrize(("text", "reason"), SPECS.items(), ids=[key[:12] for key in SPECS])
def test_inputs(text, reason):
    with pytest.raises(InitlintError) as error:
        inputspec.parse(text)
    assert reason in str(error.value)
    assert len(str(error.value)) < 350


@pytest.mark.parametrize("selector", ["", ",", " , "])
@pytest.mark.parametrize("option", ["--select", "--ignore", "--extend-select", "--exclude"])
def test_an_empty_list_is_an_error(option, selector, here, capfd):
    code, out, err = run(["check", option, selector, "net.py"], capfd)
    assert (code, out) == (
        2,
        "",
    ) and err == f"initlint: error: {option} names nothing; leave it out\n"


@pytest.mark.parametrize("selector", ["\0", "INIT1\n", "\x1b[31m", "I" * 100_000, "INIT1,,X", "*"])
def test_selectors(selector, here, capfd):
    code, _, err = run(["check", "--select", selector, "net.py"], capfd)
    assert (code == 2 and err.count("\n") == 1 and len(err) < 300) or selector == "INIT1\n"


def test_a_name_of_standard_input_that_no_file_has():
    with pytest.raises(InitlintError, match="no name has a null character"):
        gather(["-"], Settings(Config()), "a\0b.py")


@pytest.mark.parametrize("name", ["os:path", "net.py:Net", "antigravity:x"])
def test_standard_input_is_read_whatever_it_is_called(name, here, capfd, monkeypatch):
    (here / "net.py").write_text("raise SystemExit\n")
    (here / "in").write_text(NET)
    with (here / "in").open(encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        code, out, _ = run(["check", "--isolated", "-", "--stdin-filename", name], capfd)
    assert code == 1
    assert out.startswith(f"{name}:8:19: INIT101")


# Names


@pytest.mark.parametrize(
    "path", ["", "a\udcff.py", "a\n.py", "x" * 300, "a/" * 3000, "-x", "net.py/x"]
)
def test_paths_that_name_nothing(path, here, capfd):
    code, out, err = run(["check", "--isolated", "--", path], capfd)
    assert (code, out) == (2, "")
    assert err.startswith("initlint: error: ")


@pytest.mark.parametrize("name", [b"n\xe9t.py", b"\xff\xfe.py", b"\xed\xa0\x80.py", b"\xffn.ipynb"])
@pytest.mark.parametrize(
    "flags",
    [[], ["--output-format=json"], ["--output-format=sarif"], ["--diff"], ["--fix"], ["-j2"]],
)
def test_names_that_are_no_utf8(name, flags, here, capfdbinary):
    import json

    place = os.fsdecode(name)
    cells = {"cells": [{"cell_type": "code", "source": NET, "metadata": {}, "outputs": []}]}
    try:
        Path(place).write_text(json.dumps(cells) if place.endswith("ipynb") else NET)
    except OSError:
        pytest.skip("the file system takes no such name")
    for target in (".", place):
        code = cli.main(["check", *flags, target])
        _, err = capfdbinary.readouterr()
        assert code == (0 if flags == ["--fix"] else 1)
        assert b"error" not in err


def test_a_deep_folder_costs_a_few_look_ups_once_those_above_it_are_known(tmp_path):
    deep = tmp_path.joinpath(*["d"] * 1900)
    config.Settings().of(deep / "one.py")
    before = config._nearest.cache_info()
    config.Settings().of(deep / "two.py")
    after = config._nearest.cache_info()
    assert after.misses == before.misses
    assert after.hits - before.hits <= 1900 // 100 + 5

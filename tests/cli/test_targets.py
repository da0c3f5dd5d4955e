"""What is asked of the api for files, folders, standard input and the settings' targets."""

import io
import json
import sys

import pytest
from handmade import CLEAN, FOUND, finding, layer

from initlint.judge import load
from initlint.project import config
from initlint.project.sourcefiles import Texts
from initlint.project.targets import is_model
from initlint.records import Following, Initializer, Report, Site, Unanalysed


@pytest.fixture(autouse=True)
def forget():
    config._nearest.cache_clear()


@pytest.fixture
def settings(project):
    """Writes [tool.initlint] into the working directory."""

    def write(text):
        (project / "pyproject.toml").write_text(f"[tool.initlint]\n{text}\n")

    return write


@pytest.fixture
def stdin(monkeypatch):
    def give(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give


def asked(initlint, fake, line):
    initlint(line)
    return fake.asked["targets"]


def test_folders_are_asked_about_by_file(initlint, fake):
    assert asked(initlint, fake, "check pkg net.py m:Net") == ("m:Net", "net.py", "pkg/müller.py")


@pytest.mark.parametrize("name", ["net:Net.py", "net:Net.ipynb", "net:Net", "net.py:Net"])
def test_what_lies_on_the_disk_is_a_path_though_its_name_holds_a_colon(
    initlint, fake, project, name
):
    (project / name).write_text("x = 1\n")
    assert asked(initlint, fake, ["check", name]) == (name,)
    assert fake.asked["options"].texts == {}
    assert not is_model(name)


def test_missing_python_file_with_a_colon_is_no_model(initlint, fake):
    assert initlint("check net:gone.py")[2].endswith("net:gone.py: no such file or folder\n")


def test_no_target_is_the_working_directory(initlint, fake):
    assert asked(initlint, fake, "check") == ("net.py", "pkg/müller.py")


def test_no_target_is_what_the_settings_name(initlint, fake, settings):
    settings('paths = ["pkg"]\nmodels = ["net.py:Net"]')
    assert asked(initlint, fake, "check") == ("net.py:Net", "pkg/müller.py")
    assert asked(initlint, fake, "check --isolated") == ("net.py", "pkg/müller.py")
    assert asked(initlint, fake, "check net.py") == ("net.py",)


def test_settings_that_name_models_alone(initlint, fake, settings):
    settings('models = ["net.py:Net"]')
    assert asked(initlint, fake, "check") == ("net.py:Net",)


def test_settings_may_be_elsewhere(initlint, fake, project):
    (project / "pkg/other.toml").write_text('[tool.initlint]\npaths = ["müller.py"]\n')
    assert asked(initlint, fake, "check --config pkg/other.toml") == ("pkg/müller.py",)


def test_settings_that_are_wrong_are_one_line(initlint, settings):
    settings("selct = []")
    assert initlint("check net.py") == (
        2,
        "",
        "initlint: error: pyproject.toml: [tool.initlint] selct: there is no such key; "
        "did you mean select?\n",
    )


def test_rules_of_the_settings(initlint, fake, settings):
    settings('select = ["INIT1"]\nignore = ["INIT106"]\nper-file-ignores = {"pkg" = ["INIT101"]}')
    initlint("check net.py pkg")
    options = fake.asked["options"]
    assert "INIT101" in options.codes
    assert "INIT106" not in options.codes
    in_pkg = finding(site=finding().site.__class__("pkg/müller.py", 2, 1, 2, 2))
    assert (options.speaks(finding()), options.speaks(in_pkg)) == (True, False)
    initlint("check pkg --select INIT106")
    assert fake.asked["options"].codes == {"INIT106"}


def test_rule_that_is_ignored_in_the_only_file_still_runs_nowhere(initlint, fake, settings):
    settings('per-file-ignores = {"net.py" = ["ALL"]}')
    initlint("check net.py")
    assert not any(map(fake.asked["options"].speaks, FOUND.findings))


@pytest.mark.parametrize("form", ["full", "json", "sarif", "gitlab", "github"])
def test_no_files_is_success_with_a_note(initlint, fake, project, form):
    (project / "empty").mkdir()
    code, out, err = initlint(f"check empty --output-format {form}")
    assert code == 0
    assert err.splitlines()[0] == "initlint: no Python files in empty"
    assert not fake.asked
    if form in ("json", "sarif", "gitlab"):
        json.loads(out)


@pytest.mark.parametrize("flag", ["--fix", "--diff"])
def test_no_files_to_repair(initlint, fake, project, flag):
    (project / "empty").mkdir()
    assert initlint(f"check empty {flag} -q") == (0, "", "")
    assert not fake.asked


def test_excluded_files_are_no_files(initlint, settings):
    settings('extend-exclude = ["net.py"]')
    code, _, err = initlint("check net.py")
    assert code == 0
    said = "no Python files in net.py; left out: net.py (excluded by the settings or --exclude)"
    assert err.startswith(f"initlint: {said}\n")


def test_files_that_were_left_out_are_named(initlint, settings, project):
    settings('extend-exclude = ["sub", "net.py", "pkg"]')
    for name in ("build", "sub", ".venv", "__pycache__"):
        (project / name).mkdir()
        (project / name / "a.py").touch()
    (project / "gone.py").touch()
    (project / ".git").mkdir()
    (project / ".gitignore").write_text("gone.py\n")
    _, _, err = initlint("check")
    assert err.startswith(
        "initlint: no Python files in .; left out: build (a folder left out by default), "
        "gone.py (a .gitignore covers it), net.py (excluded by the settings or --exclude), 2 more\n"
    )


def test_a_standard_input_that_is_left_out(initlint, settings, stdin):
    settings('extend-exclude = ["net.py"]')
    stdin(b"x = 1\n")
    _, _, err = initlint("check - --stdin-filename net.py")
    assert "left out: net.py (excluded by the settings or --exclude)" in err


def test_missing_file_beside_others(initlint, fake):
    code, _, err = initlint("check gone.py net.py", report=CLEAN)
    assert fake.asked["targets"] == ("net.py",)
    assert code == 2
    assert err.startswith("initlint: error: gone.py: no such file or folder\n")


def test_file_that_is_broken_fails_though_others_are_fine(initlint):
    gap = Unanalysed("pkg/müller.py", "pkg/müller.py:3: invalid syntax")
    code, out, err = initlint("check .", report=Report(FOUND.layers, FOUND.findings, (gap,)))
    assert code == 2
    assert "INIT101" in out
    assert "initlint: error: pkg/müller.py:3: invalid syntax\n" in err


# Standard input


def test_standard_input(initlint, fake, stdin):
    stdin(b"x = 1\ny = 2\n")
    assert asked(initlint, fake, "check - --stdin-filename pkg/new.py") == ("pkg/new.py",)
    assert fake.asked["options"].texts == {"pkg/new.py": b"x = 1\ny = 2\n"}
    assert fake.seen == {"pkg/new.py": ["x = 1", "y = 2"]}
    assert Texts().lines("pkg/new.py") == []


def test_standard_input_without_a_name(initlint, fake, stdin):
    stdin("größe = 1".encode())
    assert asked(initlint, fake, "check -") == ("-",)
    assert fake.seen == {"-": ["größe = 1"]}


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\xef\xbb\xbfx = 1\r\ny = 2\r\n", ["x = 1", "y = 2"]),
        ("# coding: latin-1\nx = 'ö'\n".encode("latin-1"), ["# coding: latin-1", "x = 'ö'"]),
        (b"# coding: nonsense\nx = '\xff'\n", ["# coding: nonsense", "x = '\ufffd'"]),
        (b"x = '\x0c\x1c'\n", ["x = '\x0c\x1c'"]),
    ],
)
def test_standard_input_is_decoded_as_python_does(initlint, fake, stdin, data, lines):
    stdin(data)
    initlint("check - --stdin-filename s.py")
    assert fake.seen == {"s.py": lines}


def test_standard_input_that_is_a_notebook(initlint, fake, stdin):
    cells = [{"cell_type": "code", "source": "%cd ..\nx = 1"}]
    stdin(json.dumps({"cells": cells, "metadata": {}}).encode())
    initlint("check - --stdin-filename s.ipynb")
    assert fake.seen == {"s.ipynb": ["pass", "x = 1"]}


def test_standard_input_may_be_excluded(initlint, fake, stdin, settings):
    settings('extend-exclude = ["gen"]')
    stdin(b"x = 1\n")
    code, _, _ = initlint("check - --stdin-filename gen/a.py")
    assert (code, fake.asked) == (0, {})


@pytest.mark.parametrize(
    ("files", "text"),
    [((), b"x = 1\n"), ((("s.py", b"x = 1\n", b"y = \xff\r\n"),), b"y = \xff\r\n")],
)
def test_repaired_standard_input_is_alone_on_the_output(fake, stdin, capfdbinary, files, text):
    from initlint.cli import main as cli

    stdin(b"x = 1\n")
    vars(fake).update(report=FOUND, files=files)
    assert cli.main(["check", "-", "--stdin-filename", "s.py", "--fix"]) == 1
    out, err = capfdbinary.readouterr()
    assert out == text
    assert b"INIT101" in err
    assert fake.asked["write"] is False


# Comments that silence nothing


def noted(initlint, project, comment, report=None, line=""):
    path = project / "net.py"
    lines = path.read_text().splitlines()
    lines[7] = f"{lines[7].partition('  #')[0]}  {comment}"
    path.write_text("\n".join(lines))
    _, _, err = initlint(f"check net.py {line}", report=report or Report(layers=(layer(),)))
    return [text for text in err.splitlines() if "suppression" in text]


@pytest.mark.parametrize("comment", ["# initlint: ignore[INIT101]", "# noqa: INIT1, E501"])
def test_idle_comment_is_noted(initlint, project, comment):
    (note,) = noted(initlint, project, comment)
    assert note.startswith("initlint: net.py:8: suppression of INIT1")
    assert note.endswith("silences nothing on this line")
    assert noted(initlint, project, comment, line="-q") == []


def test_a_comment_beside_the_call_that_fills_is_noted(initlint, project):
    """The finding stands where the layer is made."""
    by_hand = Initializer("normal_", default=False, site=Site("net.py", 8, 9, 8, 30))
    elsewhere = Site("net.py", 3, 9, 3, 30)
    report = Report(layers=(layer(current=by_hand, site=elsewhere),))
    (note,) = noted(initlint, project, "# initlint: ignore[explicit-scale-off]", report)
    assert note.endswith("suppression of explicit-scale-off silences nothing on this line")
    unseen = layer(current=by_hand, site=elsewhere, following=Following("unknown"))
    report = Report(layers=(unseen,))
    assert noted(initlint, project, "# initlint: ignore[explicit-scale-off]", report) == []


@pytest.mark.parametrize(
    ("comment", "entry", "hint"),
    [
        (
            "# initlint: ignore[defualt-before-rectifier]",
            "defualt-before-rectifier",
            "; did you mean default-before-rectifier?",
        ),
        ("# initlint: ignore[ALL]", "ALL", ""),
    ],
)
def test_entry_that_is_no_rule_is_noted(initlint, project, comment, entry, hint):
    (note,) = noted(initlint, project, comment)
    reason = f"does nothing: there is no such rule{hint}"
    assert note == f"initlint: net.py:8: suppression of {entry} {reason}"


def test_a_code_that_is_no_rule_is_noted(initlint, project):
    (note,) = noted(initlint, project, "# noqa: INIT999")
    said, _, near = note.partition("; did you mean ")
    assert said == "initlint: net.py:8: suppression of INIT999 does nothing: there is no such rule"
    assert not near or near.rstrip("?") in load().cards


@pytest.mark.parametrize(
    ("comment", "report"),
    [
        pytest.param("# noqa", None, id="not ours"),
        pytest.param("# noqa: E501", None, id="another's"),
        pytest.param("# initlint: ignore[INIT101]",
                     Report(layers=(layer(),), silenced=(finding(),)), id="it silences"),
        pytest.param("# initlint: ignore[INIT101]",
                     Report(layers=(layer(following=layer().following.__class__("unknown")),)),
                     id="nothing is known of the line"),
        pytest.param("# initlint: ignore[INIT101]",
                     Report(layers=(layer(site=None),)), id="no source"),
        pytest.param("# initlint: skip-file", None, id="whole file"),
    ],
)  # fmt: skip
def test_comment_that_may_be_needed_is_not_noted(initlint, project, comment, report):
    assert noted(initlint, project, comment, report) == []


def test_comment_of_a_rule_that_did_not_run_is_not_noted(initlint, project):
    comment = "# initlint: ignore[INIT101]"
    assert noted(initlint, project, comment, line="--select INIT102") == []

"""A rule is a card and a function, side by side, and nothing else: one written here works."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from made import CARD, FUNCTION, NET, write

from initlint.cli import main as cli

ROOT = Path(__file__).parents[2]
PACKAGE = "acme_rules"
MARKED = "import pathlib; pathlib.Path({!r}).touch()\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working directory, with a net of which the rule has something to report."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "net.py").write_text(NET)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def initlint(capsys):
    def run(*line):
        code = cli.main(list(line))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def install(site, package=PACKAGE, value=PACKAGE, name="acme", folder=None, **rule):
    """A package with a rule, installed in a folder of sys.path as pip would do it."""
    write(site / (folder or package.replace(".", "/")), **rule)
    (site / package.partition(".")[0] / "__init__.py").touch()
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[initlint.rules]\n{name} = {value}\n")
    return site


@pytest.fixture(params=["a folder", "an installed package"])
def more(request, tmp_path, monkeypatch):
    """The options with which a rule of one's own is found."""
    if request.param == "a folder":
        return ("--rules", str(write(tmp_path / "own")))
    monkeypatch.syspath_prepend(install(tmp_path / "site"))
    return ()


# A rule that is found is one of all


def test_check_reports_it(initlint, more):
    code, out, _ = initlint("check", "net.py", "--no-cache", *more)
    assert code == 1
    assert "net.py:7:22: INIT199 wide-layer: first has 200 outputs\n" in out
    assert "INIT101 default-before-rectifier" in out


@pytest.mark.torch
def test_both_engines_ask_it(initlint, more):
    _, out, _ = initlint("check", "net.py:Net", "--select", "INIT199", *more)
    assert "net.py:7:22: INIT199 wide-layer: first has 200 outputs\n" in out


@pytest.mark.parametrize("key", ["INIT199", "wide-layer"])
def test_rule_prints_it(initlint, more, key):
    code, out, _ = initlint("rule", key, *more)
    assert code == 0
    assert out.startswith(
        "INIT199 wide-layer\nCategory: made up. Severity: warning. Confidence: high. Fix: none. "
        "Default: on. Since: 0.1.0.\n"
    )


def test_rule_lists_it(initlint, more):
    _, out, _ = initlint("rule", "--all", "--output-format", "json", *more)
    codes = [entry["code"] for entry in json.loads(out)]
    assert codes.count("INIT199") == 1 and codes == sorted(codes)


@pytest.mark.parametrize("selector", ["INIT199", "INIT19", "wide-layer"])
def test_select_knows_it(initlint, more, selector):
    code, out, _ = initlint(
        "check", "net.py", "--output-format", "concise", "--select", selector, *more
    )
    assert code == 1
    assert out == "net.py:7:22: INIT199 wide-layer: first has 200 outputs\n"


def test_ignore_knows_it(initlint, more):
    _, out, _ = initlint("check", "net.py", "--ignore", "wide-layer", *more)
    assert "INIT199" not in out and "INIT101" in out


def test_settings_know_it(initlint, more, here):
    (here / "pyproject.toml").write_text('[tool.initlint]\nignore = ["INIT199"]\n')
    _, out, _ = initlint("check", "net.py", "--no-cache", *more)
    assert "INIT199" not in out and "INIT101" in out


def test_comments_know_it(initlint, more, here):
    (here / "net.py").write_text(NET.replace("200)\n", "200)  # noqa: INIT199, INIT102\n", 1))
    _, out, err = initlint("check", "net.py", "--output-format", "concise", *more)
    assert "INIT199" not in out and "INIT101" in out
    assert "suppression of INIT102 silences nothing" in err and "INIT199" not in err


def test_json_carries_it(initlint, more):
    line = ("check", "net.py", "--output-format", "json", "--select", "INIT199", *more)
    (finding,) = json.loads(initlint(*line)[1])["findings"]
    assert (finding["code"], finding["name"]) == ("INIT199", "wide-layer")
    assert (finding["severity"], finding["fix"]) == ("warning", None)
    assert finding["recommended"] is None


def test_sarif_carries_it(initlint, more):
    line = ("check", "net.py", "--output-format", "sarif", "--select", "INIT199", *more)
    (run,) = json.loads(initlint(*line)[1])["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert (rule["id"], rule["name"]) == ("INIT199", "wide-layer")
    assert rule["shortDescription"]["text"] == "A layer is wider than 100."
    assert [result["ruleId"] for result in run["results"]] == ["INIT199"]


@pytest.mark.torch
def test_a_fix_of_it_is_judged_again_with_it(initlint, tmp_path, here):
    """The rewritten file is judged by all rules in another process."""
    fixable = CARD.replace('"0.1.0"\n', '"0.1.0"\nfix = "unsafe"\n').replace(" by-hand", "")
    function = FUNCTION.replace(
        "layer.shape[0] > 100",
        "layer.shape[0] > 100 and layer.current and layer.current.default",
    )
    rules = str(write(tmp_path / "own", card=fixable, function=function))
    line = ("check", "--trace", "net.py", "--select", "INIT199", "--fix", "--rules", rules)
    assert initlint(*line)[0] == 1
    code, _, err = initlint(*line, "--unsafe-fixes")
    assert (code, "Fixed 1 finding in 1 file.\n" in err) == (0, True)
    assert "nn.init.kaiming_normal_(self.first.weight" in (here / "net.py").read_text()


def test_another_prefix_is_a_code_too(initlint, tmp_path):
    rules = str(write(tmp_path / "own", "ACME101", CARD.replace("INIT199", "ACME101")))
    line = ("check", "net.py", "--output-format", "concise", "--rules", rules)
    for selector in ("ACME", "ACME1", "acme101"):
        assert initlint(*line, "--select", selector)[1].startswith("net.py:7:22: ACME101 wide-")
    said = "--select ACME9: there is no such rule or group; did you mean ACME"
    assert said in initlint(*line, "--select", "ACME9")[2]


def test_a_rule_that_is_off_by_default_has_to_be_selected(initlint, tmp_path):
    off = CARD.replace('"0.1.0"\n', '"0.1.0"\ndefault = "off"\n')
    line = ("check", "net.py", "--no-cache", "--rules", str(write(tmp_path / "own", card=off)))
    assert "INIT199" not in initlint(*line)[1]
    assert "INIT199" in initlint(*line, "--select", "ALL")[1]


def test_folders_are_added_up(initlint, tmp_path):
    other = CARD.replace("INIT199", "INIT198").replace("wide-layer", "very-wide")
    rules = [str(write(tmp_path / "a")), str(write(tmp_path / "b", "INIT198", other))]
    line = [part for folder in rules for part in ("--rules", folder)]
    _, out, _ = initlint("check", "net.py", "--no-cache", *line)
    assert "INIT198 very-wide" in out and "INIT199 wide-layer" in out


@pytest.mark.parametrize("command", [("check", "net.py"), ("rule", "INIT101")])
def test_a_wrong_folder_is_one_line(initlint, command):
    said = "initlint: error: --rules none: there is no such folder\n"
    assert initlint(*command, "--rules", "none") == (2, "", said)


@pytest.mark.slow
def test_the_examples_of_any_folder_are_tests(tmp_path):
    rules = write(tmp_path / "own")

    def run():
        command = [sys.executable, "-m", "pytest", "-q", "tests/rules/test_examples.py"]
        command += ["-k", "INIT199 and read", "--rules", str(rules), "-p", "no:cacheprovider"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.splitlines()[-1]

    assert "3 passed" in run()
    write(rules, function=FUNCTION.replace("100", "300"))
    assert "1 failed, 2 passed" in run()


# Who may add a rule


def test_the_settings_add_no_rules(initlint, here, tmp_path):
    rules = write(tmp_path / "own")
    (here / "pyproject.toml").write_text(f'[tool.initlint]\nrules = ["{rules}"]\n')
    code, _, err = initlint("check", "net.py")
    assert code == 2
    assert "[tool.initlint] rules: there is no such key" in err


def test_a_folder_called_rules_in_the_tree_adds_none(initlint, here):
    write(here / "rules", function=MARKED.format(str(here / "ran")) + FUNCTION)
    assert "INIT199" not in initlint("check", ".", "--no-cache")[1]
    assert not (here / "ran").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "start",
    [
        ["-m", "initlint"],
        ["-c", "import sys; from initlint.cli.main import main; sys.exit(main())"],
    ],
)
@pytest.mark.parametrize("path", [None, "", "."])
def test_a_package_in_the_tree_adds_no_rules(here, start, path):
    """`python -m` looks for packages in the working directory; initlint does not."""
    install(here, function=MARKED.format(str(here / "ran")) + FUNCTION)
    given = {} if path is None else {"PYTHONPATH": os.pathsep.join((str(ROOT), path))}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **given}
    done = subprocess.run(
        [sys.executable, *start, "check", ".", "--no-cache"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "INIT101" in done.stdout and "INIT199" not in done.stdout
    assert not (here / "ran").exists()


# Installed packages


def test_nothing_of_a_package_is_imported_but_its_rules(tmp_path, monkeypatch, initlint):
    site = install(tmp_path / "site")
    (site / PACKAGE / "__init__.py").write_text("raise ValueError")
    monkeypatch.syspath_prepend(site)
    assert "INIT199" in initlint("check", "net.py", "--no-cache")[1]
    assert PACKAGE not in sys.modules


@pytest.mark.parametrize(
    ("package", "value"),
    [
        ("acme_rules", "acme_rules"),
        ("acme_rules.inner", "acme_rules.inner"),
        ("acme_rules", "acme_rules.shared"),
        ("acme_rules.a.b", "acme_rules.a.b.shared"),
    ],
)
def test_an_entry_point_names_a_package_or_a_module_in_it(tmp_path, monkeypatch, package, value):
    site = install(tmp_path / "site", package, value)
    for folder in (site / package.replace(".", "/"), site / "acme_rules"):
        (folder / "shared.py").write_text("raise ValueError")
    monkeypatch.syspath_prepend(site)
    assert cli.main(["rule", "INIT199"]) == 0


def test_a_rule_of_a_package_may_import_from_it(tmp_path, monkeypatch, initlint):
    function = FUNCTION.replace("\n\ndef", "from .shared import LIMIT\n\n\ndef", 1)
    site = install(
        tmp_path / "site", "acme_kin", "acme_kin", function=function.replace("100", "LIMIT")
    )
    (site / "acme_kin" / "shared.py").write_text("LIMIT = 150\n")
    monkeypatch.syspath_prepend(site)
    assert "INIT199" in initlint("check", "net.py", "--no-cache")[1]


@pytest.mark.parametrize(
    "value", ["no_such_package", "acme_rules.none", "acme_rules:rules", "json.none"]
)
def test_an_entry_point_that_leads_nowhere(tmp_path, monkeypatch, initlint, value):
    monkeypatch.syspath_prepend(install(tmp_path / "site", value=value))
    code, _, err = initlint("check", "net.py", "--no-cache")
    where = tmp_path / "site" / "acme-1.0.dist-info" / "entry_points.txt"
    assert (code, err) == (2, f"initlint: error: {where}:2: {value} is not an installed package\n")


def test_a_package_that_is_developed_here_may_be_installed_as_editable(
    here, tmp_path, monkeypatch, initlint
):
    """Its metadata is where packages are installed, and the working directory is on sys.path."""
    install(tmp_path / "site")
    (tmp_path / "site" / PACKAGE).rename(here / PACKAGE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.syspath_prepend(here)
    assert initlint("rule", "INIT199")[0] == 0


def test_a_folder_of_the_tree_stands_for_no_installed_package(
    here, tmp_path, monkeypatch, initlint
):
    write(here / PACKAGE, function=MARKED.format(str(here / "ran")) + FUNCTION)
    monkeypatch.syspath_prepend(install(tmp_path / "site"))
    monkeypatch.syspath_prepend(here)
    assert initlint("rule", "INIT199")[0] == 0
    assert not (here / "ran").exists()


def test_other_entry_points_are_left_alone(tmp_path, monkeypatch):
    site = install(tmp_path / "site")
    text = "[console_scripts]\ninitlint.rules = none:run\n[initlint]\nrules = none\n"
    (site / "acme-1.0.dist-info" / "entry_points.txt").write_text(text)
    monkeypatch.syspath_prepend(site)
    assert cli.main(["rule", "INIT199"]) == 2


def test_a_package_that_is_found_twice_is_one(tmp_path, monkeypatch, initlint):
    """An editable installation beside an old one: imported is the first."""
    for name in ("old", "new"):
        monkeypatch.syspath_prepend(install(tmp_path / name))
    assert initlint("rule", "INIT199")[0] == 0


def test_help_looks_for_no_rules():
    code = (
        "import sys; from initlint.cli.main import main; main(['check', '--help']);"
        "main(['--help']); main(['--version']);"
        "print([n for n in sys.modules if n.startswith(('initlint.judge', 'importlib.meta'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_rules_of_others_no_metadata_is_imported():
    code = (
        "import sys; from initlint.cli.main import main; main(['check', 'net.py', '-q']);"
        "print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"

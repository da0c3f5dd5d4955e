"""`initlint diff` and `initlint lock`: which parameters start differently."""

import json
import subprocess

import pytest

from initlint.cli import main as cli

NET = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 64)
        self.out = nn.Linear(64, 10)
        self.token = nn.Parameter(torch.zeros(64))
        nn.init.kaiming_normal_(self.fc.weight)

    def forward(self, x):
        return self.out(torch.relu(self.fc(x + self.token)))
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.py").write_text(NET)
    return tmp_path


@pytest.fixture
def run(capsys):
    def ran(*line):
        code = cli.main(list(line))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return ran


def _new(here, *changes):
    text = NET
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (here / "new.py").write_text(text)


def test_a_base_class_in_another_file_that_makes_a_layer_now_changes_nothing(here, run):
    base = """from torch import nn

class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 10)

"""
    for folder in ("one", "two"):
        (here / folder).mkdir()
    net = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    body = "        self.fc = nn.Linear(64, 64)\n"
    (here / "one/net.py").write_text(
        "from torch import nn\n\n" + net + body + "        self.head = nn.Linear(64, 10)\n"
    )
    (here / "two/base.py").write_text(base)
    (here / "two/net.py").write_text(
        "from torch import nn\nfrom base import Base\n\n" + net.replace("nn.Module", "Base") + body
    )
    _, out, err = run("diff", "one", "two")
    # The base class is new; of Net nothing is.
    assert out.startswith("base.py: Base\n") and "Net" not in out
    assert err == "0 parameters start differently, 2 added, 4 alike.\n"


def test_no_forward_is_followed(here, run, monkeypatch):
    """How a model starts does not depend on its data; a forward that cannot be read is no gap."""
    from initlint.reading.models import recording

    monkeypatch.setattr(recording, "entered", None)
    _new(here, ("kaiming_normal_", "zeros_"), ("return self.out", "raise ValueError(self)  #"))
    code, out, err = run("diff", "old.py", "new.py")
    assert code == 1 and out.count("  ~ ") == 1 and "fc.weight" in out
    assert err == "1 parameter starts differently, 4 alike.\n"


def test_the_same_distribution_written_otherwise_is_no_change(here, run):
    _new(
        here,
        ("nn.init.kaiming_normal_(self.fc.weight)", "self.fc.weight.data.normal_(0, 2**-2.5)"),
        ("torch.zeros(64)", "torch.empty(64)"),
        ("    def forward", "        nn.init.constant_(self.token, 0.0)\n\n    def forward"),
    )
    code, out, err = run("diff", "old.py", "new.py")
    assert (code, out) == (0, "")
    assert err == "0 parameters start differently, 5 alike.\n"


CHANGED = {
    "scale": (
        ("kaiming_normal_(self.fc.weight)", "normal_(self.fc.weight, std=0.02)"),
        "fc.weight",
    ),
    "shape": (("zeros(64)", "zeros(1, 64)"), "token"),
    "distribution": (("kaiming_normal_", "kaiming_uniform_"), "fc.weight"),
    "mean": (("zeros(64)", "ones(64)"), "token"),
    "a part": (
        ("    def forward", "        self.out.weight.data[0] = 0\n\n    def forward"),
        "out.weight",
    ),
}


@pytest.mark.parametrize(("change", "parameter"), CHANGED.values(), ids=CHANGED)
def test_what_starts_differently_is_named(change, parameter, here, run):
    _new(here, change)
    code, out, _ = run("diff", "old.py", "new.py", "--output-format", "json")
    found = json.loads(out)
    named = [entry["parameter"] for entry in found["changes"]] + [
        entry["parameter"] for entry in found["unclear"]
    ]
    assert named == [parameter] and found["alike"] == 4
    assert code == (1 if found["changes"] else 0)


HOOKED = """import torch
from torch import nn
from transformers import PreTrainedModel


class Model(PreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.fc = nn.Linear(config.width, 8)
        self.norm = nn.LayerNorm(8)
        self.scale = nn.Parameter(torch.ones(1))
        self.post_init()

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(0.0, self.config.std)
            module.bias.data.zero_()

    def forward(self, x):
        return self.norm(self.fc(x)) * self.scale
"""
_HOOK_FILLS = """            module.bias.data.zero_()
        elif isinstance(module, Model):
            module.scale.data.fill_(1.0)
"""


def test_a_parameter_that_only_one_hook_fills_is_named(here, run):
    """It has the same value in both, but not where weights are loaded that lack it."""
    (here / "old.py").write_text(HOOKED)
    (here / "new.py").write_text(
        HOOKED.replace("            module.bias.data.zero_()\n", _HOOK_FILLS)
    )
    code, out, err = run("diff", "old.py", "new.py")
    assert code == 1 and err == "1 parameter starts differently, 4 alike.\n"
    assert out == (
        "Model\n  ~ scale\n      was 1 ones (line 11), left out by the hook\n"
        "      now 1 constant 1 (line 19), filled by the hook _init_weights\n"
    )
    code, out, _ = run("diff", "new.py", "old.py", "--output-format", "json")
    (change,) = json.loads(out)["changes"]
    assert [side[0]["hook"] for side in (change["old"], change["new"])] == ["covered", "missed"]


RENAMED = {
    "other words": ("module.bias.data.zero_()", "nn.init.zeros_(module.bias)"),
    "other names": ("(self, module):", "(self, part):\n        module = part"),
    "a base": ("isinstance(module, nn.Linear)", "isinstance(module, (nn.Linear, nn.Conv1d))"),
    "a local": (
        "module.weight.data.normal_(0.0, self.config.std)",
        "std = self.config.std\n            module.weight.data.normal_(mean=0.0, std=std)",
    ),
}


@pytest.mark.parametrize("change", RENAMED.values(), ids=RENAMED)
def test_a_hook_in_other_words_is_no_change(here, run, change):
    old, new = change
    (here / "old.py").write_text(HOOKED)
    (here / "new.py").write_text(HOOKED.replace(old, new))
    code, out, err = run("diff", "old.py", "new.py")
    assert (code, out) == (0, "") and err == "0 parameters start differently, 5 alike.\n"


def test_a_version_whose_process_has_ended_is_read_here(here, run, monkeypatch):
    from initlint.reading import forks

    monkeypatch.setattr(forks, "forked", lambda share, count, nothing: [share(0), nothing])
    _new(here, ("kaiming_normal_", "zeros_"))
    assert run("diff", "old.py", "new.py")[2] == "1 parameter starts differently, 4 alike.\n"


def test_what_the_other_process_says_comes_in_order(here, run):
    (here / "new.py").write_text("import torch\n")
    code, out, err = run("diff", "old.py", "new.py")
    assert (code, out) == (2, "")
    why = "new.py: no parameter was found, so nothing can be compared"
    assert err == f"initlint: error: {why}\n"


def test_text_says_what_was_and_what_is(here, run):
    _new(here, ("kaiming_normal_(self.fc.weight)", "normal_(self.fc.weight, std=0.02)"))
    code, out, err = run("diff", "old.py", "new.py")
    assert code == 1
    assert out.splitlines() == [
        "Net",
        "  ~ fc.weight",
        "      was 64×64 kaiming_normal std 0.1768 (line 11)",
        "      now 64×64 normal std 0.02 (line 11)",
    ]
    assert err == "1 parameter starts differently, 4 alike.\n"


def test_a_change_beside_a_write_that_is_not_understood_is_found(here, run):
    unclear = (
        "    def forward",
        "        self.fc.weight.data[0] = torch.rand(3)[0]\n\n    def forward",
    )
    (here / "old.py").write_text(NET.replace(*unclear))
    _new(here, unclear, ("kaiming_normal_(self.fc.weight)", "normal_(self.fc.weight, std=0.02)"))
    assert run("diff", "old.py", "new.py")[0] == 1
    code, _, err = run("diff", "old.py", "old.py")
    assert code == 0 and "1 not compared: what fills them is not understood" in err


def test_a_class_that_moved_to_another_file_is_the_same_one(here, run):
    for folder, name in (("a", "net.py"), ("b", "models.py")):
        (here / folder).mkdir()
        (here / folder / name).write_text(NET)
    code, out, err = run("diff", "a", "b")
    assert (code, out, err) == (0, "", "0 parameters start differently, 5 alike.\n")


def test_added_and_removed_parameters(here, run):
    _new(here, ("self.token = nn.Parameter(torch.zeros(64))", "self.token = 0"))
    code, out, err = run("diff", "new.py", "old.py")
    assert code == 1 and out.splitlines()[1:] == ["  + token", "      now 64 zeros (line 10)"]
    assert err == "0 parameters start differently, 1 added, 4 alike.\n"
    assert run("diff", "old.py", "new.py")[1].splitlines()[1] == "  - token"


def test_an_installed_package_is_not_imported(here, run, monkeypatch):
    package = here / "lib" / "a_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit(3)\n")
    (package / "net.py").write_text(NET)
    (here / "net.py").write_text(NET)
    monkeypatch.syspath_prepend(str(here / "lib"))
    code, out, _ = run("diff", "a_package", "old.py")
    assert (code, out) == (0, "")


def test_no_such_version_is_one_line(here, run):
    code, out, err = run("diff", "nowhere", "old.py")
    assert code == 2 and not out
    assert err.startswith("initlint: error: nowhere: there is no such version; name a file")
    (here / "empty.py").write_text("x = 1\n")
    assert run("diff", "empty.py", "old.py")[2] == (
        "initlint: error: empty.py: no parameter was found, so nothing can be compared\n"
    )


@pytest.fixture
def repository(here):
    pytest.importorskip("dulwich")

    def git(*command):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
        subprocess.run(["git", *who, *command], cwd=here, check=True, capture_output=True)

    git("init", "-q")
    (here / "net.py").write_text(NET)
    (here / "old.py").unlink()
    git("add", ".")
    git("commit", "-qm", "one")
    (here / "net.py").write_text(NET.replace("kaiming_normal_", "xavier_normal_"))
    git("commit", "-qam", "two")
    return here


def test_revisions_of_git(repository, run):
    assert run("diff", "git:HEAD", ".")[0] == 0
    code, out, _ = run("diff", "git:HEAD~1", "git:HEAD")
    assert code == 1 and out.splitlines()[:2] == ["net.py: Net", "  ~ fc.weight"]
    assert run("diff", "git:HEAD^:net.py", "net.py")[0] == 1


WRONG = {
    "no revision": ("git:nothing", "there is no revision nothing here"),
    "no parent": ("git:HEAD~2", "has no parent"),
    "outside": ("git:HEAD:../other", "the path lies outside the repository"),
    "absolute": ("git:HEAD:/etc", "the path lies outside the repository"),
    "no commit": ("git:HEAD:net.py:x", "HEAD has no Python file"),
    "many steps": ("git:HEAD~" + "9" * 5000, "cannot be read from git"),
    "no file": ("git:HEAD:no.py", "HEAD has no Python file at no.py"),
}


@pytest.mark.parametrize(("version", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_revision_is_one_line(version, said, repository, run):
    code, out, err = run("diff", version, ".")
    assert code == 2 and not out and said in err and err.count("\n") == 1


def test_a_broken_object_is_one_line(repository, run):
    for object_file in (repository / ".git" / "objects").glob("??/*"):
        object_file.chmod(0o644)
        object_file.write_bytes(b"no object")
    code, out, err = run("diff", "git:HEAD~1", ".")
    assert code == 2 and not out and "git:HEAD~1: " in err and err.count("\n") == 1


def test_a_file_that_is_too_large_is_named(repository, run, monkeypatch):
    monkeypatch.setattr("initlint.project.versions.limit_of", lambda path: 10)
    code, _, err = run("diff", "git:HEAD~1", ".")
    assert code == 2 and "net.py is larger than a source file may be" in err


def test_nothing_that_the_repository_configures_is_run(repository, run):
    bait = repository / "taken"
    (repository / "bait.sh").write_text(f"#!/bin/sh\ntouch {bait}\n")
    (repository / "bait.sh").chmod(0o755)
    script = str(repository / "bait.sh")
    (repository / ".gitattributes").write_text("*.py filter=bait diff=bait\n")
    for key in ("core.fsmonitor", "core.pager", "filter.bait.smudge", "diff.bait.textconv"):
        subprocess.run(["git", "config", key, script], cwd=repository, check=True)
    assert run("diff", "git:HEAD~1", "git:HEAD")[0] == 1
    assert not bait.exists()


def test_a_lock_file_fails_on_a_change(here, run):
    (here / "old.py").rename("net.py")
    assert run("lock")[::2] == (0, "Wrote 5 parameters to init.lock.\n")
    first = (here / "init.lock").read_text()
    assert json.loads(first)["parameters"][1][:3] == ["net.py", "Net", "fc.weight"]
    assert run("check", "--locked", ".")[0] == 0

    (here / "net.py").write_text(f"# a line above\n{NET}")
    run("lock")
    assert (here / "init.lock").read_text() == first

    (here / "net.py").write_text(NET.replace("torch.zeros(64)", "torch.ones(64)"))
    code, out, err = run("check", "--locked", "net.py")
    assert code == 1 and "  ~ token" in out
    assert "init.lock: 1 parameter starts differently, 4 alike. `initlint lock` accepts it." in err


def test_a_lock_file_tells_of_files_that_are_gone(here, run):
    run("lock", ".")
    (here / "other.py").write_text(NET.replace("class Net", "class Other"))
    (here / "old.py").rename("kept.txt")
    code, out, _ = run("check", "--locked", ".")
    assert code == 1 and "old.py: Net" in out and "other.py: Other" in out


def test_one_file_is_compared_with_its_own_part_of_the_lock_file(here, run):
    (here / "other.py").write_text(NET.replace("class Net", "class Other"))
    run("lock", ".")
    assert run("check", "--locked", "old.py")[0] == 0


BROKEN = {
    "no JSON": "{",
    "another file": '{"version": 9}',
    "a list": "[]",
    "no entry": '{"version": 1, "parameters": [1]}',
    "a strange key": '{"version": 1, "parameters": [["a", "b", "c", [{"shape": null, "writes": '
    '[{"x": 1}]}]]]}',
    "a strange number": '{"version": 1, "parameters": [["a", "b", "c", [{"shape": [], "writes": '
    '[{"initializer": "normal_", "std": "1"}]}]]]}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_lock_file_is_one_line(text, here, run):
    (here / "init.lock").write_text(text)
    code, _, err = run("check", "--locked", "old.py")
    last = err.splitlines()[-1]
    assert code == 2 and "init.lock: no lock file: " in last and "writes a new one" in last


def test_json_stays_json(here, run):
    run("lock", ".")
    (here / "old.py").write_text(NET.replace("torch.zeros(64)", "torch.ones(64)"))
    code, out, err = run("check", "--locked", ".", "--output-format", "json")
    assert code == 1 and json.loads(out)["parameters"] and "  ~ token" in err


@pytest.mark.parametrize("mode", ["--diff", "--fix", "--show-files", "--write-baseline=b"])
def test_a_mode_that_compares_nothing_is_refused(mode, here, run):
    code, _, err = run("check", "--locked", mode, ".")
    assert code == 2 and "--locked has no effect here" in err


def test_no_lock_file_is_one_line(here, run):
    code, _, err = run("check", "--locked", "old.py")
    assert code == 2 and "init.lock: cannot be read" in err


FILLED = """from zoo.net import Net
from torch import nn

net = Net()
for p in net.parameters():
    if p.dim() == 2:
        nn.init.kaiming_normal_(p, nonlinearity="relu")
"""


@pytest.fixture
def project(here):
    """A repository with a package in src/, a script that fills its model, and tests; all clean."""
    net = "from torch import nn\n\n" + NET[NET.index("class") :]
    other = net.replace("Net", "Other")
    files = {"pyproject.toml": "", "src/zoo/__init__.py": "", "src/zoo/net.py": net}
    files |= {"scripts/run.py": FILLED, "tests/test_net.py": other, "src/zoo/more.py": other}
    for name, text in files.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    who = ("-c", "user.name=me", "-c", "user.email=me@here")
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", *command], cwd=here, check=True, capture_output=True)
    return here


SAME = [
    ("git:HEAD", "src"),
    ("git:HEAD", "src/"),
    ("git:HEAD", "./src/zoo/net.py"),
    ("src", "git:HEAD"),
    ("git:HEAD", "."),
    ("git:HEAD:src", "src"),
    ("git:HEAD:src", "git:HEAD:src"),
]


@pytest.mark.parametrize("sides", SAME, ids=" ".join)
def test_nothing_differs_in_a_clean_tree(project, run, sides):
    code, out, err = run("diff", *sides)
    assert (code, out) == (0, ""), err
    assert "0 removed" in err or "removed" not in err


def test_a_revision_without_a_path_is_that_of_the_other_side_in_a_subfolder(
    project, run, monkeypatch
):
    monkeypatch.chdir(project / "src")
    assert run("diff", "git:HEAD", "zoo")[0] == 0
    net = project / "src/zoo/net.py"
    net.write_text(net.read_text().replace("64, 10", "64, 11"))
    code, out, _ = run("diff", "git:HEAD", "zoo")
    assert code == 1 and "tests" not in out and "more.py" not in out


@pytest.mark.parametrize("name", ["HEAD~0", "HEAD", "v1"])
def test_a_revision_without_git_is_told_how_to_write_it(project, run, name):
    subprocess.run(["git", "tag", "v1"], cwd=project, check=True)
    code, _, err = run("diff", name, "src")
    assert code == 2 and err.count("\n") == 1
    assert f"git:{name}" in err


def test_a_revision_that_is_missing_is_named_once(project, run):
    _, _, err = run("diff", "git:nope", "src")
    assert err == "initlint: error: git:nope:src: there is no revision nope here\n"

"""Reading runs nothing that a tree names, wherever git would look for it: no process is started."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hostile_nets import DEEPER as NET

ROOT = Path(__file__).parents[2]
# Ends the process where anything is started; a process that was started would leave `taken`.
WATCHED = """
import os, sys

def watch(event, arguments):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn",
                 "os.fork", "os.forkpty", "os.startfile", "pty.spawn", "import.forbidden"):
        os.write(2, f"started: {event} {arguments}".encode())
        os._exit(99)

sys.addaudithook(watch)
"""
EACH = """
import json
code = 0
for folder, net in json.loads(sys.argv[1]):
    os.chdir(folder)
    sys.stderr.write(f"in {folder}\\n")
    line = [part.format(net=net) for part in sys.argv[2:]]
    code = max(code, run(line))
sys.exit(code)
"""
COMMAND = WATCHED + "from initlint.cli.main import main as run\n" + EACH
PYTHON = (
    f"{WATCHED}import initlint\nrun = lambda line: bool(initlint.check(*line).findings)\n{EACH}"
)


def git(*command, cwd):
    subprocess.run(["git", *command], cwd=cwd, check=True, capture_output=True)


def config(folder, text):
    with (folder / ".git/config").open("a") as file:
        file.write(text)


def bait(folder):
    """A program in the tree that leaves a file when it is run."""
    program = folder / "bait.sh"
    program.write_text(f"#!/bin/sh\\ntouch {folder.parent}/taken\\n".replace("\\n", "\n"))
    program.chmod(0o755)
    return program


def fsmonitor(folder):
    config(folder, f'[core]\n\tfsmonitor = "{bait(folder)}"\n')


def hooks_path(folder):
    hooks = folder / "hooks"
    hooks.mkdir()
    for name in ("fsmonitor-watchman", "post-index-change", "pre-commit", "post-checkout"):
        bait(folder).rename(hooks / name)
    config(folder, f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = {hooks}/fsmonitor-watchman\n")


def filters(folder):
    program = bait(folder)
    (folder / ".gitattributes").write_text("* filter=x diff=x merge=x\n")
    config(
        folder, f'[filter "x"]\n\tclean = {program}\n\tsmudge = {program}\n\tprocess = {program}\n'
    )
    config(folder, f'[merge "x"]\n\tdriver = {program}\n')


def textconv(folder):
    (folder / ".gitattributes").write_text("*.py diff=x\n")
    config(folder, f'[diff "x"]\n\ttextconv = {bait(folder)}\n\tcommand = {bait(folder)}\n')
    config(folder, f"[diff]\n\texternal = {bait(folder)}\n")


def aliases(folder):
    names = "".join(
        f"\t{name} = !{bait(folder)}\n" for name in ("ls-files", "check-ignore", "status")
    )
    config(folder, f"[alias]\n{names}")


def pager(folder):
    config(folder, f"[core]\n\tpager = {bait(folder)}\n\teditor = {bait(folder)}\n")
    config(folder, f"[pager]\n\tls-files = {bait(folder)}\n\tdiff = {bait(folder)}\n")
    config(folder, f"[core]\n\tsshCommand = {bait(folder)}\n\tgitProxy = {bait(folder)}\n")


def included(folder):
    (folder / "more").write_text(f"[core]\n\tfsmonitor = {bait(folder)}\n")
    config(folder, f"[include]\n\tpath = {folder}/more\n")
    config(folder, f'[includeIf "gitdir:**"]\n\tpath = {folder}/more\n')


def worktree(folder):
    other = folder.parent / "other"
    other.mkdir()
    git("init", "-q", cwd=other)
    fsmonitor(other)
    (folder / ".git").rename(folder / "gone")
    (folder / ".git").write_text(f"gitdir: {other}/.git\n")


def worktree_config(folder):
    config(folder, "[extensions]\n\tworktreeConfig = true\n")
    (folder / ".git/config.worktree").write_text(f"[core]\n\tfsmonitor = {bait(folder)}\n")


def bare(folder):
    """What a clone carries: a repository as ordinary files in a folder of the tree."""
    models = folder / "models"
    for name in ("objects", "refs"):
        (models / name).mkdir(parents=True)
    (models / "HEAD").write_text("ref: refs/heads/main\n")
    (models / "config").write_text(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n"
        f'\tfsmonitor = "{bait(folder)}; false"\n'
    )
    (models / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (models / "net.py").write_text(NET)


def submodule(folder):
    inner = folder / "inner"
    inner.mkdir()
    git("init", "-q", cwd=inner)
    fsmonitor(inner)
    (inner / "net.py").write_text(NET)


def archive(folder):
    """An unpacked archive brings a repository of its own."""
    inner = folder.parent / "packed"
    inner.mkdir()
    git("init", "-q", cwd=inner)
    (inner / "net.py").write_text(NET)
    fsmonitor(inner)
    with tarfile.open(folder.parent / "packed.tar", "w") as file:
        file.add(inner, "unpacked")
    with tarfile.open(folder.parent / "packed.tar") as file:
        file.extractall(folder, filter="data")


BAITS = (
    *(fsmonitor, hooks_path, filters, textconv, aliases, pager, included, worktree),
    *(worktree_config, bare, submodule, archive),
)
LINES = {
    "check": (COMMAND, ["check", "."]),
    "check a file": (COMMAND, ["check", "{net}"]),
    "check each file": (COMMAND, ["check", "--no-cache", "{net}", "net.py"]),
    "as json": (COMMAND, ["check", "--output-format", "json", "."]),
    "as sarif": (COMMAND, ["check", "--output-format", "sarif", "."]),
    "as gitlab": (COMMAND, ["check", "--output-format", "gitlab", "{net}"]),
    "diff": (COMMAND, ["check", "--diff", "."]),
    "fix": (COMMAND, ["check", "--fix", "."]),
    "fix a file": (COMMAND, ["check", "--fix", "{net}"]),
    "hook": (COMMAND, ["check", "--", "{net}", "net.py"]),
    "fixing hook": (COMMAND, ["check", "--fix", "--", "{net}", "net.py"]),
    "standard input": (COMMAND, ["check", "-", "--stdin-filename", "{net}"]),
    "from Python, a folder": (PYTHON, ["."]),
    "from Python, a file": (PYTHON, ["{net}"]),
}


@pytest.fixture
def baited(tmp_path):
    """Repositories with a bait in one of the places each, and the path of a file near it."""
    trees = []
    for plant in BAITS:
        folder = tmp_path / plant.__name__ / "tree"
        folder.mkdir(parents=True)
        git("init", "-q", cwd=folder)
        (folder / "net.py").write_text(NET)
        git("add", "net.py", cwd=folder)
        plant(folder)
        near = [str(path.relative_to(folder)) for path in folder.glob("*/net.py")]
        trees.append((str(folder), (near or ["net.py"])[0]))
    return trees


def run(program, line, folder, **more):
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}", *line],
        **{"cwd": folder, "capture_output": True, "text": True, "check": False, **more},
    )


@pytest.mark.parametrize(
    ("program", "line"),
    [
        pytest.param(*case, id=name, marks=[] if name in ("check", "fix") else pytest.mark.slow)
        for name, case in LINES.items()
    ],
)
def test_no_bait_is_taken(baited, tmp_path, program, line):
    done = run(program, [json.dumps(baited), *line], tmp_path, input=NET)
    assert done.returncode == ("--fix" not in line), done.stderr
    assert done.stderr.count("in /") == len(BAITS)
    assert "started" not in done.stderr
    assert list(tmp_path.rglob("taken")) == []


def test_nothing_of_a_repository_is_opened_but_patterns(tmp_path):
    git("init", "-q", cwd=tmp_path)
    (tmp_path / "net.py").write_text(NET)
    opened = (
        "import sys\nseen = []\n"
        "sys.addaudithook(lambda event, args: event == 'open' and seen.append(str(args[0])))\n"
        "from initlint.cli.main import main\nmain(['check', '-q', '.'])\n"
        "print(*[name for name in seen if '/.git/' in name], sep='\\n', file=sys.stderr)"
    )
    done = run(opened, [], tmp_path)
    assert {Path(line).name for line in done.stderr.split()} == {"exclude"}


def test_this_test_sees_a_process():
    done = run(WATCHED + "import subprocess; subprocess.run(['true'])", [], ".")
    assert done.returncode == 99 and "started: subprocess.Popen" in done.stderr


@pytest.mark.parametrize("plant", [fsmonitor, bare], ids=lambda plant: plant.__name__)
def test_this_test_would_see_the_bait_taken(tmp_path, plant):
    folder = tmp_path / "tree"
    folder.mkdir()
    git("init", "-q", cwd=folder)
    plant(folder)
    where = folder / "models" if plant is bare else folder
    subprocess.run(["git", "ls-files"], cwd=where, capture_output=True, check=False)
    assert (tmp_path / "taken").exists()

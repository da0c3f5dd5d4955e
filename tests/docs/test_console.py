"""Every command in the documents parses, and every console block that can be run here runs."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from initlint.cli.main import group

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
# Commands of console blocks that are not run here, and why.
SKIPPED = {
    r"(uv )?pip (install|wheel) ": "needs an index, and would change the environment of the tests",
    r"cd docs/examples$": "each page runs in a copy of the examples",
    r"python train\.py$": "trains for ten seconds; curves.py runs it",
    r"python tests/benchmarks/": "runs for minutes; tests/benchmarks has its own tests",
    r"python -m venv |\. \.venv": "makes an environment",
    r"make ": "runs the tests; test_makefile.py checks the targets",
    r"(pytest|ruff|mypy)\b": "runs the tests",
    r"eval ": "is for an interactive shell",
    r"initlint check net\.py:make_model$": "transformers is not among the needs of the tests",
}
PIECES = re.compile(
    r"^```console\n(?P<block>.*?)^```$|^<!-- output -->\n(?P<output>.*?)^<!-- /output -->$",
    re.DOTALL | re.MULTILINE,
)
FENCED = re.compile(r"^ *```\w*[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"\binitlint ((?:check|apply|diff|lock|profile|rule|server)\b[^`\n&>|]*)")
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")


class Block(NamedTuple):
    """A console block, and what the page shows as the output of its last command."""

    commands: list[str]
    output: str | None


def name(page):
    return page.relative_to(ROOT).as_posix()


def blocks(text):
    """The console blocks of a page, in order."""
    found = []
    for piece in PIECES.finditer(text):
        if piece["block"] is None:
            found[-1] = found[-1]._replace(output=piece["output"])
        else:
            lines = re.sub(r"\\\n", "", piece["block"]).splitlines()
            commands = [part for line in lines for part in without_comment(line).split(" && ")]
            found.append(Block([command.strip() for command in commands if command], None))
    return found


def without_comment(line):
    return re.sub(r"\s+#.*", "", line)


def is_skipped(command):
    return any(re.match(pattern, command) for pattern in SKIPPED)


def spelled(text):
    """Every command of initlint in code: fenced blocks and spans."""
    code = [line for block in FENCED.findall(text) for line in block.splitlines()]
    code += re.findall(r"`([^`\n]+)`", FENCED.sub("", text))
    return [without_comment(found) for piece in code for found in COMMAND.findall(piece)]


def run_pages():
    """The pages with commands that are run; building a model (net.py:Net) needs torch."""
    for page in PAGES:
        found = blocks(page.read_text(encoding="utf-8"))
        run = [c for block in found for c in block.commands if not is_skipped(c)]
        marks = [pytest.mark.torch] if any(".py:" in command for command in run) else []
        if run:
            yield pytest.param(page, id=name(page), marks=marks)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with all that the documents name: the examples, net.py, src, old, new, our_rules."""
    examples = ROOT / "docs" / "examples"
    shutil.copytree(examples, tmp_path / "docs" / "examples")
    for file in examples.iterdir():
        if file.suffix in (".py", ".ipynb") and file.name != "curves.py":
            shutil.copy(file, tmp_path)
    source = (examples / "lenet.py").read_text(encoding="utf-8").replace("LeNet", "Net")
    source = source.replace("classes: int = 10", "classes: int = 10, width: int = 64")
    for folder in ("src", "old", "new"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.py").write_text(source, encoding="utf-8")
    (tmp_path / "net.py").write_text(source, encoding="utf-8")
    rules = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    (tmp_path / "our_rules").mkdir()
    for mark, suffix in (("card", ".md"), ("function", ".py")):
        fence, _, rest = rules.split(f"<!-- {mark} -->\n")[1].split("<!--")[0].partition("\n")
        text = rest.rstrip().removesuffix(fence.rstrip("abcdefghijklmnopqrstuvwxyz"))
        (tmp_path / "our_rules" / f"TEAM101{suffix}").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "1"], ["tag", "v1.0"]):
        subprocess.run([*GIT, *command], check=True)
    subprocess.run([*GIT, "tag", "v2.0"], check=True)
    return tmp_path


def run(command):
    """What one command prints. It must not fail: findings (1) are no failure."""
    words = shlex.split(command)
    assert words[0] == "initlint", f"say in SKIPPED why this is not run: {command}"
    done = subprocess.run(
        [sys.executable, "-m", "initlint", *words[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), f"{command}: {done.stderr}"
    assert "error:" not in done.stderr, f"{command}: {done.stderr}"
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", list(run_pages()))
def test_console_blocks_run_and_print_what_the_page_shows(page, request, project):
    text = page.read_text(encoding="utf-8")
    for block in blocks(text):
        printed = ""
        for command in block.commands:
            printed = "" if is_skipped(command) else run(command)
        if block.output is None:
            continue
        fence = "```diff" if "--diff" in block.commands[-1] else "```"
        shown = f"{fence}\n{printed}```\n"
        if request.config.getoption("--update-golden"):
            old = f"<!-- output -->\n{block.output}<!-- /output -->"
            text = text.replace(old, f"<!-- output -->\n{shown}<!-- /output -->", 1)
            page.write_text(text, encoding="utf-8")
        else:
            assert shown == block.output


def test_console_blocks_are_found():
    counted = {name(page): len(blocks(page.read_text(encoding="utf-8"))) for page in PAGES}
    assert counted["README.md"] >= 3 and counted["docs/tutorial.md"] >= 6
    assert counted["docs/usage.md"] >= 2 and counted["docs/rules.md"] >= 2


def test_every_reason_to_skip_is_needed():
    commands = [
        command
        for page in PAGES
        for block in blocks(page.read_text(encoding="utf-8"))
        for command in block.commands
    ]
    assert [p for p in SKIPPED if not any(re.match(p, command) for command in commands)] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_parses(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for written in spelled(page.read_text(encoding="utf-8")):
        command, *words = shlex.split(written)
        try:
            group.commands[command].make_context(command, words)
        except click.MissingParameter:
            pass
        except click.UsageError as error:
            raise AssertionError(f"initlint {written}: {error.format_message()}") from error


def test_commands_are_found():
    found = spelled("`initlint check --fix` and `x`\n```yaml\n- run: initlint check src > a\n```\n")
    assert found == ["check src ", "check --fix"]

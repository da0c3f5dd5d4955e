"""Reading against parsing alone, a bare interpreter and TorchFix; and against what tracing says."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from initlint.reading import read as read_source

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "lenet.py"
FOLDERS = {"timm": ("models", "layers"), "torchvision": ("models", "ops")}
_KNOWN_NOTHING = ("unknown", "mixed")


def files(name: str) -> list[str]:
    """The collection's own files that define models and layers."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.submodule_search_locations
    root = Path(next(iter(spec.submodule_search_locations)))
    return sorted(str(path) for folder in FOLDERS[name] for path in (root / folder).rglob("*.py"))


# Each is measured in a process of its own: how long parsing takes depends on what else is alive.
# Seconds are the processor's: on a shared machine the clock on the wall says little.
_PROGRAM = """
import ast, json, sys, time
from pathlib import Path
from initlint.project import cache
from initlint.pipeline.files import read
from initlint.project.sourcefiles import Texts
paths, kind = json.load(sys.stdin)
texts = {path: Path(path).read_bytes() for path in paths}
def parse():
    return [ast.parse(text) for text in texts.values()]
def cold():
    return read(paths, Texts(texts))
def warm():
    return cache.cached(texts, False, cold)
if kind == "warm":
    warm()
begin = time.process_time()
result = {"parse": parse, "cold": cold, "warm": warm}[kind]()
print(time.process_time() - begin)
"""


def alone(paths: list[str], kind: str, folder: str) -> float:
    """Seconds for one of parse, cold and warm in a new process."""
    given = json.dumps([paths, kind])
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "INITLINT_CACHE_DIR": folder},
    )
    return float(done.stdout)


def speed(rounds: int) -> None:
    """Print the ratios, each the median over rounds in which both were measured in turn."""
    paths = files("timm")
    lines = sum(Path(path).read_bytes().count(b"\n") for path in paths)
    folder = tempfile.mkdtemp()
    cold, warm, reading = [], [], []
    for _ in range(rounds):
        parsing = alone(paths, "parse", folder)
        reading.append(alone(paths, "cold", folder))
        cold.append(reading[-1] / parsing)
        warm.append(alone(paths, "warm", folder) / parsing)
        print(f"  parsing {parsing:.2f} s, cold x{cold[-1]:.2f}, warm x{warm[-1]:.2f}")
    shutil.rmtree(folder)
    print(f"timm: {len(paths)} files, {lines:,} lines")
    print(f"cold reading / ast.parse alone: {statistics.median(cold):.2f} (at most 3)")
    print(f"warm reading / ast.parse alone: {statistics.median(warm):.2f} (at most 0.3)")
    torchfix(paths, statistics.median(reading))
    small, click = start(rounds)
    print(f"one small file / python -c pass: {small:.1f} (at most 10; importing click {click:.1f})")


def torchfix(paths: list[str], cold: float) -> None:
    """TorchFix on the same files in one process, as reading is, where it is installed."""
    command = shutil.which("torchfix")
    if command is None:
        print("TorchFix is not installed: not compared")
        return
    theirs = processor([command, "-j", "1", *paths], dict(os.environ))
    print(f"TorchFix, one process / cold reading: {theirs / cold:.1f} (at least 30)")


def start(rounds: int) -> tuple[float, float]:
    """The whole of `initlint check` of one file, and importing click alone, against an interpreter
    that does nothing.

    The file is alone in a folder, and something is found in it. With compiled modules, as every
    installation has them, whatever the environment says.
    """
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        small = shutil.copy(EXAMPLE, Path(folder, "a.py"))
        initlint = str(Path(sys.executable).with_name("initlint"))
        python = [sys.executable, "-c"]
        commands = ([initlint, "check", "-q", "--no-cache", str(small)],
                    [*python, "import click"], [*python, "pass"])  # fmt: skip
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(5 * rounds + 1):
            *times, nothing = (processor(command, environ, folder) for command in commands)
            ratios.append([seconds / nothing for seconds in times])
    # The first round compiled the modules.
    medians = [statistics.median(times) for times in zip(*ratios[1:], strict=True)]
    return medians[0], medians[1]


def processor(command: list[str], environ: dict[str, str], folder: str = ".") -> float:
    """Seconds of processor time that a command takes in a folder."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environ, cwd=folder, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def agreement(name: str, truth: Path) -> None:
    """How many lines have an answer, how many of the answers are right, and which are not.

    Only lines count of which tracing gives one known answer. The answer of reading is the one
    that all models which know any give.
    """
    lines = {k: v[0] for k, v in json.loads(truth.read_text()).items() if len(v) == 1}
    single = {line: word for line, word in lines.items() if word not in _KNOWN_NOTHING}
    given: dict[str, set[str]] = {}
    for layer in read_source(files(name)).layers:
        if layer.site is not None:
            key = f"{layer.site.path}:{layer.site.line}:{layer.site.column}"
            given.setdefault(key, set()).add(layer.following.activation)
    answers = {line: given.get(line, set()) - {"unknown"} for line in single}
    known = {k: next(iter(v)) for k, v in answers.items() if len(v) == 1 and v != {"mixed"}}
    right = [line for line, word in known.items() if word == single[line]]
    print(f"{name}: {len(single)} lines, {len(known) / len(single):.1%} have an answer,")
    print(f"  {len(right) / len(known):.2%} of the answers are right")
    for line in sorted(known.keys() - set(right)):
        print(f"  {line}: read {known[line]}, traced {single[line]}")


def main() -> None:
    """Print everything; with files of truth.py, the agreement too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--truth", nargs="*", default=[], metavar="NAME=FILE")
    options = parser.parse_args()
    for pair in options.truth:
        name, _, path = pair.partition("=")
        agreement(name, Path(path))
    speed(options.rounds)


if __name__ == "__main__":
    main()

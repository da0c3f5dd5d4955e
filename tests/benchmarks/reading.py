"""The command against parsing alone, a bare interpreter and TorchFix; and against tracing."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import re
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


# Parses the same files one after the other and drops each tree, as a user of `ast` would.
_PARSE = """
import ast, sys
from pathlib import Path
for line in sys.stdin:
    ast.parse(Path(line.rstrip("\\n")).read_bytes())
"""


def speed(rounds: int) -> None:
    """Print what a user waits for, as processor time of whole processes, measured in turn.

    On a shared machine the clock on the wall says little. The modules are compiled before, as in
    every installation, and the cache is empty at the first of two runs and full at the second.
    """
    paths = files("timm")
    listed = "".join(f"{path}\n" for path in paths)
    lines = sum(Path(path).read_bytes().count(b"\n") for path in paths)
    folders = [str(Path(paths[0]).parents[1] / folder) for folder in FOLDERS["timm"]]
    check = [sys.executable, "-P", "-m", "initlint", "check", "--isolated", "-q"]
    parse = [sys.executable, "-c", _PARSE]
    times: dict[str, list[float]] = {"parsing": [], "check": [], "check, cached": []}
    with tempfile.TemporaryDirectory() as folder:
        environ = {**compiled(folder), "INITLINT_CACHE_DIR": str(Path(folder, "cache"))}
        processor([*check, "--no-cache", str(EXAMPLE)], environ)
        processor([*check, *folders], environ)
        for _ in range(rounds):
            times["parsing"].append(processor(parse, environ, text=listed))
            times["check"].append(processor([*check, "--no-cache", *folders], environ))
            times["check, cached"].append(processor([*check, *folders], environ))
            print("  " + ", ".join(f"{name} {found[-1]:.2f} s" for name, found in times.items()))
    parsing, cold, warm = (statistics.median(found) for found in times.values())
    print(machine())
    print(f"timm: {len(paths)} files, {lines:,} lines, {lines / cold:,.0f} lines a second")
    print(f"the whole command / parsing: {cold / parsing:.1f} (at most 6)")
    print(f"the whole command with its cache / parsing: {warm / parsing:.1f}")
    torchfix(paths, cold)
    small, click = start(5 * rounds)
    print(f"one small file / python -c pass: {small:.1f} (at most 10; importing click {click:.1f})")


def machine() -> str:
    """The processor, how many of it, and the Python."""
    name = platform.machine()
    with contextlib.suppress(OSError):
        named = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        name = named[1] if named else name
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


def torchfix(paths: list[str], cold: float) -> None:
    """TorchFix on the same files in one process, as reading is, where it is installed."""
    command = shutil.which("torchfix")
    if command is None:
        print("TorchFix is not installed: not compared")
        return
    theirs = processor([command, "-j", "1", *paths], dict(os.environ))
    print(f"TorchFix, one process / the whole command: {theirs / cold:.1f}")


def start(rounds: int) -> tuple[float, float]:
    """The whole of `initlint check` of one file, and importing click alone, against an interpreter
    that does nothing.

    The file is alone in a folder, and something is found in it. With compiled modules, as every
    installation has them, whatever the environment says.
    """
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        small = shutil.copy(EXAMPLE, Path(folder, "a.py"))
        python = [sys.executable, "-c"]
        initlint = [sys.executable, "-P", "-m", "initlint", "check", "-q", "--no-cache", str(small)]
        commands = (initlint, [*python, "import click"], [*python, "pass"])
        environ = compiled(folder)
        for _ in range(rounds + 1):
            *times, nothing = (processor(command, environ, folder) for command in commands)
            ratios.append([seconds / nothing for seconds in times])
    # The first round compiled the modules.
    medians = [statistics.median(times) for times in zip(*ratios[1:], strict=True)]
    return medians[0], medians[1]


def compiled(folder: str) -> dict[str, str]:
    """The environment in which compiled modules are written to a folder and read from there."""
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ


def processor(
    command: list[str], environ: dict[str, str], folder: str = ".", text: str = ""
) -> float:
    """Seconds of processor time that a command takes in a folder."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, env=environ, cwd=folder, input=text, text=True, capture_output=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
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

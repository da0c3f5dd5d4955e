"""The whole of `initlint check --fix`, killed at random: every file is whole, old or new."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from initlint import api
from initlint.project.config import Config, Settings
from initlint.project.discover import discover

PAIRS = Path(__file__).parent.parent / "pairs"
COMMAND = (sys.executable, "-m", "initlint", "check", "--fix", "--quiet", ".")
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")


def fixed(folder: Path, write: bool) -> api.Fixed:
    found = discover([str(folder)], Settings(Config()))
    return api.fix_all(found.files, api.Options(), write=write)


@dataclass
class Project:
    """A folder of models, with what its files hold before and after a repair.

    `written` are the files that a repair changes, in the order in which it writes them.
    """

    folder: Path
    old: dict[Path, bytes]
    new: dict[Path, bytes]
    written: list[Path]

    @classmethod
    def copied(cls, folder: Path, copies: int) -> Project:
        for number in range(copies):
            shutil.copytree(PAIRS, folder / f"part{number}", ignore=shutil.ignore_patterns("after"))
        old = {path: path.read_bytes() for path in folder.rglob("*.py")}
        new = {Path(path): new for path, _, new in fixed(folder, write=False).files}
        return cls(folder, old, old | new, list(new))

    def now(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.old}

    def leftovers(self) -> list[Path]:
        """Files that were not there before the repair."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return [p for p in found if p not in self.old]

    def restore(self) -> None:
        for path in self.leftovers():
            path.unlink()
        for path, content in self.old.items():
            if path.read_bytes() != content:
                path.write_bytes(content)

    @contextmanager
    def fixing(self) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(COMMAND, cwd=self.folder, stdout=subprocess.DEVNULL) as process:
            yield process

    def times(self) -> tuple[float, float]:
        """How long an undisturbed repair runs, and how long of that it writes."""
        start = time.time()
        with self.fixing() as process:
            process.wait()
        whole = time.time() - start
        assert self.now() == self.new and not self.leftovers()
        written = [path.stat().st_mtime for path in self.written]
        self.restore()
        return whole, max(written) - min(written)


def wait_for_writing(project: Project, process: subprocess.Popen[bytes]) -> None:
    before = project.written[0].stat().st_ino
    while project.written[0].stat().st_ino == before and process.poll() is None:
        time.sleep(0.0005)


def killed(project: Project, times: int) -> Counter[str]:
    """Kill a repair `times` times, half of them while it writes; where each of them hit."""
    whole, writing = project.times()
    moments = random.Random(0)
    tally: Counter[str] = Counter()
    for number in range(times):
        share = (number // 2 + moments.random()) / (times / 2)
        with project.fixing() as process:
            if number % 2:
                time.sleep(whole * share)
            else:
                wait_for_writing(project, process)
                time.sleep(writing * share)
            process.send_signal(signal.SIGKILL)
        tally[_judged(project)] += 1
        tally["left a temporary file"] += bool(project.leftovers())
        _repaired_by_a_second_run(project)
        project.restore()
    return tally


def _judged(project: Project) -> str:
    """Whether the kill came before, during or after the writing; every file must be whole."""
    now = project.now()
    broken = [path for path in now if now[path] not in (project.old[path], project.new[path])]
    assert not broken
    if now == project.new:
        return "after"
    return "before" if now == project.old and not project.leftovers() else "during"


def _repaired_by_a_second_run(project: Project) -> None:
    """What a kill left lying around is no hindrance, and is not touched."""
    left = {path: path.read_bytes() for path in project.leftovers()}
    assert len(left) <= 1
    fixed(project.folder, write=True)
    assert project.now() == project.new
    assert {path: path.read_bytes() for path in project.leftovers()} == left


@pytest.mark.slow
@needs_kill
def test_a_repair_that_is_killed_leaves_whole_files(tmp_path: Path) -> None:
    tally = killed(Project.copied(tmp_path, copies=2), times=4)
    assert tally["during"] >= 1, tally


@pytest.mark.corpus
@needs_kill
def test_a_repair_that_is_killed_two_hundred_times(tmp_path: Path) -> None:
    tally = killed(Project.copied(tmp_path, copies=4), times=200)
    print(dict(tally))
    assert min(tally["before"], tally["during"]) >= 40, tally

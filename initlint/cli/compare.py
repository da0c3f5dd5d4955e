"""The commands that compare how parameters start: two versions, or the code and its lock file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from initlint.cli import request as requests
from initlint.cli import terminal
from initlint.cli.request import FOR_PEOPLE, TIMEOUT, Asked
from initlint.cli.terminal import CLEAN, FOUND
from initlint.output import changes, phrases
from initlint.project import arguments, config, lock
from initlint.project.baseline import Scope
from initlint.project.starts import Compared, Starts, compared, starts
from initlint.project.targets import STDIN, Targets, gather
from initlint.project.versions import is_built, version, with_paths
from initlint.records import InitlintError, Report
from initlint.safe.written import refuse_place


class Reading(NamedTuple):
    """How targets are read or built: the options that `diff` and `lock` share."""

    args: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    timeout: int | None = None
    jobs: int = 1
    config: str | None = None
    isolated: bool = False

    def refuse_idle(self, builds: bool) -> None:
        """Raise InitlintError for options of building, if no target is built."""
        given = {"--arg": self.args, "--input": self.inputs, "--timeout": self.timeout is not None}
        for option in (name for name, value in given.items() if value and not builds):
            raise InitlintError(f"{option} has no effect here: {requests.NEVER_BUILT}")


def diff(old: str, new: str, form: str, reading: Reading) -> int:
    """Print which parameters start differently in two versions; like diff, 1 where some do."""
    reading.refuse_idle(is_built(old) or is_built(new))
    sides = _both(with_paths(old, new), reading)
    for side in sides:
        if side.gaps:
            number = phrases.counted(side.gaps, "part")
            terminal.err(
                f"initlint: {side.written}: {number} not analysed (initlint check lists them)"
            )
        if side.error is not None:
            raise side.error
    found = compared(*(side.starts for side in sides))
    terminal.out(changes.render(found, form))
    terminal.err(changes.summary(found))
    return FOUND if found.changes else CLEAN


def locked(written: Sequence[str], file: str | None, reading: Reading) -> int:
    """Write the lock file."""
    settings = config.settings(reading.config, reading.isolated)
    if STDIN in written:
        raise InitlintError("initlint lock reads files and folders, not the standard input")
    targets = gather(tuple(written) or settings.here().targets() or (".",), settings)
    place = Path(file) if file else settings.here().folder / lock.NAME
    refuse_place(os.path.relpath(place), "--file")
    reading.refuse_idle(bool(targets.models))
    report = _report(targets, reading)
    for gap in report.unanalysed:
        terminal.err(f"initlint: not analysed: {phrases.gap(gap)}")
    every = starts(report.parameters, str(config.absolute(place).parent))
    if not every:
        raise InitlintError("no parameter was found in the targets: nothing is written")
    lock.write(place, every)
    number = phrases.counted(len(every), "parameter")
    terminal.err(f"Wrote {number} to {os.path.relpath(place)}.")
    return CLEAN


def against_lock(asked: Asked, report: Report, scope: Scope) -> Compared:
    """What has changed since the lock file was written, printed."""
    folder = asked.settings.here().folder
    every = lock.read(folder / lock.NAME)
    now = starts(report.parameters, str(folder))
    models = {place.model for place in now} if asked.targets.models else ()
    kept = lock.within(every, folder, asked.targets.files, models, scope.covers(folder))
    found = compared(kept, now)
    if asked.form in FOR_PEOPLE:
        terminal.out(changes.render(found))
    else:
        for line in changes.render(found).splitlines():
            terminal.err(line)
    if found.changes:
        terminal.err(f"initlint: {lock.NAME}: {changes.summary(found)} `initlint lock` accepts it.")
    return found


class _Side(NamedTuple):
    """One version: how its parameters start, how many parts were not analysed, or what failed."""

    written: str
    starts: Starts
    gaps: int = 0
    error: InitlintError | None = None


def _both(versions: tuple[str, str], reading: Reading) -> list[_Side]:
    """Both versions, each read by a process of its own where the system can copy one."""

    def side(turn: int) -> _Side:
        return _version(versions[turn], reading, quiet=turn > 0)

    if not hasattr(os, "fork"):
        return [side(0), side(1)]
    from initlint.reading.forks import forked

    old, new = forked(side, 2, None)
    # A process that has ended, as for want of memory, has told nothing.
    return [old, new or side(1)]


def _version(written: str, reading: Reading, quiet: bool) -> _Side:
    try:
        settings = config.settings(reading.config, reading.isolated)
        with version(written, settings) as found:
            report = _report(found.targets, reading, data=False, quiet=quiet)
    except InitlintError as error:
        return _Side(written, {}, error=error)
    every = starts(report.parameters, found.root)
    nothing = None
    if not every:
        why = "no parameter was found, so nothing can be compared"
        nothing = InitlintError(f"{written}: {why}")
    return _Side(written, every, len(report.unanalysed), nothing)


def _report(targets: Targets, reading: Reading, data: bool = True, quiet: bool = False) -> Report:
    """The report with all parameters. Raises InitlintError for a target that fails.

    How they start needs no `data`; but what `check --locked` compares must be found as `lock` did.
    """
    from initlint import api

    for gap in targets.gaps:
        raise InitlintError(phrases.gap(gap))
    options = api.Options(
        arguments=arguments.parse(reading.args),
        inputs=requests.inputs(reading.inputs),
        codes=frozenset(),
        jobs=reading.jobs,
        cache=True,
        parameters=True,
        data=data,
        apart=True,
        timeout=TIMEOUT if reading.timeout is None else reading.timeout,
    )
    with terminal.working(requests.work(targets), quiet):
        report = api.check_all(targets.all, options) if targets.all else Report()
    for gap in report.unanalysed:
        if gap.failed or gap.target in targets.all:
            raise InitlintError(phrases.gap(gap))
    return report

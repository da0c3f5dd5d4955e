"""The commands: each calls the api, prints the result, and returns the exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from initlint import output
from initlint.cli import terminal
from initlint.cli.terminal import CLEAN, FAILED, FOUND, failed
from initlint.output import phrases
from initlint.project import arguments, config, suppress
from initlint.project.config import Settings
from initlint.project.sourcefiles import texts_of
from initlint.project.targets import STDIN, Targets, gather
from initlint.records import Preferences, Report, Unanalysed

if TYPE_CHECKING:
    from initlint.api import Fixed, Options
    from initlint.project.inputspec import InputSpec
    from initlint.project.select import Selection

FOR_PEOPLE = ("full", "concise")
# So many suppressions that do nothing are listed, the others counted.
_MOST_IDLE = 100


class Check(NamedTuple):
    """The options of `initlint check`."""

    targets: tuple[str, ...]
    trace: bool = False
    fix: bool = False
    diff: bool = False
    unsafe_fixes: bool = False
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    output_format: str = "full"
    show_layers: bool = False
    statistics: bool = False
    exit_zero: bool = False
    args: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    quiet: bool = False
    config: str | None = None
    no_cache: bool = False
    jobs: int = 1
    isolated: bool = False
    stdin_filename: str | None = None
    rules: tuple[str, ...] = ()
    style: str | None = None
    distribution: str | None = None
    mode: str | None = None
    bias: str | None = None

    def preferences(self, settings: Settings) -> Preferences:
        """How initialisers are written: the command line before the settings."""
        return settings.here().preferences(
            style=self.style, distribution=self.distribution, mode=self.mode, bias=self.bias
        )


class _Asked(NamedTuple):
    """A request with its targets resolved and its rules selected."""

    request: Check
    targets: Targets
    selection: Selection
    options: Options

    def failures(self, report: Report) -> list[Unanalysed]:
        """The gaps of targets named by the user, and errors; all gaps if nothing was analysed.

        With --trace the user asks for every class of the files that needs no argument.
        """
        if not report.layers:
            return [gap for gap in report.unanalysed if gap not in self.targets.notes]
        named = {*self.request.targets, *self.targets.all}
        return [
            gap
            for gap in report.unanalysed
            if gap.failed or gap.target in named or gap in self.targets.gaps
        ]


class Apply(NamedTuple):
    """The options of `initlint apply`."""

    target: str
    device: str = "cpu"
    seed: int | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    policy: str = "following"
    scope: str = "findings"
    force: bool = False
    out: str | None = None
    args: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


def check(request: Check) -> int:
    """Report, or repair and report what remains."""
    asked = _asked(request)
    if request.trace or asked.targets.models:
        _collect()
    return _diff(asked) if request.diff else _verdict(asked)


def _verdict(asked: _Asked) -> int:
    request = asked.request
    fixed = _repaired(asked) if request.fix else None
    report = _with_gaps(fixed.report, asked) if fixed else _checked(asked)
    if report.layers or not report.unanalysed:
        _say(request, phrases.summary(report))
    if asked.failures(report) or (fixed and fixed.unwritten):
        return FAILED
    return FOUND if report.findings and not request.exit_zero else CLEAN


def apply(request: Apply) -> int:
    """Initialise a model's weights and write them to a file."""
    from initlint import api
    from initlint.fill import filling
    from initlint.output import layers

    _collect()
    options = api.Options(arguments=arguments.parse(request.args), inputs=_inputs(request.inputs))
    report = filling.apply_target(
        request.target,
        options,
        device=request.device,
        seed=request.seed,
        only=request.only,
        skip=request.skip,
        policy=request.policy,
        scope=request.scope,
        force=request.force,
        out=request.out,
        progress=terminal.progress,
    )
    colour = terminal.wants_colour(sys.stdout)
    terminal.out(layers.render(report, colour=colour, width=terminal.width()))
    from initlint.output import filled

    for line in filled.render(report).splitlines():
        terminal.err(line)
    where = f"Written to {request.out}" if request.out else "Nothing written (no --out FILE)"
    terminal.err(f"{where}.")
    return CLEAN


def rule(wanted: str | None, form: str, folders: Sequence[str] = ()) -> int:
    """Print one rule's card, or where None all of them; `folders` hold more rules than ours."""
    from initlint.judge import load
    from initlint.output import card

    rules = load(folders)
    every = list(rules.cards.values())
    terminal.out(card.render(every if wanted is None else [rules.rule(wanted)], form))
    return CLEAN


def _collect() -> None:
    """Turn the garbage collector on again: a model's garbage is large."""
    gc.enable()


def _inputs(written: Sequence[str]) -> tuple[InputSpec, ...]:
    if not written:
        return ()
    from initlint.project import inputspec

    return tuple(map(inputspec.parse, written))


def _asked(request: Check) -> _Asked:
    from initlint import api
    from initlint.judge import load
    from initlint.project.select import Selection

    settings = config.settings(request.config, request.isolated)
    written = request.targets or settings.here().targets() or (".",)
    name = request.stdin_filename
    targets = gather(written, settings, STDIN if name is None else name)
    rules = load(request.rules)
    selection = Selection(request.select, request.ignore, settings, rules)
    options = api.Options(
        trace=request.trace,
        arguments=arguments.parse(request.args),
        inputs=_inputs(request.inputs),
        codes=selection.codes().union(*map(selection.codes, targets.files)),
        speaks=selection.speaks,
        rules=rules,
        texts=targets.texts,
        preferences=request.preferences(settings),
        cache=not request.no_cache and STDIN not in written,
        jobs=request.jobs,
        parameters=request.output_format == "json",
        apart=True,
    )
    if not targets.all and not targets.gaps:
        _say(request, f"initlint: no Python files in {', '.join(written)}")
    return _Asked(request, targets, selection, options)


def _checked(asked: _Asked) -> Report:
    """The report, printed."""
    from initlint import api

    report: Report = Report()
    if asked.targets.all:
        report = api.check_all(asked.targets.all, asked.options)
    report = _with_gaps(report, asked)
    _print(report, asked)
    rules = asked.selection.rules.cards.values()
    idle = list(suppress.idle(report, asked.selection.codes, rules))
    for one in idle[:_MOST_IDLE]:
        place = phrases.place_of(one.site, texts_of(report))
        _say(asked.request, f"initlint: {place}: suppression of {one.entry} {one.reason}")
    if idle[_MOST_IDLE:]:
        _say(asked.request, f"initlint: {len(idle) - _MOST_IDLE:,} more suppressions do nothing")
    return report


def _repaired(asked: _Asked) -> Fixed:
    """Fix, and print the remaining findings; a fixed standard input goes to standard output."""
    given = asked.targets.texts
    fixed = _fixed(asked, write=not given)
    changed = {path: new for path, _, new in fixed.files}
    for path, text in given.items():
        terminal.raw(changed.get(path, text))
    _print(_with_gaps(fixed.report, asked), asked)
    for path, reason in fixed.unwritten.items():
        failed(f"{path}: {reason}")
    _say(asked.request, _count("Fixed", fixed))
    return fixed


def _diff(asked: _Asked) -> int:
    """Show what --fix would write; like diff, exit with 1 where there is something."""
    fixed = _fixed(asked, write=False)
    report = _with_gaps(fixed.report, asked)
    terminal.raw(fixed.diff.encode("utf-8", "surrogateescape"))
    texts = texts_of(report).changed({path: old for path, old, _ in fixed.files})
    for finding, reason in fixed.refused:
        place = phrases.place_of(finding.site, texts) if finding.site else finding.parameter
        _say(asked.request, f"initlint: not fixed: {place}: {finding.code} {reason}")
    _print_gaps(report, asked)
    _say(asked.request, _count("Would fix", fixed))
    if asked.failures(report):
        return FAILED
    return FOUND if fixed.diff and not asked.request.exit_zero else CLEAN


def _fixed(asked: _Asked, write: bool) -> Fixed:
    from initlint import api

    if not asked.targets.all:
        return api.Fixed(api.Report(), (), "", 0, ())
    unsafe = asked.request.unsafe_fixes
    return api.fix_all(asked.targets.all, asked.options, unsafe=unsafe, write=write)


def _with_gaps(report: Report, asked: _Asked) -> Report:
    targets = asked.targets
    return replace(report, unanalysed=(*targets.gaps, *targets.notes, *report.unanalysed))


def _print(report: Report, asked: _Asked) -> None:
    """The table if asked for, the findings or their statistics, and the gaps."""
    request = asked.request
    # A repaired standard input is alone on the standard output.
    aside = request.fix and bool(asked.targets.texts)
    write = terminal.aside if aside else terminal.out
    colour = terminal.wants_colour(sys.stderr if aside else sys.stdout)
    if request.show_layers and request.output_format in FOR_PEOPLE:
        from initlint.output import layers

        write(layers.render(report, colour=colour, width=terminal.width()))
    write(_findings(report, asked, colour))
    _print_gaps(report, asked)


def _findings(report: Report, asked: _Asked, colour: bool) -> str:
    if asked.request.statistics:
        from initlint.output import statistics

        return statistics.render(report)
    form = asked.request.output_format
    root = None if form in FOR_PEOPLE else _root()
    rules = asked.selection.rules.cards.values()
    codes = asked.options.codes or ()
    return output.render(report, form, colour=colour, root=root, rules=rules, codes=codes)


def _root() -> Path:
    from initlint.output import project

    return project.project_root(os.environ)


def _print_gaps(report: Report, asked: _Asked) -> None:
    """Print the gaps: failures always, others unless quiet."""
    failures = asked.failures(report)
    for gap in report.unanalysed:
        if gap in failures:
            failed(phrases.gap(gap))
        else:
            _say(asked.request, f"initlint: not analysed: {phrases.gap(gap)}")


def _count(verb: str, fixed: Fixed) -> str:
    if not fixed.files:
        return f"{verb} nothing."
    findings = phrases.counted(fixed.count, "finding")
    return f"{verb} {findings} in {phrases.counted(len(fixed.files), 'file')}."


def _say(request: Check, line: str) -> None:
    if not request.quiet:
        terminal.err(line)

"""The commands: each calls the api, prints the result, and returns the exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from initlint import output
from initlint.cli import request as requests
from initlint.cli import terminal
from initlint.cli.request import FOR_PEOPLE, Apply, Asked, Check
from initlint.cli.terminal import CLEAN, FAILED, FOUND, failed
from initlint.output import phrases
from initlint.project import arguments, baseline, suppress
from initlint.project.baseline import Scope
from initlint.project.sourcefiles import texts_of
from initlint.records import InitlintError, Report, Rule
from initlint.safe.shown import shown
from initlint.safe.written import refuse_place, write_whole

if TYPE_CHECKING:
    from initlint.api import Fixed

# So many suppressions that do nothing are listed, the others counted.
_MOST_IDLE = 100


def check(request: Check) -> int:
    """Report, or repair and report what remains."""
    terminal.set_colour(request.color)
    if request.watch:
        from initlint.cli.watch import watch

        _collect()
        watch(request, check_once)
    return check_once(request)


def check_once(request: Check) -> int:
    """`check` without --watch."""
    asked = requests.asked(request)
    _refuse_places(request)
    if request.show_files or request.show_settings:
        return _show(asked)
    if not asked.targets.all and not asked.targets.gaps:
        _say(request, f"initlint: {phrases.no_files(asked.written, asked.targets.left_out)}")
    if request.trace or asked.targets.models:
        _collect()
    if request.write_baseline is not None:
        return _write_baseline(asked, request.write_baseline)
    if request.add_noqa is not None:
        return _add_noqa(asked, request.add_noqa)
    return _diff(asked) if request.diff else _verdict(asked)


def _refuse_places(request: Check) -> None:
    """Raise InitlintError for a file that cannot be written, before the work is done."""
    files = [("--output-file", request.output_file), ("--write-baseline", request.write_baseline)]
    files += [("--output-format", file) for _, file in request.reports]
    for option, file in files:
        if file is not None:
            refuse_place(file, option)


def _verdict(asked: Asked) -> int:
    request = asked.request
    fixed = _repaired(asked) if request.fix else None
    report = _with_gaps(fixed.report, asked) if fixed else _checked(asked)
    if report.layers or not asked.failures(report):
        _say(request, phrases.summary(report, fixed is not None))
    _say_gone(asked, report)
    changed = request.exit_non_zero_on_fix and fixed is not None and bool(fixed.files)
    if request.locked:
        from initlint.cli import compare

        changed |= bool(compare.against_lock(asked, report, _scope(asked, report)).changes)
    if asked.failures(report) or (fixed and fixed.unwritten):
        return FAILED
    return FOUND if (report.findings or changed) and not request.exit_zero else CLEAN


def _show(asked: Asked) -> int:
    """List the files that would be checked, or the settings that would be used."""
    if asked.request.show_files:
        terminal.out("".join(f"{shown(target)}\n" for target in asked.targets.all))
    else:
        from initlint.output import settings

        terminal.out(settings.render(asked.settings, asked.selection, asked.targets.files))
    _print_gaps(Report(unanalysed=(*asked.targets.gaps, *asked.targets.notes)), asked)
    return FAILED if asked.targets.gaps else CLEAN


def apply(request: Apply) -> int:
    """Initialise a model's weights and write them to a file."""
    from initlint import api
    from initlint.fill import filling
    from initlint.output import layers

    _collect()
    options = api.Options(
        arguments=arguments.parse(request.args),
        inputs=requests.inputs(request.inputs),
        timeout=request.timeout,
    )
    report = filling.apply_target(
        request.target,
        options,
        device=request.device,
        seed=request.seed,
        only=request.only,
        skip=request.skip,
        policy=request.policy,
        scope=request.scope,
        forget_bias=request.forget_bias,
        force=request.force,
        out=request.out,
        progress=terminal.progress,
    )
    colour = terminal.wants_colour(sys.stdout)
    terminal.out(layers.render(report, colour=colour, width=terminal.width(), reasons=False))
    from initlint.output import filled

    for line in filled.render(report).splitlines():
        terminal.err(line)
    where = f"Written to {request.out}" if request.out else "Nothing written (no --out FILE)"
    terminal.err(f"{where}.")
    return CLEAN


def rule(wanted: str | None, form: str, folders: Sequence[str] = (), in_short: bool = False) -> int:
    """Print one rule's card, or where None all of them; `folders` hold more rules than ours.

    With `in_short` it is one line for each rule.
    """
    from initlint.judge import load
    from initlint.output import card

    rules = load(folders)
    every = list(rules.cards.values())
    if in_short:
        terminal.out(card.listed(every))
        return CLEAN
    terminal.out(card.render(every if wanted is None else [rules.rule(wanted)], form))
    return CLEAN


def _collect() -> None:
    """Turn the garbage collector on again: a model's garbage is large."""
    gc.enable()


def _judged(asked: Asked) -> Report:
    from initlint import api

    report: Report = Report()
    if asked.targets.all:
        with _working(asked):
            report = api.check_all(asked.targets.all, asked.options)
    return _with_gaps(report, asked)


def _write_baseline(asked: Asked, file: str) -> int:
    """Write all findings to a file of known ones; print the gaps."""
    report = _judged(asked)
    count = baseline.written(file, report, _scope(asked, report))
    _print_gaps(report, asked)
    _say(asked.request, f"Wrote {phrases.counted(count, 'finding')} to {file}.")
    if not asked.settings.here().baseline:
        _say(asked.request, f'To use it, write baseline = "{file}" in [tool.initlint].')
    return FAILED if asked.failures(report) else CLEAN


def _add_noqa(asked: Asked, reason: str) -> int:
    """Add a comment to the line of each finding; say which can have none."""
    from initlint.fix import noqa

    reason = noqa.checked_reason(reason)
    if any(reason.upper() == code or reason == rule.name for code, rule in _cards(asked)):
        meant = f"give --select {reason} --add-noqa to silence this rule alone"
        raise InitlintError(f"--add-noqa={reason}: the value is a reason; {meant}")
    for gap in asked.targets.gaps:
        meant = "nothing is written (a reason follows =: --add-noqa=REASON)"
        raise InitlintError(f"{phrases.gap(gap)}; {meant}")
    report = _judged(asked)
    _print_gaps(report, asked)
    texts = texts_of(report)
    places = [phrases.place(finding, texts) for finding in report.findings]
    added = noqa.add(report.findings, texts, reason)
    refused = {id(finding): why for finding, why in added.refused}
    for finding, place in zip(report.findings, places, strict=True):
        if id(finding) in refused:
            failed(f"{place}: {finding.code}: no comment added: {refused[id(finding)]}")
    files = phrases.counted(added.files, "file")
    _say(asked.request, f"Silenced {phrases.counted(added.findings, 'finding')} in {files}.")
    return FAILED if asked.failures(report) or refused else CLEAN


def _cards(asked: Asked) -> Iterable[tuple[str, Rule]]:
    return asked.selection.rules.cards.items()


def _scope(asked: Asked, report: Report) -> Scope:
    folders = asked.whole_folders()
    return Scope.of(report, asked.targets.files, asked.selection.codes, folders)


def _say_gone(asked: Asked, report: Report) -> None:
    """Say, or prune, the entries of baselines whose findings are gone."""
    if asked.baselines is None:
        return
    for known, gone in asked.baselines.gone(report, _scope(asked, report)):
        number = phrases.counted(sum(gone.values()), "finding")
        name = os.path.relpath(known.file)
        if asked.request.prune_baseline:
            known.without(gone).write("--prune-baseline")
            _say(asked.request, f"Removed {number} from {name}.")
        else:
            them = "it" if sum(gone.values()) == 1 else "them"
            what = f"{number} of the baseline no longer found; --prune-baseline removes {them}"
            _say(asked.request, f"initlint: {name}: {what}")


def _checked(asked: Asked) -> Report:
    """The report, printed."""
    report = _judged(asked)
    _print(report, asked)
    if asked.request.ignore_noqa:
        # A comment that nobody asked to heed is not of no use.
        return report
    rules = asked.selection.rules.cards.values()
    # The report has the text of the files with models only.
    texts = texts_of(report).changed(asked.targets.texts)
    idle = list(suppress.idle(report, asked.selection.codes, rules, asked.targets.files, texts))
    for one in idle[:_MOST_IDLE]:
        place = phrases.place_of(one.site, texts)
        _say(asked.request, f"initlint: {place}: {one.what} {one.reason}")
    if idle[_MOST_IDLE:]:
        _say(asked.request, f"initlint: {len(idle) - _MOST_IDLE:,} more suppressions do nothing")
    return report


def _repaired(asked: Asked) -> Fixed:
    """Fix, and print the remaining findings; a fixed standard input goes to standard output."""
    given = asked.targets.texts
    fixed = _fixed(asked, write=not given)
    changed = {path: new for path, _, new in fixed.files}
    for path, text in given.items():
        terminal.raw(changed.get(path, text))
    _print(_with_gaps(fixed.report, asked), asked)
    for path, reason in fixed.unwritten.items():
        failed(f"{path}: {reason}")
    _say(asked.request, f"{_count('Fixed', fixed)}.")
    return fixed


def _diff(asked: Asked) -> int:
    """Show what --fix would write; like diff, exit with 1 where there is something."""
    fixed = _fixed(asked, write=False)
    report = _with_gaps(fixed.report, asked)
    terminal.raw(fixed.diff.encode("utf-8", "surrogateescape"))
    texts = texts_of(report).changed({path: old for path, old, _ in fixed.files})
    for finding, reason in fixed.refused:
        place = phrases.place_of(finding.site, texts) if finding.site else finding.parameter
        _say(asked.request, f"initlint: not fixed: {place}: {finding.code} {reason}")
    _print_gaps(report, asked)
    unsafe = phrases.unsafe_left(report, more=bool(fixed.files))
    said = (_count("Would fix", fixed), unsafe, phrases.missed(report))
    _say(asked.request, "; ".join(filter(None, said)) + ".")
    if asked.failures(report):
        return FAILED
    return FOUND if fixed.diff and not asked.request.exit_zero else CLEAN


def _fixed(asked: Asked, write: bool) -> Fixed:
    from initlint import api

    if not asked.targets.all:
        return api.Fixed(api.Report(), (), "", 0, ())
    unsafe = asked.request.unsafe_fixes
    with _working(asked):
        return api.fix_all(asked.targets.all, asked.options, unsafe=unsafe, write=write)


def _working(asked: Asked) -> AbstractContextManager[None]:
    """Show on a terminal what takes long."""
    what = requests.work(asked.targets, asked.request.trace)
    return terminal.working(what, quiet=asked.request.quiet)


def _with_gaps(report: Report, asked: Asked) -> Report:
    targets = asked.targets
    return replace(report, unanalysed=(*targets.gaps, *targets.notes, *report.unanalysed))


def _print(report: Report, asked: Asked) -> None:
    """The table if asked for, the findings or their statistics, and the gaps."""
    request = asked.request
    # A repaired standard input is alone on the standard output.
    aside = request.fix and bool(asked.targets.texts)
    write: Callable[[str], object] = terminal.aside if aside else terminal.out
    colour = terminal.wants_colour(sys.stderr if aside else sys.stdout)
    if request.output_file is not None:
        pieces: list[str] = []
        write, colour = pieces.append, request.color == "always"
    if request.show_layers and asked.form in FOR_PEOPLE:
        from initlint.output import layers

        write(layers.render(report, colour=colour, width=terminal.width()))
    write(_findings(report, asked, colour))
    if request.output_file is not None:
        _write_file(request.output_file, "".join(pieces), "--output-file")
    for form, file in request.reports:
        _write_file(file, _rendered(report, asked, form, colour=False), "--output-format")
    _print_gaps(report, asked)


def _findings(report: Report, asked: Asked, colour: bool) -> str:
    if asked.request.statistics:
        from initlint.output import statistics

        return statistics.render(report)
    return _rendered(report, asked, asked.form, colour)


def _write_file(file: str, text: str, option: str) -> None:
    write_whole(file, text.encode("utf-8", "backslashreplace"), option)


def _rendered(report: Report, asked: Asked, form: str, colour: bool) -> str:
    root = None if form in FOR_PEOPLE else _root()
    rules = asked.selection.rules.cards.values()
    codes = asked.options.codes or ()
    preferences = asked.options.preferences
    return output.render(
        report,
        form,
        colour=colour,
        root=root,
        rules=rules,
        codes=codes,
        preferences=preferences,
    )


def _root() -> Path:
    from initlint.output import project

    return project.project_root(os.environ)


def _print_gaps(report: Report, asked: Asked) -> None:
    """Print the gaps; those that are no failures only by their number if quiet."""
    failures = asked.failures(report)
    others = [gap for gap in report.unanalysed if gap not in failures]
    for gap in failures:
        failed(phrases.gap(gap))
    if others and asked.request.quiet:
        terminal.err(f"initlint: {len(others)} not analysed (run without -q for the reasons)")
    for line in phrases.gaps(others):
        _say(asked.request, f"initlint: not analysed: {line}")


def _count(verb: str, fixed: Fixed) -> str:
    if not fixed.files:
        return f"{verb} nothing"
    findings = phrases.counted(fixed.count, "finding")
    return f"{verb} {findings} in {phrases.counted(len(fixed.files), 'file')}"


def _say(request: Check, line: str) -> None:
    if not request.quiet:
        terminal.err(line)

"""What each command does once its options are read: call the api, print, and give a verdict."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from initlint import arguments, inputspec, output, terminal
from initlint.output import phrases
from initlint.records import Report, Unanalysed

if TYPE_CHECKING:
    from initlint.api import Fixed, Options

CLEAN, FOUND, FAILED, INTERRUPTED = 0, 1, 2, 130
FOR_PEOPLE = ("full", "concise")


@dataclass(frozen=True, slots=True)
class Check:
    """What `initlint check` was asked for."""

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


@dataclass(frozen=True, slots=True)
class Apply:
    """What `initlint apply` was asked for."""

    target: str
    device: str = "cpu"
    seed: int | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    out: str | None = None
    args: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


def check(request: Check) -> int:
    """Report, or repair and report what remains."""
    from initlint import api

    options = _options(request)
    if request.diff:
        return _diff(request, options)
    if request.fix:
        fixed = api.fix_all(request.targets, options, unsafe=request.unsafe_fixes, write=True)
        _print(fixed.report, request, options)
        _say(request, _count("Fixed", fixed))
        report: Report = fixed.report
    else:
        report = api.check_all(request.targets, options)
        _print(report, request, options)
    if report.layers or not report.unanalysed:
        _say(request, phrases.summary(report))
    if _failures(report, request.targets):
        return FAILED
    return FOUND if report.findings and not request.exit_zero else CLEAN


def apply(request: Apply) -> int:
    """Initialise a model's weights and write them to a file."""
    from initlint import api
    from initlint.output import layers

    inputs = tuple(inputspec.parse(text) for text in request.inputs)
    options = api.Options(arguments=arguments.parse(request.args), inputs=inputs)
    report = api.apply_target(
        request.target,
        options,
        device=request.device,
        seed=request.seed,
        only=request.only,
        skip=request.skip,
        out=request.out,
    )
    colour = terminal.wants_colour(sys.stdout)
    terminal.out(layers.render(report, colour=colour, width=terminal.width()))
    for gap in report.unanalysed:
        terminal.err(f"initlint: left as it was: {phrases.gap(gap)}")
    done = sum(layer.recommended is not None and layer.current == layer.recommended
               for layer in report.layers)  # fmt: skip
    weights = phrases.counted(len(report.layers), "weight")
    where = f"written to {request.out}" if request.out else "nothing written (no --out FILE)"
    terminal.err(f"Initialised {done} of {weights}; {where}.")
    return CLEAN


def rule(wanted: str | None, form: str) -> int:
    """Print one rule's card, or where None all of them."""
    from initlint import catalog
    from initlint.output import card

    every = list(catalog.rules().values())
    terminal.out(card.render(every if wanted is None else [catalog.rule(wanted)], form))
    return CLEAN


def failed(reason: str) -> int:
    """Say in one line on stderr why the request could not be carried out."""
    terminal.err(f"initlint: error: {' '.join(reason.split())}")
    return FAILED


def _diff(request: Check, options: Options) -> int:
    """Show what --fix would write; like diff, exit with 1 where there is something."""
    from initlint import api

    fixed = api.fix_all(request.targets, options, unsafe=request.unsafe_fixes, write=False)
    terminal.out(fixed.diff)
    _print_gaps(fixed.report, request)
    _say(request, _count("Would fix", fixed))
    if _failures(fixed.report, request.targets):
        return FAILED
    return FOUND if fixed.diff and not request.exit_zero else CLEAN


def _options(request: Check) -> Options:
    from initlint import api, catalog, select

    return api.Options(
        trace=request.trace,
        arguments=arguments.parse(request.args),
        inputs=tuple(inputspec.parse(text) for text in request.inputs),
        codes=select.expand(request.select, request.ignore, catalog.rules()),
    )


def _print(report: Report, request: Check, options: Options) -> None:
    """The table if asked for, the findings or their statistics, and the gaps."""
    from initlint.output import layers, project, statistics

    colour = terminal.wants_colour(sys.stdout)
    if request.show_layers and request.output_format in FOR_PEOPLE:
        terminal.out(layers.render(report, colour=colour, width=terminal.width()))
    if request.statistics:
        terminal.out(statistics.render(report))
    else:
        shape: dict[str, Any] = {
            "colour": colour,
            "root": project.project_root(os.environ),
            "codes": options.codes,
        }
        terminal.out(output.render(report, request.output_format, **shape))
    _print_gaps(report, request)


def _print_gaps(report: Report, request: Check) -> None:
    """What could not be analysed: errors always, what was merely passed over unless quiet."""
    failures = _failures(report, request.targets)
    for gap in report.unanalysed:
        if gap in failures:
            failed(phrases.gap(gap))
        else:
            _say(request, f"initlint: not analysed: {phrases.gap(gap)}")


def _failures(report: Report, targets: tuple[str, ...]) -> list[Unanalysed]:
    """The gaps that the user asked about by name, or all of them if nothing was analysed."""
    if not report.layers:
        return list(report.unanalysed)
    return [gap for gap in report.unanalysed if gap.target in targets]


def _count(verb: str, fixed: Fixed) -> str:
    if not fixed.files:
        return f"{verb} nothing."
    findings = phrases.counted(fixed.count, "finding")
    return f"{verb} {findings} in {phrases.counted(len(fixed.files), 'file')}."


def _say(request: Check, line: str) -> None:
    if not request.quiet:
        terminal.err(line)

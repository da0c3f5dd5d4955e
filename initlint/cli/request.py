"""What a command line asks for: the options of `check`, the targets and rules they come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from initlint.output import FORMATS, phrases
from initlint.project import arguments, config
from initlint.project.baseline import Baselines
from initlint.project.config import Settings
from initlint.project.targets import STDIN, Targets, gather, is_model
from initlint.records import InitlintError, Preferences, Report, Unanalysed
from initlint.safe.regular import is_folder

if TYPE_CHECKING:
    from initlint.api import Options
    from initlint.project.inputspec import InputSpec
    from initlint.project.select import Selection

FOR_PEOPLE = ("full", "concise")
# Seconds that the code of one model may run.
TIMEOUT = 300
NEVER_BUILT = "no model is built: name one (net.py:Net)"


class Check(NamedTuple):
    """The options of `initlint check`."""

    targets: tuple[str, ...]
    trace: bool = False
    fix: bool = False
    diff: bool = False
    unsafe_fixes: bool = False
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    output_format: str | None = None
    reports: tuple[tuple[str, str], ...] = ()
    show_layers: bool = False
    statistics: bool = False
    exit_zero: bool = False
    args: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    timeout: int | None = None
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
    baseline: str | None = None
    ignore_baseline: bool = False
    write_baseline: str | None = None
    prune_baseline: bool = False
    add_noqa: str | None = None
    exclude: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    show_files: bool = False
    show_settings: bool = False
    color: str = "auto"
    ignore_noqa: bool = False
    exit_non_zero_on_fix: bool = False
    output_file: str | None = None
    locked: bool = False
    watch: bool = False

    def preferences(self, settings: Settings) -> Preferences:
        """How initialisers are written: the command line before the settings."""
        return settings.here().preferences(
            style=self.style, distribution=self.distribution, mode=self.mode, bias=self.bias
        )


def split_formats(
    given: Sequence[tuple[str, str]],
) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """The format that is printed, if one is given, and those that go to files.

    `given` are pairs of a format and a file, "" for none. Raises InitlintError for two that would
    be printed, or written to one file.
    """
    printed = [form for form, file in given if not file]
    files = [file for _, file in given if file]
    if len(printed) > 1:
        last = printed[-1]
        what = f"{' and '.join(printed)} cannot both be printed"
        raise InitlintError(f"--output-format: {what}; give one a file: {last}=FILE")
    for file in files:
        if files.count(file) > 1:
            raise InitlintError(f"--output-format: two formats go to {file}; name two files")
    reports = tuple((form, file) for form, file in given if file)
    return (printed[0] if printed else None), reports


class Apply(NamedTuple):
    """The options of `initlint apply`."""

    target: str
    device: str = "cpu"
    seed: int | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    policy: str = "following"
    scope: str = "findings"
    forget_bias: float | None = None
    force: bool = False
    out: str | None = None
    args: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    timeout: int = 0


class Asked(NamedTuple):
    """A request with its targets resolved and its rules selected."""

    request: Check
    settings: Settings
    written: tuple[str, ...]
    targets: Targets
    selection: Selection
    options: Options
    baselines: Baselines | None
    form: str

    def whole_folders(self) -> list[Path] | None:
        """The folders that are checked with all that is in them; None if that is the whole project.

        That is so if no target is named and the settings tell what is checked.
        """
        if self.request.exclude:
            return []
        if not self.request.targets and self.settings.here().targets():
            return None
        return [config.absolute(name) for name in self.written if is_folder(name)]

    def failures(self, report: Report) -> list[Unanalysed]:
        """The gaps of targets named by the user, and errors; nearly all if nothing was analysed.

        With --trace the user asks for every class of the files that needs no argument.
        """
        if not report.layers:
            others = [gap for gap in report.unanalysed if not gap.unseen]
            return [gap for gap in others if gap not in self.targets.notes]
        named = {*self.request.targets, *self.targets.all}
        return [
            gap
            for gap in report.unanalysed
            if gap.failed or gap.target in named or gap in self.targets.gaps
        ]


def asked(request: Check) -> Asked:
    """The request resolved. Raises InitlintError for one that makes no sense."""
    from initlint import api
    from initlint.judge import load
    from initlint.project.select import Selection

    _refuse_empty(request)
    patterns = tuple(entry for text in request.exclude for entry in text.split(",") if entry)
    settings = config.settings(request.config, request.isolated, patterns)
    # Also read where targets are named: what is wrong with them is said at once.
    listed = settings.here().targets()
    written = request.targets or listed or (".",)
    form = request.output_format or settings.here().output_format or FORMATS[0]
    refuse_idle(request, written, form)
    name = request.stdin_filename
    targets = gather(written, settings, STDIN if name is None else name)
    baselines = _baselines(request, settings, targets)
    rules = load(request.rules)
    selection = Selection(request.select, request.ignore, settings, rules, request.extend_select)
    codes = selection.codes().union(*map(selection.codes, targets.files))
    lists_layers = request.show_layers or form == "json"
    if request.ignore and not (codes or lists_layers or request.locked):
        raise InitlintError("--ignore leaves no rule to check with; leave it out, or name fewer")
    if request.show_layers:
        # Of a rule that is off, the table says that it is.
        codes |= Selection.default(rules).codes()
    options = api.Options(
        trace=request.trace,
        arguments=arguments.parse(request.args),
        inputs=inputs(request.inputs),
        codes=codes,
        speaks=selection.speaks,
        comments=not request.ignore_noqa,
        known=baselines.known if baselines else None,
        rules=rules,
        texts=targets.texts,
        preferences=request.preferences(settings),
        cache=not request.no_cache and STDIN not in written,
        jobs=request.jobs,
        parameters="json" in (form, *(name for name, _ in request.reports)) or request.locked,
        apart=True,
        timeout=TIMEOUT if request.timeout is None else request.timeout,
    )
    return Asked(request, settings, written, targets, selection, options, baselines, form)


def _baselines(request: Check, settings: Settings, targets: Targets) -> Baselines | None:
    """The baselines of the files; None where all findings are wanted, as for a new baseline."""
    if request.write_baseline:
        return None
    baselines = Baselines(settings, request.baseline)
    if baselines.are_used(targets.files):
        return None if request.ignore_baseline else baselines
    named = 'write baseline = "FILE" in [tool.initlint]'
    if request.prune_baseline:
        remedy = f"give --baseline FILE, or {named}"
        raise InitlintError(f"--prune-baseline has no effect here: {remedy}")
    if request.ignore_baseline:
        raise InitlintError("--ignore-baseline has no effect here: no baseline is used")
    return baselines


def _refuse_empty(request: Check) -> None:
    """Raise InitlintError for an option that lists nothing, as in `--select=`."""
    lists = {
        "--select": request.select,
        "--ignore": request.ignore,
        "--extend-select": request.extend_select,
        "--exclude": request.exclude,
    }
    for option, given in lists.items():
        if given and not any(entry.strip() for text in given for entry in text.split(",")):
            raise InitlintError(f"{option} names nothing; leave it out")


def work(targets: Targets, trace: bool = False) -> str:
    """What is going to be done to the targets, in a few words: reading 3 files."""
    files = phrases.counted(len(targets.files), "file")
    read = f"building the models of {files}" if trace else f"reading {files}"
    built = f"building {phrases.counted(len(targets.models), 'model')}"
    return ", ".join([read] * bool(targets.files) + [built] * bool(targets.models))


def inputs(written: Sequence[str]) -> tuple[InputSpec, ...]:
    """The example inputs of --input."""
    if not written:
        return ()
    from initlint.project import inputspec

    return tuple(map(inputspec.parse, written))


def refuse_idle(request: Check, written: Sequence[str], form: str) -> None:
    """Raise InitlintError for options that have no effect in their combination.

    `written` are the targets and `form` the output format, those of the settings included.
    """
    builds = request.trace or any(map(is_model, written))
    fixes = request.fix or request.diff
    prints, table = form in FOR_PEOPLE, request.show_layers
    never = f"{NEVER_BUILT}, or give --trace"
    idle = [
        ("--unsafe-fixes", request.unsafe_fixes and not fixes, "give --fix or --diff, too"),
        ("--style", request.style and not fixes, "give --fix or --diff, too"),
        ("--bias", request.bias and not fixes, "give --fix or --diff, too"),
        ("--exit-non-zero-on-fix", request.exit_non_zero_on_fix and not request.fix, "give --fix"),
        ("--exit-non-zero-on-fix", request.exit_non_zero_on_fix and request.exit_zero,
         "--exit-zero exits with 0"),
        ("--fix", request.fix and request.diff, "--diff only shows what it would write"),
        ("--locked", request.locked and request.fix, "--fix changes how parameters start"),
        ("--exclude", request.exclude and all(map(is_model, written)),
         "no file or folder is read"),
        ("--ignore-baseline", request.ignore_baseline and request.baseline is not None,
         "--baseline names one to use"),
        ("--arg", request.args and not builds, never),
        ("--input", request.inputs and not builds, never),
        ("--timeout", request.timeout is not None and not builds, never),
        ("--statistics", request.statistics and not prints, f"{form} lists the findings"),
        # JSON has all layers.
        ("--show-layers", table and not (prints or form == "json"), f"{form} has no table"),
        ("--watch", request.watch and STDIN in written, "standard input ends"),
        ("--stdin-filename", request.stdin_filename is not None and STDIN not in written,
         "give the target - (standard input), too"),
    ]  # fmt: skip
    if request.add_noqa is not None and STDIN in written:
        raise InitlintError("--add-noqa writes into files, and the standard input is none")
    idle += [(option, True, f"{mode} {does}") for mode, does, option in _in_modes(request)]
    for option, is_idle, remedy in idle:
        if is_idle:
            raise InitlintError(f"{option} has no effect here: {remedy}")


def _in_modes(request: Check) -> Iterator[tuple[str, str, str]]:
    """The options that have no effect in a mode that is asked for: mode, what it does, option."""
    prints = {
        "--output-format": request.output_format is not None or bool(request.reports),
        "--show-layers": request.show_layers,
        "--statistics": request.statistics,
        "--output-file": request.output_file is not None,
        "--locked": request.locked,
    }
    writes = {"--fix": request.fix, "--diff": request.diff, "--exit-zero": request.exit_zero}
    of_baseline = {
        "--write-baseline": request.write_baseline is not None,
        "--prune-baseline": request.prune_baseline,
    }
    chooses = {
        "--select": bool(request.select),
        "--ignore": bool(request.ignore),
        "--extend-select": bool(request.extend_select),
        "--rules": bool(request.rules),
    }
    silences = {
        "--ignore-noqa": request.ignore_noqa,
        "--ignore-baseline": request.ignore_baseline,
    }
    known = {"--baseline": request.baseline is not None, "--prune-baseline": request.prune_baseline}
    known["--ignore-baseline"] = request.ignore_baseline
    lists = {**prints, **writes, **of_baseline, **known, "--add-noqa": request.add_noqa is not None}
    lists |= {"--exit-non-zero-on-fix": request.exit_non_zero_on_fix, **silences}
    others = {"--show-files": request.show_files, "--show-settings": request.show_settings}
    files = {"--show-files": request.show_files}
    changes = {**writes, **of_baseline, "--add-noqa": request.add_noqa is not None}
    modes = (
        (request.watch, "--watch", "reports, again and again", {**changes, **others}),
        (request.show_files, "--show-files", "lists files", {**lists, **chooses}),
        (request.show_settings, "--show-settings", "lists settings", {**lists, **files}),
        (request.diff, "--diff", "prints a patch", {**prints, **of_baseline}),
        (
            request.write_baseline is not None,
            "--write-baseline",
            "writes all findings to a file",
            {**prints, **writes, **known},
        ),
        (
            request.add_noqa is not None,
            "--add-noqa",
            "writes comments for all findings",
            {**prints, **writes, **of_baseline, "--ignore-noqa": request.ignore_noqa},
        ),
    )
    for is_on, mode, does, options in modes:
        for option, given in options.items() if is_on else ():
            if given:
                yield mode, does, option

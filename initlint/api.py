"""The Python interface: check and fix."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from initlint import records
from initlint.judge import load
from initlint.pipeline.asked import Options, Report
from initlint.pipeline.judged import judged, judged_by
from initlint.project.arguments import by_name
from initlint.project.config import Config, Settings
from initlint.project.discover import discover
from initlint.project.select import codes_of
from initlint.project.sourcefiles import Texts, decoded, encoded, texts_of
from initlint.project.targets import is_model
from initlint.records import Finding, InitlintError, Preferences
from initlint.tracing.alone import alone
from initlint.tracing.needs import need_torch, refuse_disguised

if TYPE_CHECKING:
    from torch import nn

    from initlint.tracing.targets import Signatures

__all__ = ["Fixed", "Options", "Report", "check", "check_all", "fix", "fix_all", "judged"]

SOURCE = "<source>"


@dataclass(frozen=True, slots=True)
class Fixed:
    """The result of a fix.

    `report` has the findings that remain. `files` are (path, old bytes, new bytes) of the changed
    files; if none changed, `fix` gives its target's file. `diff` is their patch, with surrogate
    escapes for bytes that are not UTF-8. `count` is the number of findings fixed, `refused` has the
    others, each with the reason. `unwritten` maps files that could not be written to the reason.
    """

    report: Report
    files: tuple[tuple[str, bytes, bytes], ...]
    diff: str
    count: int
    refused: tuple[tuple[Finding, str], ...]
    unwritten: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """One line: how much was fixed, and what remains."""
        from initlint.output.phrases import counted

        changed = sum(old != new for _, old, new in self.files)
        fixed = f"{counted(self.count, 'finding')} in {counted(changed, 'file')}"
        return f"<Fixed: {fixed}; {repr(self.report)[1:-1]}>"

    @property
    def source(self) -> str:
        """The new text of the only changed file; if none changed, `fix` gives the old text.

        Empty if several files changed.
        """
        return decoded(self.files[0][2]) if len(self.files) == 1 else ""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings that remain."""
        return self.report.findings


@alone
def check(
    target: str | os.PathLike[str] | nn.Module | Callable[..., nn.Module],
    *inputs: Any,
    trace: bool = False,
    args: Mapping[str, Any] | None = None,
    select: str | Iterable[str] | None = None,
) -> Report:
    """Judge the initialisation of every weighted layer of a model.

    `target` is one of

    - a class, or a function that returns a model: built on the meta device with `args`;
    - a live model: its present stds are measured, and `inputs` are example inputs of its forward;
    - `package.module:attr` or `path/file.py:attr`: imported and built;
    - a path, or source text: read; with `trace`, every module class in it is also built.

    `select` limits the rules to one or several codes, prefixes, names, or ALL. Raises InitlintError
    if the target cannot be built; `report.unanalysed` lists parts that cannot be analysed.
    """
    rules = load()
    codes = codes_of(select, rules)
    target = _spelled(target)
    if not isinstance(target, str) and not callable(target):
        kind = type(target).__name__
        raise InitlintError(f"check takes a path, a model, a class or a function, not {kind}")
    arguments = by_name(args)
    if trace:
        need_torch("check(trace=True)")
    options = Options(trace, arguments, inputs, codes, rules=rules, parameters=True)
    if not isinstance(target, str) or is_model(target):
        report, _ = judged([target], options)
        if report.unanalysed and not report.layers:
            raise InitlintError(report.unanalysed[0].reason)
        return _planned(report, options)
    if (arguments or inputs) and not trace:
        raise _idle("args has" if arguments else "inputs have")
    if "\n" in target:
        options = replace(options, texts={SOURCE: target.encode("utf-8", "surrogatepass")})
        return check_all([SOURCE], options)
    return check_all(files_of(target), options)


def _idle(what: str) -> InitlintError:
    """The error for what only a model that is built takes."""
    why = "no model is built: name one (net.py:Net), or give trace=True"
    return InitlintError(f"{what} no effect here: {why}")


def files_of(path: str) -> tuple[str, ...]:
    """The Python files and notebooks at a path. Raises InitlintError if it cannot be read."""
    found = discover([path], Settings(Config()))
    if found.gaps:
        raise InitlintError(found.gaps[0].reason)
    return found.files


def check_all(targets: Sequence[str], options: Options) -> Report:
    """One report on several targets; `unanalysed` lists those that cannot be built."""
    return _planned(judged(targets, options)[0], options)


def _planned(report: Report, options: Options) -> Report:
    """The report, with those fixes alone that `fix` would carry out."""
    if not any(finding.fix for finding in report.findings):
        return report
    from initlint.fix.planned import planned

    found = planned(report.findings, texts_of(report), options.preferences)
    return replace(report, findings=found)


def fix_all(
    targets: Sequence[str], options: Options, *, unsafe: bool = False, write: bool = True
) -> Fixed:
    """Fix the findings of `check_all` in the files of `targets`; write the files if `write`.

    The rewritten models are built and judged in a separate process before a file is replaced.
    `unsafe` includes fixes that may override a deliberate choice. A file that cannot be written
    stays as it was; the others are written.
    """
    from initlint.fix.converge import Before, converge, under_one_path
    from initlint.fix.files import unified_diff
    from initlint.fix.remaining import with_reasons, written

    texts = Texts(options.texts)
    report, signatures = judged_by(targets, options, texts)
    allowed = ("safe", "unsafe") if unsafe else ("safe",)
    wanted = under_one_path(
        [f for f in report.findings if f.fix and f.fix.applicability in allowed]
    )
    sources = {f.fix.site.path: texts.source(f.fix.site.path) for f in wanted if f.fix}
    before = Before(report, signatures, options.preferences)
    outcome = converge(wanted, sources, _again(targets, options, texts), before)
    unwritten: dict[str, str] = {}
    if write:
        outcome, unwritten = written(outcome, report)
    diff = "".join(unified_diff(path, old, new) for path, old, new in outcome.files)
    left = with_reasons(outcome.report, outcome.refused)
    after = Report(
        left.layers,
        left.findings,
        left.unanalysed,
        parameters=left.parameters,
        calls=left.calls,
        tests=left.tests,
        known=left.known,
        texts=left.texts,
    )
    # What remains is planned as in a check.
    after = _planned(after, options)
    return Fixed(after, outcome.files, diff, len(outcome.fixed), outcome.refused, unwritten)


def _again(
    targets: Sequence[str], options: Options, before: Texts
) -> Callable[[Mapping[str, bytes]], tuple[records.Report, Signatures]]:
    """A function that judges the targets again with new text for some files.

    All other files have their text from `before`. Models are built in a separate process.
    """

    def again(texts: Mapping[str, bytes]) -> tuple[records.Report, Signatures]:
        changed = replace(options, texts=before.changed(texts).all())
        return judged(targets, replace(changed, apart=True))

    return again


@alone
def fix(
    target: str | os.PathLike[str],
    *,
    trace: bool = False,
    args: Mapping[str, Any] | None = None,
    select: str | Iterable[str] | None = None,
    unsafe: bool = False,
    write: bool = False,
    **preferences: str,
) -> Fixed:
    """Fix a path, a target in a file (`path/file.py:attr`), or source text.

    The result has the new source, the diff, and the findings that remain. Files change only with
    `write`. As by `check`, a path or source text is read, which needs no torch; with `trace` its
    models are imported and built, too, as `path/file.py:attr` always is, with `args`. `select`
    limits the rules as for `check`; `preferences` are style, distribution, mode and bias, as in
    `[tool.initlint]`. Raises InitlintError if the target cannot be built or a file cannot be
    written.
    """
    rules = load()
    codes = codes_of(select, rules)
    target = _spelled(target)
    if not isinstance(target, str):
        kind = type(target).__name__
        raise InitlintError(f"fix takes a path, a target in a file or source text, not {kind}")
    arguments = by_name(args)
    if trace:
        need_torch("fix(trace=True)")
    elif arguments and not is_model(target):
        raise _idle("args has")
    options = Options(trace, arguments, (), codes, rules=rules, preferences=_chosen(preferences))
    if "\n" in target:
        return _fix_text(target, options, unsafe)
    targets = [target] if is_model(target) else files_of(target)
    fixed = fix_all(targets, options, unsafe=unsafe, write=write)
    if fixed.unwritten:
        raise InitlintError("; ".join(f"{p}: {why}" for p, why in fixed.unwritten.items()))
    if is_model(target) and fixed.report.unanalysed and not fixed.report.layers:
        raise InitlintError(fixed.report.unanalysed[0].reason)
    files = (target.rpartition(":")[0],) if is_model(target) else tuple(targets)
    alone = len(files) == 1 and Path(files[0]).is_file()
    return _with_source(fixed, files[0]) if alone else fixed


def _fix_text(text: str, options: Options, unsafe: bool) -> Fixed:
    """The fix of source text, which is written to a temporary file so that it can be built."""
    import tempfile

    from initlint.fix.files import unified_diff
    from initlint.fix.remaining import renamed

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve() / "source.py"
        path.write_bytes(encoded(text))
        fixed = fix_all([str(path)], options, unsafe=unsafe, write=False)
        named: Fixed = renamed(_with_source(fixed, str(path)), str(path), SOURCE)
    old, new = (named.files[0][1:]) if named.files else (encoded(text), encoded(text))
    report = replace(named.report, texts=Texts({SOURCE: new}))
    diff = unified_diff(SOURCE, old, new)
    return replace(named, report=report, diff=diff)


def _with_source(fixed: Fixed, path: str) -> Fixed:
    """`fixed`; if no file changed, with the unchanged file at `path` in `files`."""
    source = texts_of(fixed.report).source(path)
    return fixed if fixed.files else replace(fixed, files=((path, source, source),))


def _spelled(target: Any) -> Any:
    """A path as a string, anything else as it is. Raises InitlintError for a disguised object."""
    refuse_disguised(target)
    return os.fsdecode(target) if isinstance(target, os.PathLike) else target


def _chosen(given: Mapping[str, str]) -> Preferences:
    """The preferences by name. Raises InitlintError for an unknown name or value."""
    for name, value in given.items():
        if value not in records.CHOICES.get(name, ()):
            known = ", ".join(records.CHOICES.get(name, records.CHOICES))
            raise InitlintError(f"{name}={value!r}: no such preference; choose one of {known}")
    return Preferences(**given)

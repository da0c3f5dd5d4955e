"""Targets to one report: read or traced, recommended, judged, and silenced where that was asked."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from initlint import records
from initlint.judge import Rulebook, findings, load
from initlint.pipeline.asked import Options, Report
from initlint.pipeline.files import Reader, read
from initlint.project.cache import Reading
from initlint.project.imports import Imports
from initlint.project.neighbours import neighbours
from initlint.project.select import Selection
from initlint.project.sourcefiles import Texts
from initlint.project.suppress import filter_report
from initlint.project.targets import is_model
from initlint.recommend import with_recommendations
from initlint.recommend.variants import preferred
from initlint.records import Finding, Parameter, Unanalysed
from initlint.tracing.targets import Signatures, Traced, traced

_Record = TypeVar("_Record", records.Layer, Parameter, records.Call, records.Test, Finding)


def judged(targets: Sequence[Any], options: Options) -> tuple[Report, Signatures]:
    """The report on several targets, and the shapes in every model's state dict by its name.

    Paths are read, and with `options.trace` also traced; all other targets are built and traced. If
    reading and tracing both analysed the layer of a line, the traced result counts, except for a
    class built alone whose instances are filled by functions that only reading has followed.
    """
    return judged_by(targets, options, Texts(options.texts))


def judged_by(targets: Sequence[Any], options: Options, texts: Texts) -> tuple[Report, Signatures]:
    # Installed packages are searched for rules once, not by every step.
    rules, codes = _asked(options)
    options = replace(options, rules=rules, codes=frozenset(codes))
    # A target given as text is read, even if its name looks like a model's.
    paths = [t for t in targets if isinstance(t, str) and (t in texts or not is_model(t))]
    models = targets if options.trace else [target for target in targets if target not in paths]
    written, judgement = _read(paths, options, texts)
    found = _traced(models, options, texts)
    filled = _filled_later(found, written.layers)
    built = Reading(
        _recommended(_of_others(found.layers, filled), options),
        tuple(_of_others(found.parameters, filled)),
        tuple(_of_others(found.calls, filled)),
        gaps=found.gaps,
    )
    every: tuple[records.Layer | Parameter | records.Call, ...]
    # Of what a call fills that fills no parameter, reading may know more.
    proven = (call for call in built.calls if call.effect not in ("discarded", "nothing"))
    every = (*built.layers, *built.parameters, *proven)
    known = {record.site for record in every if record.site}
    known |= {draw.site for p in built.parameters for draw in p.history if draw.site}
    # What reading gave up and tracing has judged, or failed to build, is said once.
    said = {*found.signatures, *(gap.target for gap in found.gaps)}
    unsaid = (gap for gap in written.gaps if not _is_said(gap, said))
    # Rules may have needed those of files that were not asked for.
    listed = written.parameters if options.parameters else ()
    asked = _asked_in_source(models, paths, found, options, texts)
    found_here = (*_judged(built, options), *_only_read(judgement, known, options), *asked)
    report = Report(
        (*built.layers, *_elsewhere(written.layers, known)),
        tuple(_with_cells(finding, texts) for finding in found_here),
        tuple(_gap_with_cells(gap, texts) for gap in (*unsaid, *found.gaps)),
        parameters=(*built.parameters, *_elsewhere(listed, known)),
        calls=(*built.calls, *_elsewhere(written.calls, known)),
        tests=written.tests,
        texts=texts,
    )
    report = filter_report(report, options.speaks, options.comments)
    if options.known is not None:
        report = options.known(report)
    return replace(report, texts=texts.only(_spoken_of(report))), found.signatures


def _with_cells(finding: Finding, texts: Texts) -> Finding:
    """The finding; places in a notebook are named by cell in its message."""
    message = texts.with_cells(finding.message, finding.site.path if finding.site else "")
    return finding if message == finding.message else replace(finding, message=message)


def _gap_with_cells(gap: Unanalysed, texts: Texts) -> Unanalysed:
    path = gap.target.rpartition(":")[0] or gap.target
    reason = texts.with_cells(gap.reason, path)
    return gap if reason == gap.reason else replace(gap, reason=reason)


def _is_said(gap: Unanalysed, said: Collection[str]) -> bool:
    """Whether building has said more about a class, or about the import of its whole file."""
    return gap.target in said or gap.target.rpartition(":")[0] in said


def _filled_later(found: Traced, written: Sequence[records.Layer]) -> set[str]:
    """The classes built alone whose instances code of the files fills after construction.

    That code did not run, since it lies in functions, but it was read.
    """
    fresh: dict[records.Site | None, bool] = {}
    for layer in written:
        current = layer.current
        known = current is not None and current.name != "unknown" and not current.default
        fresh[layer.site] = fresh.get(layer.site, False) or not known
    return {
        layer.model
        for layer in found.layers
        if layer.current is not None and layer.current.default and not fresh.get(layer.site, True)
    } & set(found.alone)


def _of_others(found: Sequence[_Record], models: Collection[str]) -> list[_Record]:
    """The records of all other models."""
    return [record for record in found if record.model not in models]


def _elsewhere(found: Sequence[_Record], known: Collection[records.Site]) -> list[_Record]:
    """What was read at lines of which building has not shown more."""
    return [record for record in found if record.site not in known]


def _only_read(
    found: Sequence[Finding], known: Collection[records.Site], options: Options
) -> list[Finding]:
    """What was found by reading at other lines, or of tests in the code, which building lacks."""
    rules, _ = _asked(options)
    of_tests = {code for code, each in rules.functions.items() if records.Test in each.kinds}
    return [each for each in found if each.site not in known or each.code in of_tests]


def _asked_in_source(
    models: Sequence[Any], paths: Sequence[str], found: Traced, options: Options, texts: Texts
) -> list[Finding]:
    """What the tests in the source of built models tell: a run does not show what was asked.

    Nor does it show a method that nothing calls, a copy that is filled and lost, and a write to a
    weight that a parametrization has computed for one use.
    """
    rules, codes = _asked(options)
    of_tests = {code for code, each in rules.functions.items() if records.Test in each.kinds}
    of_calls = {code for code, each in rules.functions.items() if records.Call in each.kinds}
    wanted = frozenset((of_tests | of_calls).intersection(codes))
    named: dict[str, set[str]] = {}
    for target in models:
        path, name = _home_of(target)
        if path and path not in paths:
            named.setdefault(path, set()).add(name)
    if not named or not wanted:
        return []
    written, judgement = _read([*named], replace(options, codes=wanted), texts)
    unshown = {call.site for call in written.calls if call.effect in _UNSHOWN}
    built = {layer.model for layer in found.layers}
    # Rules of tests may be rules of calls as well, and these a run has judged.
    known = {call.site for call in found.calls}
    return [
        each
        for each in judgement
        if each.site is not None
        and each.site not in known
        and (each.code in of_tests or each.site in unshown)
        and each.model in built | named.get(each.site.path, set())
    ]


# What calls do that only the source shows.
_UNSHOWN = ("lost", "uncalled", "recomputed", "reloaded")


def _home_of(target: Any) -> tuple[str, str]:
    """The file of Python and the name of a target that is built; empty if there is none."""
    if isinstance(target, str):
        path, _, name = target.rpartition(":")
        return (path, name) if path.endswith(".py") else ("", "")
    if not isinstance(target, type):
        return "", ""
    path = getattr(sys.modules.get(target.__module__), "__file__", None) or ""
    return (path, target.__qualname__) if path.endswith(".py") else ("", "")


def _traced(models: Sequence[Any], options: Options, texts: Texts) -> Traced:
    """The result of building and tracing; the models' files are read before they are imported.

    A separate process gets the text that was read. In this process a file may change before it is
    imported; then no fix is written to it.
    """
    for target in models:
        if isinstance(target, str):
            path, colon, _ = target.rpartition(":")
            texts.lines(path if colon and path.endswith(".py") else target)
    if not models:
        return Traced()
    if not options.apart:
        return traced(models, options.arguments, options.inputs)
    from initlint.pipeline.apart import traced_apart

    given = (options.arguments, options.inputs, texts.all(), options.timeout)
    return traced_apart(models, *given)


def _spoken_of(report: records.Report) -> set[str]:
    """The files in which layers, parameters and findings are."""
    found: tuple[records.Layer | records.Parameter | Finding, ...]
    found = (*report.layers, *report.parameters, *report.findings, *report.silenced, *report.known)
    sites = {entry.site for entry in found}
    current = [e.current for e in found if not isinstance(e, Parameter)]
    sites |= {initializer.site for initializer in current if initializer}
    sites |= {draw.site for parameter in report.parameters for draw in parameter.history}
    return {site.path for site in sites if site}


def _read(
    paths: Sequence[str], options: Options, texts: Texts
) -> tuple[Reading, tuple[Finding, ...]]:
    """The records of files, judged; others on which these depend are read with them.

    So that one file says what a run over its project says of it.
    """
    if not paths:
        return Reading(), ()
    rules, codes = _asked(options)
    # What a test is to match is found among the parameters.
    judges = rules.judge(Parameter, codes) or rules.judge(records.Test, codes)
    parameters = options.parameters or judges
    reader = Reader(options.cache, options.jobs, parameters, options.data)
    imports = Imports(texts)
    along = options.alone or imports.of(paths)
    every = _recommended_all(read(paths, texts, reader, along), options)
    found = _of(every, along.files)
    judgement = _judged(found, options, every)
    is_alone = options.alone is not None
    users = [] if is_alone else neighbours(paths, judgement, found.layers, texts)
    if not users:
        return found, _within_reach(judgement, along.files)
    along = imports.of([*paths, *users])
    others = [*users, *along.files]
    every = read([*paths, *users], texts, reader, along)
    every = _recommended_all(every, options)
    wider = _of(every, others)
    # List the gaps of the requested files, not those of their neighbours.
    # What a file alone did not show may be known now.
    own = [gap for gap in wider.gaps if gap.target.rpartition(":")[0] in paths]
    wider = wider._replace(gaps=tuple(own))
    judgement = _judged(wider, options, every)
    return wider, _within_reach(judgement, others)


def _within_reach(found: Sequence[Finding], others: Collection[str]) -> tuple[Finding, ...]:
    """The findings; without a fix those of which it would change one of the `others`.

    Nobody has named these files.
    """
    return tuple(_unfixed(f) if f.fix and f.fix.site.path in others else f for f in found)


def _unfixed(finding: Finding) -> Finding:
    assert finding.fix is not None
    site = finding.fix.site
    why = f"it is to be made at {site.path}:{site.line}; check that file, too"
    return replace(finding, unfixed=why, fix=None)


def _of(found: Reading, others: Collection[str]) -> Reading:
    """What was read of other files than `others`."""
    return Reading(
        tuple(_within(found.layers, others)),
        tuple(_within(found.parameters, others)),
        tuple(_within(found.calls, others)),
        tuple(_within(found.tests, others)),
        found.gaps,
    )


def _within(found: Sequence[_Record], others: Collection[str]) -> list[_Record]:
    """The records that are not of other files."""
    return [record for record in found if record.site is None or record.site.path not in others]


def _recommended_all(found: Reading, options: Options) -> Reading:
    """What was read of all files, with recommendations."""
    return found._replace(layers=_recommended(found.layers, options))


def _judged(found: Reading, options: Options, every: Reading | None = None) -> tuple[Finding, ...]:
    """The findings; `every` has the records of other files, which a fix must suit, too."""
    rules, codes = _asked(options)
    beside = every or found
    return findings(
        found.layers,
        rules,
        codes,
        found.parameters,
        found.calls,
        found.tests,
        beside=(beside.layers, beside.calls),
    )


def _asked(options: Options) -> tuple[Rulebook, Collection[str]]:
    """The rules, and the codes of those that judge."""
    rules = options.rules or load()
    return rules, Selection.default(rules).codes() if options.codes is None else options.codes


def _recommended(layers: Sequence[records.Layer], options: Options) -> tuple[records.Layer, ...]:
    return preferred(with_recommendations(layers), options.preferences)

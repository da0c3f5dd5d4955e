"""Targets to one report: read or traced, recommended, judged, and silenced where that was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from initlint import records
from initlint.judge import Rulebook, findings, load
from initlint.pipeline.files import read
from initlint.project.neighbours import neighbours
from initlint.project.select import Selection
from initlint.project.sourcefiles import Texts
from initlint.project.suppress import filter_report
from initlint.project.targets import is_model
from initlint.recommend import with_recommendations
from initlint.recommend.variants import preferred
from initlint.records import Finding, Preferences, Unanalysed
from initlint.tracing.targets import Signatures, Traced, traced


class Report(records.Report):
    """The report on the targets; `str()` is the text that the command line prints."""

    def __str__(self) -> str:
        from initlint.output.text import render_whole

        return render_whole(self)


@dataclass(frozen=True, slots=True)
class Options:
    """How targets are built, and which rules report.

    - `codes`: the rules; None for those on by default.
    - `rules`: the rulebook; None for initlint's own rules and those of installed packages.
    - `speaks`: whether a finding's rule is on in its file; None if all are.
    - `texts`: by path, text that replaces the files on the disk.
    - `preferences`: the user's choices where several initialisers are right.
    - `cache`: whether to keep the result of reading in the cache folder.
    - `jobs`: the number of processes that read.
    - `apart`: whether to build models in a separate process.
    """

    trace: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Any, ...] = ()
    codes: frozenset[str] | None = None
    speaks: Callable[[Finding], bool] | None = None
    rules: Rulebook | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)
    preferences: Preferences = field(default_factory=Preferences)
    cache: bool = False
    jobs: int = 1
    apart: bool = False


def judged(targets: Sequence[Any], options: Options) -> tuple[Report, Signatures]:
    """The report on several targets, and the shapes in every model's state dict by its name.

    Paths are read, and with `options.trace` also traced; all other targets are built and traced. If
    reading and tracing both analysed the layer of a line, the traced result counts.
    """
    return judged_by(targets, options, Texts(options.texts))


def judged_by(targets: Sequence[Any], options: Options, texts: Texts) -> tuple[Report, Signatures]:
    # A target given as text is read, even if its name looks like a model's.
    paths = [t for t in targets if isinstance(t, str) and (t in texts or not is_model(t))]
    models = targets if options.trace else [target for target in targets if target not in paths]
    others, gaps = _read(paths, options, texts)
    found = _traced(models, options, texts)
    layers = _recommended(found.layers, options)
    known = {layer.site for layer in layers if layer.site}
    # What reading gave up and tracing has judged, or failed to build, is said once.
    built = {*found.signatures, *(gap.target for gap in found.gaps)}
    report = Report(
        (*layers, *(layer for layer in others if layer.site not in known)),
        (
            *_judged(layers, options),
            *(f for f in _judged(others, options) if f.site not in known),
        ),
        (*(gap for gap in gaps if gap.target not in built), *found.gaps),
        texts=texts,
    )
    report = filter_report(report, options.speaks)
    return replace(report, texts=texts.only(_spoken_of(report))), found.signatures


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

    return traced_apart(models, options.arguments, options.inputs, texts.all())


def _spoken_of(report: records.Report) -> set[str]:
    """The files in which layers and findings are."""
    found: tuple[records.Layer | Finding, ...]
    found = (*report.layers, *report.findings, *report.silenced)
    sites = {entry.site for entry in found}
    sites |= {entry.current.site for entry in found if entry.current}
    return {site.path for site in sites if site}


def _read(
    paths: Sequence[str], options: Options, texts: Texts
) -> tuple[tuple[records.Layer, ...], tuple[Unanalysed, ...]]:
    """The layers and gaps of files; where findings depend on it, others are read with them."""
    if not paths:
        return (), ()
    reading = read(paths, texts, options.cache, options.jobs)
    layers = _recommended(reading.layers, options)
    gaps = reading.gaps
    more = neighbours(paths, _judged(layers, options), texts)
    if more:
        wider = read([*paths, *more], texts, options.cache, options.jobs)
        wanted = [x for x in wider.layers if x.site is None or x.site.path not in more]
        layers = _recommended(wanted, options)
        # List the gaps of the requested files, not those of their neighbours.
        own = [gap for gap in wider.gaps if gap.target.rpartition(":")[0] in paths]
        gaps = tuple(dict.fromkeys((*gaps, *own)))
    return layers, gaps


def _judged(layers: Sequence[records.Layer], options: Options) -> tuple[Finding, ...]:
    rules = options.rules or load()
    codes = Selection.default(rules).codes() if options.codes is None else options.codes
    return findings(layers, rules, codes)


def _recommended(layers: Sequence[records.Layer], options: Options) -> tuple[records.Layer, ...]:
    return preferred(with_recommendations(layers), options.preferences)

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
    """What was learnt of the targets; `str()` is the text that the command line prints."""

    def __str__(self) -> str:
        from initlint.output.text import render_whole

        return render_whole(self)


@dataclass(frozen=True, slots=True)
class Options:
    """How targets are built and which rules speak; `codes` None means those on by default.

    `rules` are initlint's own and those of installed packages where None.

    `speaks` says of a finding whether its rule speaks in its file; None where all do. `texts` are
    the files, by path, that are not what the disk holds. `preferences` say how an initialiser is
    drawn and written where several ways are right. With `cache`, what was read is kept in a
    folder of its own; `jobs` is the number of processes that read. With `apart`, models are built
    in another process.
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

    Paths are read, with `options.trace` traced as well; everything else is built and traced. Where
    both know the layer that a line makes, what was traced holds.
    """
    return judged_by(targets, options, Texts(options.texts))


def judged_by(targets: Sequence[Any], options: Options, texts: Texts) -> tuple[Report, Signatures]:
    # What is handed over as text is read, whatever its name looks like.
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
    """What building and tracing gives; the files of the models are read before they are imported.

    A process of its own is given what was read. In this one, what is imported may have changed in
    between, and then no fix is written over it.
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
        # Gaps of the others are not ours to list, but what was given up of our own files is.
        own = [gap for gap in wider.gaps if gap.target.rpartition(":")[0] in paths]
        gaps = tuple(dict.fromkeys((*gaps, *own)))
    return layers, gaps


def _judged(layers: Sequence[records.Layer], options: Options) -> tuple[Finding, ...]:
    rules = options.rules or load()
    codes = Selection.default(rules).codes() if options.codes is None else options.codes
    return findings(layers, rules, codes)


def _recommended(layers: Sequence[records.Layer], options: Options) -> tuple[records.Layer, ...]:
    return preferred(with_recommendations(layers), options.preferences)

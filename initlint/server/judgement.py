"""One open document judged: its report, the edits of each fix, and those of all together."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from initlint.fix import noqa
from initlint.fix.converge import Before, converge, under_one_path
from initlint.fix.proposals import Proposals
from initlint.fix.text import RefusedError
from initlint.judge import load
from initlint.output.edits import Edit, edits
from initlint.pipeline.asked import Options, Report
from initlint.pipeline.judged import judged, judged_by
from initlint.project import config
from initlint.project.baseline import Baselines
from initlint.project.config import Settings
from initlint.project.imports import Imported, Imports
from initlint.project.select import Selection
from initlint.project.sourcefiles import Texts, texts_of
from initlint.reading.sources.files import why_too_large
from initlint.records import Finding, Layer

_UNSAVED = "it rests on other files: save this one to have it judged anew"
# What a finding is about, wherever its line moves: code, model, parameter.
Key = tuple[str, str, str]


class Beside(NamedTuple):
    """What the other files of a project have to do with the verdict on a file.

    `imported` are those that it imports, with their `texts`. `refuted` are findings of the file and
    these that the others take away, `added` those that they add.
    """

    imported: Imported = Imported()
    texts: Mapping[str, bytes] = {}
    refuted: frozenset[Key] = frozenset()
    added: tuple[Finding, ...] = ()


class Judgement:
    """The findings and layers of one document, and what can be done about them."""

    def __init__(
        self,
        path: str,
        source: bytes,
        options: Options,
        report: Report,
        beside: Beside = Beside(),  # noqa: B008
    ) -> None:
        self.path, self.source, self.report = path, source, report
        self._options = options
        self._beside = beside
        self._texts = texts_of(report)
        self._proposals = Proposals(self._texts, options.preferences)

    @cached_property
    def findings(self) -> list[Finding]:
        """The findings on lines of the document."""
        own = [f for f in self.report.findings if f.site and f.site.path == self.path]
        own = [f for f in own if _key(f) not in self._beside.refuted]
        layers = {(layer.model, layer.parameter): layer for layer in self.report.layers}
        for finding in self._beside.added:
            # Their layers may have moved since, and a fix would miss them.
            layer = layers.get((finding.model, finding.parameter))
            if layer is not None and layer.site is not None and layer.site.path == self.path:
                own.append(replace(finding, site=layer.site, fix=None, unfixed=_UNSAVED))
        return own

    @property
    def is_whole(self) -> bool:
        """Whether the other files of the project were read for it."""
        return self._options.alone is None

    @property
    def texts(self) -> Texts:
        """The text of the files as they were judged."""
        return self._texts

    def layers_at(self, line: int, column: int) -> list[Layer]:
        """The layers whose construction covers a position, or else those of its line."""
        here = [
            (layer, layer.site)
            for layer in self.report.layers
            if layer.site is not None
            and layer.site.path == self.path
            and layer.site.line <= line <= layer.site.end_line
        ]
        return [
            layer
            for layer, site in here
            if (site.line, site.column) <= (line, column) <= (site.end_line, site.end_column)
        ] or [layer for layer, _ in here]

    def edits(self, finding: Finding) -> tuple[Edit, ...]:
        """The edits of a finding's fix in the document; none if it cannot be fixed alone."""
        found = edits(finding, self._proposals, self._texts) or ()
        return found if all(edit.path == self.path for edit in found) else ()

    def silenced(self, finding: Finding) -> bytes:
        """The document with a comment that silences the finding; as it is if there can be none."""
        try:
            return noqa.commented(self.source, self.path, [finding], "")[0]
        except RefusedError:
            return self.source

    @cached_property
    def fixed(self) -> bytes:
        """The document with all safe fixes, judged again as --fix does."""
        safe = [f for f in self.findings if f.fix and f.fix.applicability == "safe"]
        wanted = under_one_path([f for f in safe if f.fix and f.fix.site.path == self.path])

        def again(
            new: Mapping[str, bytes],
        ) -> tuple[Report, Mapping[str, Mapping[str, tuple[int, ...]]]]:
            texts = {**self._options.texts, **new}
            return judged([self.path], replace(self._options, texts=texts))

        before = Before(self.report, {}, self._options.preferences)
        outcome = converge(wanted, {self.path: self.source}, again, before)
        return next((new for path, _, new in outcome.files if path == self.path), self.source)


def judge(path: str, texts: Mapping[str, bytes], typed: Beside | None = None) -> Judgement | None:
    """The judgement of an open document; `texts` has it and the other open ones.

    With `typed`, what other files of the project add to it is taken from there, and these are not
    read again: while one types, an answer must come at once. None if the settings exclude the
    document, or while it does not parse. Raises InitlintError for settings that cannot be used.
    """
    config.forget()
    settings = Settings()
    if settings.of(path).excludes(path) or not _parses(texts[path]):
        return None
    rules = load()
    selection = Selection((), (), settings, rules)
    options = Options(
        # Of a rule that is off, a hover says that it is.
        codes=selection.codes(path) | Selection.default(rules).codes(),
        speaks=selection.speaks,
        known=Baselines(settings).known,
        rules=rules,
        texts=texts,
        preferences=settings.of(path).preferences(),
        alone=typed.imported if typed else None,
    )
    kept = typed.texts if typed else {}
    report, _ = judged_by([path], options, Texts({**kept, **texts}))
    return Judgement(path, texts[path], options, report, typed or Beside())


def beside(whole: Judgement, texts: Mapping[str, bytes]) -> Beside:
    """What is kept of a judgement for which other files were read."""
    held = Texts(texts)
    imported = Imports(held).of([whole.path])
    kept = Beside(imported, {path: held.python(path) for path in imported.files})
    alone = judge(whole.path, texts, kept)
    if alone is None:
        return kept
    keys, own = set(map(_key, whole.findings)), set(map(_key, alone.findings))
    added = tuple(finding for finding in whole.findings if _key(finding) not in own)
    return kept._replace(refuted=frozenset(own - keys), added=added)


def _key(finding: Finding) -> Key:
    return finding.code, finding.model, finding.parameter


def _parses(source: bytes) -> bool:
    """Whether a document can be judged; one that is too large is, to say so."""
    if why_too_large(source):
        return True
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def gaps(judgement: Judgement) -> Sequence[str]:
    """What was not analysed of a document, in one line each."""
    from initlint.output.phrases import gap

    return [gap(each) for each in judgement.report.unanalysed]

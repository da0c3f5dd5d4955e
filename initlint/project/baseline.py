"""Baselines: files of known findings, which are silent until they are gone or changed."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from initlint.project.config import Settings, absolute
from initlint.project.sourcefiles import Texts, texts_of
from initlint.records import Finding, InitlintError, Report
from initlint.safe.regular import read_regular
from initlint.safe.shown import cut
from initlint.safe.written import write_whole

_Report = TypeVar("_Report", bound=Report)
_VERSION = 1
_LARGEST = 20_000_000


class Entry(NamedTuple):
    """What a finding is known by: no line numbers, which change with every edit above it.

    `path` starts from the baseline's folder. `context` is the source line, without its blanks.
    """

    path: str
    code: str
    model: str
    parameter: str
    context: str


class Baseline(NamedTuple):
    """The entries of one file, each with the number of findings that it stands for."""

    file: Path
    entries: Mapping[Entry, int]

    @classmethod
    def read(cls, file: Path, follow: bool = True) -> Baseline:
        """The baseline in a file. Raises InitlintError if there is none."""
        name = os.path.relpath(file)
        try:
            return cls(file, _parsed(json.loads(read_regular(file, _LARGEST, follow))))
        except OSError as error:
            reason = error.strerror or str(error)
            raise InitlintError(
                f"{name}: the baseline cannot be read: {reason}; --write-baseline {name} writes one"
            ) from error
        except (ValueError, RecursionError) as error:
            raise InitlintError(
                f"{name}: not a baseline: {cut(str(error))}; delete it, or name another"
            ) from error

    def without(self, gone: Mapping[Entry, int]) -> Baseline:
        """The baseline with fewer entries."""
        return self._replace(entries=Counter(self.entries) - Counter(gone))

    def write(self, option: str) -> None:
        """Write the file, sorted, so that two versions of it can be compared."""
        entries = [
            {**entry._asdict(), "count": count}
            for entry, count in sorted(self.entries.items())
            if count
        ]
        content = {"version": _VERSION, "findings": entries}
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        write_whole(str(self.file), text.encode("utf-8", "backslashreplace"), option)

    def entry(self, finding: Finding, texts: Texts) -> Entry:
        """The entry of a finding."""
        path = context = ""
        if finding.site is not None:
            path = self.relative(finding.site.path)
            lines = texts.lines(finding.site.path)
            line = lines[finding.site.line - 1 : finding.site.line]
            context = " ".join("".join(line).split())
        return Entry(path, finding.code, _bare(finding.model), finding.parameter, context)

    def relative(self, path: str) -> str:
        """A path from the baseline's folder, with forward slashes."""
        return os.path.relpath(absolute(path), self.file.parent).replace(os.sep, "/")

    def matched(self, findings: Sequence[Finding], report: Report) -> Matched:
        """The findings of a report that are new, those that are known, and the entries left."""
        left = Counter(self.entries)
        known: set[int] = set()
        entries = [self.entry(finding, texts_of(report)) for finding in findings]
        models = {
            (self.relative(layer.site.path), _bare(layer.model))
            for layer in report.layers
            if layer.site
        }

        def match(kept: Iterable[Entry], key: Callable[[Entry], tuple[str, ...]]) -> None:
            waiting: dict[tuple[str, ...], list[Entry]] = {}
            for entry in kept:
                waiting.setdefault(key(entry), []).extend([entry] * left[entry])
            for index, entry in enumerate(entries):
                found = waiting.get(key(entry)) if index not in known else None
                if found:
                    left[found.pop()] -= 1
                    known.add(index)

        match(list(left), lambda entry: entry)
        # A model may have become part of another one, and a file may have been renamed.
        absorbed = [entry for entry in +left if (entry.path, entry.model) not in models]
        match(absorbed, lambda entry: (entry.path, entry.code, entry.context))
        match([e for e in +left if not self._exists(e)], lambda entry: entry[1:])
        new = tuple(finding for index, finding in enumerate(findings) if index not in known)
        old = tuple(finding for index, finding in enumerate(findings) if index in known)
        return Matched(new, old, +left)

    def _exists(self, entry: Entry) -> bool:
        return not entry.path or os.path.lexists(self.file.parent / entry.path)

    def gone(self, left: Mapping[Entry, int], scope: Scope) -> dict[Entry, int]:
        """The entries among `left` whose findings would have been found in this run."""
        judged = {(self.relative(path), model) for path, model in scope.models}
        files = {self.relative(path) for path in scope.files}
        paths = (*scope.files, *(path for path, _ in scope.models))
        codes = {self.relative(path): scope.codes(path) for path in paths}
        unclear = {self.relative(path) for path in scope.gaps}
        # A file that is gone may have another name now, in a part that this run has not read.
        is_whole = scope.covers(self.file.parent)
        return {
            entry: count
            for entry, count in left.items()
            if entry.path not in unclear
            and (
                (entry.path in files or (entry.path, entry.model) in judged)
                and entry.code in codes.get(entry.path, ())
                if self._exists(entry)
                else is_whole and entry.code in scope.codes(str(self.file.parent / entry.path))
            )
        }


class Matched(NamedTuple):
    """New and known findings, and the entries without a finding."""

    new: tuple[Finding, ...]
    known: tuple[Finding, ...]
    left: Counter[Entry]


class Scope(NamedTuple):
    """What a run judged: files, with the codes of the rules that ran, and models by their file.

    `gaps` are files of which something was not analysed. `folders` are those that were read as a
    whole; None if all that the settings name was.
    """

    files: Collection[str]
    codes: Callable[[str], Collection[str]]
    models: Collection[tuple[str, str]]
    gaps: Collection[str]
    folders: Collection[Path] | None = ()

    def covers(self, folder: Path) -> bool:
        """Whether every file that is checked below a folder was read in this run."""
        return self.folders is None or any(folder.is_relative_to(each) for each in self.folders)

    @classmethod
    def of(
        cls,
        report: Report,
        files: Collection[str],
        codes: Callable[[str], Collection[str]],
        folders: Collection[Path] | None = (),
    ) -> Scope:
        """The scope of a run that gave `report`."""
        models = {(x.site.path, _bare(x.model)) for x in report.layers if x.site}
        targets = {gap.target for gap in report.unanalysed}
        named = {part for target in targets for part in (target, target.rpartition(":")[0])}
        # A file that could not be read may hold what is missing elsewhere.
        covered = () if any(file in targets for file in files) else folders
        return cls(files, codes, models, named - {""}, covered)


class Baselines:
    """The baselines of a run: one that the user names, or that of each file's settings."""

    def __init__(self, settings: Settings, named: str | None = None) -> None:
        self._settings = settings
        self._named = None if named is None else absolute(named)
        self._read: dict[Path, Baseline] = {}
        self._by_path: dict[str | None, Baseline | None] = {}
        if self._named is not None:
            self._at(self._named, follow=True)

    def are_used(self, files: Iterable[str]) -> bool:
        """Whether there is a baseline for any of these files, or for what is in no file."""
        return any(self._for(path) is not None for path in (None, *files))

    def known(self, report: _Report) -> _Report:
        """The report with only new findings; the others are in its `known`."""
        new = [f for f in report.findings if self._of(f) is None]
        known: list[Finding] = []
        for baseline, findings in self._shared(report.findings):
            matched = baseline.matched(findings, report)
            new += matched.new
            known += matched.known
        kept = set(map(id, new))
        ordered = tuple(finding for finding in report.findings if id(finding) in kept)
        return replace(report, findings=ordered, known=tuple(known))

    def gone(self, report: Report, scope: Scope) -> list[tuple[Baseline, dict[Entry, int]]]:
        """For each baseline its entries whose findings are gone, if there are any."""
        for path in scope.files:
            self._for(path)
        by_file = {b.file: f for b, f in self._shared((*report.findings, *report.known))}
        found = []
        for baseline in self._read.values():
            left = baseline.matched(by_file.get(baseline.file, []), report).left
            gone = baseline.gone(left, scope)
            if gone:
                found.append((baseline, gone))
        return found

    def _shared(self, findings: Iterable[Finding]) -> list[tuple[Baseline, list[Finding]]]:
        """The findings by the baseline that may know them."""
        shared: dict[Path, tuple[Baseline, list[Finding]]] = {}
        for finding in findings:
            baseline = self._of(finding)
            if baseline is not None:
                shared.setdefault(baseline.file, (baseline, []))[1].append(finding)
        return list(shared.values())

    def _of(self, finding: Finding) -> Baseline | None:
        return self._for(finding.site.path if finding.site else None)

    def _for(self, path: str | None) -> Baseline | None:
        """The baseline of a file, which has many findings."""
        if path not in self._by_path:
            self._by_path[path] = self._found(path)
        return self._by_path[path]

    def _found(self, path: str | None) -> Baseline | None:
        if self._named is not None:
            return self._at(self._named, follow=True)
        config = self._settings.here() if path is None else self._settings.of(path)
        file = config.baseline_file()
        return None if file is None else self._at(file, follow=False)

    def _at(self, file: Path, follow: bool) -> Baseline:
        if file not in self._read:
            self._read[file] = Baseline.read(file, follow)
        return self._read[file]


def _bare(model: str) -> str:
    """A model's name without its file, which is part of it where several have the same name."""
    return model.rpartition(":")[2]


def written(file: str, report: Report, scope: Scope) -> int:
    """Write all findings of a report as a baseline; gives their number.

    If the file is a baseline already, it keeps entries that this run could not judge.
    """
    place = absolute(file)
    old = Baseline.read(place) if os.path.lexists(place) else Baseline(place, {})
    texts = texts_of(report)
    found = Counter(old.entry(finding, texts) for finding in report.findings)
    left = old.matched(report.findings, report).left
    kept = {e: n for e, n in left.items() if e not in old.gone(left, scope)}
    Baseline(place, found + Counter(kept)).write("--write-baseline")
    return sum(found.values())


def _parsed(content: Any) -> dict[Entry, int]:
    """The entries in the JSON of a baseline. Raises ValueError if it is none."""
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        raise ValueError(f'it has no "version": {_VERSION}')
    found: Counter[Entry] = Counter()
    listed = content.get("findings")
    for number, entry in enumerate(listed if isinstance(listed, list) else [None], 1):
        fields = [entry.get(name) for name in Entry._fields] if isinstance(entry, dict) else [None]
        count = entry.get("count", 1) if isinstance(entry, dict) else 0
        if not all(isinstance(field, str) for field in fields) or type(count) is not int:
            raise ValueError(f"entry {number} of its findings is none")
        found[Entry(*map(str, fields))] += max(count, 0)
    return found

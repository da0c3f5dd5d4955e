"""What is asked of the pipeline, and the report that it answers with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from initlint import records
from initlint.judge import Rulebook
from initlint.project.imports import Imported
from initlint.records import Finding, Preferences


class Report(records.Report):
    """The report on the targets; `str()` is the text that the command line prints."""

    def __str__(self) -> str:
        from initlint.output.text import render_whole

        return render_whole(self)

    def __repr__(self) -> str:
        """One line: what was judged, and what was found; of a filled model, what was filled."""
        from initlint.output import filled, phrases

        said = filled.summary(self) if self.outcomes else phrases.summary(self)
        return f"<Report: {said.removesuffix('.')}>"

    def _repr_html_(self) -> str:
        from initlint.output import table

        return table.render(self)


@dataclass(frozen=True, slots=True)
class Options:
    """How targets are built, and which rules report.

    - `codes`: the rules; None for those on by default.
    - `rules`: the rulebook; None for initlint's own rules and those of installed packages.
    - `speaks`: whether a finding's rule is on in its file; None if all are.
    - `comments`: whether comments silence findings.
    - `known`: takes the findings of the baseline out of a report.
    - `texts`: by path, text that replaces the files on the disk.
    - `preferences`: the user's choices where several initialisers are right.
    - `cache`: whether to keep the result of reading in the cache folder.
    - `jobs`: the number of processes that read.
    - `apart`: whether to build models in a separate process.
    - `timeout`: the seconds that a model's code may run in that process; 0 for any time.
    - `parameters`: whether the report lists the parameters of files that are read.
    - `data`: whether to follow the data of models that are read. How parameters start does not need
      it.
    - `alone`: what the files import, if it is known already; then no other files of the project
      that may use or fill the models are looked for.
    """

    trace: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Any, ...] = ()
    codes: frozenset[str] | None = None
    speaks: Callable[[Finding], bool] | None = None
    comments: bool = True
    known: Callable[[Report], Report] | None = None
    rules: Rulebook | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)
    preferences: Preferences = field(default_factory=Preferences)
    cache: bool = False
    jobs: int = 1
    apart: bool = False
    timeout: int = 0
    parameters: bool = False
    data: bool = True
    alone: Imported | None = None

"""Data for code hosts: a finding's path in the project, and a fingerprint that survives edits."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from initlint import __version__
from initlint.project.sourcefiles import Texts, texts_of
from initlint.records import Finding, Report, Site
from initlint.torchlib.catalog import rules_folder

_LINE = re.compile(r"(\.(?:py|ipynb)):\d+(?::\d+)?")
# Digits inside names (conv1, features.0) tell layers apart; others change with the neighbours.
_NUMBER = re.compile(r"(?<![\w.])\d[\d.]*(?:e[+-]?\d+)?")


def project_root(environ: Mapping[str, str]) -> Path:
    """Where the code host has the checkout; elsewhere the working directory."""
    return Path(environ.get("GITHUB_WORKSPACE") or environ.get("CI_PROJECT_DIR") or ".")


@cache
def home() -> str:
    """The address of the repository: `Repository` of the package's metadata; empty without one."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        urls = metadata("initlint").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    found: dict[str, str] = dict(url.split(", ", 1) for url in urls)
    return found.get("Repository", "")


def page_of(code: str) -> str:
    """The address of a rule's card, as it was in this version; empty where there is none.

    A rule of a team's own has no card there, and a version that was never released no tag.
    """
    if not home() or not (rules_folder() / f"{code}.md").is_file() or ".dev" in __version__:
        return ""
    return f"{home().rstrip('/')}/blob/v{__version__}/rules/{code}.md"


def given(**values: str) -> dict[str, str]:
    """The values that are not empty: an address that leads nowhere is better left out."""
    return {key: value for key, value in values.items() if value}


def shown_path(finding: Finding, root: Path | None, texts: Texts | None = None) -> str | None:
    """The finding's file relative to the project, links resolved, with forward slashes."""
    return path_in_project(finding.site.path, root, texts or Texts()) if finding.site else None


def path_in_project(written: str, root: Path | None, texts: Texts) -> str:
    """A file relative to the project, links resolved, with forward slashes."""
    path = Path(texts.place(written))
    for folder in ((root or Path()).resolve(), Path.cwd()):
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return path.as_posix()


def shown_site(finding: Finding) -> Site | None:
    """The finding's place for a code host; in a notebook, the first line.

    A host shows the notebook's JSON, in which the line and column of a cell have no meaning.
    """
    site = finding.site
    if site is None or not site.path.endswith(".ipynb"):
        return site
    return Site(site.path, 1, 1, 1, 1)


def fingerprints(report: Report, root: Path | None) -> tuple[str, ...]:
    """For each finding a hash of file, rule, wording and occurrence, but of no line number."""
    seen: Counter[tuple[str, str, str]] = Counter()
    marks, texts = [], texts_of(report)
    for finding in report.findings:
        key = (
            shown_path(finding, root, texts) or finding.model,
            finding.code,
            _normalised(finding),
        )
        seen[key] += 1
        text = "\0".join((*key, str(seen[key])))
        marks.append(hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest())
    return tuple(marks)


def _normalised(finding: Finding) -> str:
    text = _LINE.sub(r"\1", " ".join(finding.message.split()))
    return _NUMBER.sub("#", text)

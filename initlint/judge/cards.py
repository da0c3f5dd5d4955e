"""Reads a rule's card: front matter, a summary, one section for each heading, and its examples."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from initlint.records import InitlintError, Rule

HEADINGS = ("What", "Why", "Bad", "Good", "Leave alone", "Fix", "References")
_WITH_EXAMPLES = ("Bad", "Good", "Leave alone")
REQUIRED = ("code", "name", "group", "severity", "since")
OPTIONAL = ("confidence", "fix", "default")
_CHOICES = {
    "severity": ("error", "warning"),
    "confidence": ("high", "medium", "low"),
    "fix": ("safe", "unsafe", "display"),
    "default": ("on", "off"),
}
_NAME = re.compile(r"[a-z]+(-[a-z]+)+")
_EXAMPLE = re.compile(r"^```python[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
# Rules of this group report what does no harm.
_PEDANTIC = "INIT4"


def read(path: Path) -> Rule:
    """The card at `path`. Raises InitlintError, with file and line, where something is wrong.

    A card is TOML between two lines `+++`, then one paragraph that sums the rule up, then a
    section for each of `HEADINGS` in that order, under `## Heading`. An example under Good is what
    the fix makes of the one under Bad if its fence opens with ```` ```python ````; the fence opens
    with ```` ```python by-hand ```` where a person has to write the good form.
    """
    lines = _lines(path)
    end = _end_of_front(path, lines)
    values = _front(path, lines[:end])
    fences = tuple(_fences(path, lines, end))
    summary, sections = _sections(path, lines, end, fences)
    _reject_unlike_examples(path, lines, values, sections)
    return Rule(
        code=values["code"],
        name=values["name"],
        group=values["group"],
        severity=values["severity"],
        confidence=values.get("confidence", "high"),
        fix=values.get("fix", ""),
        since=values["since"],
        default=_is_default(values),
        summary=" ".join(summary.split()),
        sections=MappingProxyType({h: _text(lines, span) for h, span in sections.items()}),
        text="\n".join(lines[end:]).strip() + "\n",
        path=str(path),
    )


def examples(rule: Rule, heading: str) -> list[str]:
    """The Python examples in one section of a card."""
    return _EXAMPLE.findall(rule.sections[heading])


def reject_broken_examples(rule: Rule) -> None:
    """Raise InitlintError, with file and line, if an example of the card is not Python."""
    path = Path(rule.path)
    lines = _lines(path)
    for start, end in _fences(path, lines, _end_of_front(path, lines)):
        if not lines[start].lstrip().startswith("```python"):
            continue
        try:
            with warnings.catch_warnings(action="ignore"):
                compile("\n".join(lines[start + 1 : end]), str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            line = start + 1 + (getattr(error, "lineno", 0) or 1)
            reason = getattr(error, "msg", str(error))
            raise wrong(path, line, f"this example does not compile: {reason}") from None


def line_of(rule: Rule, key: str) -> int:
    """The line of the card that gives an entry of its front matter."""
    return _line_of(_lines(Path(rule.path)), key)


def wrong(path: Path, line: int, reason: str) -> InitlintError:
    """An error about a rule, with file and line."""
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return InitlintError(f"{shown}:{line}: {reason}")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise wrong(path, 1, f"the card cannot be read: {error}") from error


def _end_of_front(path: Path, lines: Sequence[str]) -> int:
    """The index of the first line after the front matter."""
    marks = [number for number, line in enumerate(lines) if line.rstrip() == "+++"][:2]
    if len(marks) < 2 or marks[0] != 0:
        raise wrong(path, 1, "the card does not begin with TOML between two lines '+++'")
    return marks[1] + 1


def _front(path: Path, lines: Sequence[str]) -> Mapping[str, str]:
    """The front matter: all required keys, no unknown ones, each with a value that it may have."""
    import tomllib

    try:
        values: dict[str, Any] = tomllib.loads("\n".join(["", *lines[1:-1]]))
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise wrong(path, int(line[1]) if line else 1, str(error)) from error
    for key in REQUIRED:
        if key not in values:
            raise wrong(path, 1, f"'{key}' is missing")
    for key, value in values.items():
        reason = _objection(key, value)
        if reason:
            raise wrong(path, _line_of(lines, key), reason)
    if values["code"] != path.stem:
        reason = f"code '{values['code']}' is not the file's name"
        raise wrong(path, _line_of(lines, "code"), reason)
    if values.get("default") == "on" and _is_off_by_itself(values):
        reason = f"rules of low confidence and of {_PEDANTIC} cannot be on by default"
        raise wrong(path, _line_of(lines, "default"), reason)
    return values


def _objection(key: str, value: Any) -> str:
    """The fault of one entry of the front matter; empty if there is none."""
    if key not in (*REQUIRED, *OPTIONAL):
        return f"'{key}' is none of {', '.join((*REQUIRED, *OPTIONAL))}"
    if not isinstance(value, str) or not value.strip():
        return f"'{key}' is not a text"
    if key in _CHOICES and value not in _CHOICES[key]:
        return f"{key} '{value}' is none of {', '.join(_CHOICES[key])}"
    if key == "name" and not _NAME.fullmatch(value):
        return f"name '{value}' is not of the form two-words or three-small-words"
    return ""


def _line_of(lines: Sequence[str], key: str) -> int:
    """The line of the front matter that gives `key`."""
    given = re.compile(rf"\s*[\"']?{re.escape(key)}\b")
    return next((number for number, line in enumerate(lines, 1) if given.match(line)), 1)


def _is_off_by_itself(values: Mapping[str, str]) -> bool:
    return values.get("confidence") == "low" or values["code"].startswith(_PEDANTIC)


def _is_default(values: Mapping[str, str]) -> bool:
    return values.get("default") != "off" and not _is_off_by_itself(values)


def _fences(path: Path, lines: Sequence[str], start: int) -> Iterator[tuple[int, int]]:
    """The indices of the lines that open and close each code fence."""
    opened: int | None = None
    for number, line in enumerate(lines[start:], start):
        mark = line.strip()
        if opened is None and mark.startswith("```"):
            opened = number
        elif opened is not None and mark == "```":
            yield opened, number
            opened = None
        elif opened is not None and mark.startswith("```"):
            break
    if opened is not None:
        raise wrong(path, opened + 1, "this code fence is not closed")


def _sections(
    path: Path, lines: Sequence[str], start: int, fences: Sequence[tuple[int, int]]
) -> tuple[str, dict[str, tuple[int, int]]]:
    """The summary, and for each heading the lines of its section, from the first to the end."""
    fenced = {number for opening, closing in fences for number in range(opening, closing + 1)}
    found = [
        (number, line.removeprefix("## ").strip())
        for number, line in enumerate(lines)
        if number >= start and line.startswith("## ") and number not in fenced
    ]
    places = [*found, (len(lines), "")]
    summary = "\n".join(lines[start : places[0][0]]).strip()
    if not summary:
        raise wrong(path, start + 1, "no paragraph sums the rule up")
    for wanted, (number, heading) in zip((*HEADINGS, ""), places, strict=False):
        if heading != wanted:
            wish = f"'## {wanted}' is missing here" if wanted else "no section may follow these"
            raise wrong(path, number + 1, wish)
    sections = {heading: (number + 1, end) for (number, heading), (end, _) in pairwise(places)}
    for heading, span in sections.items():
        if not _text(lines, span):
            raise wrong(path, span[0], f"the section '{heading}' is empty")
    return summary, sections


def _text(lines: Sequence[str], span: tuple[int, int]) -> str:
    return "\n".join(lines[slice(*span)]).strip()


def _reject_unlike_examples(
    path: Path,
    lines: Sequence[str],
    values: Mapping[str, str],
    sections: Mapping[str, tuple[int, int]],
) -> None:
    """Raise where examples are missing, are not tested, or do not agree with the fix."""
    opened: dict[str, list[int]] = {}
    for heading in _WITH_EXAMPLES:
        fences = _fences(path, lines[: sections[heading][1]], sections[heading][0])
        opened[heading] = [opening for opening, _ in fences]
        for opening in opened[heading]:
            if lines[opening].strip() not in ("```python", "```python by-hand"):
                raise wrong(path, opening + 1, "an example begins with ```python")
    for heading in ("Bad", "Good"):
        if not opened[heading]:
            raise wrong(path, sections[heading][0], f"there is no example under '{heading}'")
    good = [number for number in opened["Good"] if lines[number].strip() == "```python"]
    if good and "fix" not in values:
        reason = "begin this example with ```python by-hand, or give the rule a `fix` for it"
        raise wrong(path, good[0] + 1, reason)
    if "fix" in values and len(good) != len(opened["Bad"]):
        reason = "with a fix, Good has for each example under Bad what the fix makes of it"
        raise wrong(path, sections["Good"][0], reason)
    before = sections["Leave alone"][0]
    for opening, closing in _fences(path, lines[: sections["Leave alone"][1]], before):
        if not _text(lines, (before, opening)):
            raise wrong(path, opening + 1, "nothing above this example says why it is left alone")
        before = closing + 1

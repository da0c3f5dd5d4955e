"""Patterns on paths: `*`, `?` and `[…]` within one name, `**` for any number of folders."""

from __future__ import annotations

import fnmatch
import re
import warnings
from functools import cache

_BRACKET = re.compile(r"\[!?(\]?[^\]/]*)\]")
# What no bracket above has closed. A single ] is a character like any other.
_OPEN = re.compile(r"\[")
_RANGE = re.compile(r"(.)-(.)", re.DOTALL)


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern names `path` or a folder around it; without a slash, in any folder.

    Takes steps in proportion to the length of the pattern times that of the path.
    """
    names, parts = path.split("/"), _parts(pattern)
    # The numbers of names of the path that the parts so far can match.
    counts = {0}
    for place, part in enumerate(parts):
        if part is None:
            # `old/**` matches the content of `old`, not `old` itself.
            least = min(counts) + (place == len(parts) - 1)
            counts = set(range(least, len(names) + 1))
        else:
            counts = {n + 1 for n in counts if n < len(names) and part.fullmatch(names[n])}
        if not counts:
            return False
    return bool(parts)


def fault(pattern: str) -> str:
    """Why a pattern can name nothing; empty where it can."""
    if not _parts(pattern):
        return "it names nothing"
    if "\\" in pattern:
        return "folders are separated by /"
    if _OPEN.search(_BRACKET.sub("", pattern)):
        return "the bracket [ is not closed; write [[] for the character itself"
    for inner in _BRACKET.findall(pattern):
        for low, high in _RANGE.findall(inner):
            if low > high:
                return f"the range {low}-{high} is empty; write {high}-{low}"
    return ""


@cache
def _parts(pattern: str) -> tuple[re.Pattern[str] | None, ...]:
    """The pattern of each name, None for `**`; several `**` in a row are one."""
    bare = pattern.removeprefix("./").rstrip("/")
    anywhere = [] if "/" in bare else ["**"]
    parts: list[re.Pattern[str] | None] = []
    for name in [*anywhere, *filter(None, bare.split("/"))]:
        if name != "**":
            parts.append(_name(name))
        elif not parts or parts[-1] is not None:
            parts.append(None)
    return tuple(parts) if bare else ()


@cache
def _name(glob: str) -> re.Pattern[str]:
    # fnmatch does not backtrack over earlier stars, so that many stars take linear time.
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        return re.compile(fnmatch.translate(glob))

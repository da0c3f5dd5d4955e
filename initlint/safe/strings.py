"""One string or several, as Python code hands them over: patterns on names, selectors of rules."""

from __future__ import annotations

from collections.abc import Iterable

from initlint.records import InitlintError


def strings(option: str, given: object) -> tuple[str, ...] | None:
    """The strings given for `option`; a single string is one entry, not its characters.

    Raises InitlintError if it is neither a string nor an iterable of strings.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return (given,)
    entries = tuple(given) if isinstance(given, Iterable) else (given,)
    if not isinstance(given, Iterable) or not all(isinstance(entry, str) for entry in entries):
        raise InitlintError(f"{option}={given!r}: write a string or a list of strings")
    return entries

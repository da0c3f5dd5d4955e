"""Which rules speak: --select and --ignore, by code, prefix, name or ALL."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from initlint.records import InitlintError, Rule

_PEDANTIC = "INIT4"


def expand(
    select: Sequence[str], ignore: Sequence[str], rules: Mapping[str, Rule]
) -> frozenset[str]:
    """The codes that --select and --ignore leave; as in ruff the more specific selector wins.

    Nothing selected stands for all rules but the pedantic ones and those of low confidence.
    """
    wanted = _checked("--select", select, rules)
    unwanted = _checked("--ignore", ignore, rules)
    chosen = set()
    for rule in rules.values():
        default = 0 if not wanted and _is_default(rule) else -1
        gain = max((_weight(entry, rule) for entry in wanted), default=default)
        if gain > max((_weight(entry, rule) for entry in unwanted), default=-1):
            chosen.add(rule.code)
    return frozenset(chosen)


def _is_default(rule: Rule) -> bool:
    return rule.confidence != "low" and not rule.code.startswith(_PEDANTIC)


def _weight(selector: str, rule: Rule) -> int:
    """How specifically `selector` names `rule`: 0 for ALL, then by length; -1 if it does not."""
    if selector == "ALL":
        return 0
    if selector == rule.name:
        return len(rule.code)
    return len(selector) if rule.code.startswith(selector) else -1


def _checked(option: str, written: Iterable[str], rules: Mapping[str, Rule]) -> list[str]:
    entries = [entry.strip() for text in written for entry in text.split(",")]
    return [_normalised(option, entry, rules) for entry in entries if entry]


def _normalised(option: str, entry: str, rules: Mapping[str, Rule]) -> str:
    codes = {code[:end] for code in rules for end in range(len("INIT"), len(code) + 1)}
    groups = {code[: len(_PEDANTIC)] for code in rules}
    names = {rule.name for rule in rules.values()}
    if entry.upper() in codes or entry.upper() == "ALL":
        return entry.upper()
    if entry.lower() in names:
        return entry.lower()
    close = [
        *difflib.get_close_matches(entry.lower(), sorted(names), n=1),
        *difflib.get_close_matches(entry.upper(), sorted({*rules, *groups}), n=1),
        "ALL",
    ]
    problem = f"{option} {entry}: there is no such rule or group"
    raise InitlintError(f"{problem}; did you mean {close[0]}?")

"""Which rules speak where: --select, --ignore and the settings, by code, prefix, name or ALL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from initlint.config import Config, Settings
from initlint.records import Finding, InitlintError, Rule
from initlint.shown import cut
from initlint.strings import strings

_PEDANTIC = "INIT4"


@dataclass(frozen=True, slots=True)
class Selection:
    """What the command line selects, and the settings that speak where it does not."""

    select: tuple[str, ...]
    ignore: tuple[str, ...]
    settings: Settings

    def codes(self, path: str | None = None) -> frozenset[str]:
        """The rules that speak in a file; without one, those of the working directory."""
        config = self.settings.here() if path is None else self.settings.of(path)
        ignored = () if path is None else config.ignored_in(path)
        return _codes(self.select, self.ignore, config, ignored)

    def speaks(self, finding: Finding) -> bool:
        """Whether the finding's rule speaks in the finding's file."""
        return finding.code in self.codes(finding.site.path if finding.site else None)


@cache
def _codes(
    select: tuple[str, ...], ignore: tuple[str, ...], config: Config, ignored: tuple[str, ...]
) -> frozenset[str]:
    """As in ruff, --select puts aside what the file selects and ignores, --ignore adds to it."""
    from initlint import catalog

    rules = catalog.rules()
    if select:
        chosen = expand(select, ignore, rules)
    else:
        lists = [
            _checked(config.place(key), entries, rules)
            for key, entries in (
                ("select", config.select),
                ("ignore", config.ignore),
                ("extend-select", config.extend_select),
            )
        ]
        chosen = expand(lists[0], (*lists[1], *ignore), rules, lists[2])
    silent = _checked(config.place("per-file-ignores"), ignored, rules)
    return chosen - (expand(silent, (), rules) if silent else frozenset())


def codes_of(select: object) -> frozenset[str] | None:
    """The codes that `select=` of check and fix stands for; None, which is all, without one.

    Raises InitlintError for what names no rule, and for what is neither a string nor several.
    """
    from initlint import catalog

    entries = strings("select", select)
    if not entries:
        return None if entries is None else frozenset()
    rules = catalog.rules()
    return expand(_checked("select", entries, rules), (), rules)


def expand(
    select: Sequence[str],
    ignore: Sequence[str],
    rules: Mapping[str, Rule],
    extend: Sequence[str] = (),
) -> frozenset[str]:
    """The codes that --select and --ignore leave; as in ruff the more specific selector wins.

    Nothing selected stands for all rules but the pedantic ones and those of low confidence;
    `extend` comes on top of either.
    """
    wanted = _checked("--select", select, rules)
    unwanted = _checked("--ignore", ignore, rules)
    usual = not wanted
    wanted += _checked("extend-select", extend, rules)
    chosen = set()
    for rule in rules.values():
        default = 0 if usual and _is_default(rule) else -1
        gain = max([default, *(_weight(entry, rule) for entry in wanted)])
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
    import difflib

    close = [
        *difflib.get_close_matches(cut(entry).lower(), sorted(names), n=1),
        *difflib.get_close_matches(cut(entry).upper(), sorted({*rules, *groups}), n=1),
        "ALL",
    ]
    problem = f"{option} {cut(entry)}: there is no such rule or group"
    raise InitlintError(f"{problem}; did you mean {close[0]}?")

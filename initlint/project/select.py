"""Selects rules for each file: --select, --ignore and the settings, by code, prefix, name, ALL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from initlint.judge.rulebook import Rulebook, load
from initlint.project.config import Config, Settings
from initlint.records import Finding, InitlintError, Rule
from initlint.safe.shown import cut
from initlint.safe.strings import strings


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules that the command line selects, or else the settings.

    As in ruff, --select replaces `select` and `ignore` of the settings, --ignore takes from what
    they leave, and --extend-select adds to either.
    """

    select: tuple[str, ...]
    ignore: tuple[str, ...]
    settings: Settings
    rules: Rulebook = field(default_factory=load)
    extend: tuple[str, ...] = ()

    @classmethod
    def default(cls, rules: Rulebook | None = None) -> Selection:
        """The rules that are on by default: not INIT4, and not those of low confidence."""
        return cls((), (), Settings(Config()), rules or load())

    def codes(self, path: str | None = None) -> frozenset[str]:
        """The codes of the rules that run on a file; without one, in the working directory."""
        config = self.settings.here() if path is None else self.settings.of(path)
        ignored = () if path is None else config.ignored_in(path)
        return _codes(self.select, self.ignore, self.extend, config, ignored, self.rules)

    def speaks(self, finding: Finding) -> bool:
        """Whether the finding's rule runs on the finding's file."""
        return finding.code in self.codes(finding.site.path if finding.site else None)


@cache
def _codes(
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    extend: tuple[str, ...],
    config: Config,
    ignored: tuple[str, ...],
    rules: Rulebook,
) -> frozenset[str]:
    cards = rules.cards
    if select:
        chosen = expand(select, ignore, cards, extend)
    else:
        lists = [
            _checked(config.place(key), entries, cards)
            for key, entries in (
                ("select", config.select),
                ("ignore", config.ignore),
                ("extend-select", config.extend_select),
            )
        ]
        chosen = expand(lists[0], lists[1], cards, (*lists[2], *extend))
        # --ignore comes after the settings, however specific these are.
        chosen -= _ignored(ignore, extend, cards)
    silent = _checked(config.place("per-file-ignores"), ignored, cards)
    return chosen - (expand(silent, (), cards) if silent else frozenset())


def codes_of(select: object, rules: Rulebook) -> frozenset[str]:
    """The codes of the argument `select` of check and fix; None gives the default ones.

    Raises InitlintError for an unknown rule, and if it is neither a string nor several strings.
    """
    entries = strings("select", select)
    if entries is None:
        return Selection.default(rules).codes()
    if not entries:
        return frozenset()
    return expand(_checked("select", entries, rules.cards), (), rules.cards)


def expand(
    select: Sequence[str],
    ignore: Sequence[str],
    rules: Mapping[str, Rule],
    extend: Sequence[str] = (),
) -> frozenset[str]:
    """The codes that --select and --ignore leave; as in ruff the more specific selector wins.

    An empty `select` means the rules that are on by default; `extend` adds to either.
    """
    wanted = _checked("--select", select, rules)
    unwanted = _checked("--ignore", ignore, rules)
    usual = not wanted
    wanted += _checked("--extend-select", extend, rules)
    chosen = set()
    for rule in rules.values():
        default = 0 if usual and rule.default else -1
        gain = max([default, *(_weight(entry, rule) for entry in wanted)])
        if gain > max((_weight(entry, rule) for entry in unwanted), default=-1):
            chosen.add(rule.code)
    return frozenset(chosen)


def _ignored(
    ignore: Sequence[str], extend: Sequence[str], rules: Mapping[str, Rule]
) -> frozenset[str]:
    """The codes that --ignore names, but for those that --extend-select names more specifically."""
    unwanted = _checked("--ignore", ignore, rules)
    wanted = _checked("--extend-select", extend, rules)
    found = set()
    for rule in rules.values():
        weight = max((_weight(entry, rule) for entry in unwanted), default=-1)
        if weight >= max([0, *(_weight(entry, rule) for entry in wanted)]):
            found.add(rule.code)
    return frozenset(found)


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
    prefixes = {code[:end] for code in rules for end in range(_letters(code), len(code) + 1)}
    groups = {code[: _letters(code) + 1] for code in rules}
    names = {rule.name for rule in rules.values()}
    if entry.upper() in prefixes or entry.upper() == "ALL":
        return entry.upper()
    if entry.lower() in names:
        return entry.lower()
    from initlint.judge.unknown import advice

    problem = f"{option} {cut(entry)}: there is no such rule or group"
    raise InitlintError(f"{problem}; {advice(entry, rules, groups)}")


def _letters(code: str) -> int:
    """How many letters a code begins with."""
    return len(code.rstrip("0123456789"))

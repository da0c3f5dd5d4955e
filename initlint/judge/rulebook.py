"""Finds all rules: initlint's own, those of installed packages, and those of `--rules FOLDER`.

A rule is a card `CODE.md` and, beside it, a function in `CODE.py`. The code that is checked cannot
add a rule: a package must be installed, or a folder named on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from initlint.judge import cards, functions
from initlint.judge.cards import wrong
from initlint.judge.functions import Function
from initlint.judge.installed import Source, installed
from initlint.judge.model import Model
from initlint.records import InitlintError, Rule
from initlint.safe.shown import cut
from initlint.torchlib import catalog

_CODE = re.compile(r"[A-Z]{2,}[0-9]{3}")
# Names that look like a code; other files may be in the same folder.
_LIKE_A_CODE = re.compile(r"[A-Za-z]{2,}[0-9]+")


@dataclass(frozen=True, eq=False)
class Rulebook:
    """The rules of one run by code: their cards and their functions."""

    cards: Mapping[str, Rule]
    functions: Mapping[str, Function]
    sources: tuple[Source, ...]

    def rule(self, code_or_name: str) -> Rule:
        """The rule of this code or name. Raises InitlintError with the nearest if there is none."""
        named = {key: card for card in self.cards.values() for key in (card.code, card.name)}
        found = named.get(code_or_name.upper(), named.get(code_or_name.lower()))
        if found is not None:
            return found
        group = [code for code in self.cards if code.startswith(code_or_name.upper() or "?")]
        if group:
            what = f"{code_or_name} is a group of rules"
            raise InitlintError(f"{what}: name one of them, {' or '.join(group)}")
        from initlint.judge.unknown import advice

        hint = advice(code_or_name, self.cards)
        raise InitlintError(f"there is no rule '{cut(code_or_name)}'; {hint}")

    def judge(self, kind: type, codes: Collection[str]) -> bool:
        """Whether any of the rules named by `codes` judges records of this kind, or models."""
        known = [self.functions[code] for code in codes if code in self.functions]
        return any(kind in function.kinds or Model in function.kinds for function in known)

    def __reduce__(self) -> tuple[object, tuple[object]]:
        """Another process finds the same rules, whatever can be imported there."""
        return read, (self.sources,)


def load(given: Iterable[str] = ()) -> Rulebook:
    """All rules: initlint's own, those of installed packages, and those in the `given` folders."""
    own = Source(catalog.rules_folder(), "initlint.rules")
    return read((own, *installed(), *map(_given, given)))


def _given(folder: str) -> Source:
    # The same name means another folder once the working directory is another one.
    path = Path(folder).absolute()
    if not path.is_dir():
        raise InitlintError(f"--rules {folder}: there is no such folder")
    return Source(path)


@cache
def read(sources: tuple[Source, ...]) -> Rulebook:
    """The rules in these folders. Raises InitlintError with file and line for a faulty rule."""
    found: dict[str, Rule] = {}
    calls: dict[str, Function] = {}
    different: dict[Path, Source] = {}
    for source in sources:
        different.setdefault(source.folder.resolve(), source)
    for source in different.values():
        stems = _stems(source.folder)
        if not stems:
            raise InitlintError(f"{source.folder}: no rule is in it, as TEAM101.md and TEAM101.py")
        for stem in stems:
            card, call = _pair(source, stem)
            _reject_second(card, found.values())
            found[card.code], calls[card.code] = card, call
    codes = sorted(found)
    return Rulebook(
        MappingProxyType({code: found[code] for code in codes}),
        MappingProxyType({code: calls[code] for code in codes}),
        sources,
    )


def _stems(folder: Path) -> Sequence[str]:
    """The names of rule files without their suffixes."""
    try:
        files = [path for path in folder.iterdir() if path.suffix in (".md", ".py")]
    except OSError as error:
        raise InitlintError(f"{folder}: the rules cannot be read: {error.strerror}") from error
    return sorted({path.stem for path in files if _LIKE_A_CODE.fullmatch(path.stem)})


def _pair(source: Source, stem: str) -> tuple[Rule, Function]:
    """A card and the function beside it."""
    card, function = source.folder / f"{stem}.md", source.folder / f"{stem}.py"
    for path, other in ((card, function), (function, card)):
        if path.is_file() and not other.is_file():
            raise wrong(path, 1, f"there is no {other.name} beside it")
    if not _CODE.fullmatch(stem):
        reason = f"'{stem}' is not a rule code: capital letters and three digits, as TEAM101"
        raise wrong(card, 1, reason)
    rule = cards.read(card)
    # The examples of initlint's own rules are run by its tests.
    if source.folder != catalog.rules_folder():
        cards.reject_broken_examples(rule)
    return rule, functions.load(function, source.package)


def _reject_second(card: Rule, others: Iterable[Rule]) -> None:
    """Raise where a code or a name is already that of another rule."""
    for other in others:
        for key in ("code", "name"):
            value = getattr(card, key)
            if value == getattr(other, key):
                reason = f"{key} '{value}' is already that of {other.path}"
                raise wrong(Path(card.path), cards.line_of(card, key), reason)

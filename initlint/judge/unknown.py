"""What to say of a name that is no rule: the nearest one, its group, or whose rule it is."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from functools import cache

from initlint.records import Rule
from initlint.safe.shown import cut
from initlint.torchlib.catalog import rules_folder

_CODE = re.compile(r"([A-Z]+)([0-9]*)")
# Digits of a code of initlint's or of a team's, and of any other linter's.
_DIGITS, _MOST_DIGITS = 3, 4
_LISTS = "`initlint rule --list` lists all rules"


def advice(entry: str, rules: Mapping[str, Rule], more: Collection[str] = ()) -> str:
    """What may have been meant by `entry`, which is none of `rules`, nor one of `more`."""
    names = {rule.name for rule in rules.values()}
    wanted = cut(entry)
    code = _CODE.fullmatch(entry.upper())
    letters = code[1] if code else ""
    own = {found[1] for found in map(_CODE.match, rules) if found}
    if code and letters not in own and letters in of_others() and len(code[2]) <= _MOST_DIGITS:
        what = (
            f"{wanted} is a rule of another linter" if code[2] else f"{wanted} is another linter's"
        )
        return f"{what}; initlint's begin with {', '.join(sorted(own))}"
    near = [
        *get_close_matches(wanted.lower(), sorted(names), n=1),
        *get_close_matches(wanted.upper(), sorted({*rules, *more}), n=1),
    ]
    if near:
        return f"did you mean {near[0]}?"
    if code and len(code[2]) == _DIGITS:
        return f"rules of your own need --rules FOLDER; {_LISTS}"
    return _LISTS


@cache
def of_others() -> frozenset[str]:
    """The letters that codes of other linters begin with: `rules/linters.toml`."""
    import tomllib

    table = tomllib.loads((rules_folder() / "linters.toml").read_text(encoding="utf-8"))
    return frozenset(prefix for linter in table.values() for prefix in linter["prefixes"])

"""Where new calls go: the end of the function for what lasts, else right after the statement."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from initlint.fix.edits import NamedResult
from initlint.fix.locate import Spot
from initlint.fix.parsed import Parsed
from initlint.fix.qualified import Tail
from initlint.fix.target import Target
from initlint.fix.text import RefusedError


@dataclass(frozen=True)
class Place:
    """After a statement; `lasting` if that is the end of the function.

    `inline` says that the statement shares its line with others. `naming` is how what it returns
    gets a name, so that calls can follow it.
    """

    after: ast.stmt
    lasting: bool
    inline: bool = False
    naming: NamedResult | None = None


def placed(parsed: Parsed, spot: Spot, target: Target, found: Sequence[Tail]) -> Place:
    """The place for the calls that fill `target`. Raises RefusedError."""
    facts = parsed.facts(spot)
    top = facts.index(spot.top)
    bound = facts.bound(top)
    if target.lasting and facts.freezes(target.base, top):
        raise RefusedError("it is frozen: its weights are not meant to be trained")
    changed = target.lasting and facts.changes(target.base, top)
    if changed and any(tail.derived for tail in found):
        raise RefusedError("a later statement changes where it is kept")
    last = facts.body[bound - 1]
    # What forward makes, it uses before its end.
    lasting = (
        target.lasting
        and not changed
        and all(tail.sure for tail in found)
        and spot.statement is spot.top
        and getattr(spot.scope, "name", "") != "forward"
        and not facts.may_leave(top, bound)
        and ends_line(parsed, last)
        and begins_line(parsed, facts.body[0])
    )
    return Place(last, True) if lasting else _here(parsed, spot, target)


def _here(parsed: Parsed, spot: Spot, target: Target) -> Place:
    statement = spot.statement
    alone = begins_line(parsed, statement) and ends_line(parsed, statement)
    if isinstance(statement, ast.Return):
        if not alone:
            raise RefusedError("the statement that makes it shares its line with other code")
        return Place(statement, False, naming=NamedResult(statement, target.base))
    return Place(statement, False, inline=not alone)


def begins_line(parsed: Parsed, statement: ast.stmt) -> bool:
    """Whether nothing stands before a statement on its line."""
    return not parsed.text.before(statement).strip()


def ends_line(parsed: Parsed, statement: ast.stmt) -> bool:
    """Whether nothing but a comment follows a statement on its last line."""
    after = parsed.text.after(statement).strip()
    return not after or after.startswith("#")

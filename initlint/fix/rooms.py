"""Where new calls go: the end of the function for what lasts, else right after the statement."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from initlint.fix.locate import Spot
from initlint.fix.parsed import Parsed
from initlint.fix.qualified import Tail
from initlint.fix.target import Target
from initlint.fix.text import Edit, RefusedError


@dataclass(frozen=True)
class Place:
    """After the statement that ends on `line`; `lasting` if that is the end of the function.

    `inline` says that calls can only follow on the same line, after a semicolon. `edits` are
    what has to change around the statement so that calls can follow it.
    """

    line: int
    indent: str
    lasting: bool
    inline: bool = False
    edits: tuple[Edit, ...] = ()


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
    )
    if lasting:
        indent = _indent(parsed, facts.body)
        if indent is not None:
            return Place(line_after(parsed, last, indent), indent, True)
    return _here(parsed, spot, target)


def _here(parsed: Parsed, spot: Spot, target: Target) -> Place:
    text, statement = parsed.text, spot.statement
    indent = text.before(statement).replace("\f", "")
    alone = not indent.strip() and ends_line(parsed, statement)
    line = statement.end_lineno or statement.lineno
    if isinstance(statement, ast.Return):
        if not alone:
            raise RefusedError("the statement that makes it shares its line with other code")
        return Place(line, indent, False, edits=_named_return(parsed, statement, indent, target))
    if not alone:
        return Place(line, indent, False, inline=True)
    return Place(line_after(parsed, statement, indent), indent, False)


def _named_return(
    parsed: Parsed, statement: ast.Return, indent: str, target: Target
) -> tuple[Edit, ...]:
    """What is returned is given a name first, and that name returned after the calls."""
    start, end = parsed.text.span(statement)
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    line_end = parsed.text.line_end(last)
    content = parsed.text.content
    ending = content[end:line_end]
    newline = parsed.text.newline
    returned = f"{indent}return {target.base}"
    closing = returned + newline if ending.endswith(("\n", "\r")) else newline + returned
    return (
        Edit(start, start + len("return"), f"{target.base} =", first, first),
        Edit(line_end, line_end, closing, last, last, (1 << 60,)),
    )


def _indent(parsed: Parsed, body: Sequence[ast.stmt]) -> str | None:
    """The indentation of a function's statements; None if they share the line of its head."""
    indent = parsed.text.before(body[0]).replace("\f", "")
    return None if indent.strip() else indent


def ends_line(parsed: Parsed, statement: ast.stmt) -> bool:
    """Whether nothing but a comment follows a statement on its last line."""
    after = parsed.text.after(statement).strip()
    return not after or after.startswith("#")


def line_after(parsed: Parsed, statement: ast.stmt, indent: str) -> int:
    """A statement's last line, with the comments that close the block inside it."""
    lines = parsed.text.lines
    line = reached = statement.end_lineno or statement.lineno
    while reached < len(lines):
        content = lines[reached].strip()
        inner = len(lines[reached]) - len(lines[reached].lstrip()) > len(indent)
        if content and not (content.startswith("#") and inner):
            break
        reached += 1
        if content:
            line = reached
    return line

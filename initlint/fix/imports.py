"""Names that only the corrected calls used: taken out of the imports, where that is certain."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePath

from initlint.fix.parsed import Parsed
from initlint.fix.text import Edit

# Others might register, patch or check something when they are imported.
_WITHOUT_EFFECT = {"math", "torch.nn.init"}
# With these a file can reach a name that it does not write.
_REFLECTION = re.compile(r"(?<![\w.])(?:dir|eval|exec|globals|locals|vars)\(|\bsys\.modules\b")
_WORD = re.compile(r"\w+")


def released(parsed: Parsed, path: str, edits: Sequence[Edit], new: str) -> list[Edit]:
    """What takes out of the imports those names that the code replaced by `edits` used last.

    `new` is the text after `edits`. A name that stands anywhere else in it, be it in a
    comment or a string, stays; so does every name of a package's `__init__.py`, where imports are
    meant for others, and of a notebook, whose cells may have been run in another order.
    """
    if not path.endswith(".py") or PurePath(path).name == "__init__.py":
        return []
    content = parsed.text.content
    replaced = {word for e in edits for word in _WORD.findall(content[e.start : e.end])}
    if not replaced or _REFLECTION.search(content):
        return []
    times = Counter(_WORD.findall(new))
    idle = {word for word in replaced if times[word] == 1}
    taken = {edit.start for edit in edits}
    return [
        edit
        for statement in parsed.tree.body
        for edit in _shortened(parsed, statement, idle, taken)
    ]


def _shortened(
    parsed: Parsed, statement: ast.stmt, idle: set[str], taken: set[int]
) -> Iterator[Edit]:
    match statement:
        case ast.Import(names=[ast.alias(name=module, asname=None)]):
            pass
        case ast.ImportFrom(module=str(module), level=0):
            pass
        case _:
            return
    if module not in _WITHOUT_EFFECT or not _is_bare(parsed, statement):
        return
    drops = [(alias.asname or alias.name) in idle for alias in statement.names]
    if all(drops):
        yield _whole(parsed, statement, taken)
        return
    runs = groupby(range(len(drops)), key=drops.__getitem__)
    for members in [list(run) for dropped, run in runs if dropped]:
        yield _part(parsed, statement.names, members[0], members[-1])


def _is_bare(parsed: Parsed, statement: ast.stmt) -> bool:
    """Whether nothing else stands on a statement's lines: a comment there may speak of it."""
    text = parsed.text
    return not (text.before(statement) or text.after(statement).strip()) and not any(
        "#" in line for line in text.segment(statement).splitlines()
    )


def _whole(parsed: Parsed, statement: ast.stmt, taken: set[int]) -> Edit:
    """Removes a statement's lines, and one of two empty lines that would come to meet."""
    text = parsed.text
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    start, end = text.line_end(first - 1), text.line_end(last)
    alone = not "".join(text.lines[first - 2 : first - 1]).strip() and not {start, end} & taken
    if alone and last < len(text.lines) and not text.lines[last].strip():
        last += 1
    return Edit(start, text.line_end(last), "", first, last)


def _part(parsed: Parsed, names: Sequence[ast.alias], first: int, last: int) -> Edit:
    """Removes some names of an import, with the comma that is one too many."""
    spans = [parsed.text.span(alias) for alias in names]
    if last + 1 < len(names):
        start, end = spans[first][0], spans[last + 1][0]
        return Edit(start, end, "", names[first].lineno, names[last + 1].lineno)
    start, end = spans[first - 1][1], spans[last][1]
    ends = names[last].end_lineno or names[last].lineno
    return Edit(start, end, "", names[first - 1].end_lineno or names[first - 1].lineno, ends)

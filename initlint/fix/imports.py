"""Names that only the corrected calls used: taken out of the imports, where that is certain."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from initlint.fix.edits import Correction, Edit, Import, Insertion, Removal
from initlint.fix.parsed import Parsed
from initlint.fix.spell import IMPORT

# Others might register, patch or check something when they are imported.
_WITHOUT_EFFECT = {"math", "torch.nn.init"}
# With these a file can reach a name that it does not write.
_REFLECTION = re.compile(r"(?<![\w.])(?:dir|eval|exec|globals|locals|vars)\(|\bsys\.modules\b")
_WORD = re.compile(r"\w+")


def released(parsed: Parsed, path: str, edits: Sequence[Edit]) -> list[Removal]:
    """What takes out of the imports those names that the code replaced by `edits` used last.

    A name that stands anywhere else in the file, be it in a comment or a string, stays; so does
    every name of a package's `__init__.py`, where imports are meant for others, and of a notebook,
    whose cells may have been run in another order.
    """
    if not path.endswith(".py") or PurePath(path).name == "__init__.py":
        return []
    text = parsed.text
    corrections = [edit for edit in edits if isinstance(edit, Correction)]
    replaced = Counter(w for c in corrections for w in _WORD.findall(text.segment(c.old)))
    if not replaced or _REFLECTION.search(text.content):
        return []
    times = Counter(_WORD.findall(text.content)) - replaced
    times.update(word for edit in edits for line in _lines(edit) for word in _WORD.findall(line))
    idle = {word for word in replaced if times[word] == 1}
    imports = [edit for edit in edits if isinstance(edit, Import)]
    found = (_shortened(parsed, statement, idle, imports) for statement in parsed.tree.body)
    return [removal for removal in found if removal]


def _lines(edit: Edit) -> list[str]:
    """The code that an edit adds."""
    match edit:
        case Correction():
            return [edit.text]
        case Insertion():
            return edit.lines()
        case Import():
            return [IMPORT]
    return []


def _shortened(
    parsed: Parsed, statement: ast.stmt, idle: set[str], imports: Sequence[Import]
) -> Removal | None:
    match statement:
        case ast.Import(names=[ast.alias(name=module, asname=None)]):
            pass
        case ast.ImportFrom(module=str(module), level=0):
            pass
        case _:
            return None
    if module not in _WITHOUT_EFFECT or not _is_bare(parsed, statement):
        return None
    drops = tuple((alias.asname or alias.name) in idle for alias in statement.names)
    added = any(each.anchor is statement for each in imports)
    closing = all(drops) and not added and _closes(parsed, statement)
    return Removal(statement, drops, closing) if any(drops) else None


def _closes(parsed: Parsed, statement: ast.stmt) -> bool:
    """Whether two empty lines would come to meet where a statement's lines are removed."""
    lines, last = parsed.text.lines, statement.end_lineno or statement.lineno
    above = "".join(lines[statement.lineno - 2 : statement.lineno - 1])
    return not above.strip() and last < len(lines) and not lines[last].strip()


def _is_bare(parsed: Parsed, statement: ast.stmt) -> bool:
    """Whether nothing else stands on a statement's lines: a comment there may speak of it."""
    text = parsed.text
    return not (text.before(statement) or text.after(statement).strip()) and not any(
        "#" in line for line in text.segment(statement).splitlines()
    )

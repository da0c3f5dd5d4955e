"""A file's bytes and its findings to the bytes of the repaired file."""

from __future__ import annotations

import ast
import gc
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter
from pathlib import PurePath
from typing import NamedTuple

from initlint.fix.correct import correction, parting, renaming
from initlint.fix.edits import Correction, Edit, Import, Insertion, NamedResult, Removal
from initlint.fix.insert import insertions
from initlint.fix.parsed import Parsed, parse, refuse_chained, tree_of
from initlint.fix.place import overfull
from initlint.fix.spelling import IMPORT
from initlint.fix.text import ArmError, RefusedError, Text, comments_of
from initlint.recommend import calls as spelled
from initlint.records import Finding, Fix, Preferences, Site

_AS_IT_COMES = Preferences()
# Others might register, patch or check something when they are imported.
_WITHOUT_EFFECT = {"math", "torch.nn.init"}
# With these a file can reach a name that it does not write.
_REFLECTION = re.compile(r"(?<![\w.])(?:dir|eval|exec|globals|locals|vars)\(|\bsys\.modules\b")
_WORD = re.compile(r"\w+")


class Rewritten(NamedTuple):
    """A file after its fixes: the findings that these repair, and the others with the reason."""

    source: bytes
    fixed: tuple[Finding, ...] = ()
    refused: tuple[tuple[Finding, str], ...] = ()


@dataclass
class _Plan:
    """The edits for one finding; none if they are there already."""

    edits: list[Edit] = field(default_factory=list)
    needs_import: bool = False

    def claims(self) -> dict[Hashable, str]:
        """{place: text} of every edit; two findings may want different text at one place."""
        claims: dict[Hashable, str] = {}
        for edit in self.edits:
            match edit:
                case Insertion(anchor, headers=headers, call=call, place=place):
                    claims[anchor, place, headers, call.tensor] = call.text()
                case Correction(old=old, text=text):
                    claims[old] = text
        return claims


def rewrite(
    source: bytes,
    path: str,
    findings: Sequence[Finding],
    preferences: Preferences = _AS_IT_COMES,
) -> Rewritten:
    """The source with the fixes of `findings`, and every other byte unchanged.

    Findings without a fix are skipped. A fix that is not certain to be right is refused with a
    reason; all are refused if `verify` rejects the result. No content of the source or the findings
    makes it raise. `path` is the file's name in the fixes' sites.
    """
    wanted = [(finding, finding.fix) for finding in findings if finding.fix is not None]
    try:
        parsed = parse(source)
        plans, refused = _plans(parsed, path, wanted, preferences)
        new = _applied(parsed, path, [plan for _, plan in plans])
    except RefusedError as refusal:
        return Rewritten(source, (), tuple((finding, str(refusal)) for finding, _ in wanted))
    except RecursionError:
        reason = "the file is nested too deep"
        return Rewritten(source, (), tuple((finding, reason) for finding, _ in wanted))
    return Rewritten(new, tuple(finding for finding, _ in plans), tuple(refused))


def refusals(
    parsed: Parsed, path: str, findings: Sequence[Finding], preferences: Preferences
) -> list[tuple[Finding, str]]:
    """The findings of a file whose fixes `rewrite` would refuse, each with the reason."""
    wanted = [(finding, finding.fix) for finding in findings if finding.fix is not None]
    return _plans(parsed, path, wanted, preferences)[1]


def _plans(
    parsed: Parsed,
    path: str,
    wanted: Sequence[tuple[Finding, Fix]],
    preferences: Preferences,
) -> tuple[list[tuple[Finding, _Plan]], list[tuple[Finding, str]]]:
    plans: list[tuple[Finding, _Plan]] = []
    refused: list[tuple[Finding, str]] = []
    # The call that another finding corrects needs no new name besides.
    corrected: set[Site] = set()
    arms: dict[int, list[tuple[ast.IfExp, Fix]]] = defaultdict(list)
    for finding, fix in sorted(wanted, key=lambda pair: pair[1].kind == "rename"):
        try:
            is_done = fix.kind == "rename" and fix.site in corrected
            plan = _Plan() if is_done else _plan(parsed, path, finding, fix, preferences)
            plans.append((finding, plan))
            corrected |= {fix.site} if fix.kind == "correct" else set()
        except RefusedError as refusal:
            refused.append((finding, str(refusal)))
            if isinstance(refusal, ArmError):
                arms[id(refusal.choice)].append((refusal.choice, fix))
    alike = {key for key, found in arms.items() if _is_alike(parsed, found)}
    if alike:
        parsed.alike |= alike
        return _plans(parsed, path, wanted, preferences)
    full = overfull(parsed, (edit for _, plan in plans for edit in plan.edits))
    if full:
        parsed.full |= full
        return _plans(parsed, path, wanted, preferences)
    disputed = _disputed(parsed.text, [plan for _, plan in plans])
    kept = []
    for finding, plan in plans:
        if disputed & plan.claims().keys():
            refused.append((finding, "another finding wants another call for the same weight"))
        else:
            kept.append((finding, plan))
    return kept, refused


def _is_alike(parsed: Parsed, found: Sequence[tuple[ast.IfExp, Fix]]) -> bool:
    """Whether both arms of a conditional expression make layers that want the same call."""
    choice = found[0][0]
    made = [parsed.spot(fix.site) for _, fix in found]
    covered = all(any(arm is spot.call for spot in made) for arm in (choice.body, choice.orelse))
    recipes = {spelled.call(fix.initializer, "weight") for _, fix in found}
    return covered and len(recipes) == 1 and not any(fix.spared or fix.cases for _, fix in found)


def _plan(parsed: Parsed, path: str, finding: Finding, fix: Fix, preferences: Preferences) -> _Plan:
    if fix.site.path != path:
        raise RefusedError(f"its fix belongs into {fix.site.path}")
    if fix.applicability == "display":
        raise RefusedError("its fix is a proposal to read, not to apply")
    if fix.kind == "insert":
        new = insertions(parsed, finding, fix, preferences)
        return _Plan(new.edits, new.needs_import)
    if fix.kind == "rename":
        renamed, needs_import = renaming(parsed, fix)
        return _Plan([renamed], needs_import)
    if fix.kind == "correct":
        try:
            changed, needs_import = (
                parting(parsed, fix, kept=finding.recommended is None)
                if fix.parts
                else correction(parsed, fix)
            )
        except RefusedError as refusal:
            if fix.otherwise is None or fix.otherwise.site.path != path:
                raise
            try:
                return _plan(parsed, path, finding, fix.otherwise, preferences)
            except RefusedError:
                raise refusal from None
        return _Plan([changed] if changed else [], needs_import)
    raise RefusedError(f"a fix of the kind {fix.kind!r} is not known")


def _disputed(text: Text, plans: Sequence[_Plan]) -> set[Hashable]:
    """The places at which two plans want different text, and calls nested in one another."""
    calls: dict[Hashable, set[str]] = defaultdict(set)
    for plan in plans:
        for place, call in plan.claims().items():
            calls[place].add(call)
    disputed = {place for place, found in calls.items() if len(found) > 1}
    corrections = (e for plan in plans for e in plan.edits if isinstance(e, Correction))
    spans = {text.span(correction.old): correction.old for correction in corrections}
    for (first, old), (second, other) in pairwise(sorted(spans.items(), key=itemgetter(0))):
        if second[0] < first[1]:
            disputed |= {old, other}
    return disputed


def _applied(parsed: Parsed, path: str, plans: Sequence[_Plan]) -> bytes:
    """The bytes after all plans, verified. Raises RefusedError."""
    text = parsed.text
    edits = _all_edits(parsed, path, plans)
    if not edits:
        return text.encode(text.content)
    content = printed(parsed, edits)
    verify(text, Text(content, text.encoding), _touched(text, edits))
    return text.encode(content)


def _all_edits(parsed: Parsed, path: str, plans: Sequence[_Plan]) -> list[Edit]:
    """The edits of the plans, with the imports that they need and those that they make idle."""
    every = dict.fromkeys(edit for plan in plans for edit in plan.edits)
    # Both arms of a conditional expression want the same call, each in its own place in the order.
    edits = list({_without_order(edit): edit for edit in reversed(every)}.values())[::-1]
    if any(plan.needs_import for plan in plans):
        anchor, side = parsed.speller.import_place()
        comments = parsed.speller.top_comments() if anchor is None else 0
        edits.append(Import(anchor, side == "before", comments))
    return [*edits, *released(parsed, path, edits)]


def _without_order(edit: Edit) -> Edit:
    return edit._replace(order=(0, "", 0)) if isinstance(edit, Insertion) else edit


def edits_of(
    parsed: Parsed, path: str, finding: Finding, preferences: Preferences = _AS_IT_COMES
) -> list[Edit]:
    """The edits of one finding's fix. Raises RefusedError if it cannot be fixed alone."""
    wanted = [(finding, finding.fix)] if finding.fix else []
    plans, refused = _plans(parsed, path, wanted, preferences)
    if refused:
        raise RefusedError(refused[0][1])
    return _all_edits(parsed, path, [plan for _, plan in plans])


def _touched(text: Text, edits: Sequence[Edit]) -> set[int]:
    """The lines that are meant to change; those that are only added are none of them."""
    lines: set[int] = set()
    for edit in edits:
        if isinstance(edit, Correction):
            lines |= _lines(edit.old)
        elif isinstance(edit, Removal):
            removed = _lines(edit.anchor)
            lines |= removed | ({max(removed) + 1} if edit.closing else set())
        elif isinstance(edit, NamedResult):
            lines.add(edit.anchor.lineno)
        elif isinstance(edit, Insertion) and text.shares_line(edit.anchor):
            lines |= {edit.anchor.lineno, edit.anchor.end_lineno or edit.anchor.lineno}
    return lines


def _lines(node: ast.stmt | ast.expr) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def released(parsed: Parsed, path: str, edits: Sequence[Edit]) -> list[Removal]:
    """The edits that remove imported names which only the code replaced by `edits` used.

    A name that occurs anywhere else in the file, even in a comment or a string, stays. So does
    every name in a package's `__init__.py`, which other files import, and in a notebook, whose
    cells may run in another order.
    """
    if not path.endswith(".py") or PurePath(path).name == "__init__.py":
        return []
    text = parsed.text
    corrections = [edit for edit in edits if isinstance(edit, Correction)]
    replaced = Counter(w for c in corrections for w in _WORD.findall(text.segment(c.old)))
    if not replaced or _REFLECTION.search(text.content):
        return []
    times = Counter(_WORD.findall(text.content)) - replaced
    times.update(word for edit in edits for line in _added(edit) for word in _WORD.findall(line))
    idle = {word for word in replaced if times[word] == 1}
    imports = [edit for edit in edits if isinstance(edit, Import)]
    found = (_shortened(parsed, statement, idle, imports) for statement in parsed.tree.body)
    return [removal for removal in found if removal]


def _added(edit: Edit) -> list[str]:
    """The code that an edit adds."""
    match edit:
        case Correction(text=written, loop=loop):
            return [written] if loop is None else [loop.text(), written]
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
    """Whether a statement is alone on its lines: a comment there may be about it."""
    text = parsed.text
    return not (text.before(statement) or text.after(statement).strip()) and not any(
        "#" in line for line in text.segment(statement).splitlines()
    )


def printed(parsed: Parsed, edits: Sequence[Edit]) -> str:
    """The file after all edits, as libcst prints it.

    Raises RefusedError if libcst cannot parse the file, or does not print it exactly: for example
    with a form feed before the first line, or lines that end with carriage returns alone.
    """
    import libcst

    from initlint.fix.transform import transformed

    content, tail = _without_tail(parsed.text.content)
    refuse_chained(parsed.tree)
    try:
        with _uncollected():
            module = libcst.parse_module(content)
            if module.code != content:
                raise RefusedError("libcst does not print the file as it is")
            unit = parsed.indent_unit
            return transformed(module, parsed.tree, parsed.text, edits, unit).code + tail
    except libcst.ParserSyntaxError as error:
        raise RefusedError(f"libcst cannot parse the file: {error.message}") from None
    except RecursionError:
        raise RefusedError("the file is nested too deep for libcst") from None


def verify(old: Text, new: Text, touched: Collection[int]) -> None:
    """Raises RefusedError, with the reason, if `new` must not take the place of `old`.

    `touched` holds the numbers of the lines that are meant to differ; every other line of the
    old file must come again, in order, and so must every comment.
    """
    tree_of(new.content)
    if comments_of(new.content) != old.comments:
        raise RefusedError("a comment would be lost")
    if not _survive(old.lines, new.lines, touched):
        raise RefusedError("a line that the fix does not concern would change")


def _without_tail(content: str) -> tuple[str, str]:
    """A file without the blank lines at its end, and these lines: libcst drops their blanks."""
    end = len(content.rstrip())
    end = content.find("\n", end) + 1 or len(content)
    return content[:end], content[end:]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Spare the collector a large tree without cycles, and walks over all that torch holds."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _survive(old: list[str], new: list[str], corrected: Collection[int]) -> bool:
    """Whether the old lines that were not corrected come in the same order among the new ones."""
    remaining = iter(new)
    kept = [line for number, line in enumerate(old, 1) if number not in corrected]
    # A last line without an ending gets one where calls are added after it.
    return all(
        any(found == line or found.rstrip("\r\n") == line for found in remaining) for line in kept
    )

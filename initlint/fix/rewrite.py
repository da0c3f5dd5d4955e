"""A file's bytes and its findings to the bytes of the repaired file."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from operator import itemgetter

from initlint.fix.correct import correction
from initlint.fix.crowded import overfull
from initlint.fix.edits import Correction, Edit, Import, Insertion, NamedResult, Removal
from initlint.fix.imports import released
from initlint.fix.insert import insertions
from initlint.fix.parsed import Parsed, parse
from initlint.fix.text import RefusedError, Text, TwiceError
from initlint.fix.verify import printed, verify
from initlint.records import Finding, Fix, Preferences

_AS_IT_COMES = Preferences()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file after its fixes: the findings that these repair, and the others with the reason."""

    source: bytes
    fixed: tuple[Finding, ...] = ()
    refused: tuple[tuple[Finding, str], ...] = ()


@dataclass
class _Plan:
    """What one finding wants done; nothing where it is done already."""

    edits: list[Edit] = field(default_factory=list)
    needs_import: bool = False

    def claims(self) -> dict[Hashable, str]:
        """What the plan writes to, and what it writes there."""
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
    """The source with the fixes of `findings` done, every other byte as it was.

    Findings without a fix are passed over. A fix that cannot be done for certain is refused with
    a reason, and so are all of them if the result does not stand up to `verify`. Never raises for
    what the source or the findings say. `path` is the file's name as the fixes' sites have it.
    """
    wanted = [(finding, finding.fix) for finding in findings if finding.fix is not None]
    try:
        parsed = parse(source)
        plans, refused = _plans(parsed, path, wanted, preferences)
        new = _applied(parsed, path, [plan for _, plan in plans])
    except RefusedError as refusal:
        return Rewritten(source, (), tuple((finding, str(refusal)) for finding, _ in wanted))
    return Rewritten(new, tuple(finding for finding, _ in plans), tuple(refused))


def _plans(
    parsed: Parsed,
    path: str,
    wanted: Sequence[tuple[Finding, Fix]],
    preferences: Preferences,
) -> tuple[list[tuple[Finding, _Plan]], list[tuple[Finding, str]]]:
    plans: list[tuple[Finding, _Plan]] = []
    refused: list[tuple[Finding, str]] = []
    for finding, fix in wanted:
        try:
            plans.append((finding, _plan(parsed, path, finding, fix, preferences)))
        except RefusedError as refusal:
            refused.append((finding, str(refusal)))
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


def _plan(parsed: Parsed, path: str, finding: Finding, fix: Fix, preferences: Preferences) -> _Plan:
    if fix.site.path != path:
        raise RefusedError(f"its fix belongs into {fix.site.path}")
    if fix.applicability == "display":
        raise RefusedError("its fix is a proposal to read, not to apply")
    if fix.kind == "insert":
        new = insertions(parsed, finding, fix, preferences)
        return _Plan(new.edits, new.needs_import)
    if fix.kind == "correct":
        try:
            changed, needs_import = correction(parsed, fix)
        except TwiceError:
            if finding.site in (None, fix.site):
                raise
            # The tensor has a name once it is made.
            made = replace(fix, kind="insert", site=finding.site)
            return _plan(parsed, path, finding, made, preferences)
        return _Plan([changed] if changed else [], needs_import)
    raise RefusedError(f"a fix of the kind {fix.kind!r} is not known")


def _disputed(text: Text, plans: Sequence[_Plan]) -> set[Hashable]:
    """What two plans want to write to differently, and calls that hold one another."""
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
    edits = list(dict.fromkeys(edit for plan in plans for edit in plan.edits))
    if any(plan.needs_import for plan in plans):
        anchor, side = parsed.speller.import_place()
        comments = parsed.speller.top_comments() if anchor is None else 0
        edits.append(Import(anchor, side == "before", comments))
    if not edits:
        return text.encode(text.content)
    edits += released(parsed, path, edits)
    content = printed(parsed, edits)
    verify(text, Text(content, text.encoding), _touched(text, edits))
    return text.encode(content)


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

"""A file's bytes and its findings to the bytes of the repaired file."""

# Nodes are located with `ast` and the new text is put in between, so that no foreign byte can
# change; libcst, whose positions alone cost 0.7 s a file, parses and prints the result once, which
# proves that its users' tools will take it.

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from initlint.fix.correct import correction
from initlint.fix.crowded import overfull
from initlint.fix.imports import released
from initlint.fix.insert import insertions
from initlint.fix.layout import Insertion, laid_out
from initlint.fix.parsed import Parsed, parse
from initlint.fix.spell import IMPORT
from initlint.fix.text import Edit, RefusedError, Text, TwiceError
from initlint.fix.verify import verify
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

    insertions: list[Insertion] = field(default_factory=list)
    corrections: list[Edit] = field(default_factory=list)
    needs_import: bool = False

    def claims(self) -> dict[Hashable, str]:
        """What the plan writes to, and what it writes there."""
        claims: dict[Hashable, str] = {(c.start, c.end, *c.order): c.text for c in self.corrections}
        for insertion in self.insertions:
            claims[insertion.line, insertion.headers, insertion.tensor] = insertion.call
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
    full = overfull(parsed, (edit for _, plan in plans for edit in plan.corrections))
    if full:
        parsed.full |= full
        return _plans(parsed, path, wanted, preferences)
    disputed = _disputed([plan for _, plan in plans])
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
        return _Plan(new.insertions, new.edits, new.needs_import)
    if fix.kind == "correct":
        try:
            changed, needs_import = correction(parsed, fix)
        except TwiceError:
            if finding.site in (None, fix.site):
                raise
            # The tensor has a name once it is made.
            made = replace(fix, kind="insert", site=finding.site)
            return _plan(parsed, path, finding, made, preferences)
        return _Plan(corrections=[changed] if changed else [], needs_import=needs_import)
    raise RefusedError(f"a fix of the kind {fix.kind!r} is not known")


def _disputed(plans: Sequence[_Plan]) -> set[Hashable]:
    """What two plans want to write to differently, and calls that hold one another."""
    calls: dict[Hashable, set[str]] = defaultdict(set)
    for plan in plans:
        for place, call in plan.claims().items():
            calls[place].add(call)
    disputed = {place for place, found in calls.items() if len(found) > 1}
    changes = {(c.start, c.end, *c.order) for plan in plans for c in plan.corrections}
    for first, second in pairwise(sorted(changes)):
        if second[0] < first[1]:
            disputed |= {first, second}
    return disputed


def _applied(parsed: Parsed, path: str, plans: Sequence[_Plan]) -> bytes:
    """The bytes after all plans, verified. Raises RefusedError."""
    text = parsed.text
    new = {insertion: None for plan in plans for insertion in plan.insertions}
    corrections = {correction: None for plan in plans for correction in plan.corrections}
    by_line: dict[int, list[Insertion]] = defaultdict(list)
    for insertion in new:
        by_line[insertion.line].append(insertion)
    edits = list(corrections)
    for line, group in by_line.items():
        edits.append(_inserted(text, line, laid_out(group, parsed.indent_unit)))
    if any(plan.needs_import for plan in plans):
        line, indent = parsed.speller.import_place()
        edits.append(_inserted(text, line, [indent + IMPORT]))
    if not edits:
        return text.encode(text.content)
    content = _edited(text.content, edits)
    unused = released(parsed, path, edits, content)
    if unused:
        content = _edited(text.content, [*edits, *unused])
    corrected = {line for c in [*corrections, *unused] for line in range(c.first, c.last + 1)}
    verify(text, Text(content, text.encoding), corrected)
    return text.encode(content)


def _inserted(text: Text, line: int, lines: Sequence[str]) -> Edit:
    """The edit that puts lines after a line, in the file's own way of ending lines."""
    offset = text.line_end(line)
    neighbour = text.lines[line - 1] if line else (text.lines or [""])[0]
    ending = neighbour[len(neighbour.rstrip("\r\n")) :]
    newline = ending or text.newline
    block = newline.join(lines)
    # A file that ends without a newline goes on doing so.
    new = block + newline if ending or not line else newline + block
    return Edit(offset, offset, new, line, line)


def _edited(content: str, edits: Sequence[Edit]) -> str:
    pieces: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end, e.order)):
        pieces += [content[done : edit.start], edit.text]
        done = edit.end
    return "".join([*pieces, content[done:]])

"""The wording that several formats share: place, call, ratio, gaps, summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from initlint.judge.wording import LONGEST, brief, unhinted
from initlint.output.lines import Line, Styled
from initlint.output.paint import style_of
from initlint.output.silence import is_unjudged
from initlint.project.discover import LeftOut
from initlint.project.sourcefiles import Texts
from initlint.recommend import calls, magnitude
from initlint.records import Finding, Initializer, Report, Site, Unanalysed
from initlint.safe.shown import access, shown

# So many files that were left out are named, the others counted.
_MOST_LEFT_OUT = 3
# Why a fix is unsafe.
_UNSAFE = "may override a deliberate choice"


def place(finding: Finding, texts: Texts) -> str:
    """`path:line:column`; for a finding without source, its model and layer."""
    if finding.site is None:
        return f"{finding.model}: {finding.layer or finding.parameter}"
    return f"{place_of(finding.site, texts)}:{finding.site.column}"


def place_of(site: Site, texts: Texts) -> str:
    """`path:line`; in a notebook `path:cell N:line`."""
    cell, shown = texts.in_cell(site)
    return f"{site.path}:cell {cell}:{shown.line}" if cell else f"{site.path}:{site.line}"


def headline(finding: Finding, message: str, texts: Texts) -> Line:
    """The headline of a finding: place, code, name, message."""
    code = Styled(finding.code, style_of(finding.severity))
    return Styled(place(finding, texts), "bold"), ": ", code, f" {finding.name}: {message}"


def message(finding: Finding, texts: Texts) -> str:
    """The finding's message and the call to write, in one line: as much as is short enough.

    What the std does to the signal goes first, then the way to the tensor, then the call; the
    format `full` and the fix have all of it.
    """
    written = call(finding, texts)
    if not written:
        return finding.message
    said = unhinted(finding.message, finding.code)
    tries = [f"{one}; write {written}" for one in (finding.message, said, brief(said))]
    initializer = finding.fix.initializer if finding.fix else finding.recommended
    if initializer is not None and not (finding.fix and finding.fix.parts):
        tensor = finding.parameter.rpartition(".")[2]
        short = calls.call(initializer, tensor, spelled=str)
        tries.append(f"{brief(said)}; write {short}")
    return next((line for line in tries if len(line) <= LONGEST), finding.message)


def call(finding: Finding, texts: Texts) -> str:
    """The call that fixes the finding, as its fix writes it; empty if there is none.

    Without a fix, the tensor is reached from the instance (`self`) or from the `model`.
    """
    initializer = finding.fix.initializer if finding.fix else finding.recommended
    if initializer is None:
        return finding.help
    if finding.site is None:
        return calls.call(initializer, access("model", finding.parameter))
    from initlint.fix import preview

    site = finding.fix.site if finding.fix else finding.site
    return preview.call(texts.python(site.path), finding, initializer)


def fixability(finding: Finding) -> str:
    """The option that carries the finding's fix out; empty if none does."""
    options = {"safe": "fixable with --fix", "unsafe": "fixable with --fix --unsafe-fixes"}
    return options.get(finding.fix.applicability, "") if finding.fix else ""


def ratio(current: Initializer | None, recommended: Initializer | None) -> float | None:
    """The present scale against the recommended std; None where either is unknown or zero."""
    if current is None or recommended is None or current.std is None or not recommended.std:
        return None
    return magnitude(current) / recommended.std


def gap(unanalysed: Unanalysed) -> str:
    """The target that was not analysed, and the reason; the target is named once."""
    target = shown(unanalysed.target)
    reason = " ".join(unanalysed.reason.replace(unanalysed.target or " ", target or " ").split())
    path, _, name = target.partition(":")
    if reason.startswith(path + ":"):
        return reason if name in reason else f"{reason} ({name})"
    return f"{target}: {reason}"


def gaps(found: Sequence[Unanalysed]) -> list[str]:
    """A line for every part that was not analysed; many with one reason share a line."""
    reasons: dict[str, list[Unanalysed]] = {}
    for one in found:
        path, _, name = one.target.rpartition(":")
        reasons.setdefault(one.reason.removeprefix(f"{path}: {name}: "), []).append(one)
    lines: list[str] = []
    for reason, alike in reasons.items():
        if len(alike) <= _MOST_ALIKE:
            lines += map(gap, alike)
            continue
        names = [shown(one.target) for one in alike[:_MOST_ALIKE]]
        more = len(alike) - len(names)
        lines.append(f"{len(alike)} parts, each: {reason} ({', '.join(names)} and {more} more)")
    return lines


# More parts than these that have one reason share a line.
_MOST_ALIKE = 3


def no_files(written: Sequence[str], left_out: Sequence[LeftOut]) -> str:
    """That there are no Python files in the targets, and which were left out, and why."""
    said = f"no Python files in {', '.join(map(shown, written))}"
    listed = [f"{shown(one.path)} ({one.reason})" for one in left_out[:_MOST_LEFT_OUT]]
    more = len(left_out) - len(listed)
    listed += [f"{more} more"] if more else []
    return f"{said}; left out: {', '.join(listed)}" if listed else said


def unsafe_left(report: Report, more: bool) -> str:
    """The number of findings whose fix is not safe; empty if there are none."""
    unsafe = sum(f.fix.applicability == "unsafe" for f in report.findings if f.fix)
    number = f"{unsafe} more" if more else counted(unsafe, "finding")
    return f"{number} with --unsafe-fixes ({_UNSAFE})" if unsafe else ""


def summary(report: Report, fixed: bool = False) -> str:
    """One sentence on the whole report; `fixed`: on what is left after --fix."""
    if not report.findings:
        return _nothing_found(report)
    findings = counted(len(report.findings), "finding")
    models = counted(len({finding.model for finding in report.findings}), "model")
    found = f"Found {findings} in {models}"
    if fixed:
        verb = "remains" if len(report.findings) == 1 else "remain"
        found = f"{findings} {verb} in {models}"
    fixes = Counter(finding.fix.applicability for finding in report.findings if finding.fix)
    ways = []
    if fixes["safe"]:
        ways.append(f"{fixes['safe']} fixable with --fix")
    if fixes["unsafe"]:
        more = " more" if ways else ""
        ways.append(f"{fixes['unsafe']}{more} fixable with --fix --unsafe-fixes ({_UNSAFE})")
    said = (found, ", ".join(ways), _known(report), missed(report))
    return "; ".join(filter(None, said)) + "."


def _known(report: Report) -> str:
    """The number of findings in the baseline; empty if there are none."""
    return f"{len(report.known)} known (baseline)" if report.known else ""


def missed(report: Report) -> str:
    """The number of gaps; empty if there are none."""
    return f"{len(report.unanalysed)} not analysed" if report.unanalysed else ""


def counted(number: int, noun: str) -> str:
    """1 finding, 2 findings."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _nothing_found(report: Report) -> str:
    if not report.layers:
        if any(not gap.unseen for gap in report.unanalysed):
            return "Nothing could be analysed."
        return "; ".join(filter(None, ("Found no weights to judge", missed(report)))) + "."
    models = counted(len({layer.model for layer in report.layers}), "model")
    found = f"No findings in {counted(len(report.layers), 'weight')} of {models}"
    unjudged = sum(map(is_unjudged, report.layers))
    if unjudged:
        found += f", {unjudged} of them not judged (--show-layers says why)"
    return "; ".join(filter(None, (found, _known(report), missed(report)))) + "."

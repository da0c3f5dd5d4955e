"""Judgements in the words of the protocol: diagnostics, code actions, hovers, positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from lsprotocol import types

from initlint.judge import called, predicted
from initlint.output.phrases import message, ratio
from initlint.output.silence import silence, untold
from initlint.project.sourcefiles import decoded
from initlint.recommend import is_undecided, times
from initlint.records import Finding, Layer, Site
from initlint.safe.shown import shown
from initlint.server.judgement import Judgement

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
}
FIX_ALL = "source.fixAll.initlint"


def diagnostics(judgement: Judgement) -> list[types.Diagnostic]:
    """One diagnostic for each finding in the document."""
    return [_diagnostic(finding, judgement) for finding in judgement.findings]


def _diagnostic(finding: Finding, judgement: Judgement) -> types.Diagnostic:
    assert finding.site is not None
    return types.Diagnostic(
        range=range_of(finding.site, judgement),
        message=shown(message(finding, judgement.texts)),
        severity=_SEVERITIES.get(finding.severity, types.DiagnosticSeverity.Information),
        code=finding.code,
        source="initlint",
    )


def actions(judgement: Judgement, uri: str, asked: types.Range) -> list[types.CodeAction]:
    """The fixes and comments for the findings in a range, and the fix of all findings."""
    found: list[types.CodeAction] = []
    for finding in judgement.findings:
        assert finding.site is not None
        diagnostic = _diagnostic(finding, judgement)
        if not _overlap(diagnostic.range, asked):
            continue
        found += _fix(finding, judgement, uri, diagnostic)
        found += _silence(finding, judgement, uri, diagnostic)
    if any(f.fix and f.fix.applicability == "safe" for f in judgement.findings):
        title = "initlint: fix all findings that are safe to fix"
        # The edits follow once they are asked for: every fix is verified, which takes time.
        for kind in (types.CodeActionKind.QuickFix, FIX_ALL):
            found.append(types.CodeAction(title=title, kind=kind, data=uri))
    return found


def fix_all(judgement: Judgement | None, uri: str) -> types.WorkspaceEdit:
    """The edits of all safe fixes; none where there is no judgement."""
    edits = _edits(judgement.source, judgement.fixed) if judgement else []
    return types.WorkspaceEdit(changes={uri: edits} if edits else {})


def _fix(
    finding: Finding, judgement: Judgement, uri: str, diagnostic: types.Diagnostic
) -> Iterator[types.CodeAction]:
    edits = judgement.edits(finding)
    if finding.fix is None or not edits:
        return
    is_safe = finding.fix.applicability == "safe"
    call = shown(message(finding, judgement.texts)).rpartition("; write ")[2]
    others = len(finding.parameters) - 1
    title = f"initlint: write {call}"
    title += f" and for {others} more of this line" if others > 0 else ""
    title += "" if is_safe else " (unsafe: overrides a choice)"
    changes = [
        types.TextEdit(
            types.Range(position(*edit.start, judgement), position(*edit.end, judgement)), edit.text
        )
        for edit in edits
    ]
    yield types.CodeAction(
        title=title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[diagnostic],
        is_preferred=is_safe,
        edit=types.WorkspaceEdit(changes={uri: changes}),
    )


def _silence(
    finding: Finding, judgement: Judgement, uri: str, diagnostic: types.Diagnostic
) -> Iterator[types.CodeAction]:
    edits = _edits(judgement.source, judgement.silenced(finding))
    if edits:
        yield types.CodeAction(
            title=f"initlint: disable {finding.code} for this line",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[diagnostic],
            edit=types.WorkspaceEdit(changes={uri: edits}),
        )


def hover(judgement: Judgement, line: int, column: int) -> types.Hover | None:
    """What is known of the layers that are constructed at a position."""
    layers = judgement.layers_at(line, column)
    if not layers:
        return None
    about = [
        finding
        for finding in judgement.findings
        if any((finding.model, name) in _names(layers) for name in finding.parameters)
    ]
    reported = {(finding.model, name) for finding in about for name in finding.parameters}
    reasons = untold(judgement.report)
    lines = [
        _described(layer, (layer.model, layer.parameter) in reported, reasons)
        for layer in layers[:_MOST_LAYERS]
    ]
    more = len(layers) - len(lines)
    lines += [f"and {more} more of this line"] if more else []
    # The diagnostic says the rest.
    for finding in about:
        why = f" (no fix: {finding.unfixed})" if finding.unfixed else ""
        lines.append(f"{finding.code}: {finding.name}{why}")
    text = types.MarkupContent(types.MarkupKind.PlainText, "\n".join(lines))
    site = layers[0].site
    return types.Hover(text, range_of(site, judgement) if site else None)


_MOST_LAYERS = 5


def _names(layers: Sequence[Layer]) -> set[tuple[str, str]]:
    return {(layer.model, layer.parameter) for layer in layers}


def _described(layer: Layer, is_reported: bool, reasons: Mapping[tuple[str, str], str]) -> str:
    """`Net: fc1 (Linear): relu follows; std 0.0667, 0.41× what it needs; predicted signal at …`."""
    following, current = layer.following.activation, layer.current
    said = [f"{following} follows" if following != "unknown" else "what follows is not known"]
    factor = None if is_undecided(layer) else ratio(current, layer.recommended)
    if current is not None and current.std is not None:
        std = "std" if layer.nominal else f"std {current.std:.3g},"
        if factor is not None and layer.recommended is not None:
            needed = "what it needs" if is_reported else f"that of {layer.recommended.name}"
            said.append(f"{std} {times(factor)} {needed}")
        elif not layer.nominal:
            said.append(std.rstrip(","))
    said += [predicted(layer).removeprefix("; ")] if is_reported and layer.signal else []
    reason = "" if is_reported else silence(layer, reasons)
    said += [f"no rule reports it, because {reason}"] if reason else []
    return shown(f"{layer.model}: {called(layer)} ({layer.type}): {'; '.join(said)}")


def range_of(site: Site, judgement: Judgement) -> types.Range:
    """A site as the protocol counts."""
    return types.Range(
        position(site.line, site.column, judgement),
        position(site.end_line, site.end_column, judgement),
    )


def position(line: int, column: int, judgement: Judgement) -> types.Position:
    """Line and column from 1, in characters, as line and UTF-16 units from 0."""
    lines = judgement.texts.lines(judgement.path)
    before = lines[line - 1][: column - 1] if line <= len(lines) else ""
    return types.Position(line - 1, len(before.encode("utf-16-le", "surrogatepass")) // 2)


def column_of(place: types.Position, judgement: Judgement) -> int:
    """The column from 1, in characters, of a position."""
    lines = judgement.texts.lines(judgement.path)
    text = lines[place.line] if place.line < len(lines) else ""
    units = text.encode("utf-16-le", "surrogatepass")[: 2 * place.character]
    return len(units.decode("utf-16-le", "ignore")) + 1


def _overlap(one: types.Range, other: types.Range) -> bool:
    return one.start.line <= other.end.line and other.start.line <= one.end.line


def _edits(old: bytes, new: bytes) -> list[types.TextEdit]:
    """The whole lines that differ."""
    before, after = _lines(decoded(old)), _lines(decoded(new))
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    return [
        types.TextEdit(
            types.Range(_at(first, before), _at(last, before)), "".join(after[start:end])
        )
        for kind, first, last, start, end in matcher.get_opcodes()
        if kind != "equal"
    ]


def _at(line: int, lines: Sequence[str]) -> types.Position:
    """The beginning of a line; the end of the text where its last line has no end."""
    if line < len(lines) or not lines or lines[-1].endswith(("\n", "\r")):
        return types.Position(line, 0)
    return types.Position(line - 1, len(lines[-1].encode("utf-16-le", "surrogatepass")) // 2)


def _lines(text: str) -> list[str]:
    from initlint.fix.text import Text

    return Text(text, "utf-8").lines

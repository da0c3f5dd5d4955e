"""Sources with the call of each finding between « and », and the findings that these mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from initlint.fix.rewrite import Rewritten, rewrite
from initlint.records import Fan, Finding, Fix, Following, Gain, Initializer, Preferences, Site

PATH = "net.py"
KAIMING = Initializer("kaiming_normal_", {"mode": "fan_in", "nonlinearity": "relu"})
XAVIER = Initializer("xavier_normal_")
ZEROS = Initializer("zeros_")
ONES = Initializer("ones_")
HALF = Initializer("constant_", {"val": 0.5})
GAIN = Initializer("xavier_normal_", {"gain": Gain("tanh", 5 / 3)})
# A std that is counted from the tensor.
STD = Initializer("normal_", {"std": Fan(1.534, "in", 0.5)})
Names = str | tuple[str, ...]


def unmarked(source: str) -> tuple[str, list[Site]]:
    """The source without its marks, and the stretch that each pair of marks holds."""
    sites: list[Site] = []
    clean = ""
    opened: list[tuple[int, tuple[int, int]]] = []
    for piece in re.split("([«»])", source):
        lines = re.split(r"\r\n|\r|\n", clean)
        here = (len(lines), len(lines[-1]) + 1)
        if piece == "«":
            opened.append((len(sites), here))
            sites.append(Site(PATH, *here, *here))
        elif piece == "»":
            index, start = opened.pop()
            sites[index] = Site(PATH, *start, *here)
        else:
            clean += piece
    assert not opened
    return clean, sites


def finding(
    site: Site,
    names: Names,
    call: Initializer = KAIMING,
    kind: str = "insert",
    applicability: str = "safe",
) -> Finding:
    parameters = (names,) if isinstance(names, str) else names
    return Finding(
        code="INIT101",
        name="default-before-rectifier",
        severity="warning",
        message="",
        site=site,
        model="net.py:Net",
        layer=parameters[0].rpartition(".")[0],
        parameter=parameters[0],
        following=Following("relu"),
        current=None,
        recommended=None,
        fix=Fix(kind, site, call, applicability),
        parameters=parameters,
    )


def fixed(
    source: str,
    names: Sequence[Names],
    calls: Initializer | Sequence[Initializer] = KAIMING,
    kind: str = "insert",
    encoding: str = "utf-8",
    types: Sequence[str] = (),
    spared: tuple[str, ...] = (),
    cases: tuple[tuple[tuple[str, ...], Initializer], ...] = (),
    **preferences: str,
) -> Rewritten:
    """The rewriting of a marked source, one finding for each mark.

    `types` are the fixes' types, where all layers of it may get the call.
    """
    clean, sites = unmarked(source)
    wanted = [calls] * len(sites) if isinstance(calls, Initializer) else calls
    pairs = zip(sites, names, wanted, strict=True)
    findings = [finding(site, name, call, kind) for site, name, call in pairs]
    of_type = [*types, *[""] * (len(findings) - len(types))]
    findings = [
        replace(f, fix=replace(f.fix, of_type=name, spared=spared, cases=cases))
        for f, name in zip(findings, of_type, strict=True)
        if f.fix
    ]
    return rewrite(clean.encode(encoding), PATH, findings, Preferences(**preferences))


def rewritten(source: str, names: Sequence[Names], **options: object) -> str:
    """The source after a rewriting that must refuse nothing."""
    result = fixed(source, names, **options)  # type: ignore[arg-type]
    assert [reason for _, reason in result.refused] == []
    return result.source.decode()


def refusal(source: str, names: Sequence[Names], **options: object) -> str:
    """The one reason for which a source is left as it is."""
    result = fixed(source, names, **options)  # type: ignore[arg-type]
    assert result.source == unmarked(source)[0].encode()
    assert result.fixed == ()
    (reason,) = {reason for _, reason in result.refused}
    return reason


def again(source: str, after: str, names: Sequence[Names], **options: object) -> str:
    """The second run: the same findings on the rewritten file, at the same calls."""
    clean, sites = unmarked(source)
    edits: list[tuple[int, int, str]] = []
    for site in sites:
        start, end = (
            _offset(clean, site.line, site.column),
            _offset(clean, site.end_line, site.end_column),
        )
        text = clean[start:end]
        pieces = after.split(text)
        before = text.join(pieces[: clean[:start].count(text) + 1])
        edits += [(len(before), 1, "«"), (len(before) + len(text), 0, "»")]
    for offset, _, mark in sorted(edits, reverse=True):
        after = after[:offset] + mark + after[offset:]
    return rewritten(after, names, **options)


def _offset(content: str, line: int, column: int) -> int:
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", content)
    return sum(map(len, lines[: line - 1])) + column - 1

"""Comments that silence findings: `noqa`, `initlint: ignore`, `initlint: skip-file`."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from initlint.project.sourcefiles import Texts, texts_of
from initlint.records import Finding, Report, Rule, Site
from initlint.safe.shown import cut

_Report = TypeVar("_Report", bound=Report)
ENTRY = r"(?:[A-Za-z]+[0-9]+|[A-Za-z]+(?:-[A-Za-z]+)+)"
# Compiled when the first comment mentions one of them: most files have none.
_NOQA = rf"(?i)#\s*noqa\b(?P<listed>\s*:\s*(?P<entries>{ENTRY}(?:[\s,]+{ENTRY})*)?)?"
# A comment for initlint alone: the word after the colon, and the rest up to the next comment.
_OWN = r"(?i)#\s*initlint(?P<colon>\s*:)?\s*(?P<word>[a-z][\w-]*)?(?P<rest>[^#]*)"
# Where a list of codes ends, and what seems to be another one of ours.
_MISSPELT = r"[\s,]*INIT(?![A-Za-z])"
_OPENING = ("[", "(", ":", "=")
_FORMS = ("ignore", "skip-file", "noqa", "disable")
_ANY = "*"
_NO_SUCH_RULE = "does nothing: there is no such rule"
# Longer words are no misspelled names, and only for so many entries is a name looked for: a
# comment may list as many as it likes.
_LONGESTENTRY, _MOST_HINTS = 60, 20
_LAYOUT = (tokenize.NL, tokenize.INDENT, tokenize.DEDENT)


class Comment(NamedTuple):
    """A comment at `line` that silences codes and names on `lines`.

    `own` has all that stands in the brackets of `initlint: ignore[…]`. `fault` is the comment and
    what to write instead, if it cannot be understood; it then silences nothing.
    """

    line: int
    lines: range
    entries: frozenset[str]
    own: frozenset[str] = frozenset()
    fault: str = ""

    def speaks_of(self, site: Site | None) -> bool:
        """Whether an expression is on one of the comment's lines."""
        return site is not None and bool(
            range(max(self.lines.start, site.line), min(self.lines.stop, site.end_line + 1))
        )

    def covers(self, finding: Finding) -> bool:
        """Whether the comment silences `finding`."""
        return self.speaks_of(finding.site) and any(_names(finding, e) for e in self.entries)


class Suppressions(NamedTuple):
    """The suppressions of one file: all of it, or some rules on some lines."""

    whole_file: bool = False
    comments: tuple[Comment, ...] = ()

    def cover(self, finding: Finding) -> bool:
        """Whether a comment on a line of the reported expression silences `finding`."""
        if finding.site is None:
            return False
        return self.whole_file or any(comment.covers(finding) for comment in self.comments)


def suppressed(finding: Finding, lines: Sequence[str]) -> bool:
    """Whether a comment in the file of these `lines` silences `finding`."""
    return suppressions(lines).cover(finding)


def filter_report(
    report: _Report, speaks: Callable[[Finding], bool] | None = None, heed: bool = True
) -> _Report:
    """The report without findings whose rule is off in their file, or that a comment silences.

    Comments count only with `heed`.
    """
    spoken: list[Finding] = []
    unspoken: list[Finding] = []
    for finding in report.findings:
        (spoken if speaks is None or speaks(finding) else unspoken).append(finding)
    off, texts = tuple(unspoken), texts_of(report)
    if not heed:
        return replace(report, findings=tuple(spoken), off=off)
    paths = {f.site.path for f in spoken if f.site}
    known = {path: suppressions(texts.lines(path)) for path in paths}
    kept: list[Finding] = []
    silenced: list[Finding] = []
    for found in spoken:
        is_silenced = found.site is not None and known[found.site.path].cover(found)
        (silenced if is_silenced else kept).append(found)
    return replace(report, findings=tuple(kept), silenced=tuple(silenced), off=off)


def suppressions(lines: Sequence[str]) -> Suppressions:
    """The suppressing comments of a file; none if it cannot be tokenised."""
    if not any("noqa" in (low := line.lower()) or "initlint" in low for line in lines):
        return Suppressions()
    found = []
    for comment, line, spoken_of, alone in _comments(lines):
        read = _own(comment)
        if read.whole_file:
            return Suppressions(whole_file=True)
        noqa, fault = (frozenset[str](), "") if alone else _noqa(comment)
        entries, fault = read.entries | noqa, read.fault or fault
        if entries or read.own or fault:
            found.append(Comment(line, spoken_of, entries, read.own, fault))
    return Suppressions(comments=tuple(found))


class Idle(NamedTuple):
    """An unused entry of a suppressing comment, or a comment that is not understood, and why."""

    site: Site
    what: str
    reason: str


def idle(
    report: Report,
    codes: Callable[[str], Collection[str]],
    rules: Collection[Rule],
    files: Collection[str] = (),
    texts: Texts | None = None,
) -> Iterator[Idle]:
    """The unused entries of suppressing comments in the files of the report, and faulty comments.

    Reported are only entries for initlint, of rules that ran (`codes` by path), on lines that make
    or fill a layer whose following activation is known: in other cases another run may need them.
    `files` are others that were checked, `texts` has their text.
    """
    texts, hints = texts or texts_of(report), _MOST_HINTS
    prefixes = {rule.code.rstrip("0123456789") for rule in rules}
    by_path: dict[str, list[Site]] = {path: [] for path in files if _speaks(path, texts, prefixes)}
    filled: list[Site] = []
    for layer in report.layers:
        if layer.site is not None:
            sites = by_path.setdefault(layer.site.path, [])
            if layer.following.activation != "unknown":
                sites.append(layer.site)
                filled += [layer.current.site] if layer.current and layer.current.site else []
    for finding in (*report.findings, *report.silenced):
        if finding.site is not None:
            by_path.setdefault(finding.site.path, [])
    for site in filled:
        if site.path in by_path:
            by_path[site.path].append(site)
    for path, sites in sorted(by_path.items()):
        silenced = [f for f in report.silenced if f.site and f.site.path == path]
        ran = codes(path)
        for comment in suppressions(texts.lines(path)).comments:
            here = Site(path, comment.line, 1, comment.line, 1)
            if comment.fault:
                yield Idle(here, "comment", comment.fault)
            for entry in sorted((comment.entries | comment.own) - {_ANY}):
                reason = _why_idle(comment, entry, ran, sites, silenced, rules)
                if reason == _NO_SUCH_RULE and hints:
                    hints -= 1
                    reason += _nearest(entry, rules)
                if reason:
                    yield Idle(here, f"suppression of {entry}", reason)


def _speaks(path: str, texts: Texts, prefixes: Collection[str]) -> bool:
    """Whether a file may have a comment for initlint; most have none, and need not be tokenised."""
    source = texts.python(path).upper()
    for_ours = any(prefix.upper().encode() in source for prefix in prefixes)
    return b"INITLINT" in source or (for_ours and b"NOQA" in source)


def _why_idle(
    comment: Comment,
    entry: str,
    codes: Collection[str],
    sites: Sequence[Site],
    silenced: Sequence[Finding],
    rules: Collection[Rule],
) -> str:
    """Why an entry does nothing; empty where it does something, is not ours, or may be needed."""
    named = {rule.code for rule in rules if _names(rule, entry)}
    if not named:
        prefixes = tuple({rule.code.rstrip("0123456789") for rule in rules})
        is_ours = entry in comment.own or entry.upper().startswith(prefixes)
        return _NO_SUCH_RULE if is_ours else ""
    if not named & set(codes) or not any(map(comment.speaks_of, sites)):
        return ""
    used = any(comment.covers(f) and f.code in named for f in silenced)
    return "" if used else "silences nothing on this line"


def _nearest(entry: str, rules: Collection[Rule]) -> str:
    """A name to mean instead; none for what is longer than a misspelled name."""
    import difflib

    names = [name for rule in rules for name in (rule.code, rule.name)]
    close = difflib.get_close_matches(entry, names, n=1) if len(entry) <= _LONGESTENTRY else []
    return f"; did you mean {close[0]}?" if close else ""


def _names(finding: Finding | Rule, entry: str) -> bool:
    """A code, the beginning of one (as in flake8), a name, or everything."""
    return entry == _ANY or entry.lower() == finding.name or finding.code.startswith(entry.upper())


def _noqa(comment: str) -> tuple[frozenset[str], str]:
    """What a `noqa` silences, and what is wrong with it."""
    found = re.search(_NOQA, comment)
    if found is None:
        return frozenset(), ""
    # A list that cannot be understood silences nothing; only a bare noqa silences all rules.
    entries = frozenset(_split(found["entries"] or "") if found["listed"] else [_ANY])
    rest = comment[found.end() :] if found["listed"] else ""
    return entries, _fault(comment, "# noqa: INIT101") if re.match(_MISSPELT, rest) else ""


class _Own(NamedTuple):
    """What a comment for initlint says."""

    entries: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    fault: str = ""
    whole_file: bool = False


def _own(comment: str) -> _Own:
    """What the comments `initlint: …` in one comment say together."""
    own: set[str] = set()
    entries: set[str] = set()
    fault = ""
    for found in re.finditer(_OWN, comment):
        word, rest = (found["word"] or "").lower(), found["rest"].strip()
        listed, bracket, _ = rest.removeprefix("[").partition("]")
        first = re.split(r"[\s,:]", rest, maxsplit=1)[0]
        if not found["colon"]:
            # Without a colon it may be prose.
            fault = _fault(comment, f"# initlint: {word}") if word in _FORMS else fault
        elif word == "skip-file":
            return _Own(whole_file=True)
        elif word == "ignore" and rest.startswith("[") and bracket and listed.strip():
            own |= set(_words(listed))
            entries |= set(_split(listed))
        elif word == "ignore" and rest[:1] not in _OPENING and not _is_entry(first):
            entries.add(_ANY)
        elif word:
            named = first if _is_entry(first) else "INIT101"
            fault = _fault(comment, f"# initlint: ignore[{named}], or ignore for all rules")
    return _Own(frozenset(entries), frozenset(own), fault)


def _is_entry(word: str) -> bool:
    return re.fullmatch(ENTRY, word) is not None


def _fault(comment: str, instead: str) -> str:
    return f"is not understood: {cut(comment.strip())}; write {instead}"


def _split(entries: str) -> Iterable[str]:
    return filter(_is_entry, _words(entries))


def _words(entries: str) -> Iterable[str]:
    return filter(None, re.split(r"[\s,]+", entries))


def _comments(lines: Sequence[str]) -> Iterator[tuple[str, int, range, bool]]:
    """Each comment, its line, the lines that it applies to, and whether it is alone on its line.

    A trailing comment applies to its own line; one that is alone, to the statement below it, or,
    inside brackets, to the line below it.
    """
    waiting: list[tuple[str, int]] = []
    above: list[tuple[str, int]] = []
    start = 0
    for token in _tokens(lines):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            if token.line[: token.start[1]].strip():
                yield token.string, line, range(line, line + 1), False
            else:
                waiting.append((token.string, line))
        elif token.type == tokenize.NEWLINE:
            yield from ((*comment, range(start, line + 1), True) for comment in above)
            above, start = [], 0
        elif token.type not in _LAYOUT:
            if not start:
                above, waiting, start = waiting, [], line
            yield from ((*comment, range(line, line + 1), True) for comment in waiting)
            waiting = []
    yield from ((*comment, range(0), True) for comment in above + waiting)


def _tokens(lines: Sequence[str]) -> Iterator[tokenize.TokenInfo]:
    source = iter([f"{line}\n" for line in lines])
    try:
        yield from tokenize.generate_tokens(lambda: next(source, ""))
    except (tokenize.TokenError, SyntaxError):
        return

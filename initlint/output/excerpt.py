"""The source lines of a finding, with a gutter and the call marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from initlint.output.lines import Line, Styled
from initlint.records import Site
from initlint.safe.shown import masked

_TAB = 4
# Longer calls are shown by their ends.
_MOST = 8
# Of a longer line this much is shown, so that many findings on it do not repeat all of it.
_WIDEST, _BEFORE = 400, 40
BAR = Styled("|", "blue")


def excerpt(lines: Sequence[str], site: Site, style: str) -> list[Line]:
    """The lines of `site`, its expression underlined; nothing where the file has no such lines."""
    if not 1 <= site.line <= site.end_line <= len(lines):
        return []
    margin = " " * len(str(site.end_line))
    found: list[Line] = [(margin, " ", BAR)]
    for number, text, is_mark in _rows(lines, site):
        gutter = Styled(str(number).rjust(len(margin)), "blue") if number else margin
        after = _marked(text, style) if is_mark else [text.rstrip()]
        found.append([gutter, " ", BAR, *([" ", *after] if text.strip() else [])])
    return found


def gutter(site: Site | None) -> str:
    """The left margin of the notes under an excerpt."""
    return " " * len(str(site.end_line)) if site else " "


def _rows(lines: Sequence[str], site: Site) -> Iterator[tuple[int, str, bool]]:
    """Line number (0 for none), text, and whether the text is a mark."""
    if any(len(lines[number - 1]) > _WIDEST for number in (site.line, site.end_line)):
        yield from _part(lines[site.line - 1], site)
        return
    start, end = _cells(lines[site.line - 1], site.column), _end(lines, site)
    if site.line == site.end_line:
        yield site.line, _clean(lines[site.line - 1]), False
        yield 0, " " * start + "^" * max(1, end - start), True
        return
    yield site.line, "  " + _clean(lines[site.line - 1]), False
    yield 0, " " + "_" * (start + 1) + "^", True
    inner = range(site.line + 1, site.end_line + 1)
    for number in inner:
        if len(inner) < _MOST or number in (inner[0], inner[1], inner[-2], inner[-1]):
            yield number, "| " + _clean(lines[number - 1][:_WIDEST]), False
        elif number == inner[2]:
            yield 0, "| ...", False
    yield 0, "|" + "_" * end + "^", True


def _part(line: str, site: Site) -> Iterator[tuple[int, str, bool]]:
    """The part of a very long line in which an expression begins, and its first line marked."""
    begin = max(0, site.column - 1 - _BEFORE)
    ends = site.end_column if site.line == site.end_line else len(line) + 1
    part, before = line[begin : begin + _WIDEST // 2], "… " if begin else ""
    start = len(before) + _cells(part, site.column - begin)
    end = len(before) + _cells(part, min(ends - begin, len(part) + 1))
    after = " …" if begin + len(part) < len(line) else ""
    yield site.line, before + _clean(part) + after, False
    yield 0, " " * start + "^" * max(1, end - start), True


def _end(lines: Sequence[str], site: Site) -> int:
    return _cells(lines[site.end_line - 1], site.end_column)


def _marked(text: str, style: str) -> list[str | Styled]:
    """The mark in its colour, the space before it in none."""
    mark = text.lstrip()
    return [text[: len(text) - len(mark)], Styled(mark, style)]


def _clean(line: str) -> str:
    return masked(line.expandtabs(_TAB))


def _cells(line: str, column: int) -> int:
    """Terminal cells before a column: tabs and East Asian characters take more than one."""
    before = _clean(line[: column - 1])
    if before.isascii():
        return len(before)
    from rich.cells import cell_len

    return cell_len(before)

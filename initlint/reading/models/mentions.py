"""Searches the text of all files for code that may construct a class."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator

from initlint.reading.sources.files import Source
from initlint.reading.sources.resolve import Import, Module, Program

# A class used as a value, as an argument or in a table; and a class that is called.
_GIVEN = re.compile(rb"(?<=[(\[{,=:\s])([A-Za-z_]\w*)(?=\s*(?:[,)\]}\n]|if\b|else\b))")
_CALLED = re.compile(rb"(?<![\w.])([A-Za-z_]\w*)(?=\()")
_ASKED = re.compile(
    rb"isinstance|issubclass|\bcast\(|super\(|__all__|^\s*(?:from|import|class|def)\b"
)
# Where a line's comment begins.
_COMMENT = re.compile(rb"(?:[^#\"']|\"[^\"]*\"|'[^']*')*#")


def given_away(program: Program, names: set[str]) -> set[str]:
    """The classes among `names` that some unseen code may construct.

    For example: a file passes the class on as a value, or another class constructs it in code that
    may not be understood, or code looks it up by a computed name (`getattr(module, name)`).
    """
    kept = {name.encode() for name in names}
    homes: set[str] = set()
    for module in program.modules:
        if module.source.hinted:
            here = kept & module.source.words
            here -= _matching(Text(module.source, module.source.data), _GIVEN, here)
            for entry in program.names(module).values():
                if isinstance(entry, ast.ClassDef):
                    text = module.source.lines(entry.lineno, entry.end_lineno or entry.lineno)
                    inside = Text(module.source, text, entry.lineno)
                    own = entry.name.encode()
                    called = _matching(inside, _CALLED, here)
                    here -= called - {own}
                    homes |= set(_searched(program, module, text))
            kept -= module.source.words - here
    found = names - {name.decode() for name in kept}
    for module in program.modules:
        if module.parts and module.parts[-1] in homes:
            found |= names & program.names(module).keys()
    return found


# A look-up of a computed name in a module; torch's own modules do not contain the user's classes.
_TORCH = re.compile(r"torch(?=\.|$)")
LOOKED_UP = re.compile(rb"\bgetattr\(\s*([A-Za-z_][\w.]*)\s*,\s*(?![\s\"'])")


def _searched(program: Program, module: Module, text: bytes) -> Iterator[str]:
    """The last names of the modules in which a text looks up computed names."""
    for match in LOOKED_UP.finditer(text):
        first, _, rest = match[1].decode().partition(".")
        entry = program.names(module).get(first)
        if isinstance(entry, Import) and (entry.level or not _TORCH.match(entry.module)):
            whole = rest or entry.name or entry.module
            yield whole.rpartition(".")[2]


class Text:
    """A part of a file: the file, the part's text, and the number of its first line."""

    def __init__(self, source: Source, data: bytes, first: int = 1) -> None:
        self.data = data
        self._source, self._first = source, first
        self._starts: list[int] = []
        # By line, from which column on its words do nothing.
        self._idle: dict[int, int] = {}

    def does(self, place: int) -> bool:
        """Whether the place is code, in a line that does not only test a type or define a name.

        Annotations do nothing.
        """
        if not self._starts:
            self._starts = [0, *(match.end() for match in _NEWLINE.finditer(self.data))]
        line = bisect_right(self._starts, place) - 1
        start = self._starts[line]
        if line not in self._idle:
            self._idle[line] = self._idle_from(start)
        number = self._first + line
        if place - start >= self._idle[line] or number in self._source.prose:
            return False
        return (number, place - start) not in self._source.annotated

    def _idle_from(self, start: int) -> int:
        """Where the comment of the line that begins here does; 0 if the whole line does nothing."""
        end = self.data.find(b"\n", start)
        line = self.data[start : end if end >= 0 else len(self.data)]
        if _ASKED.search(line):
            return 0
        comment = _COMMENT.match(line)
        return comment.end() if comment is not None else len(line) + 1


_NEWLINE = re.compile(rb"\n")
# So many names are looked for one after the other, which is faster than to look at every word.
_FEW = 16


def _matching(text: Text, pattern: re.Pattern[bytes], names: set[bytes]) -> set[bytes]:
    """The names that the text uses in the form of the pattern."""
    if len(names) <= _FEW:
        return {name for name in names if any(_places(text, pattern, name))}
    found: set[bytes] = set()
    for match in pattern.finditer(text.data):
        name = match[1]
        if name in names and name not in found and text.does(match.start()):
            found.add(name)
    return found


def _places(text: Text, pattern: re.Pattern[bytes], name: bytes) -> Iterator[bool]:
    place = text.data.find(name)
    while place >= 0:
        match = pattern.match(text.data, place)
        yield match is not None and match[1] == name and text.does(place)
        place = text.data.find(name, place + len(name))

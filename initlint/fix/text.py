"""A source file as text: its encoding, its lines as Python counts them, its tokens."""

from __future__ import annotations

import ast
import re
import tokenize
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

# str.splitlines would also split at form feeds and Unicode separators, where Python does not.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
# Comments and strings of source that is known to parse. The module tokenize takes ten times as
# long, which is too much for every file; a test holds the two against each other.
_LEXEME = re.compile(
    r"""(?P<comment>\#[^\r\n]*)"""
    r"""|\"{3}(?:[^"\\]|\\.|"(?!""))*\"{3}|'{3}(?:[^'\\]|\\.|'(?!''))*'{3}"""
    r"""|(?P<string>"(?:[^"\\\r\n]|\\(?:\r\n|.))*"|'(?:[^'\\\r\n]|\\(?:\r\n|.))*')""",
    re.DOTALL,
)


class RefusedError(Exception):
    """This rewriting is not done; the message says why, in one sentence."""


class ArmError(RefusedError):
    """A layer is one arm of a conditional expression, the `choice`, and looks like the other."""

    def __init__(self, choice: ast.IfExp) -> None:
        super().__init__(
            "it is one arm of a conditional expression that cannot be told from the other"
        )
        self.choice = choice


class TwiceError(RefusedError):
    """The new call would name a tensor twice that has no name where the present call stands."""


@dataclass(frozen=True)
class Text:
    """Decoded source and the way back to its bytes. Positions of nodes are those of `ast`."""

    content: str
    encoding: str

    def encode(self, content: str) -> bytes:
        """The bytes of another content in this file's encoding, with its byte order mark if any."""
        return content.encode(self.encoding)

    @cached_property
    def lines(self) -> list[str]:
        return _LINE.findall(self.content)

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line))
        return starts

    @cached_property
    def newline(self) -> str:
        """The ending that most lines have."""
        endings = Counter(re.findall(r"\r\n|\r|\n", self.content))
        return endings.most_common(1)[0][0] if endings else "\n"

    @cached_property
    def comments(self) -> list[str]:
        return comments_of(self.content)

    @cached_property
    def quote(self) -> str:
        """The quote for new strings: single if all strings that had the choice are single."""
        strings = (match["string"] for match in _LEXEME.finditer(self.content))
        free = {s[0] for s in strings if s and not ("'" in s and '"' in s)}
        return "'" if free == {"'"} else '"'

    def offset(self, line: int, byte_column: int) -> int:
        """The offset of a position of `ast` in the content."""
        text = self.lines[line - 1]
        if not text.isascii():
            byte_column = len(text.encode()[:byte_column].decode())
        return self._starts[line - 1] + byte_column

    def byte_column(self, line: int, column: int) -> int:
        """The column of `ast` (bytes from 0) for a column in characters from 1."""
        if not 1 <= line <= len(self.lines):
            return -1
        return len(self.lines[line - 1][: column - 1].encode())

    def span(self, node: ast.expr | ast.stmt | ast.alias) -> tuple[int, int]:
        """Where a node begins and ends in the content."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno, node.end_col_offset),
        )

    def segment(self, node: ast.expr | ast.stmt) -> str:
        """The source text of a node."""
        start, end = self.span(node)
        return self.content[start:end]

    def before(self, node: ast.expr | ast.stmt) -> str:
        """The text before a node on its first line."""
        return self.content[self._starts[node.lineno - 1] : self.span(node)[0]]

    def after(self, node: ast.expr | ast.stmt) -> str:
        """The text after a node on its last line, without the line's ending."""
        end_line = node.end_lineno or node.lineno
        return self.content[self.span(node)[1] : self._starts[end_line]].rstrip("\r\n")

    def ending(self, line: int) -> str:
        """The ending of a line; "" for a last line without one."""
        written = self.lines[line - 1]
        return written[len(written.rstrip("\r\n")) :]

    def shares_line(self, statement: ast.stmt) -> bool:
        """Whether other code is on the lines of a statement."""
        after = self.after(statement).strip()
        return bool(self.before(statement).strip() or (after and not after.startswith("#")))

    def indent(self, line: int) -> str:
        """The blanks that a line begins with."""
        written = self.lines[line - 1]
        return written[: len(written) - len(written.lstrip())]


def decode(source: bytes) -> Text:
    """The text of a file's bytes. Raises RefusedError if the way back gives other bytes."""
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(source).readline)
        content = source.decode(encoding)
        unchanged = content.encode(encoding) == source
    except (SyntaxError, UnicodeError) as error:
        raise RefusedError(f"the file cannot be decoded: {error}") from None
    if not unchanged:
        raise RefusedError(
            f"the file does not come back byte for byte from its encoding, {encoding}"
        )
    return Text(content, encoding)


def comments_of(content: str) -> list[str]:
    """The comments of a source text that parses, in order."""
    found = (match["comment"] for match in _LEXEME.finditer(content))
    return [comment for comment in found if comment]

"""Output as lines of pieces, which one function escapes and joins; and output as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from initlint.output.paint import painter
from initlint.safe.shown import COMMAND, shown


class Styled(NamedTuple):
    """A piece of a line, in a style of rich."""

    text: str
    style: str


# A line is one string or several pieces. Names, messages and source go in as they are.
Line = str | Sequence[str | Styled]


def joined(lines: Iterable[Line], *, colour: bool = False) -> str:
    """The lines as text, each with a newline after it.

    No piece can end a line or steer a terminal: control characters in it become escapes.
    """
    paint = painter(colour)

    def text(piece: str | Styled) -> str:
        if isinstance(piece, Styled):
            return paint(shown(piece.text), piece.style)
        return shown(piece)

    pieces = ((line,) if isinstance(line, str) else line for line in lines)
    return "".join("".join(map(text, line)) + "\n" for line in pieces)


def as_json(content: Any) -> str:
    """`content` as JSON in plain ASCII, indented, without raw control characters."""
    import json

    # json escapes all of them but DEL, which stands in strings only, as commands of a CI do.
    text = json.dumps(content, indent=2, allow_nan=False).replace("\x7f", "\\u007f")
    return re.sub(COMMAND, r"\\u0023", text) + "\n"

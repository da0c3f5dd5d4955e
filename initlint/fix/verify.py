"""A file printed by libcst after its edits, and the last word on it: all that is foreign stays."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from initlint.fix.edits import Edit
from initlint.fix.parsed import Parsed, tree_of
from initlint.fix.text import RefusedError, Text, comments_of


def printed(parsed: Parsed, edits: Sequence[Edit]) -> str:
    """The file after all edits, as libcst prints it.

    Raises RefusedError where libcst cannot parse the file, or does not print it as it is: a form
    feed before the first line, say, or lines that end with carriage returns alone.
    """
    import libcst

    from initlint.fix.transform import transformed

    content, tail = _without_tail(parsed.text.content)
    try:
        with _uncollected():
            module = libcst.parse_module(content)
            if module.code != content:
                raise RefusedError("libcst does not print the file as it is")
            unit = parsed.indent_unit
            return transformed(module, parsed.tree, parsed.text, edits, unit).code + tail
    except libcst.ParserSyntaxError as error:
        raise RefusedError(f"libcst cannot parse the file: {error.message}") from None
    except RecursionError:
        raise RefusedError("the file is nested too deep for libcst") from None


def verify(old: Text, new: Text, touched: Collection[int]) -> None:
    """Raises RefusedError, with the reason, if `new` must not take the place of `old`.

    `touched` holds the numbers of the lines that are meant to differ; every other line of the
    old file must come again, in order, and so must every comment.
    """
    tree_of(new.content)
    if comments_of(new.content) != old.comments:
        raise RefusedError("a comment would be lost")
    if not _survive(old.lines, new.lines, touched):
        raise RefusedError("a line that is not ours would change")


def _without_tail(content: str) -> tuple[str, str]:
    """A file without the blank lines at its end, and these: libcst drops what is in them."""
    end = len(content.rstrip())
    end = content.find("\n", end) + 1 or len(content)
    return content[:end], content[end:]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Spare the collector a large tree without cycles, and walks over all that torch holds."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _survive(old: list[str], new: list[str], corrected: Collection[int]) -> bool:
    """Whether the old lines that were not corrected come in the same order among the new ones."""
    remaining = iter(new)
    kept = [line for number, line in enumerate(old, 1) if number not in corrected]
    # A last line without an ending gets one where calls are added after it.
    return all(
        any(found == line or found.rstrip("\r\n") == line for found in remaining) for line in kept
    )

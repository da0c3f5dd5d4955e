"""The last word on a rewritten file: it parses, and everything foreign is still there."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from initlint.fix.parsed import tree_of
from initlint.fix.text import RefusedError, Text, comments_of


def verify(old: Text, new: Text, corrected: Collection[int]) -> None:
    """Raises RefusedError, with the reason, if `new` must not take the place of `old`.

    `corrected` holds the numbers of the lines that are meant to differ; every other line of the
    old file must come again, in order, and so must every comment.
    """
    tree_of(new.content)
    _check_libcst(old.content, new.content)
    if comments_of(new.content) != old.comments:
        raise RefusedError("a comment would be lost")
    if not _survive(old.lines, new.lines, corrected):
        raise RefusedError("a line that is not ours would change")


def _check_libcst(old: str, new: str) -> None:
    try:
        # A few files libcst never prints as they are: form feeds, lone carriage returns.
        if _printed(new) != new and _printed(old) == old:
            raise RefusedError("libcst does not print the result as it is")
    except RecursionError:
        raise RefusedError("the file is nested too deep for libcst") from None


def _printed(content: str) -> str:
    import libcst

    try:
        with _uncollected():
            return libcst.parse_module(content).code
    except libcst.ParserSyntaxError as error:
        raise RefusedError(f"libcst cannot parse the result: {error.message}") from None


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

"""Work that calls itself deeply, with room for its frames set aside beforehand.

CPython keeps frames in chunks of 16 KiB and gives each back as soon as its last frame returns, so
that a loop which happens to run at the end of a chunk has memory mapped anew with every call. A
frame that asks for more than half a mebibyte makes it map a whole one, and leaves the rest to
those above it: enough for as many frames as Python lets stand on one another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")
# In pointers, of eight bytes each.
_ROOM = 66_000


def roomy(work: Callable[[], _Result]) -> _Result:
    """What `work` gives."""
    return work()


roomy.__code__ = roomy.__code__.replace(co_stacksize=_ROOM)

"""Text of others as it may be shown: on one line, and names as Python source spells them."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

# Control characters (C0, DEL, C1), line and paragraph separators, marks and overrides of the
# writing direction, lone surrogates (of file names that are no UTF-8): whatever ends a line, steers
# a terminal, or cannot be encoded.
STEERING = (
    r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    # Nothing is seen of these: two names that differ by them look alike.
    r"\xad\u180e\u200b-\u200d\u2060-\u2064\ufeff\U000e0000-\U000e007f"
)
# What Azure Pipelines, TeamCity and GitHub obey wherever it stands in a line of a log.
COMMAND = r"\#(?=\#(?:vso|teamcity)?\[)"
_STEERING = re.compile(f"[{STEERING}]|{COMMAND}")
# What GitHub obeys at the beginning of a line.
_OPENING = "::"


def shown(text: str) -> str:
    """`text` on one line, without what would end the line, steer a terminal or command a CI.

    Such characters become Python escapes: `\\n`, and `\\x3a:` for a `::` at the beginning.
    """
    harmless = _STEERING.sub(escape, text)
    if harmless.lstrip().startswith(_OPENING):
        return harmless.replace(":", r"\x3a", 1)
    return harmless


def cut(text: str, most: int = 80) -> str:
    """The beginning of a text that may be long, for a message."""
    return text if len(text) <= most else f"{text[:most]}…"


def escape(found: re.Match[str]) -> str:
    """One character as Python escapes it: `\\n`, `\\x1b`, `\\u202e`."""
    if found[0].isascii() and found[0].isprintable():
        return f"\\x{ord(found[0]):02x}"
    return found[0].encode("unicode_escape").decode("ascii")


def masked(line: str) -> str:
    """`line` with a replacement character for each one that steers, so that columns stay."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", line)


def literal(text: str) -> str:
    """`text` as a string literal of Python in double quotes, fit to be shown."""
    return '"' + shown(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def access(owner: str, parameter: str) -> str:
    """The expression that reaches a parameter: self.features[0].weight.

    Without an owner, the parameter is named within the model.
    """
    names = parameter.split(".")
    return reach(owner, names) if owner else reach("model", names).removeprefix("model.")


def reach(base: str, names: Iterable[str]) -> str:
    """The expression for a member of `base` by the parts of its qualified name.

    `getattr(self.heads, "a b")` reaches modules of all kinds, as `self.heads["a b"]` would not.
    """
    for name in names:
        if name.isascii() and name.isdigit() and str(int(name)) == name:
            base = f"{base}[{name}]"
        elif is_attribute(name):
            base = f"{base}.{name}"
        else:
            base = f"getattr({base}, {literal(name)})"
    return base


def is_attribute(name: str) -> bool:
    """Whether Python source can spell `name` after a dot."""
    return name.isidentifier() and not keyword.iskeyword(name)

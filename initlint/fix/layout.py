"""New code as lines: loops around calls, long calls broken as black breaks them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 100


@dataclass(frozen=True)
class Insertion:
    """A call to stand after `line`, within `headers` (loops and tests, outermost first).

    `order` is the position of the layer that it fills; `tensor` is what it fills.
    """

    line: int
    indent: str
    order: tuple[int, int]
    headers: tuple[str, ...]
    call: str
    tensor: str


def laid_out(insertions: Sequence[Insertion], unit: str) -> list[str]:
    """The lines of the insertions after one line, without endings.

    Deeper ones come first, because they continue a block that ends there; of one block, the
    layers' order counts, and neighbours within the same loop share it.
    """
    lines: list[str] = []
    open_headers: tuple[str, ...] = ()
    open_indent = ""
    for insertion in sorted(insertions, key=lambda i: (-_width(i.indent), i.order)):
        shared = 0
        if insertion.indent == open_indent:
            pairs = zip(open_headers, insertion.headers, strict=False)
            shared = next(
                (i for i, (a, b) in enumerate(pairs) if a != b),
                min(len(open_headers), len(insertion.headers)),
            )
        for depth, header in enumerate(insertion.headers[shared:], shared):
            lines.append(insertion.indent + unit * depth + header)
        indent = insertion.indent + unit * len(insertion.headers)
        lines += call_lines(insertion.call, indent, unit)
        open_headers, open_indent = insertion.headers, insertion.indent
    return lines


def call_lines(call: str, indent: str, unit: str, taken: int = 0) -> list[str]:
    """A call on as many lines as it needs; `taken` columns of the first line hold other code."""
    if _width(indent) + taken + len(call) <= WIDTH:
        return [indent + call]
    expression = ast.parse(call, mode="eval").body
    assert isinstance(expression, ast.Call)
    arguments = [ast.get_source_segment(call, argument) or "" for argument in expression.args]
    for keyword in expression.keywords:
        arguments.append(f"{keyword.arg}={ast.get_source_segment(call, keyword.value)}")
    head = (ast.get_source_segment(call, expression.func) or "") + "("
    inner = indent + unit
    together = ", ".join(arguments)
    if _width(inner) + len(together) <= WIDTH:
        return [indent + head, inner + together, indent + ")"]
    return [indent + head, *(f"{inner}{a}," for a in arguments), indent + ")"]


def _width(indent: str) -> int:
    return len(indent.expandtabs(4))

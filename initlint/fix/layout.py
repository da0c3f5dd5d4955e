"""New code as lines: loops around calls, long calls broken as black breaks them."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

WIDTH = 100


@dataclass(frozen=True)
class Insertion:
    """A call to stand after `line`, within `headers` (loops, tests, functions, outermost first).

    `order` is the position of the layer that it fills and what comes first of one layer; `tensor`
    is what it fills. `variable` is a name that is free for a loop over several layers.
    """

    line: int
    indent: str
    order: tuple[int, str, int]
    headers: tuple[str, ...]
    call: str
    tensor: str
    variable: str = ""


# A run of layers as long as this shares a loop.
_RUN = 3
# A test of what a name or an attribute holds.
_TYPE_TEST = re.compile(r"if isinstance\(([\w.\[\]]+), ")


def laid_out(insertions: Sequence[Insertion], unit: str) -> list[str]:
    """The lines of the insertions after one line, without endings.

    Deeper ones come first, because they continue a block that ends there; of one block, the
    layers' order counts, and neighbours within the same loop share it.
    """
    lines: list[str] = []
    open_headers: tuple[str, ...] = ()
    open_indent = ""
    for insertion in _looped(sorted(insertions, key=lambda i: (-_width(i.indent), i.order))):
        shared = 0
        if insertion.indent == open_indent:
            pairs = zip(open_headers, insertion.headers, strict=False)
            shared = next(
                (i for i, (a, b) in enumerate(pairs) if a != b),
                min(len(open_headers), len(insertion.headers)),
            )
        for depth, header in enumerate(insertion.headers[shared:], shared):
            if depth == shared and _continues(open_headers[depth : depth + 1], header):
                header = f"el{header}"
            lines += _opening(header, insertion.indent + unit * depth, unit)
        indent = insertion.indent + unit * len(insertion.headers)
        lines += call_lines(insertion.call, indent, unit)
        open_headers, open_indent = insertion.headers, insertion.indent
    # What ends a module's own block is a function before a class.
    is_function = bool(open_headers) and open_headers[0].startswith("def ")
    return [*lines, "", ""] if is_function and not open_indent else lines


def _continues(before: tuple[str, ...], header: str) -> bool:
    """Whether a test of a module's type follows another one, of which it is the alternative."""
    own = _TYPE_TEST.match(header)
    others = [_TYPE_TEST.match(text) for text in before]
    return any(own and other and own[1] == other[1] for other in others)


def _opening(header: str, indent: str, unit: str) -> list[str]:
    """A header's lines: a method has an empty line above it, a long loop is broken."""
    if header.startswith("def "):
        return ["", indent + header] if indent else [indent + header]
    if _width(indent) + len(header) <= WIDTH or not header.endswith("):"):
        return [indent + header]
    head, _, members = header.removesuffix("):").partition(" in (")
    if _width(indent + unit) + len(members) <= WIDTH:
        return [f"{indent}{head} in (", indent + unit + members, f"{indent}):"]
    each = [f"{indent}{unit}{member}," for member in members.split(", ")]
    return [f"{indent}{head} in (", *each, f"{indent}):"]


def _looped(insertions: Sequence[Insertion]) -> list[Insertion]:
    """The same, with one loop for a run of layers that are all filled in the same way."""
    layers = [tuple(group) for _, group in groupby(insertions, key=_of_layer)]
    found: list[Insertion] = []
    for _, run in groupby(layers, key=_recipe):
        same = list(run)
        if len(same) < _RUN or not _recipe(same[0]):
            found += [insertion for layer in same for insertion in layer]
            continue
        owners = [_owner(layer[0]) for layer in same]
        variable = same[0][0].variable
        header = f"for {variable} in ({', '.join(owners)}):"
        for insertion in same[0]:
            inner = tuple(_over(text, owners[0], variable) for text in insertion.headers)
            call = _over(insertion.call, owners[0], variable)
            found.append(replace(insertion, headers=_within(header, inner), call=call))
    return found


def _within(header: str, inner: tuple[str, ...]) -> tuple[str, ...]:
    """The loop inside the functions and tests of types that are around it."""
    outside = sum(text.startswith("def ") for text in inner)
    return (*inner[:outside], header, *inner[outside:])


def _of_layer(insertion: Insertion) -> tuple[str, ...]:
    return (insertion.indent, _owner(insertion))


def _owner(insertion: Insertion) -> str:
    return insertion.tensor.rpartition(".")[0]


def _recipe(layer: Sequence[Insertion]) -> tuple[tuple[str, ...], ...]:
    """What is done to a layer, whatever it is called; () if that cannot stand in a loop."""
    owner, first = _owner(layer[0]), layer[0]
    texts = [text for insertion in layer for text in insertion.headers]
    if not first.variable or any(text.startswith("for ") for text in texts):
        return ()
    if "." not in owner and "[" not in owner:
        return ()
    return tuple(
        (i.indent, *(_over(text, owner, "{layer}") for text in (*i.headers, i.call))) for i in layer
    )


def _over(text: str, owner: str, variable: str) -> str:
    return re.sub(rf"(?<![\w.]){re.escape(owner)}(?![\w\[])", variable, text)


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

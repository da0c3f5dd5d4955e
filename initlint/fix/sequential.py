"""A loop over a Sequential with a test of the class, for calls on several of its layers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from initlint.fix.edits import Function, Header, Insertion, Loop, Member, is_instance
from initlint.fix.members import slice_text
from initlint.fix.parsed import Block, Entry, Parsed, entry_of
from initlint.fix.spot import Spot, dotted, last_name

# So many layers share a loop.
RUN = 3


def member_of(parsed: Parsed, spot: Spot, owner: str) -> Member | None:
    """The place of a layer in a Sequential that is written out; None if it is in none.

    None, too, if a member may be of the layer's class without saying so.
    """
    holder = spot.chain[-2]
    written = dotted(spot.call.func)
    if not isinstance(holder, ast.Call) or last_name(holder.func) != "Sequential" or not written:
        return None
    if spot.call not in holder.args or "Sequential" in parsed.own_classes:
        return None
    index = holder.args.index(spot.call)
    base = owner.removesuffix(f"[{index}]")
    classes = [dotted(a.func) if isinstance(a, ast.Call) else None for a in holder.args]
    plain = all(name and name.rpartition(".")[2][:1].isupper() for name in classes)
    if base == owner or not plain or parsed.own_classes.intersection(map(str, classes)):
        return None
    alike = tuple(place for place, name in enumerate(classes) if name == written)
    return Member(base, index, written, alike, len(classes)) if len(alike) >= RUN else None


def over_run(layers: Sequence[Sequence[Insertion]]) -> tuple[Header, ...] | None:
    """The loop and the test that select exactly these layers of one Sequential."""
    members = [layer[0].member for layer in layers]
    first = members[0]
    if first is None or len(members) < RUN:
        return None
    chosen = {member.place for member in members if member is not None}
    start = max((i + 1 for i in first.alike if i < min(chosen)), default=0)
    end = min((i for i in first.alike if i > max(chosen)), default=first.length)
    if {i for i in first.alike if start <= i < end} != chosen:
        return None
    return _headers(first, start, end, layers[0][0].variable)


def _headers(member: Member, start: int, end: int, variable: str) -> tuple[Header, ...]:
    over = member.base + slice_text(start, member.length - end)
    return Loop(variable, over), is_instance(variable, [member.written])


def in_loops(insertion: Insertion, block: Block) -> Iterator[Entry]:
    """What stands in a block of the loops over its layer and others that do the insertion."""
    member = insertion.member
    if member is None:
        return
    headers = _headers(member, 0, member.length, insertion.variable)
    over_all = entry_of(within(insertion, headers).lines())
    for entry in block.loops.get(over_all[1:], ()):
        taken = _SLICE.fullmatch(entry[0].removeprefix(over_all[0]))
        start, left = (int(number or 0) for number in taken.groups()) if taken else (0, None)
        if left is not None and _ends_at(member, start, member.length - left):
            yield entry


# The part of a Sequential that a loop goes through, without so many at its start and its end.
_SLICE = re.compile(r"(?:\[(\d*):(?:-(\d+))?\])?")


def _ends_at(member: Member, start: int, end: int) -> bool:
    """Whether a part of a Sequential has this layer, and ends beside others of its class."""
    is_start = start == 0 or start - 1 in member.alike
    is_end = end == member.length or end in member.alike
    return is_start and is_end and start <= member.place < end


def within(insertion: Insertion, headers: tuple[Header, ...]) -> Insertion:
    """A layer's call in a loop over it and others, which stands in the functions around it."""
    owner, variable = insertion.call.owner, insertion.variable
    inner = tuple(header.renamed(owner, variable) for header in insertion.headers)
    call = insertion.call.renamed(owner, variable)
    outside = sum(isinstance(header, Function) for header in inner)
    return insertion._replace(headers=(*inner[:outside], *headers, *inner[outside:]), call=call)

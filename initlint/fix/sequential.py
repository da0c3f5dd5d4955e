"""A loop over a Sequential with a test of the class, for calls on several of its layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initlint.fix.edits import Function, Header, Insertion, Loop, Member, is_instance
from initlint.fix.members import slice_text
from initlint.fix.parsed import Entry, Parsed, entry_of
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


def in_loops(insertion: Insertion) -> Iterator[Entry]:
    """The insertion as it would stand in any loop that `over_run` gives for its layer."""
    member = insertion.member
    if member is None:
        return
    starts = [0, *(i + 1 for i in member.alike if i < member.place)]
    ends = [*(i for i in member.alike if i > member.place), member.length]
    for start in starts:
        for end in ends:
            headers = _headers(member, start, end, insertion.variable)
            yield entry_of(within(insertion, headers).lines())


def within(insertion: Insertion, headers: tuple[Header, ...]) -> Insertion:
    """A layer's call in a loop over it and others, which stands in the functions around it."""
    owner, variable = insertion.call.owner, insertion.variable
    inner = tuple(header.renamed(owner, variable) for header in insertion.headers)
    call = insertion.call.renamed(owner, variable)
    outside = sum(isinstance(header, Function) for header in inner)
    return insertion._replace(headers=(*inner[:outside], *headers, *inner[outside:]), call=call)

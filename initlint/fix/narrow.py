"""Some members of a run of layers: the slice or the indices that leave out the others."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from initlint.fix.locate import last_name
from initlint.fix.member import Each, Handed, Item, Step
from initlint.fix.qualified import PARAMETER
from initlint.fix.target import Target
from initlint.fix.text import RefusedError

_FEW = 4
_REFUSED = "other layers made by this line need another initialiser"


def narrowed(
    target: Target, call: ast.Call, names: Sequence[str], spared: Sequence[str]
) -> list[Target]:
    """The target without the members called `spared`. Raises RefusedError."""
    if not spared:
        return [target]
    loops = [i for i, step in enumerate(target.steps) if isinstance(step, Each)]
    each = target.steps[loops[0]] if len(loops) == 1 else None
    if not isinstance(each, Each) or each.run is None or _is_handed(target):
        raise RefusedError(_REFUSED)
    own = 0 if last_name(call.func) in PARAMETER else 1
    # The parts of the name that come after the loop's, the parameter's own among them.
    later = own + len(target.pattern) - 1 - target.pattern.index(None)
    chosen = sorted({_member(name, later) for name in names})
    others = sorted({_member(name, later) for name in spared})
    steps = _without(each.run, chosen, others)
    if steps is None:
        return [_with(target, loops[0], Item(str(index), str(index))) for index in chosen[:_FEW]]
    return [_with(target, loops[0], steps)]


def _without(run: tuple[int, int, int], chosen: list[int], others: list[int]) -> Each | None:
    """The loop over `chosen` alone; None if they do not stand together."""
    before, after, step = run
    members = sorted({*chosen, *others})
    if members != list(range(before, before + step * len(members), step)):
        raise RefusedError(_REFUSED)
    front = members.index(chosen[0])
    back = len(members) - 1 - members.index(chosen[-1])
    if front + back == len(others):
        return Each.of_run(before + step * front, after + step * back, step)
    if len(chosen) > _FEW:
        raise RefusedError(_REFUSED)
    return None


def _member(name: str, later: int) -> int:
    parts = name.split(".")
    index = parts[-1 - later] if later < len(parts) else ""
    if not index.isdigit():
        raise RefusedError(_REFUSED)
    return int(index)


def _is_handed(target: Target) -> bool:
    return any(isinstance(part, Handed) for part in target.pattern)


def _with(target: Target, index: int, step: Step) -> Target:
    steps = (*target.steps[:index], step, *target.steps[index + 1 :])
    return replace(target, steps=steps)

"""Loaded weights that an initialisation draws again."""

from collections.abc import Mapping, Sequence
from itertools import takewhile

from initlint.judge import (
    Call,
    Draw,
    Model,
    Parameter,
    Problem,
    Problems,
    is_by_visit,
    line_of,
    named,
    overwritten,
    shown,
)


def pretrained_overwritten(record: Model | Call) -> Problems:
    """Weights that were loaded from a file, all of which a walk over modules then fills."""
    if isinstance(record, Model):
        yield from _lost(record)
    elif record.effect == "reloaded":
        yield record, f"{record.spelled} {record.reason}, which is lost"


def _lost(model: Model) -> Problems:
    """The weights of a model that were loaded, and that a walk over its modules fills."""
    lost: dict[object, list[tuple[Parameter, Draw, Draw]]] = {}
    for parameter in model.filled:
        for load, later in overwritten(parameter):
            is_lost = load.by == "load" and is_by_visit(later) and not _is_loaded(parameter, later)
            if is_lost and _counts(parameter, load):
                lost.setdefault(load.site, []).append((parameter, load, later))
    loaded_at = _loaded_at(model) if lost else {}
    for site, found in lost.items():
        if not _are_of_a_kind([parameter for parameter, _, _ in found], loaded_at[site]):
            # To draw only some again is a choice: a new head, or the last layers.
            continue
        for parameter, load, later in found:
            # A load under a condition, such as `if resume:`, is lost whenever it is made.
            loaded = "its values were loaded" if load.certain else "values that are loaded for it"
            message = (
                f"{named(parameter)} is drawn again by {shown(later)}; "
                f"{loaded}{line_of(load)}{_end(load)}"
            )
            yield Problem(parameter, message, at=later.site)


def _end(load: Draw) -> str:
    return ", and are lost" if load.certain else " are lost"


def _is_loaded(parameter: Parameter, walk: Draw) -> bool:
    """Whether something else than a walk may have filled the parameter after this one."""
    place = next(i for i, draw in enumerate(parameter.history) if draw is walk)
    return any(not is_by_visit(draw) for draw in parameter.history[place + 1 :])


def _loaded_at(model: Model) -> Mapping[object, list[Parameter]]:
    """By line, the weights of layers that were loaded there."""
    found: dict[object, list[Parameter]] = {}
    for parameter in model.filled:
        sites = {d.site for d in parameter.history if d.by == "load" and _counts(parameter, d)}
        for site in sites:
            found.setdefault(site, []).append(parameter)
    return found


def _counts(parameter: Parameter, load: Draw) -> bool:
    """Whether a load is of a layer's weight, or of an embedding's table that is given it alone."""
    is_table = parameter.kind == "table" and load.spelled == "from_pretrained"
    return is_table or parameter.kind == "weight"


def _are_of_a_kind(lost: Sequence[Parameter], loaded: Sequence[Parameter]) -> bool:
    """Whether a walk draws all loaded weights again, or all of one class wherever they lie.

    For example all `nn.Linear` of a transformer, but not its attention. A part all of whose weights
    are drawn again may be replaced on purpose, and so may the last layers.
    """
    if len(lost) == len(loaded):
        return True
    holders = {parameter.holder for parameter in lost}
    if len(lost) < sum(parameter.holder in holders for parameter in loaded):
        return False
    folders = [parameter.name.split(".")[:-2] for parameter in lost]
    levels = takewhile(lambda words: len({*words}) == 1, zip(*folders, strict=False))
    part = [words[0] for words in levels]
    names = [p.name for p in loaded if p.name.split(".")[: len(part)] == part]
    drawn = {parameter.name for parameter in lost}
    first = next(place for place, name in enumerate(names) if name in drawn)
    return len(lost) > 1 and not drawn.issuperset(names[first:])

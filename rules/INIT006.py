"""Loaded weights that an initialisation draws again."""

from collections import Counter
from collections.abc import Mapping

from initlint.judge import (
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


def pretrained_overwritten(model: Model) -> Problems:
    """Weights that were loaded from a file, all of which a walk over modules then fills."""
    lost: dict[object, list[tuple[Parameter, Draw, Draw]]] = {}
    for parameter in model.filled:
        for load, later in overwritten(parameter):
            is_lost = load.by == "load" and is_by_visit(later) and not _is_loaded(parameter, later)
            if parameter.kind == "weight" and is_lost:
                lost.setdefault(load.site, []).append((parameter, load, later))
    loaded_at = _loaded_at(model) if lost else {}
    for site, found in lost.items():
        if len(found) < loaded_at[site]:
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


def _loaded_at(model: Model) -> Mapping[object, int]:
    """By line, how many weights of layers were loaded there."""
    weights = [p.history for p in model.filled if p.kind == "weight"]
    return Counter(
        site for history in weights for site in {draw.site for draw in history if draw.by == "load"}
    )

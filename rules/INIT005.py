"""Initialisations for one parameter that a broader one undoes."""

from itertools import pairwise

from initlint.judge import (
    Draw,
    Model,
    Parameter,
    Problem,
    Problems,
    constant,
    is_by_visit,
    is_same,
    is_whole,
    line_of,
    named,
    overwritten,
    shown,
)

# A std so many times smaller than that of the others was written on purpose.
_SMALLER = 4
# Two calls of one function that are further apart may be alternatives.
_LINES = 10
# A number and a draw that are further apart may be those of two classes.
_BESIDE = 3


def init_overwritten(model: Model) -> Problems:
    """A special initialisation that is lost because a walk over all modules fills the parameter."""
    for parameter in model.filled:
        yield from _undone(parameter, model)
        yield from _twice(parameter, model)


def _undone(parameter: Parameter, model: Model) -> Problems:
    for special, broad in overwritten(parameter):
        if not _is_lost(parameter, special, broad) or _is_restored(parameter, broad):
            continue
        if _is_narrow(special, broad, model):
            how = f"{broad.through or 'a loop'}, which visits {broad.visited} modules"
            message = (
                f"{named(parameter)} is given {_given(special)} here, and then {shown(broad)}"
                f"{line_of(broad)} by {how}; nothing of the first is left"
            )
            yield Problem(parameter, message, at=special.site)


def _is_lost(parameter: Parameter, special: Draw, broad: Draw) -> bool:
    """Whether a write of special values is undone by a walk over modules."""
    if special.by not in ("user", "copy") or not is_by_visit(broad) or is_same(special, broad):
        return False
    return _is_special(parameter, special, broad)


def _is_narrow(special: Draw, broad: Draw, model: Model) -> bool:
    """Whether a write names its parameter, or is for much fewer than the other."""
    if 2 * special.visited <= broad.visited:
        return True
    return 2 * len(model.written[special.site]) <= len(model.written[broad.site])


def _is_special(parameter: Parameter, draw: Draw, broad: Draw) -> bool:
    """Whether no general scheme would write this: so somebody wanted it."""
    if _is_copy(draw):
        return parameter.kind in ("weight", "table", "bare") and draw.certain
    if draw.part:
        return parameter.kind == "bias" and draw.spelled not in ("zero_", "zeros_")
    if draw.name == "unknown":
        return draw.spelled in ("copy_", "data", "mul_", "div_")
    value = constant(draw)
    if value is not None:
        return value not in _usual(parameter, draw)
    if draw.name in ("eye_", "dirac_"):
        return True
    is_small = bool(draw.std and broad.std and _SMALLER * draw.std <= broad.std)
    is_recurrent = draw.name == "orthogonal_" and "weight_hh" in parameter.name
    return parameter.kind == "weight" and (is_small or is_recurrent)


def _given(draw: Draw) -> str:
    """What a write gives, in words: what a number or a call leaves, or that it is a copy."""
    return "the values of another parameter" if _is_copy(draw) else shown(draw)


def _is_copy(draw: Draw) -> bool:
    """Whether a write copies all of another parameter, as that of a student into its teacher."""
    return draw.by == "copy" and not draw.part and draw.name != "unknown"


def _usual(parameter: Parameter, draw: Draw) -> tuple[float, ...]:
    """The numbers that nobody means anything by."""
    if parameter.kind == "bias":
        return (0.0,)
    if parameter.kind == "norm":
        return (1.0,)
    # A bare parameter is made of zeros or ones only to have a size.
    is_new = parameter.kind == "bare" and draw is parameter.history[0]
    return (0.0, 1.0) if is_new else ()


def _is_restored(parameter: Parameter, broad: Draw) -> bool:
    """Whether something other than the walk may have filled the parameter once more."""
    place = next(i for i, draw in enumerate(parameter.history) if draw is broad)
    return any(not is_by_visit(draw) for draw in parameter.history[place + 1 :])


def _twice(parameter: Parameter, model: Model) -> Problems:
    """A weight that gets a number besides its values, while its bias gets none: a slip."""
    history = parameter.history
    for first, second in pairwise(history):
        if not (first.by == second.by == "user" and is_whole(first) and is_whole(second)):
            continue
        is_next = first.through == second.through and 0 < _lines(first, second) <= _LINES
        if is_same(first, second) or not is_next or first.visited != second.visited:
            continue
        if parameter.kind == "table" and constant(first) is None and constant(second) == 0:
            message = (
                f"{named(parameter)} is given {shown(first)}{line_of(first)}, and then all of it "
                "becomes 0 here: an index that is None takes every row"
            )
            yield Problem(parameter, message, at=second.site)
            continue
        bias = _bias_beside(parameter, model)
        if bias is not None and constant(second) is not None and second.visited:
            message = (
                f"{named(parameter)} is given {shown(first)}{line_of(first)} and then "
                f"{shown(second)} here; nothing fills {named(bias)}: this line is meant for it"
            )
            yield Problem(parameter, message, at=second.site)
        elif bias is not None and _is_drawn_at_once(first, second):
            message = (
                f"{named(parameter)} is given {shown(first)} here and then {shown(second)}"
                f"{line_of(second)}; nothing fills {named(bias)}: this line is meant for it"
            )
            yield Problem(parameter, message, at=first.site)


def _is_drawn_at_once(first: Draw, second: Draw) -> bool:
    """Whether a weight is given a number, and values of another distribution right after it."""
    is_beside = _lines(first, second) <= _BESIDE
    return is_beside and constant(first) is not None and constant(second) is None


def _lines(first: Draw, second: Draw) -> int:
    """How many lines further down the second write stands; 0 if that is not known."""
    if first.site is None or second.site is None or first.site.path != second.site.path:
        return 0
    return second.site.line - first.site.line


def _bias_beside(parameter: Parameter, model: Model) -> Parameter | None:
    """The bias of a weight's layer, if only torch has filled it."""
    layer, _, name = parameter.name.rpartition(".")
    wanted = f"{layer}.bias" if layer else "bias"
    found = model.parameter(wanted) if name == "weight" else None
    return found if found and all(draw.by == "torch" for draw in found.history) else None

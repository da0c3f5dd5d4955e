"""Gains of norms that begin with a number which contradicts how forward uses them."""

from functools import lru_cache

from initlint.judge import (
    Model,
    Parameter,
    Problem,
    Problems,
    constant,
    is_by_visit,
    is_whole,
    named,
)


def norm_gain(model: Model) -> Problems:
    """A gain of one where forward adds one to it, and of zero where forward multiplies with it."""
    for parameter in model.parameters:
        value = _value(parameter)
        if parameter.multiplied == "one more" and value == 1:
            last = parameter.history[-1]
            message = (
                f"{named(parameter)} begins with 1, but {parameter.holder} multiplies with 1 plus "
                "that: the norm doubles its result; begin with 0"
            )
            yield Problem(parameter, message, at=last.site)
        elif value == 0 and _scales(parameter) and _group(parameter) not in _others(model):
            last = parameter.history[-1]
            message = (
                f"{named(parameter)} begins with 0, and {parameter.holder} multiplies with it: "
                "what comes out of every such norm is zero; begin with 1"
            )
            yield Problem(parameter, message, at=last.site)


def _value(parameter: Parameter) -> float | None:
    """The number that a parameter surely begins with."""
    last = parameter.history[-1] if parameter.history else None
    return constant(last) if last is not None and is_whole(last) else None


def _scales(parameter: Parameter) -> bool:
    """Whether a gain multiplies, and a walk over all modules has filled it, and nothing else."""
    if parameter.kind != "norm" and parameter.multiplied != "itself":
        return False
    own = [draw for draw in parameter.history if draw.by != "torch"]
    written = own if parameter.kind == "norm" else own[1:]
    return len(written) == 1 and is_by_visit(written[0])


@lru_cache(maxsize=1)
def _others(model: Model) -> frozenset[tuple[str, str, str]]:
    """The groups in which not all gains are zero: of some, it may be on purpose."""
    return frozenset(_group(each) for each in model.parameters if _value(each) != 0)


def _group(parameter: Parameter) -> tuple[str, str, str]:
    """What the gains of norms of one class have in common."""
    return parameter.holder, parameter.kind, parameter.multiplied

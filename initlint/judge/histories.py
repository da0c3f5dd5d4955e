"""What rules ask of a parameter's history: who wrote what, and what was lost by it."""

from __future__ import annotations

from collections.abc import Iterator

from initlint.records import Draw, Parameter

# Initialisers that leave one number in all elements.
CONSTANT = ("zeros_", "ones_", "constant_")


def constant(draw: Draw) -> float | None:
    """The number that a draw leaves in all elements; None if it is not one, or not known."""
    return draw.mean if draw.name in CONSTANT or draw.std == 0 else None


def is_whole(draw: Draw) -> bool:
    """Whether a write fills all elements for sure, without a look at what they were."""
    return draw.certain and not draw.part and draw.name != "unknown"


def is_by_visit(draw: Draw) -> bool:
    """Whether code fills or resets the parameter because a walk over modules has reached it."""
    return draw.by in ("user", "torch") and draw.visited > 1 and is_whole(draw)


def is_same(one: Draw, other: Draw) -> bool:
    """Whether two writes leave the same distribution."""
    values = constant(one), constant(other)
    if None not in values:
        return values[0] == values[1]
    return one.name == other.name and one.args == other.args


def overwritten(parameter: Parameter) -> Iterator[tuple[Draw, Draw]]:
    """Every write of the history with the first later one that surely leaves nothing of it."""
    history = parameter.history
    for place, draw in enumerate(history):
        later = next((other for other in history[place + 1 :] if is_whole(other)), None)
        if later is not None:
            yield draw, later


def shown(draw: Draw) -> str:
    """A write in words: the call with the arguments that matter, or the number that it leaves."""
    value = constant(draw)
    if value is not None:
        return f"{value:g}"
    if draw.name == "unknown":
        return "values of its own"
    wanted = {"kaiming": ("nonlinearity",), "xavier": ("gain",), "trunc": ("std",)}
    names = wanted.get(draw.name.partition("_")[0], tuple(draw.args))
    given = [f"{n}={_number(draw.args[n])}" for n in names if draw.args.get(n) is not None]
    return f"{draw.name}({', '.join(given)})"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value}"


def line_of(draw: Draw) -> str:
    """Where a write stands, for the end of a message."""
    return f" at {draw.site.path}:{draw.site.line}" if draw.site is not None else ""

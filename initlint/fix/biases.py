"""The bias beside a weight: whether the layer has one, and the call that zeroes it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from initlint.fix.edits import Test
from initlint.fix.locate import Spot, last_name
from initlint.records import Initializer

_ZEROS = Initializer("zeros_", {}, 0.0)
# The layers of torch that have a bias, and its place among the arguments.
_PLACES = {
    "Linear": 2,
    "Bilinear": 3,
    **{f"{kind}{rank}d": 7 for kind in ("Conv", "ConvTranspose") for rank in (1, 2, 3)},
}


@dataclass(frozen=True)
class Bias:
    """The tests around the call, and what it is to give."""

    headers: tuple[Test, ...]
    initializer: Initializer = _ZEROS


def bias_of(spot: Spot, owner: str, parameter: str) -> Bias | None:
    """The zeroing of the bias beside a weight; None if the layer certainly has none."""
    place = _PLACES.get(last_name(spot.call.func))
    if parameter != "weight" or place is None:
        return None
    argument = _argument(spot.call, place)
    if argument is None or (isinstance(argument, ast.Constant) and argument.value is True):
        return Bias(())
    if isinstance(argument, ast.Constant):
        return None
    return Bias((Test(f"{owner}.bias"),))


def _argument(call: ast.Call, place: int) -> ast.expr | None:
    """What the call says of the bias; the call itself if that cannot be told."""
    for keyword in call.keywords:
        if keyword.arg == "bias":
            return keyword.value
    unclear = any(keyword.arg is None for keyword in call.keywords)
    if unclear or any(isinstance(argument, ast.Starred) for argument in call.args):
        return call
    return call.args[place] if len(call.args) > place else None

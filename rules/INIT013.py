"""The scale 1/√(2·blocks) on weights that do not write into the residual stream."""

import math
import re
from collections.abc import Iterable, Mapping

from initlint.judge import Layer, Model, Problems
from initlint.judge.geometry import described, origin

_BLOCK = re.compile(r"(.*?)(?:^|\.)(\d{1,9})\.")
_SAME = 1e-3
# With fewer blocks two stds differ by such a factor by chance.
_DEEP = 4


def depth_scale_off_stream(model: Model) -> Problems:
    """A weight inside a block with the same small std as those whose result the block adds."""
    stacks: dict[str, dict[int, list[Layer]]] = {}
    for layer in model.layers:
        place = _BLOCK.match(layer.parameter)
        if place is not None and _std(layer):
            blocks = stacks.setdefault(place[1], {})
            blocks.setdefault(int(place[2]), []).append(layer)
    for blocks in stacks.values():
        written = {n: {_std(x) for x in block if _writes(x)} for n, block in blocks.items()}
        is_even = all(stds == written[min(blocks)] for stds in written.values())
        same = _same_everywhere(blocks)
        for number, block in blocks.items() if len(blocks) > 1 else ():
            count = len(blocks) if is_even else number + 1
            inner = [layer for layer in block if _writes(layer) is False]
            for layer in inner:
                if not is_even and _place(layer) in same:
                    # What is divided by the root of a block's number differs from block to block.
                    continue
                # A std that is computed from the fans is the same for the same shape.
                bases = {_std(x) for x in inner if x.shape == layer.shape}
                if _std(layer) in written[number]:
                    yield from _off_stream(layer, bases, (2 * count, count))
                elif count >= _DEEP and not _is_by_fans(layer, block, 2 * count):
                    # What writes into the stream has the std that the others should have.
                    yield from _off_stream(layer, written[number], (2 * count,))


def _same_everywhere(blocks: Mapping[int, list[Layer]]) -> set[str]:
    """The layers within a block that have the same std in all blocks which have them."""
    stds: dict[str, set[float]] = {}
    for layer in (layer for block in blocks.values() for layer in block):
        stds.setdefault(_place(layer), set()).add(_std(layer))
    return {place for place, found in stds.items() if len(found) == 1}


def _place(layer: Layer) -> str:
    """The name of a parameter behind that of its block."""
    return _BLOCK.sub("", layer.parameter, count=1)


def _is_by_fans(layer: Layer, block: Iterable[Layer], depth: int) -> bool:
    """Whether stds that are computed from the fans would differ by the same factor."""
    fans = ((x.fan_in, layer.fan_in) for x in block if _writes(x))
    outs = ((x.fan_out, layer.fan_out) for x in block if _writes(x))
    ratios = (own / theirs for theirs, own in (*fans, *outs) if own and theirs)
    return any(math.isclose(ratio, depth, rel_tol=_SAME) for ratio in ratios)


def _off_stream(layer: Layer, bases: Iterable[float], depths: Iterable[int]) -> Problems:
    """The problem of a weight off the stream whose std is divided by the root of the depth."""
    ratios = [base / _std(layer) for base in bases]
    alike = (n for n in depths for r in ratios if n > 1 and math.isclose(r * r, n, rel_tol=_SAME))
    factor = next(alike, None)
    if factor is not None and layer.current is not None:
        yield (
            layer,
            f"{described(layer)}: {origin(layer.current)} divides the std by √{factor}, as if "
            f"added to the residual stream, but {_end(layer)} follows it",
        )


def _std(layer: Layer) -> float:
    """The std that someone wrote; 0 if there is none."""
    current = layer.current
    if current is None or current.name not in ("normal_", "trunc_normal_") or current.default:
        return 0.0
    std = current.args.get("std")
    return float(std) if isinstance(std, (int, float)) and not layer.nominal else 0.0


def _writes(layer: Layer) -> bool | None:
    """Whether a weight's result is added to the stream; None if that is not known."""
    if "residual" in layer.following.via:
        return True
    return None if layer.following.activation in ("unknown", "mixed", "output") else False


def _end(layer: Layer) -> str:
    following = layer.following.activation
    return "another layer" if following == "linear" else following

"""The scale 1/√(2·blocks) on weights that do not write into the residual stream."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from initlint.judge import Layer, Model, Problems
from initlint.judge.geometry import described, origin

_BLOCK = re.compile(r"(.*?)(?:^|\.)(\d+)\.")
_SAME = 1e-3


def depth_scale_off_stream(model: Model) -> Problems:
    """A weight inside a block with the same small std as those whose result the block adds."""
    stacks: dict[str, list[tuple[int, Layer]]] = {}
    for layer in model.layers:
        place = _BLOCK.match(layer.parameter)
        if place is not None and _std(layer):
            stacks.setdefault(place[1], []).append((int(place[2]), layer))
    for members in stacks.values():
        blocks: dict[int, list[Layer]] = {}
        for number, layer in members:
            blocks.setdefault(number, []).append(layer)
        for number, block in blocks.items() if len(blocks) > 1 else ():
            depths = _depths(number, blocks)
            for layer in block:
                yield from _off_stream(layer, block, model, depths)


def _depths(number: int, blocks: Mapping[int, Sequence[Layer]]) -> tuple[int, ...]:
    """The numbers of additions by whose root a std may be divided: of all blocks, or up to one."""
    written = [{_std(layer) for layer in block if _writes(layer)} for block in blocks.values()]
    count = len(blocks) if all(stds == written[0] for stds in written) else number + 1
    return 2 * count, count


def _off_stream(
    layer: Layer, block: Sequence[Layer], model: Model, depths: Sequence[int]
) -> Problems:
    """The problem of a weight off the stream whose std is divided by the root of the depth."""
    std = _std(layer)
    if _writes(layer) is not False or layer.current is None:
        return
    if not any(_writes(other) and math.isclose(_std(other), std) for other in block):
        return
    ratios = [(base / std) ** 2 for base in {_std(other) for other in _plain(block, model)}]
    alike = (n for n in depths for r in ratios if n > 1 and math.isclose(r, n, rel_tol=_SAME))
    factor = next(alike, None)
    if factor is not None:
        yield (
            layer,
            f"{described(layer)}: {origin(layer.current)} divides the std by √{factor}, as the "
            f"depth asks of what is added to the residual stream, but {_end(layer)} follows it",
        )


def _plain(block: Sequence[Layer], model: Model) -> Iterator[Layer]:
    """The layers whose std shows what it is without the scale: off the stream, and tables."""
    yield from (other for other in block if _writes(other) is False)
    yield from (other for other in model.layers if other.type.startswith("Embedding"))


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

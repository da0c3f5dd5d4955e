"""The result of reading: a Layer for every weight of a class and of its submodules."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from initlint.graph.branches import Charge
from initlint.graph.follow import Use as Met
from initlint.graph.follow import uses
from initlint.graph.ops import Graph, Op
from initlint.graph.packing import packed_in
from initlint.graph.record import harmless, is_state, layer_of
from initlint.graph.steps import Weight
from initlint.graph.weights import whole
from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.sizes import is_size, nominal, product, symbol
from initlint.reading.abstract.values import Slot, Sym, Value
from initlint.reading.budget import Budget
from initlint.reading.models.places import Place, place_of, site_of
from initlint.reading.models.signal import given
from initlint.reading.objects.torch_modules import uses_of
from initlint.reading.objects.use import Use
from initlint.recommend.loud import last_layers
from initlint.recommend.outlook import with_signals
from initlint.records import Following, Initializer, Layer
from initlint.torchlib.draws import Draw, drawn_by


class Drawn(NamedTuple):
    """A graph of one class that was followed: every use of every weight, and the bare branches.

    `touched` are the parameters and buffers that it takes in. `ops` are its operations, kept only
    if the scale of one of its weights may matter.
    """

    met: tuple[tuple[Use, Met], ...]
    bare: int
    touched: frozenset[Any] = frozenset()
    ops: tuple[Op, ...] = ()


class Followed(NamedTuple):
    """The graph of one model, with the name and the records of all its layers.

    `names` are the places of the weights by their numbers, counted in the order of the data.
    """

    model: str
    drawn: Drawn
    names: Mapping[str, Place]
    layers: tuple[Layer, ...]


def followed(graph: Graph, whole: bool, budget: Budget, keep: bool = False) -> Drawn:
    """The following activation of every weight of a finished graph; with `keep`, with its graph."""
    graph.close()
    budget.followed(len(graph.nodes))
    own: list[Use] = []

    def step(node: Op) -> Op:
        if not node.weights:
            return node
        numbers = range(len(own), len(own) + len(node.weights))
        own.extend(node.weights)
        weights = tuple(map(_weight, node.weights, numbers))
        return Op(node.role, node.inputs, node.name, weights=weights, final=node.final)

    steps = {node: step(node) for node in graph.nodes}
    met, bare = uses(steps, whole=whole, charge=budget.elements)
    every = tuple((own[int(m.weight.parameter)], m) for m in met)
    matters = any(m.following.activation not in _UNSCALED and not harmless([m]) for m in met)
    ops = tuple(graph.nodes) if matters or keep or last_layers(graph.nodes) else ()
    return Drawn(every, bare, frozenset(graph.touched), ops)


# What may follow a weight of whatever scale.
_UNSCALED = ("linear", "output", "unknown", "mixed", "gate", "attention", "softmax")


def _weight(use: Use, number: int) -> Weight:
    """A use with numbers for sizes, under a number for a name."""
    fans = [max(1, whole(nominal(fan))) if is_size(fan) else None for fan in use.fans]
    shape = tuple(_whole(size) or 0 for size in use.slot.shape or ())
    return Weight(
        str(number),
        use.type,
        shape,
        fans[0],
        fans[1],
        use.following,
        use.follows,
        use.reparametrised,
        use.biased,
        use.spread,
        use.recurrent,
        number if use.slot.picked else (use.slot, id(use.owner)),
        use.stacked,
    )


def _whole(size: Value) -> int | None:
    if size is None or not is_size(size):
        return None
    return max(1, round(nominal(size)))


def records(
    model: str,
    drawn: Drawn,
    places: dict[int, list[Place]],
    charge: Charge,
    are_news: Callable[[Sequence[Layer]], bool] = bool,
) -> list[Layer]:
    """A record for every weight of a model that its graph reaches, in the order of the data.

    A module that represents several equal ones counts once for each of their names, in order. The
    signal is predicted where `are_news` says that some of the layers are recorded; `charge` counts
    the operations before that.
    """
    named = names_of(drawn, places)
    names = {number: place.parameter for number, place in named.items()}
    labels = _labels(drawn, named)
    groups: dict[str, list[tuple[Use, Met]]] = {}
    for use, met in drawn.met:
        if len(places.get(id(use.slot), ())) > 1 and met.again:
            # Nobody knows whether it is the same of those made alike.
            met = met._replace(again=False)
        groups.setdefault(labels[met.weight.parameter], []).append((use, met))
    stateful = [group for group in groups.values() if is_state([met for _, met in group])]
    states = {met.weight.parameter for group in stateful for _, met in group}
    found: dict[str, Layer] = {}
    for label, group in groups.items():
        place = named[group[0][1].weight.parameter]
        found[label] = _record(model, place, group, drawn.bare, names, states)
    if not are_news([*found.values()]):
        return [*found.values()]
    labelled = [_called(layer, label) for label, layer in found.items()]
    judged = with_signals(labelled, drawn.ops, given(drawn.ops, labels, initializer), charge)
    return [_called(layer, found[layer.parameter].parameter) for layer in judged]


def _called(layer: Layer, parameter: str) -> Layer:
    """The layer, with this name for its parameter, which nearly always is its own."""
    return layer if layer.parameter == parameter else replace(layer, parameter=parameter)


def _labels(drawn: Drawn, named: Mapping[str, Place]) -> dict[str, str]:
    """By the number of every use a name of its weight that no other weight of the graph has.

    Two arms of a constructor may each make a layer of the same name, of which a model has one.
    """
    slots: dict[str, list[Slot]] = {}
    labels: dict[str, str] = {}
    for use, met in drawn.met:
        name = named[met.weight.parameter].parameter
        arms = slots.setdefault(name, [])
        if use.slot not in arms:
            arms.append(use.slot)
        turn = arms.index(use.slot)
        labels[met.weight.parameter] = f"{name}, {turn}" if turn else name
    return labels


def names_of(drawn: Drawn, places: Mapping[int, list[Place]]) -> dict[str, Place]:
    """By the number of every use of a weight where the model keeps it."""
    counts = Counter(id(use.slot) for use, _ in drawn.met)
    seen: Counter[int] = Counter()
    names: dict[str, Place] = {}
    for use, met in drawn.met:
        key = id(use.slot)
        found = places.get(key) or [place_of(use.slot)]
        names[met.weight.parameter] = found[seen[key]] if counts[key] == len(found) else found[0]
        seen[key] += 1
    return names


def _record(
    model: str,
    place: Place,
    group: Sequence[tuple[Use, Met]],
    bare: int,
    names: dict[str, str],
    states: Collection[str],
) -> Layer:
    use = group[0][0]
    return layer_of(
        [met for _, met in group],
        bare,
        model=model,
        layer=place.layer,
        parameter=place.parameter,
        type=use.type,
        current=initializer(use),
        site=site_of(use.slot),
        nominal=_is_nominal(use),
        uneven=_is_uneven(use),
        states=states,
        reason=_perhaps_harmless(group),
        names=names,
        counted=_counted(use),
    )


def _perhaps_harmless(group: Sequence[tuple[Use, Met]]) -> str:
    """Why the scale of a weight may not matter, where conditions decide how it is used.

    Uses that are certain decide; without one, any of the ways. `if flag: x = norm(a(x))` and
    `else: x = a(x)` are two ways to use `a`, and after a normalisation its scale cannot matter.
    """
    ways: dict[tuple[int, ...], list[Met]] = {}
    for use, met in group:
        ways.setdefault(use.arms, []).append(met)
    if len(ways) == 1:
        return ""
    first = min(ways, key=len)
    if all(arms[: len(first)] == first for arms in ways):
        return harmless(ways[first])
    return next((reason for way in ways.values() if (reason := harmless(way))), "")


def overrides_of(modules: Sequence[Instance]) -> dict[Slot, Draw]:
    """The draws of the constructors of a model and of its submodules, the outermost ones count."""
    found: dict[Slot, Draw] = {}
    for module in reversed(modules):
        found.update(module.overrides)
    return found


def unknown(model: str, place: Place, slot: Slot, kind: str, draw: Draw) -> Layer:
    """The record of a weight whose use is not known."""
    holder = slot.holder
    uses = uses_of(holder) if isinstance(holder, Instance) and holder.torch else []
    fans = next((use.fans for use in uses if use.slot is slot), (None, None))
    use = Use(slot, kind, fans, draw)
    weight = _weight(use, 0)
    return Layer(
        model=model,
        layer=place.layer,
        parameter=place.parameter,
        type=kind,
        shape=weight.shape,
        fan_in=weight.fan_in,
        fan_out=weight.fan_out,
        following=Following("unknown"),
        current=initializer(use),
        site=site_of(slot),
        nominal=_is_nominal(use),
        uneven=_is_uneven(use),
        parts=packed_in(kind, slot.name),
    )


def initializer(use: Use) -> Initializer | None:
    """A weight's initialiser; its std is None if that depends on unknown values."""
    draw: Draw = use.draw
    if not draw.name:
        return None
    if draw.name == "unknown" or use.reparametrised:
        return Initializer("unknown", site=draw.site)
    args = {name: _number(value) for name, value in draw.args.items()}
    if not all(math.isfinite(value) for value in args.values() if isinstance(value, float)):
        return Initializer("unknown", site=draw.site)
    std, mean = draw.std, draw.mean
    if std is None and _is_provable(draw, use):
        worked_out = drawn_by(draw.name, args, _shape(use.slot))
        std, mean = worked_out.std, worked_out.mean
    mean = (mean or 0.0) + draw.offset
    if std is not None and not (math.isfinite(std) and math.isfinite(mean)):
        std, mean = None, 0.0
    return Initializer(draw.name, args, std, draw.default, draw.site, mean=mean)


def _number(value: Value) -> Value:
    return nominal(value) if isinstance(value, Sym) else value


def _shape(slot: Slot) -> tuple[int, ...] | None:
    sizes = [_whole(size) for size in slot.shape or ()]
    return None if not sizes or None in sizes else tuple(size for size in sizes if size)


def _is_nominal(use: Use) -> bool:
    sizes = (*(use.slot.shape or ()), *(fan for fan in use.fans if fan is not None))
    return any(not isinstance(size, (int, float)) or (size and not is_size(size)) for size in sizes)


def _is_uneven(use: Use) -> bool:
    """Whether the two fans depend on different symbols."""
    fan_in, fan_out = map(_powers, use.fans)
    return _is_nominal(use) and fan_in != fan_out


def _is_provable(draw: Draw, use: Use) -> bool:
    """Whether the ratio of the std to the needed one is the same for all values of symbolic sizes.

    The needed std is proportional to 1/sqrt(fan_in). So are PyTorch's default and Kaiming by
    fan_in; any other scheme is only if all sizes are known, or are multiples of one.
    """
    fan_in, fan_out = use.fans
    if fan_in is None:
        shape = use.slot.shape
        if shape and all(type(size) is int for size in shape):
            return True
        # A table has no fans, and a scale that someone wrote is what it is.
        scale = [draw.args.get(name) for name in _SCALES.get(draw.name, ("std",))]
        is_number = all(isinstance(value, (int, float)) for value in scale)
        return use.type.startswith("Embedding") and is_number
    if draw.offset and _is_nominal(use):
        return False
    if not _is_nominal(use):
        return True
    alike = {_powers(fan) for fan in (fan_in, fan_out, *_counted_by_torch(use.slot))}
    if len(alike) == 1 and not _is_written(draw):
        return True
    by_fan_in = draw.name.startswith("kaiming") and draw.args.get("mode") == "fan_in"
    if by_fan_in:
        return True
    std = draw.args.get("std")
    if draw.args.get("mean", 0.0) != 0.0:
        return False
    return isinstance(std, Sym) and [(n, 2 * p) for n, p in std.powers] == [
        (n, -p) for n, p in _powers(fan_in) or ()
    ]


def _counted_by_torch(slot: Slot) -> tuple[Value, ...]:
    """fan_in and fan_out as torch.nn.init counts them: of a grouped weight over all groups."""
    if slot.shape is None or len(slot.shape) < 2:
        return ()
    window = product(tuple(slot.shape[2:]))
    return tuple(product((side, window)) for side in slot.shape[:2])


_SCALES = {"uniform_": ("a", "b")}


def _counted(use: Use) -> str:
    """The fan from which a scale was computed by hand, as its root, if sizes are symbols."""
    name = {"uniform_": "b", "normal_": "std", "trunc_normal_": "std"}.get(use.draw.name)
    scale = use.draw.args.get(name) if name else None
    if not isinstance(scale, Sym) or not _is_nominal(use):
        return ""
    squared = [(name, -2 * power) for name, power in scale.powers]
    ends = [_powers(fan) for fan in use.fans]
    if None in ends:
        return ""
    places = zip(("in", "out"), ends, strict=True)
    if ends[0] == ends[1]:
        return "both" if list(ends[0]) == squared else ""
    return next((place for place, powers in places if list(powers) == squared), "")


def _is_written(draw: Draw) -> bool:
    return draw.name in ("normal_", "uniform_", "trunc_normal_", "constant_", "ones_", "sparse_")


def _powers(size: Value) -> Any:
    found = symbol(size)
    return None if found is None else found.powers

"""The modules and parameters within a module, by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from initlint.reading.abstract.holders import Choice, Instance
from initlint.reading.abstract.values import Sampled, Slot, Value


def children(instance: Instance) -> list[tuple[str, Instance]]:
    """The modules that a module holds, by name; of several that may be there, each."""
    found: list[tuple[str, Instance]] = []
    for name, value in instance.attrs.items():
        kind = type(value)
        if kind is Instance:
            if value.torch:
                found.append((name, value))
        elif kind is Choice:
            options = [one for one in value.options if type(one) is Instance and one.torch]
            found += [(name, option) for option in options]
    return found


def modules_of(instance: Instance, prefix: str = "") -> list[tuple[str, Instance]]:
    """A module and all that it holds, each once, with its name from there, outermost first."""
    return list(each_module(instance, prefix))


def each_module(instance: Instance, prefix: str = "") -> Iterator[tuple[str, Instance]]:
    """As `modules_of`, one after the other, for whoever may not want all of them."""
    seen: set[int] = set()
    waiting = [(prefix, instance)]
    while waiting:
        name, module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        yield name, module
        above = f"{name}." if name else ""
        waiting += [(above + child, part) for child, part in reversed(children(module))]


def all_within(instances: Iterable[Instance]) -> Iterator[Instance]:
    """Several modules and all that they hold, each once, outermost first."""
    seen: set[Instance] = set()
    for instance in instances:
        waiting = [instance]
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                yield module
                waiting += [part for _, part in reversed(children(module))]


def sampled(instance: Instance) -> Iterator[tuple[str, Instance]]:
    """The layers that stand for others within modules that are not read, by name."""
    for prefix, module in each_module(instance):
        for key, value in module.attrs.items():
            if type(value) is Sampled:
                above = f"{prefix}.{key}" if prefix else key
                for name, layer in zip(value.names, value.options, strict=True):
                    yield from each_module(layer, f"{above}.{name}")


def parameters_of(instance: Instance) -> list[tuple[str, Slot]]:
    """All parameters of a module and its submodules, by name."""
    return [pair for prefix, module in modules_of(instance) for pair in named_slots(module, prefix)]


def named_slots(module: Instance, prefix: str) -> list[tuple[str, Slot]]:
    """The parameters that a module itself holds, by name from where it is called `prefix`."""
    above = f"{prefix}." if prefix else ""
    return [(above + name, slot) for name, slot in module.attrs.items() if isinstance(slot, Slot)]


def is_part(value: Value) -> bool:
    """Whether a value is a module or a parameter, or may be one."""
    options = value.options if type(value) is Choice else (value,)
    return any(isinstance(option, (Instance, Slot)) for option in options)

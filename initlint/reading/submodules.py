"""The modules and parameters within a module, by name."""

from __future__ import annotations

from collections.abc import Iterator

from initlint.reading.holders import Choice, Instance
from initlint.reading.values import Slot


def children(instance: Instance) -> Iterator[tuple[str, Instance]]:
    """The modules that a module holds, by name; of several that may be there, each."""
    for name, value in list(instance.attrs.items()):
        if type(value) is Instance:
            if value.torch:
                yield name, value
        elif type(value) is Choice:
            for option in value.options:
                if type(option) is Instance and option.torch:
                    yield name, option


def modules_of(instance: Instance, prefix: str = "") -> list[tuple[str, Instance]]:
    """A module and all that it holds, each once, with its name from there, outermost first."""
    found: list[tuple[str, Instance]] = []
    seen: set[int] = set()
    waiting = [(prefix, instance)]
    while waiting:
        name, module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        found.append((name, module))
        inner = [(f"{name}.{child}" if name else child, part) for child, part in children(module)]
        waiting.extend(reversed(inner))
    return found


def parameters_of(instance: Instance) -> list[tuple[str, Slot]]:
    """All parameters of a module and its submodules, by name."""
    return [
        (f"{prefix}.{name}" if prefix else name, slot)
        for prefix, module in modules_of(instance)
        for name, slot in module.attrs.items()
        if isinstance(slot, Slot)
    ]

"""The modules and parameters within a module, by name."""

from __future__ import annotations

from collections.abc import Iterator

from initlint.reading.holders import Choice, Instance
from initlint.reading.values import Slot, Value


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


def parameters_of(instance: Instance) -> list[tuple[str, Slot]]:
    """All parameters of a module and its submodules, by name."""
    return [
        (f"{prefix}.{name}" if prefix else name, slot)
        for prefix, module in modules_of(instance)
        for name, slot in module.attrs.items()
        if isinstance(slot, Slot)
    ]


def is_part(value: Value) -> bool:
    """Whether a value is a module or a parameter, or may be one."""
    options = value.options if type(value) is Choice else (value,)
    return any(isinstance(option, (Instance, Slot)) for option in options)

"""Objects of the classes of the files: their constructors."""

from __future__ import annotations

import ast
import operator
from collections.abc import Mapping, Sequence

from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.parts import key_of, options_of
from initlint.reading.abstract.submodules import children, modules_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import UNKNOWN, External, Value
from initlint.reading.evaluate.calling import call
from initlint.reading.fills.initial import lost, release
from initlint.reading.known import frameworks
from initlint.reading.models.life import twin
from initlint.reading.objects.altered import is_altered
from initlint.reading.objects.apart import is_own
from initlint.reading.objects.classes import lookup, method_of, order_of, torch_base
from initlint.reading.objects.fields import fill_fields, generated
from initlint.reading.objects.modules import furnish
from initlint.reading.objects.torch_modules import is_layer
from initlint.reading.reader import Reader

# How often the constructor of a class may be running.
_DEEPEST = 3


def construct(
    reader: Reader,
    cls: UserClass,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """A new object of a class; equal modules made by the same line are one object.

    One that has been filled or changed since is made anew: `m = Conv(8); xavier_(m.weight)`.
    """
    kind = torch_base(reader, cls)
    if not kind:
        return _plain_object(reader, cls, args, kwargs)
    if reader.constructing is not None:
        cls.used = cls.used or reader.constructing.cls is not cls
    if reader.active.count(cls) >= _DEEPEST:
        return UNKNOWN
    key = (
        cls,
        node,
        reader.arms,
        tuple(map(key_of, args)),
        tuple((name, key_of(value)) for name, value in kwargs.items()),
    )
    instance = reader.memo.get(key)
    if instance is None or not _is_as_made(reader, instance):
        instance = Instance(cls, kind, reader.site(node), arms=reader.arms)
        reader.memo[key] = instance
        try:
            _build(reader, instance, args, kwargs)
            if reader.constructing is None:
                frameworks.set_up(reader, instance)
        except BaseException:
            # A module whose constructor was given up is not usable.
            del reader.memo[key]
            raise
        reader.contents[instance] = _content(reader, instance)
        reader.unaltered[instance] = reader.altered
    elif is_own([*args, *kwargs.values()]):
        instance.stands_for += 1
    return _born(reader, instance, node) if reader.outside else instance


def _content(reader: Reader, instance: Instance) -> list[object]:
    """What a module and its layers hold, one after the other; not what its user-made parts hold."""
    found: list[object] = []
    waiting, seen = [instance], set()
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            found += (module, module.reparametrised, *module.attrs.values())
            waiting += [part for _, part in children(module) if part.cls is None]
    reader.budget.elements(len(found) // 8)
    return found


def _is_as_made(reader: Reader, instance: Instance) -> bool:
    """Whether nobody has filled or changed a module since its constructor.

    What constructors around it write to its parameters is not in these, but in `overrides`.
    """
    if reader.unaltered.get(instance) == reader.altered:
        return True
    written = {slot.holder for builder in reader.builders for slot in builder.overrides}
    reader.budget.elements(len(written) // 8)
    for _, module in modules_of(instance):
        made = reader.contents.get(module)
        if module in written:
            return False
        if made is not None:
            now = _content(reader, module)
            if len(now) != len(made) or any(map(operator.is_not, now, made)):
                return False
    reader.unaltered[instance] = reader.altered
    return True


def _born(reader: Reader, origin: Instance, node: ast.AST | None) -> Instance:
    """A model that code outside of modules makes, which has parameters of its own."""
    for _, module in modules_of(origin):
        # Its twin has copies of all of these.
        reader.budget.elements(len(module.attrs) + len(module.calls) + len(module.questions))
    made = twin(origin, reader.life.of)
    reader.life.born(made, origin, node, reader.frames[-1].module.path)
    return made


def _build(
    reader: Reader, instance: Instance, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> None:
    """Run the constructor of a module."""
    cls: UserClass = instance.cls
    outer, reader.constructing = reader.constructing, instance
    reader.active.append(cls)
    reader.builders.append(instance)
    try:
        found, fields = lookup(reader, cls, "__init__"), generated(reader, cls)
        if fields is not None:
            fill_fields(reader, instance, fields, args, kwargs)
        elif found is not None:
            call(reader, method_of(reader, *found), [instance, *args], kwargs)
        else:
            furnish(reader, instance, args, kwargs)
        if is_altered(reader, cls):
            release(reader, [instance])
            why = f"code that wraps the constructor of {cls.name} may fill what it makes"
            reader.unfollowed = reader.unfollowed or why
    finally:
        reader.active.pop()
        reader.builders.pop()
        reader.constructing = outer
    cls.made.append(instance)
    claim(instance)


def _plain_object(
    reader: Reader, cls: UserClass, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value:
    bases = [v for v in order_of(reader, cls)[1:] if not isinstance(v, UserClass)]
    names = [v.name.rpartition(".")[2] for v in bases if isinstance(v, External)]
    if any("Enum" in name or name in ("dict", "list", "Function") for name in names):
        return lost(reader, args, kwargs)
    if reader.active.count(cls) >= _DEEPEST:
        return UNKNOWN
    reader.active.append(cls)
    try:
        other = _instead(reader, cls, args, kwargs)
        if other is not None:
            return other
        instance = Instance(cls, "")
        found, fields = lookup(reader, cls, "__init__"), generated(reader, cls)
        if fields is not None:
            fill_fields(reader, instance, fields, args, kwargs)
        elif found is not None:
            call(reader, method_of(reader, *found), [instance, *args], kwargs)
        return instance
    finally:
        reader.active.pop()


def _instead(
    reader: Reader, cls: UserClass, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value:
    """The objects of other classes that a class's `__new__` gives; None where it gives none."""
    found = lookup(reader, cls, "__new__")
    if found is None:
        return None
    made = call(reader, method_of(reader, *found), [cls, *args], kwargs)
    options = options_of(made)
    is_other = all(isinstance(each, Instance) and each.cls is not cls for each in options)
    return made if options and is_other else None


def claim(instance: Instance) -> None:
    """Every layer that a module holds, not through another class, is its own from now on."""
    waiting = [("", instance)]
    seen: set[int] = set()
    while waiting:
        prefix, holder = waiting.pop()
        for name, part in children(holder):
            path = f"{prefix}.{name}" if prefix else name
            if id(part) in seen or part.owner is not None:
                continue
            seen.add(id(part))
            if is_layer(part):
                part.owner = (instance, path)
                for child, inner in children(part):
                    inner.owner = (instance, f"{path}.{child}")
            elif part.cls is None:
                waiting.append((path, part))

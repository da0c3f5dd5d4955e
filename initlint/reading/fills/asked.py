"""What code has asked of the modules of a model, and how many of them satisfied it: the tests."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from initlint.reading.abstract.frames import Code
from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.submodules import all_within
from initlint.reading.abstract.values import Slot, Value
from initlint.reading.objects.torch_modules import type_of
from initlint.records import Site, Test
from initlint.torchlib.draws import Draw

# So many names are kept of what a question is asked of.
_MOST_NAMES = 400


@dataclass(slots=True, eq=False)
class Asked:
    """One question at one place, with all of which it was asked while one model was made.

    `over` has those by their ids; `holds` tells of another module whether it would satisfy it.
    """

    question: Question
    kind: str
    subject: str
    site: Site | None
    within: str
    wanted: tuple[str, ...]
    holds: Callable[[Instance], bool | None] | None
    over: dict[int, tuple[Value, str]] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    # It was satisfied by something that is not visited one after another.
    elsewhere: bool = False
    # The module that is constructed, and the lines of its constructor; 0, 0 for another function.
    owner: Instance | None = None
    lines: tuple[int, int] = (0, 0)


@dataclass(slots=True, eq=False)
class Question:
    """One question as it is written, compiled: of what it is asked, and what it asks for."""

    form: str
    text: str
    node: ast.expr
    subject: Code
    wanted: Code
    answer: Code
    exact: bool
    fills: bool
    # Whether it is satisfied where the answer is no: `type(m) != nn.Linear`.
    opposite: bool
    # Whether it is true whatever it is asked of: `wanted` is then no condition of its own.
    always: bool = False


def tests_of(model: str, modules: Sequence[Instance], draws: Mapping[Slot, Draw]) -> list[Test]:
    """The tests of a model's constructors, and of the code that has filled it afterwards."""
    found: dict[object, list[Asked]] = {}
    for module in modules:
        for asked in module.questions.values():
            found.setdefault((asked.site, asked.kind), []).append(asked)
    if not found:
        return []
    filled = _filled(modules, draws)
    return [_record(model, group, filled) for group in found.values()]


def _filled(modules: Sequence[Instance], draws: Mapping[Slot, Draw]) -> set[object]:
    """The lines that make layers, and names of parameters, of which something fills some."""
    return {
        (module.site, name)
        for module in modules
        for name, slot in module.attrs.items()
        if isinstance(slot, Slot) and not draws.get(slot, slot.draw).default
    }


def _record(model: str, group: Sequence[Asked], filled: Collection[object]) -> Test:
    first = group[0]
    over = {key: value for asked in group for key, value in asked.over.items()}
    things = [thing for thing, _ in over.values()]
    names = dict.fromkeys(_shown(thing, name, first.kind) for thing, name in over.values())
    return Test(
        model=model,
        text=first.question.text,
        kind=first.kind,
        subject=next((asked.subject for asked in group if asked.subject), ""),
        site=first.site,
        wanted=first.wanted,
        exact=first.question.exact,
        within=first.within,
        over=len(over),
        held=len({key for asked in group for key in asked.held}),
        unsure=len({key for asked in group for key in asked.unsure}),
        asked=tuple(names)[:_MOST_NAMES],
        missed=_missed(first, things, over, filled),
        fills=first.question.fills,
        elsewhere=any(asked.elsewhere for asked in group),
        late=tuple({name: None for asked in group for name in _late(asked, over, filled)}),
    )


def _shown(thing: Value, name: str, kind: str) -> str:
    is_by_class = kind in ("class", "class_name", "attribute") and isinstance(thing, Instance)
    return type_of(thing) if is_by_class else name


def _missed(
    asked: Asked, things: Sequence[Value], over: Collection[int], filled: Collection[object]
) -> tuple[str, ...]:
    """The classes of unfilled modules within those asked that satisfy it and are not asked."""
    if asked.holds is None or asked.subject != "module":
        return ()
    found: dict[str, None] = {}
    is_exact = asked.question.exact
    for module in all_within(thing for thing in things if isinstance(thing, Instance)):
        # An exact test passes over subclasses that it is asked of.
        if id(module) in over and not is_exact:
            continue
        if asked.holds(module) and _is_untouched(module, filled):
            found[type_of(module)] = None
    return tuple(found)


def _late(asked: Asked, over: Collection[int], filled: Collection[object]) -> list[str]:
    """The classes of unfilled modules that satisfy it, and that the constructor makes afterwards.

    A walk that asks the module itself goes through all that it holds by then.
    """
    owner = asked.owner
    if owner is None or owner.cls is None or asked.holds is None or id(owner) not in over:
        return []
    first, last = asked.lines
    made = [
        part
        for part in owner.attrs.values()
        if isinstance(part, Instance) and id(part) not in over and part.site is not None
    ]
    path = owner.cls.module.path
    late = [part for part in made if part.site.path == path and first <= part.site.line <= last]
    return [
        type_of(module)
        for module in all_within(late)
        if asked.holds(module) and _is_untouched(module, filled)
    ]


def _is_untouched(module: Instance, filled: Collection[object]) -> bool:
    """Whether nothing fills the parameters of a layer, or some within a block of the user's."""
    own = [name for name, value in module.attrs.items() if isinstance(value, Slot)]
    if own or module.cls is None:
        return bool(own) and all((module.site, name) not in filled for name in own)
    return any(
        isinstance(value, Slot) and (part.site, name) not in filled
        for part in all_within([module])
        for name, value in part.attrs.items()
    )


def known_elsewhere(tests: Sequence[Test]) -> list[Test]:
    """Tests that know of each other: one that was satisfied in any model is, in every one."""
    held = {(t.site, t.text) for t in tests if t.held or t.unsure or t.elsewhere}
    return [replace(t, elsewhere=(t.site, t.text) in held) for t in tests]

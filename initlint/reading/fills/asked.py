"""What code has asked of the modules of a model, and how many of them satisfied it: the tests."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from initlint.reading.abstract.frames import Code
from initlint.reading.abstract.holders import Instance, Listing
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
    # Whether only the first counts of what it asks for: `isinstance(m, nn.Conv2d or nn.Linear)`.
    first: bool = False
    # Whether it asks of one thing whether it is of two classes that nothing is both of.
    both: bool = False
    # The conditions of the `if`, and of each `elif`, to which this one is an alternative.
    earlier: tuple[ast.expr, ...] = ()


def tests_of(model: str, modules: Sequence[Instance], draws: Mapping[Slot, Draw]) -> list[Test]:
    """The tests of a model's constructors, and of the code that has filled it afterwards."""
    found: dict[object, list[Asked]] = {}
    for module in modules:
        for asked in module.questions.values():
            found.setdefault((asked.site, asked.kind), []).append(asked)
    if not found:
        return []
    filled = _filled(modules, draws)
    by_node = {asked.question.node: asked for group in found.values() for asked in group}
    return [
        replace(_record(model, group, filled), taken=_taken(group, by_node))
        for group in found.values()
    ]


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
        loose=_loose(first, things),
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


def _loose(asked: Asked, things: Sequence[Value]) -> tuple[str, ...]:
    """The classes of unfilled layers in plain lists of the modules asked, that satisfy it.

    A list of one module may hide it on purpose.
    """
    if asked.holds is None or asked.subject != "module" or asked.question.opposite:
        return ()
    modules = [thing for thing in things if isinstance(thing, Instance)]
    held = {id(module) for module in all_within(modules)}
    found: dict[str, None] = {}
    for listing in (v for m in modules for v in m.attrs.values() if type(v) is Listing):
        parts = [part for part in listing.items if isinstance(part, Instance) and part.torch]
        if len(parts) < 2 or len(parts) < len(listing.items):
            continue
        for layer in all_within(part for part in parts if id(part) not in held):
            own = [value for value in layer.attrs.values() if isinstance(value, Slot)]
            if asked.holds(layer) and own and all(slot.draw.default for slot in own):
                found[type_of(layer)] = None
    return tuple(found)


def _taken(group: Sequence[Asked], by_node: Mapping[ast.expr, Asked]) -> tuple[str, ...]:
    """The conditions before an `elif` that take all that would satisfy it; empty if none do.

    Whatever it asks for must be among what they have taken, so that no other model needs it.
    """
    found: dict[str, None] = {}
    for asked in group:
        if asked.held or asked.unsure or asked.kind not in ("class", "name"):
            return ()
        before = [by_node[node] for node in asked.question.earlier if node in by_node]
        takers = {text: one.question.text for one in before for text in _takes(one, asked)}
        if not asked.wanted or not takers.keys() >= set(asked.wanted):
            return ()
        found.update(dict.fromkeys(takers.values()))
    return tuple(found)


def _takes(taker: Asked, asked: Asked) -> list[str]:
    """Which of the classes, or texts, that are asked for an earlier condition has taken."""
    if taker.kind != asked.kind or taker.question.opposite or asked.question.opposite:
        return []
    if not taker.held or taker.unsure:
        return []
    if asked.kind == "class":
        if taker.question.exact and not asked.question.exact:
            return []
        held = [type_of(thing) for key, (thing, _) in taker.over.items() if key in taker.held]
        met = {name for name in asked.wanted if name.rpartition(".")[2] in held}
        return [name for name in asked.wanted if name in met or name in taker.wanted]
    is_part = taker.question.form == asked.question.form == "inside"
    texts = [text for text in asked.wanted if any(t in text for t in taker.wanted)]
    names = [name for key, (_, name) in taker.over.items() if key in taker.held]
    return [text for text in texts if any(text in name for name in names)] if is_part else []


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
        if isinstance(part, Instance)
        and id(part) not in over
        and part.site is not None
        # A weight norm keeps only the direction of its weight, whatever was drawn.
        and not part.reparametrised
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

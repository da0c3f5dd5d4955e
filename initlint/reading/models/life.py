"""The life of models: where each is made, what fills it afterwards, when its training begins."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Iterator, Sequence
from copy import copy as copy_of
from dataclasses import dataclass, field

from initlint.reading.abstract.holders import Instance, Optimiser
from initlint.reading.abstract.parts import is_content, mapped, options_of, reached
from initlint.reading.abstract.submodules import all_within, modules_of
from initlint.reading.abstract.values import Fresh, Held, Kept, Sampled, Slot, Value
from initlint.reading.budget import Budget
from initlint.records import Site
from initlint.torchlib.draws import UNCLEAR, UNWRITTEN, Draw

# How much a birth tells about how its class begins: nothing where it is loaded to be used, more if
# somebody fills it, most if it is trained and not loaded.
LOADED, SEEN, TREATED, RESUMED, TRAINED = range(5)


@dataclass(slots=True, eq=False, repr=False)
class Birth:
    """One model as the code makes it, outside of the constructors of other modules.

    `model` is the module that the code holds and fills. `origin` is the same module as its
    constructor leaves it, shared with other births that have the same arguments; None for a module
    of torch's. `node` is the expression that makes it, in the file `path`; `doors` are the methods
    that the code calls with data. `begun` is the content of every parameter at birth. `copy_of` is
    the model of which this is a deep copy, `name` the variable or attribute it is bound to first.
    """

    model: Instance
    origin: Instance | None
    node: ast.AST | None
    path: str
    begun: dict[Slot, Draw]
    copy_of: Birth | None = None
    doors: dict[str, None] = field(default_factory=dict)
    name: str = ""
    trained: bool = False
    # Something in it was replaced, added or taken out.
    rebuilt: bool = False
    # Another model, or one that is not read, holds it as a part.
    part: bool = False
    # Another model holds deep copies of it.
    template: bool = False
    # Code that was not followed to its end may fill it.
    lost: bool = False
    # The function that is not read and gets it, so that it may fill it; empty if there is none.
    given: str = ""
    # It is given what the parameters of other models hold: a target network.
    follows: bool = False
    # A call that meant to fill it has no effect, or code has asked what its modules are.
    meant: bool = False

    def is_treated(self) -> bool:
        """Whether the code has filled or rebuilt the model after its birth, or meant to."""
        return self.rebuilt or self.meant or bool(self.filled())

    def filled(self) -> list[Slot]:
        """The parameters and buffers that the code has filled after the model's birth."""
        return [slot for slot, draw in self.begun.items() if slot.draw is not draw]

    def rank(self) -> int:
        """How much it tells about how its class begins."""
        is_loaded = any(slot.draw.by == "load" for slot in self.begun)
        if self.trained:
            return RESUMED if is_loaded else TRAINED
        return LOADED if is_loaded else TREATED if self.is_treated() else SEEN


class Life:
    """All births so far, and the parameters whose training has begun.

    Walks over what functions and optimisers are handed, and over models, are charged to the budget.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.births: list[Birth] = []
        # The births of the models that hold a parameter.
        self._holding: dict[Slot, list[Birth]] = {}
        # The birth of every module that lies in a model.
        self.of: dict[Instance, Birth] = {}
        # The models that the present program uses.
        self._used: set[Birth] = set()
        # How often a model was made, filled or rebuilt.
        self.changes = 0
        # Parameters that have been trained: what is written to them now is no initialisation.
        self.frozen: set[Slot] = set()
        # Methods of callbacks that the present program's trainer has got, and that may fill.
        self.callbacks: list[str] = []
        # How often code has filled a model with the content of a file.
        self.loads = 0

    def begin(self) -> None:
        """Begin with another program: one file, or one function that nothing calls."""
        self._used.clear()
        self.callbacks.clear()

    def born(
        self,
        made: Instance,
        origin: Instance | None,
        node: ast.AST | None,
        path: str,
        copy_of: Birth | None = None,
    ) -> None:
        """Note that the code has made a model."""
        slots = {slot: slot.draw for _, slot in slots_of(made)}
        birth = Birth(made, origin, node, path, slots, copy_of)
        self.births.append(birth)
        for slot in slots:
            self._holding.setdefault(slot, []).append(birth)
        self.changes += 1
        for _, module in modules_of(made):
            self.of.setdefault(module, birth)
            # Its own constructor has given its parameters to an optimiser.
            birth.trained |= any(type(value) is Optimiser for value in module.attrs.values())

    def split(self, part: Instance, other: Instance) -> None:
        """Note that a part of a model, which stood for several, has a twin in the same model."""
        for (_, old), (_, new) in zip(modules_of(part), modules_of(other), strict=True):
            if old in self.of:
                self.of[new] = self.of[old]
        for (_, slot), (_, own) in zip(slots_of(part), slots_of(other), strict=True):
            for birth in self._holding.get(slot, ()):
                begun = birth.begun[slot]
                birth.begun[own] = own.draw if begun is slot.draw else begun
                self._holding.setdefault(own, []).append(birth)
            if slot in self.frozen:
                self.frozen.add(own)

    def birth_of(self, value: Value) -> Iterator[Birth]:
        """The births of the models that a value may be."""
        for option in options_of(value):
            birth = self.of.get(option) if isinstance(option, Instance) else None
            if birth is not None:
                yield birth

    def bound(self, value: Instance, target: ast.expr) -> None:
        """Note the variable or attribute to which a model is bound."""
        birth = self.of.get(value)
        if birth is not None and birth.model is value and not birth.name:
            birth.name = getattr(target, "id", "") or getattr(target, "attr", "")

    def rebuild(self, holder: Value) -> None:
        """Note that what this module holds is another thing from now on."""
        if isinstance(holder, Instance):
            self.changes += 1
            birth = self.of.get(holder)
            if birth is not None:
                birth.rebuilt = True

    def mean(self, holder: Instance) -> None:
        """Note that code means to fill what this module holds, whatever comes of it."""
        birth = self.of.get(holder)
        if birth is not None:
            birth.meant = True

    def opened(self, value: Value, method: str) -> None:
        """Note that the code hands data to a method of a model."""
        for birth in self.birth_of(value):
            if birth.model is value:
                birth.doors[method] = None
                self._used.add(birth)
        if isinstance(value, Instance):
            for part in all_within([value]):
                self._budget.elements(1)
                part.has_run = True

    def train(self, values: Iterable[Value]) -> None:
        """Note that the models whose parameters lie in these values are trained from now on."""
        for birth in self._births_in(values):
            self._freeze(birth)

    def train_used(self) -> None:
        """Note that all models which have got data in this run are trained from now on."""
        for birth in self._used:
            self._freeze(birth)

    def give(
        self, values: Iterable[Value], function: str, site: Site | None, early: bool = False
    ) -> None:
        """Note that a function which is not read gets the models that lie in these values.

        `early` if it may act before they are trained, though a trainer has got them already.
        """
        for birth in self._births_in(values):
            if birth.given:
                continue
            self._budget.elements(len(birth.begun))
            if early:
                self.frozen.difference_update(birth.begun)
            if self.frozen.isdisjoint(birth.begun):
                place = f" at {site.path}:{site.line}" if site is not None else ""
                birth.given = f"{function} gets it{place}, is not read, and may fill it"

    def _births_in(self, values: Iterable[Value]) -> list[Birth]:
        """The births of all models that lie in these values, or that they lie in."""
        found: dict[Birth, None] = {}
        for value in reached(values):
            self._budget.elements(1)
            if isinstance(value, Instance) and value in self.of:
                found[self.of[value]] = None
        return list(found)

    def copied(self, value: Value) -> None:
        """Note that a constructor makes deep copies of a model for its own."""
        for birth in self.birth_of(value):
            birth.template = birth.template or birth.model is value

    def hand_over(self, value: Value) -> None:
        """Note that an object which is not read holds a model as a part of its own."""
        for birth in self.birth_of(value):
            birth.part = birth.part or birth.model is value

    def optimise(self, values: Iterable[Value]) -> None:
        """Note that an optimiser has got the parameters that lie in these values."""
        for value in reached(values):
            self._budget.elements(1)
            for birth in self._births_of(value) if isinstance(value, Slot) else ():
                birth.trained = True
                self._used.add(birth)

    def _births_of(self, slot: Slot) -> Sequence[Birth]:
        """The births of the models that hold a parameter."""
        return self._holding.get(slot, ())

    def is_frozen(self, birth: Birth) -> bool:
        """Whether nothing that comes now can be a part of a model's initialisation."""
        return all(slot in self.frozen for _, slot in slots_of(birth.model))

    def follow(self, module: Instance | None, source: Slot | Held) -> None:
        """Note that a module is given what the parameter of another model holds."""
        slot = source.slot if isinstance(source, Held) else source
        follower, leader = (self.of.get(each) if each else None for each in (module, slot.holder))
        if follower is not None and leader is not None and follower is not leader:
            follower.follows = True

    def _freeze(self, birth: Birth) -> None:
        birth.trained = True
        for _, slot in slots_of(birth.model):
            self._budget.elements(1)
            self.frozen.add(slot)


def slots_of(model: Instance) -> Iterator[tuple[Instance, Slot]]:
    """Every parameter and buffer of a model with the module that holds it."""
    for _, module in modules_of(model):
        for value in module.attrs.values():
            if type(value) is Slot:
                yield module, value
            elif type(value) is Kept:
                yield module, value.slot


def twin(origin: Instance, shared: Container[Instance], is_copy: bool = False) -> Instance:
    """A module like `origin`, with parameters of its own, made by the same lines.

    Equal modules draw values of their own; a copy has those of what it is a copy of.

    The modules in `shared` are not copied: models that the constructor got as an argument.
    The draws that constructors have written over those of their parts are the twin's own.
    """
    known: dict[int, Value] = {}
    drawn: dict[int, Draw] = {}

    def own_draw(draw: Draw) -> Draw:
        if is_copy or draw is UNWRITTEN or draw is UNCLEAR:
            return draw
        if id(draw) not in drawn:
            drawn[id(draw)] = copy_of(draw)
        return drawn[id(draw)]

    def is_copied(value: Value) -> bool:
        if isinstance(value, Instance):
            return bool(value.torch) and value not in shared
        return is_content(value)

    def change(part: Value) -> Value:
        if isinstance(part, Slot):
            if part.holder in shared:
                return part
            holder, home = known.get(id(part.holder), part.holder), known.get(id(part.home))
            draw = own_draw(part.draw)
            copy = Slot(holder, part.name, part.shape, draw, part.arms, home, part.site)
            copy.picked, copy.trainable = part.picked, part.trainable
            copy.lasting = part.lasting
            copy.origin, copy.resumed = part.origin, part.resumed
            return copy
        if isinstance(part, Kept):
            return Kept(mapped(part.slot, change, is_copied, known))
        if isinstance(part, Fresh):
            return Fresh(part.shape, part.draw, arms=part.arms)
        if type(part) is Sampled:
            return part.rebuilt([mapped(one, change, is_copied, known) for one in part.options])
        return part

    made: Instance = mapped(origin, change, is_copied, known)
    copies = [(part, known[id(part)]) for _, part in modules_of(origin) if id(part) in known]
    for part, copy in reversed(copies):
        if copy is part:
            continue
        if part.owner is not None:
            copy.owner = (known.get(id(part.owner[0]), part.owner[0]), part.owner[1])
        for slot, draw in part.overrides.items():
            own = known.get(id(slot))
            if own is not None and own is not slot:
                own.draw = own_draw(draw)
        copy.overrides = {s: d for s, d in part.overrides.items() if id(s) not in known}
        copy.calls, copy.questions = list(part.calls), dict(part.questions)
    return made


def _held_for_sure(model: Instance) -> Iterator[Instance]:
    """All modules within a model, but not those of which it holds one or another."""
    waiting, seen = [model], {id(model)}
    while waiting:
        for part in waiting.pop().attrs.values():
            if isinstance(part, Instance) and part.torch and id(part) not in seen:
                seen.add(id(part))
                waiting.append(part)
                yield part


def told(life: Life) -> list[Birth]:
    """The births that tell how their classes are used, first those that tell most.

    Of the births of a class those count of which most is known: a model that is trained tells more
    than one that a file makes to try its class out; where none is, each begins in its own way, one
    that is filled and one that is not. A deep copy that nothing fills afterwards is
    what it is a copy of, and a target network is what it follows.
    """
    held = {id(part) for birth in life.births for part in _held_for_sure(birth.model)}
    alone = [b for b in life.births if not b.part and id(b.model) not in held]
    for birth in reversed(life.births):
        if birth.copy_of is not None and (birth.part or birth.template or id(birth.model) in held):
            birth.copy_of.template = True
    # What is only there to be copied into other models is none itself.
    alone = [b for b in alone if not b.template or b.is_treated() or b.trained or b.doors]
    found = [b for b in alone if not (b.copy_of and not b.is_treated())]
    leading = {b.model.cls for b in found if not b.follows}
    found = [b for b in found if not (b.follows and b.model.cls in leading)]
    most: dict[Value, int] = {}
    for birth in found:
        most[birth.model.cls] = max(most.get(birth.model.cls, 0), birth.rank())
    treated = {birth.node for birth in found if birth.rank() == TREATED}
    return [b for b in found if _tells(b, most[b.model.cls], treated)]


def _tells(birth: Birth, most: int, treated: Container[ast.AST | None]) -> bool:
    """Whether a birth counts beside those of its class that tell `most`.

    An expression may be evaluated twice: it makes one model, and that one is `treated`.
    """
    if birth.model.cls is None or birth.rank() == most:
        return True
    return (birth.rank(), most) == (SEEN, TREATED) and birth.node not in treated

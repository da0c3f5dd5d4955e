"""What is recorded of one model: its layers, parameters, calls of initialisers, and tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeGuard

from initlint import records
from initlint.graph.ops import Graph, Op
from initlint.graph.patterns import name_patterns
from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.operands import flat_tensors
from initlint.reading.abstract.submodules import modules_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import Slot, Value
from initlint.reading.attempts import RAISES, Attempts
from initlint.reading.budget import TooMuchSignalError
from initlint.reading.fills.asked import tests_of
from initlint.reading.fills.uncalled import Uncalled
from initlint.reading.fills.unreached import Unreached
from initlint.reading.fills.unused import unused_functions
from initlint.reading.known import frameworks
from initlint.reading.models.layers import (
    Drawn,
    Followed,
    followed,
    names_of,
    overrides_of,
    unknown,
)
from initlint.reading.models.layers import records as records_of
from initlint.reading.models.parameters import Ledger, calls_of, parameters_of
from initlint.reading.models.places import Place, places_of, weights_held
from initlint.reading.objects.classes import order_of
from initlint.reading.objects.entries import entered, entered_by
from initlint.reading.objects.hollow import has_unknown_part
from initlint.reading.objects.torch_modules import type_of
from initlint.reading.reader import Reader
from initlint.records import Call, Initializer, Layer, Parameter, Test
from initlint.torchlib.draws import UNCLEAR, Draw

# Code that is not read may have filled a parameter once more.
UNSEEN = records.Draw("", "unknown", certain=False)
# A stack of blocks may be deep, but parameters that nobody will read need not be recorded.
_MOST_NAMES = 20_000


class Model(NamedTuple):
    """A module, with the name of the class, function or variable that it comes from.

    `path` is the file that defines this name, `doors` are the methods by which data enters.
    """

    name: str
    path: str
    instance: Instance
    doors: tuple[str, ...] = ()


class Found(NamedTuple):
    """What is recorded of one model; `predicted` is what its predictions cost."""

    layers: list[Layer]
    parameters: list[Parameter]
    calls: list[Call]
    tests: list[Test]
    graph: Followed | None = None
    predicted: int = 0


class About(NamedTuple):
    """What is known of all classes: which are parts, have ambiguous names, are trained."""

    parts: set[Value]
    ambiguous: set[str]
    trained: set[Value]


class Wanted(NamedTuple):
    """What is recorded besides layers; without `data`, it is not known what follows a layer."""

    parameters: bool = True
    graphs: bool = False
    data: bool = True


class Recorder:
    """Follows the data of models, and makes the records of each."""

    def __init__(self, reader: Reader, attempts: Attempts, about: About, wanted: Wanted) -> None:
        self._reader, self._attempts, self._about = reader, attempts, about
        self._wanted = wanted
        self._drawn: dict[tuple[Instance, bool], Drawn | None] = {}
        self._unreached = Unreached(reader.program, reader.reached)
        self._uncalled = Uncalled(reader)
        self._within: dict[Instance, list[tuple[Place, Slot, str]]] = {}
        self._overrides: dict[Instance, dict[Slot, Draw]] = {}

    def held(self, instance: Instance) -> list[tuple[Place, Slot, str]]:
        """Every weight of a layer within a module; gone through once."""
        if instance not in self._within:
            self._within[instance] = list(weights_held(instance))
        return self._within[instance]

    def found(
        self,
        model: Model,
        held: Sequence[tuple[Place, Slot, str]],
        are_news: Callable[[Sequence[Layer]], bool] = bool,
        predicts: bool = True,
    ) -> Found:
        """All records of a model; its name has the path if it is ambiguous.

        `are_news` says whether layers are to be recorded; of a model that has no such layers,
        nothing is. Without `predicts` the layers have no signal. Raises TooMuchSignalError if
        its prediction would cost too much.
        """
        budget = self._reader.budget
        begun = budget.predictable
        try:
            found = self._found(model, held, are_news, predicts)
        except TooMuchSignalError:
            # What is not recorded costs nothing.
            budget.predictable = begun
            raise
        return found._replace(predicted=begun - budget.predictable)

    def _found(
        self,
        model: Model,
        held: Sequence[tuple[Place, Slot, str]],
        are_news: Callable[[Sequence[Layer]], bool],
        predicts: bool,
    ) -> Found:
        instance, charge = model.instance, self._reader.budget.predicted
        every = bool if predicts else _never
        if model.name in self._about.ambiguous:
            model = model._replace(name=f"{model.path}:{model.name}")
        is_whole = instance.cls not in self._about.parts
        drawn = self._followed(instance, is_whole, model.doors)
        places = places_of(instance)
        for place, slot, _ in held:
            # What is nested deeper than all names are looked for has at least its first one.
            places.setdefault(id(slot), [place])
        modules = [module for _, module in modules_of(instance)]
        overrides = overrides_of(modules)
        found, graph = [], None
        if drawn is not None:
            drawn = _with_overrides(drawn, overrides, places)
            found = records_of(model.name, drawn, places, charge, are_news if predicts else _never)
            if self._wanted.graphs:
                graph = Followed(model.name, drawn, names_of(drawn, places), tuple(found))
        reached = {id(use.slot) for use, _ in drawn.met} if drawn is not None else set()
        is_missed = any(id(slot) not in reached for _, slot, _ in held)
        if self._wanted.data and is_missed and instance.cls is not None:
            beside = self._tried_on(
                instance, self._beside, instance, is_whole, model.doors, raises=str
            )
            met = beside.met if beside is not None else ()
            met = tuple((use, other) for use, other in met if id(use.slot) not in reached)
            reached |= {id(use.slot) for use, _ in met}
            found += records_of(model.name, Drawn(met, 0), places, charge, every)
        missed: dict[Instance | None, list[tuple[Place, Slot, str]]] = {}
        for place, slot, kind in held:
            if id(slot) not in reached:
                reached.add(id(slot))
                owner = slot.holder.owner if slot.holder is not None else None
                missed.setdefault(owner[0] if owner else None, []).append((place, slot, kind))
        for whose, weights in missed.items():
            found += self._elsewhere(model, whose, weights, every)
        if found and not are_news(found):
            return Found([], [], [], [])
        found = self._told(found, held)
        parameters: list[Parameter] = []
        if self._wanted.parameters:
            touched = drawn.touched if drawn is not None else None
            hook = frameworks.coverage(self._reader, instance)
            ledger = Ledger(touched, is_whole, overrides, hook)
            parameters = parameters_of(model.name, instance, ledger, _MOST_NAMES)
            parameters = [p if p.history else self._unproven(instance, p) for p in parameters]
        calls = calls_of(model.name, modules, places, self._reader.acting)
        is_trained = instance.cls in self._about.trained
        calls += self._uncalled.of(model.name, modules, is_trained)
        calls += unused_functions(self._reader, model.name, modules, is_trained)
        tests = tests_of(model.name, modules, overrides)
        if tests and has_unknown_part(self._reader, instance):
            tests = [replace(test, partial=True) for test in tests]
        return Found(found, parameters, calls, tests, graph)

    def _told(self, found: Sequence[Layer], held: Sequence[tuple[Place, Slot, str]]) -> list[Layer]:
        """The layers; those that code which is not read may have filled say which function."""
        released = self._reader.released
        names = {place.parameter: released[slot] for place, slot, _ in held if slot in released}
        return [
            replace(layer, current=replace(layer.current, reason=names[layer.parameter]))
            if layer.parameter in names and _is_unclear(layer.current)
            else layer
            for layer in found
        ]

    def _unproven(self, root: Instance, parameter: Parameter) -> Parameter:
        """A parameter that nothing wrote; with an unknown write where other code may have."""
        site, name = parameter.site, parameter.name.rpartition(".")[2]
        holders = [m for _, m in modules_of(root) if type_of(m) == parameter.holder]
        classes = {
            each.name
            for module in (root, *holders)
            if isinstance(module.cls, UserClass)
            for each in order_of(self._reader, module.cls)
            if isinstance(each, UserClass)
        }
        if site is None or self._unreached.may_write(site.path, name, classes):
            return replace(parameter, history=(UNSEEN,))
        return parameter

    def _elsewhere(
        self,
        model: Model,
        owner: Instance | None,
        held: Sequence[tuple[Place, Slot, str]],
        are_news: Callable[[Sequence[Layer]], bool],
    ) -> list[Layer]:
        """The records of weights that the model's graph does not reach, from their owner's graph.

        All at once: what comes before one of them may be another one.
        """
        drawn = self._followed(owner, whole=False) if owner is not None else None
        if model.instance not in self._overrides:
            modules = [module for _, module in modules_of(model.instance)]
            self._overrides[model.instance] = overrides_of(modules)
        overrides = self._overrides[model.instance]
        own = {id(slot): overrides.get(slot, slot.draw) for _, slot, _ in held}
        met = drawn.met if drawn is not None else ()
        met = tuple((use.holding(own[id(use.slot)]), m) for use, m in met if id(use.slot) in own)
        seen = {id(use.slot) for use, _ in met}
        found = [
            unknown(model.name, place, slot, kind, own[id(slot)])
            for place, slot, kind in held
            if id(slot) not in seen
        ]
        if drawn is None or not met:
            return found
        alone = Drawn(met, drawn.bare, ops=drawn.ops)
        charge = self._reader.budget.predicted
        places = {id(slot): [place] for place, slot, _ in held}
        return found + records_of(model.name, alone, places, charge, are_news)

    def _followed(
        self, instance: Instance, whole: bool, doors: tuple[str, ...] = ()
    ) -> Drawn | None:
        if not self._wanted.data:
            return None
        key = (instance, whole)
        if key not in self._drawn:
            self._drawn[key] = self._tried_on(
                instance, self._drawing, instance, whole, doors, raises=lambda: _raises(instance)
            )
        return self._drawn[key]

    def _tried_on(
        self, instance: Instance, work: Callable[..., Any], *args: Any, raises: Callable[[], str]
    ) -> Any:
        module = (
            instance.cls.module if instance.cls is not None else self._reader.program.modules[0]
        )
        return self._attempts.run(module, type_of(instance), work, *args, raises=raises)

    def _drawing(self, instance: Instance, whole: bool, doors: tuple[str, ...]) -> Drawn | None:
        """Call a module with data, and follow the resulting graph."""
        self._reader.graph = Graph(self._reader.budget)
        results = entered(self._reader, instance, doors)
        return None if results is None else self._closed(results, whole)

    def _beside(self, instance: Instance, whole: bool, doors: tuple[str, ...]) -> Drawn:
        """Call the methods of a module other than its forward with data."""
        self._reader.graph = Graph(self._reader.budget)
        return self._closed(entered_by(self._reader, instance, doors), whole)

    def _closed(self, results: list[Value], whole: bool) -> Drawn:
        """The present graph, followed, of which these are the results."""
        graph = self._reader.graph
        ends = dict.fromkeys(node for result in results for node in flat_tensors(result))
        graph.add(Op("output" if whole else "unknown", tuple(ends), final=True))
        name_patterns(graph)
        return followed(graph, whole, self._reader.budget, self._wanted.graphs)


def _is_unclear(current: Initializer | None) -> TypeGuard[Initializer]:
    """Whether it is not known what fills a weight, nor by which line."""
    return current is not None and current.name == UNCLEAR.name and current.site is None


def _never(layers: Sequence[Layer]) -> bool:
    """In place of the question whether layers are news: their signal is not to be predicted."""
    return False


def _raises(instance: Instance) -> str:
    """The gap of a forward that raises an error; a module without weights has none."""
    return f"its forward {RAISES}" if next(weights_held(instance), None) is not None else ""


def _with_overrides(
    drawn: Drawn, overrides: Mapping[Slot, Draw], places: Mapping[int, Sequence[Place]]
) -> Drawn:
    """What a graph uses, with the draws of constructors that its forward has passed over.

    `self.detr.head(x)` calls the head without its holder, whose constructor has filled it. A
    parameter that lies in several places is left alone: another holder may have filled it.
    """
    if not overrides:
        return drawn
    met = tuple(
        (use.holding(overrides[use.slot]), found)
        if use.draw is use.slot.draw
        and use.slot in overrides
        and len(places.get(id(use.slot), ())) == 1
        else (use, found)
        for use, found in drawn.met
    )
    return drawn._replace(met=met)

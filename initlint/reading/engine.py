"""Reads files: every class of modules is made, followed and recorded; what fails is named."""

from __future__ import annotations

import ast
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from initlint import records
from initlint.graph.ops import Graph, Op
from initlint.graph.patterns import name_patterns
from initlint.reading.budget import TooMuchError
from initlint.reading.classes import (
    heirs_of,
    is_filled,
    order_of,
    outside_of,
    stranger_of,
    torch_base,
)
from initlint.reading.construct import claim, construct
from initlint.reading.entries import entered, entered_by
from initlint.reading.files import sources
from initlint.reading.frames import Frame, ImpossibleError
from initlint.reading.holders import Instance
from initlint.reading.interpreter import interpreter
from initlint.reading.known import frameworks
from initlint.reading.layers import (
    Drawn,
    Followed,
    Place,
    followed,
    has_weights,
    names_of,
    overrides_of,
    places_of,
    site_of,
    unknown,
    weights_held,
    weights_of,
)
from initlint.reading.layers import records as records_of
from initlint.reading.life import Birth, slots_of, told
from initlint.reading.mentions import given_away
from initlint.reading.names import top_level
from initlint.reading.operands import flat_tensors
from initlint.reading.options import unread
from initlint.reading.parameters import Ledger, calls_of, merged, parameters_of
from initlint.reading.questions import known_elsewhere, tests_of
from initlint.reading.reader import Reader
from initlint.reading.resets import forgotten
from initlint.reading.resolve import Import, Module, Program
from initlint.reading.scripts import Scripts
from initlint.reading.submodules import children, modules_of
from initlint.reading.torch_modules import type_of
from initlint.reading.uncalled import Uncalled
from initlint.reading.unreached import Unreached
from initlint.reading.user_class import UserClass
from initlint.reading.values import Slot, Value
from initlint.records import Call, Initializer, Layer, Parameter, Site, Test, Unanalysed
from initlint.torchlib.draws import Draw


class Read(NamedTuple):
    """The result of reading: layers, parameters, calls of initialisers, tests in code that
    initialises, classes that were not analysed, files that cannot be read.

    `spent` is the cost, in the units of a budget. `graphs` are those of the models, on request.
    """

    layers: tuple[Layer, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    calls: tuple[Call, ...] = ()
    tests: tuple[Test, ...] = ()
    unanalysed: tuple[Unanalysed, ...] = ()
    broken: tuple[Unanalysed, ...] = ()
    spent: int = 0
    graphs: tuple[Followed, ...] = ()


def read(
    paths: Sequence[str],
    texts: Mapping[str, str | bytes] | None = None,
    jobs: int = 1,
    parameters: bool = True,
    imported: Collection[str] = (),
    graphs: bool = False,
    starts: Mapping[tuple[str, str], str] | None = None,
) -> Read:
    """The layers of all module classes in `paths`; nothing is imported or executed.

    `texts` replace the text on the disk. Files are read together: one file may instantiate, derive
    from or call a class of another.
    With `jobs`, as many processes follow the data of models; the answer is the same. `parameters`
    are recorded on request only. Of the files in `imported`, what the others import is read, and
    nothing is recorded for its own sake. `starts` has the folders in which absolute imports begin
    that lead neither beside the importing file nor above it, by that file and the first name.
    """
    files, broken = sources([*paths, *imported], texts or {}, frozenset(imported))
    engine = _Engine(Program(files, starts or {}), parameters, graphs)
    engine.run(jobs)
    return Read(
        tuple(engine.layers),
        tuple(engine.parameters),
        tuple(engine.calls),
        tuple(known_elsewhere(engine.tests)),
        tuple(engine.gaps.values()),
        tuple(broken),
        engine.reader.budget.spent,
        tuple(engine.graphs),
    )


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


class Found(NamedTuple):
    """What is recorded of one model."""

    layers: list[Layer]
    parameters: list[Parameter]
    calls: list[Call]
    tests: list[Test]
    graph: Followed | None = None


class Model(NamedTuple):
    """A module, with the name of the class, function or variable that it comes from.

    `path` is the file that defines this name, `doors` are the methods by which data enters.
    """

    name: str
    path: str
    instance: Instance
    doors: tuple[str, ...] = ()


# Code that is not read may have filled a parameter once more.
_UNSEEN = records.Draw("", "unknown", certain=False)
# Why a model is not judged.
_STOPPED = "code that may make and fill it was not followed to its end"
_GIVEN = "it is passed on as a value and made by no code that is read, so other code may fill it"
# Layers whose initialisation no rule judges.
_UNJUDGED = ("Embedding", "EmbeddingBag")
_RAISES = "raises an error, as far as it can be read"


class _Engine:
    """Reads all classes of a program, models first, then classes that are only submodules."""

    def __init__(self, program: Program, parameters: bool, graphs: bool) -> None:
        self.program = program
        self._wants_parameters = parameters
        self._wants_graphs = graphs
        self.graphs: list[Followed] = []
        self.parameters: list[Parameter] = []
        self.calls: list[Call] = []
        self.tests: list[Test] = []
        self.reader = interpreter(program)
        self.layers: list[Layer] = []
        # Classes and functions that were given up, each once.
        self.gaps: dict[str, Unanalysed] = {}
        self._sites: set[Site | None] = set()
        self._recorded: set[Instance] = set()
        self._kinds: set[object] = set()
        self._apart: set[Value] = set()
        self._ambiguous: set[str] = set()
        self._drawn: dict[tuple[Instance, bool], Drawn | None] = {}
        self._ahead: dict[Model, Found] = {}
        # Parameters that code has filled after the birth of their model.
        self._late: set[Slot] = set()
        self._unreached = Unreached(program, self.reader.reached)
        self._uncalled = Uncalled(self.reader)
        # The classes of models that the files train, and follow up to there.
        self._trained: set[Value] = set()
        self._within: dict[Instance, list[tuple[Place, Slot, str]]] = {}
        self._overrides: dict[Instance, dict[Slot, Draw]] = {}

    def run(self, jobs: int = 1) -> None:
        """Read every class, and what functions and top levels make of them."""
        modules = self.program.followed()
        scripts = Scripts(self.reader, self.program, self._tried)
        scripts.follow(modules)
        classes = [cls for module in modules for cls in self._classes(module)]
        born = [(birth, self._named(birth, scripts)) for birth in told(self.reader.life)]
        made = {cls: self._made(cls) for cls in classes if not cls.made}
        self._apart = self._parts(classes, [birth for birth, _ in born])
        homes = {(cls.name, cls.module.path) for cls in classes}
        homes |= {(model.name, model.path) for _, model in born if model.name}
        self._ambiguous = {name for name, many in Counter(n for n, _ in homes).items() if many > 1}
        born = [(birth, model) for birth, model in born if model.name and self._is_whole(birth)]
        born = [pair for pair in born if not self._is_made_as_part(pair[0], scripts)]
        self._trained = {b.model.cls for b, _ in born if b.trained and not (b.lost or b.given)}
        self._late = {slot for birth, _ in born for slot in birth.filled()}
        done: set[Value] = set()
        self._follow_ahead([model for _, model in born], jobs)
        for birth, model in born:
            self._record(
                model, model.instance.cls in done, _STOPPED if birth.lost else "", birth.given
            )
            done.add(model.instance.cls)
        done.discard(None)
        unsure = dict.fromkeys(self._unsure(scripts.stopped), _STOPPED)
        unsure |= self._meant_astray(classes)
        inherited = {base for cls in done for base in order_of(self.reader, cls)[1:]}
        for cls in sorted(classes, key=lambda cls: cls in self._apart):
            # A class may be made by a function that gives something else back.
            instance = made[cls] if cls in made else self._unrecorded(cls)
            if cls in inherited and instance is not None and self._is_recorded(instance):
                # Its heirs are made, and it is not: they have told how its layers begin.
                continue
            if instance is not None and cls not in done:
                model = Model(cls.name, cls.module.path, instance)
                self._record(model, False, self._doubt(cls, unsure))
        known = {call.site for call in self.calls}
        loose = [call for call in self.reader.loose if call.site not in known]
        self.calls += merged("", loose, {})
        self.tests += self.reader.options
        for cls in classes:
            self.tests += unread(cls.name, cls.node, cls.module)
            for instance in [*cls.made, made.get(cls)][:1]:
                self.tests += forgotten(cls, instance) if instance is not None else ()

    def _unrecorded(self, cls: UserClass) -> Instance | None:
        """An instance of a class that is not a submodule of any recorded model."""
        return None if self._is_recorded(cls.made[0]) else self._made(cls)

    def _is_recorded(self, instance: Instance) -> bool:
        """Whether every weight within a module is recorded; what is stays so, and is kept.

        Of classes that hold each other, each is looked at once.
        """
        waiting, seen = [instance], set()
        while waiting:
            module = waiting.pop()
            if module in self._recorded or module in seen:
                continue
            seen.add(module)
            if any(site_of(slot) not in self._sites for _, slot in weights_of(module)):
                return False
            # Layers before what holds others: most of what is not recorded is found at once.
            waiting += sorted(
                (part for _, part in children(module)), key=_holds_others, reverse=True
            )
        self._recorded |= seen
        return True

    def _parts(self, classes: Sequence[UserClass], born: Sequence[Birth]) -> set[Value]:
        """Classes that are not, or may not be, models."""
        given = given_away(self.program, {cls.name for cls in classes})
        whole = {b.model.cls for b in born if b.trained or not _is_used(b.model)}
        filled = {cls.module for cls in classes if is_filled(outside_of(self.reader, cls))}
        parts = {cls for cls in classes if cls.used or cls.name in given or cls.module in filled}
        # What a framework's hook fills when it is made is known, whoever makes it.
        whole |= frameworks.hooked_classes(self.reader, classes)
        return heirs_of(self.reader, parts, classes) - whole

    def _is_whole(self, birth: Birth) -> bool:
        return birth.model.cls not in self._apart

    def _is_made_as_part(self, birth: Birth, scripts: Scripts) -> bool:
        """Whether a function gives this model back that constructors call to get their parts."""
        if birth.model.cls is not None or birth.trained or birth.model not in scripts.results:
            return False
        return scripts.results[birth.model][2] in self.reader.makers

    def _named(self, birth: Birth, scripts: Scripts) -> Model:
        """A model with the name of the function that gives it back, else of its class.

        A Sequential that no variable holds and nothing trains may be a part: it has no name.
        """
        instance = birth.model if birth.is_treated() or birth.origin is None else birth.origin
        if birth.origin is None and instance.cls is None:
            claim(instance)
        # What code has asked of the model counts, too, where it has filled nothing.
        instance.questions = {**instance.questions, **birth.model.questions}
        doors = tuple(birth.doors)
        if birth.model in scripts.results:
            path, name, _ = scripts.results[birth.model]
            return Model(name, path, instance, doors)
        if instance.cls is not None:
            return Model(instance.cls.name, instance.cls.module.path, instance, doors)
        name = birth.name or ("model" if birth.trained or birth.doors else "")
        return Model(name, birth.path, instance, doors)

    def _unsure(self, stopped: Sequence[Module]) -> set[Value]:
        """The classes that code may make and fill which was not followed to its end."""
        found: set[Value] = set()
        for module in stopped:
            for name, entry in list(self.program.names(module).items()):
                if isinstance(entry, (ast.ClassDef, Import)):
                    value = self._tried(module, name, top_level, self.reader, module, name)
                    if isinstance(value, UserClass):
                        found.add(value)
        return found

    def _classes(self, module: Module) -> Iterator[UserClass]:
        for name, entry in self.program.names(module).items():
            if isinstance(entry, ast.ClassDef):
                cls = top_level(self.reader, module, name)
                if isinstance(cls, UserClass):
                    kind = self._tried(module, name, torch_base, self.reader, cls)
                    if kind:
                        yield cls
                    elif "forward" in cls.members:
                        self._say_stranger(module, cls)

    def _say_stranger(self, module: Module, cls: UserClass) -> None:
        """Say of a class that may be a model why it is not judged as one."""
        base = self._tried(module, cls.name, stranger_of, self.reader, cls)
        if base:
            reason = f"its base class {base} is not read, so that it is not known as a model"
            self._give_up(module.path, cls.name, reason)

    def _made(self, cls: UserClass) -> Instance | None:
        """An instance of a class, with symbolic values for arguments without a default."""
        found = self._tried(cls.module, cls.name, construct, self.reader, cls, [], {}, cls.node)
        return found if isinstance(found, Instance) else None

    def _tried(self, module: Module, name: str, work: Callable[..., Any], *args: Any) -> Any:
        """The result of a piece of work; None, and a gap, if it exceeds the budget or fails."""
        try:
            with _Alone(self.reader, module):
                result = work(*args)
                if self.reader.unfollowed:
                    self._give_up(module.path, name, self.reader.unfollowed)
                return result
        except ImpossibleError:
            reason = self._raised(work, args)
        except TooMuchError as error:
            reason = str(error)
        except RecursionError:
            reason = "gave up at code that is nested, or calls itself, too deeply"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            reason += " (a bug in initlint; the rest was checked)"
        if reason:
            self._give_up(module.path, name, reason)
        return None

    def _raised(self, work: Callable[..., Any], args: tuple[Any, ...]) -> str:
        """The gap to report if the code that is read raises an error; empty for none.

        A factory may need arguments that it was not given, so its errors are not reported.
        """
        if work == construct:
            return f"its constructor {_RAISES}"
        is_lost = work == self._drawing and next(weights_held(args[0]), None) is not None
        return f"its forward {_RAISES}" if is_lost else ""

    def _give_up(self, path: str, name: str, reason: str) -> None:
        """List a class or function as not analysed; the first reason is kept."""
        target = f"{path}:{name}"
        gap = Unanalysed(target, f"{path}: {name}: {reason}")
        self.gaps.setdefault(target, gap)

    def _meant_astray(self, classes: Sequence[UserClass]) -> dict[Value, str]:
        """The classes that an import may mean whose module is not certain; why, for each."""
        found: dict[Value, str] = {}
        for path, name in self.reader.astray:
            whole, _, member = name.rpartition(".")
            parts = tuple(whole.split("."))
            place = self.program.import_of(path, parts[0])
            meant = [
                c for c in classes if c.name == member and c.module.parts[-len(parts) :] == parts
            ]
            what = "means one of several files" if meant else "not found among the files read"
            reason = f"{whole} is imported at {place} and {what}"
            self._give_up(path, name, reason)
            found |= dict.fromkeys(meant, f"{reason}, so other code may fill it")
        return found

    def _doubt(self, cls: UserClass, unsure: Mapping[Value, str]) -> str:
        """Why code that is not seen may fill a class that nothing makes; empty if it may not."""
        if any(isinstance(c, UserClass) and c.used for c in order_of(self.reader, cls)):
            return ""
        return unsure.get(cls) or (_GIVEN if cls in self._apart else "")

    def _record(self, model: Model, again: bool, doubt: str, given: str = "") -> None:
        """Record a model's layers; for a submodule or a known class, only the new ones.

        The weights of a submodule, and of a model with a `doubt`, may be filled by unseen code;
        `given` says which function may have filled those that are unknown.
        """
        instance = model.instance
        apart = instance.cls in self._apart
        if apart and has_weights(instance) and self._is_recorded(instance):
            return
        if apart:
            # Of a part, only what is new is recorded: all the rest was, of what holds it.
            budget = self.reader.budget
            held = list(islice(weights_held(instance), budget.passable() + 1))
            try:
                budget.gone_through(len(held))
            except TooMuchError as error:
                self._give_up(model.path, model.name, str(error))
                return
            held = [each for each in held if site_of(each[1]) not in self._sites]
        else:
            held = self._held(instance)
        every = self._ahead.pop(model, None) or self._found(model, held)
        found, parameters = every.layers, every.parameters
        if apart:
            found = [layer for layer in found if layer.site not in self._sites]
            parameters = [p for p in parameters if p.site not in self._sites]
        elif again:
            found = [layer for layer in found if _kind_of(layer) not in self._kinds]
            parameters = parameters if found else []
        judged = [layer.current for layer in found if layer.type not in _UNJUDGED]
        if judged and doubt:
            self._give_up(model.path, model.name, doubt)
        elif given and any(current and current.name == "unknown" for current in judged):
            self._give_up(model.path, model.name, given)
        if apart or doubt:
            found = [replace(layer, current=Initializer("unknown")) for layer in found]
            parameters = [replace(p, history=(*p.history, _UNSEEN)) for p in parameters]
        late = {place.parameter for place, slot, _ in held if slot in self._late}
        if late:
            found = [replace(x, late=x.parameter in late) for x in found]
        try:
            self.reader.budget.records(len(found))
        except TooMuchError as error:
            self._give_up(model.path, model.name, str(error))
            return
        self.layers += found
        if every.graph is not None and found and not (apart or again or doubt):
            self.graphs.append(every.graph)
        self.parameters += parameters
        self.calls += [] if again else every.calls
        self.tests += [] if again or doubt else every.tests
        self._sites |= {layer.site for layer in found}
        self._sites |= {slot.origin for _, slot in slots_of(instance) if slot.origin is not None}
        self._kinds |= {_kind_of(layer) for layer in found}

    def _held(self, instance: Instance) -> list[tuple[Place, Slot, str]]:
        """Every weight of a layer within a module; gone through once."""
        if instance not in self._within:
            self._within[instance] = list(weights_held(instance))
        return self._within[instance]

    def _found(self, model: Model, held: Sequence[tuple[Place, Slot, str]]) -> Found:
        """All records of a model; its name has the path if it is ambiguous."""
        instance = model.instance
        if model.name in self._ambiguous:
            model = model._replace(name=f"{model.path}:{model.name}")
        is_whole = instance.cls not in self._apart
        drawn = self._followed(instance, is_whole, model.doors)
        places = places_of(instance)
        for place, slot, _ in held:
            # What is nested deeper than all names are looked for has at least its first one.
            places.setdefault(id(slot), [place])
        overrides = overrides_of(instance)
        found, graph = [], None
        if drawn is not None:
            drawn = _with_overrides(drawn, overrides, places)
            found = records_of(model.name, drawn, places)
            if self._wants_graphs:
                graph = Followed(model.name, drawn, names_of(drawn, places), tuple(found))
        reached = {id(use.slot) for use, _ in drawn.met} if drawn is not None else set()
        if any(id(slot) not in reached for _, slot, _ in held) and instance.cls is not None:
            beside = self._tried_on(instance, self._beside, instance, is_whole, model.doors)
            met = beside.met if beside is not None else ()
            met = tuple((use, other) for use, other in met if id(use.slot) not in reached)
            reached |= {id(use.slot) for use, _ in met}
            found += records_of(model.name, Drawn(met, 0), places)
        for place, slot, kind in held:
            if id(slot) not in reached:
                reached.add(id(slot))
                found += self._elsewhere(model, place, slot, kind)
        parameters: list[Parameter] = []
        if self._wants_parameters:
            touched = drawn.touched if drawn is not None else None
            hook = frameworks.coverage(self.reader, instance)
            ledger = Ledger(touched, is_whole, overrides, hook)
            parameters = parameters_of(model.name, instance, ledger, _MOST_NAMES)
            parameters = [p if p.history else self._unproven(instance, p) for p in parameters]
        calls = calls_of(model.name, instance, places)
        modules = [module for _, module in modules_of(instance)]
        calls += self._uncalled.of(model.name, modules, instance.cls in self._trained)
        tests = tests_of(model.name, modules, overrides)
        return Found(found, parameters, calls, tests, graph)

    def _unproven(self, root: Instance, parameter: Parameter) -> Parameter:
        """A parameter that nothing wrote; with an unknown write where other code may have."""
        site, name = parameter.site, parameter.name.rpartition(".")[2]
        holders = [m for _, m in modules_of(root) if type_of(m) == parameter.holder]
        classes = {
            each.name
            for module in (root, *holders)
            if isinstance(module.cls, UserClass)
            for each in order_of(self.reader, module.cls)
            if isinstance(each, UserClass)
        }
        if site is None or self._unreached.may_write(site.path, name, classes):
            return replace(parameter, history=(_UNSEEN,))
        return parameter

    def _follow_ahead(self, models: Sequence[Model], jobs: int) -> None:
        """Follow the data of models in several processes."""
        if jobs < 2 or len(models) < 2 * jobs or not hasattr(os, "fork"):
            return

        from initlint.reading.forks import forked

        def share(turn: int) -> tuple[list[Found], dict[str, Unanalysed]]:
            mine = models[turn::jobs]
            return [self._found(m, self._held(m.instance)) for m in mine], self.gaps

        for turn, (found, gaps) in enumerate(forked(share, jobs, ([], {}))):
            self.gaps = {**gaps, **self.gaps}
            self._ahead.update(zip(models[turn::jobs], found, strict=False))

    def _elsewhere(self, model: Model, place: Place, slot: Slot, kind: str) -> list[Layer]:
        """The record of a weight that the model's graph does not reach, from its owner's graph."""
        holder = slot.holder
        owner = holder.owner[0] if holder is not None and holder.owner else None
        drawn = self._followed(owner, whole=False) if owner is not None else None
        if model.instance not in self._overrides:
            self._overrides[model.instance] = overrides_of(model.instance)
        draw = self._overrides[model.instance].get(slot, slot.draw)
        met = [pair for pair in drawn.met if pair[0].slot is slot] if drawn is not None else []
        if drawn is None or not met:
            return [unknown(model.name, place, slot, kind, draw)]
        own = tuple((use.holding(draw), found) for use, found in met)
        alone = Drawn(own, drawn.bare, ops=drawn.ops)
        return records_of(model.name, alone, {id(slot): [place]})

    def _followed(
        self, instance: Instance, whole: bool, doors: tuple[str, ...] = ()
    ) -> Drawn | None:
        key = (instance, whole)
        if key not in self._drawn:
            self._drawn[key] = self._tried_on(instance, self._drawing, instance, whole, doors)
        return self._drawn[key]

    def _tried_on(self, instance: Instance, work: Callable[..., Any], *args: Any) -> Any:
        module = instance.cls.module if instance.cls is not None else self.program.modules[0]
        return self._tried(module, type_of(instance), work, *args)

    def _drawing(self, instance: Instance, whole: bool, doors: tuple[str, ...]) -> Drawn | None:
        """Call a module with data, and follow the resulting graph."""
        self.reader.graph = Graph(self.reader.budget)
        results = entered(self.reader, instance, doors)
        return None if results is None else self._closed(results, whole)

    def _beside(self, instance: Instance, whole: bool, doors: tuple[str, ...]) -> Drawn:
        """Call the methods of a module other than its forward with data."""
        self.reader.graph = Graph(self.reader.budget)
        return self._closed(entered_by(self.reader, instance, doors), whole)

    def _closed(self, results: list[Value], whole: bool) -> Drawn:
        """The present graph, followed, of which these are the results."""
        graph = self.reader.graph
        ends = dict.fromkeys(node for result in results for node in flat_tensors(result))
        graph.add(Op("output" if whole else "unknown", tuple(ends), final=True))
        name_patterns(graph)
        return followed(graph, whole, self.reader.budget, self._wants_graphs)


def _holds_others(module: Instance) -> bool:
    return module.owner is None


def _is_used(instance: Instance) -> bool:
    return instance.cls is not None and instance.cls.used


class _Alone:
    """Resets the reader to the top level of a file."""

    def __init__(self, reader: Reader, module: Module) -> None:
        self._reader, self._module = reader, module

    def __enter__(self) -> None:
        reader = self._reader
        reader.frames[:] = [Frame(self._module)]
        reader.active.clear()
        reader.unfollowed = ""
        reader.constructing, reader.arms = None, ()
        reader.budget.begin()

    def __exit__(self, *_: object) -> None:
        self._reader.frames.clear()
        self._reader.constructing = None


def _kind_of(layer: Layer) -> object:
    """A key of equivalent layers of one line, which need to be judged only once."""
    current = layer.current.name if layer.current is not None else ""
    return layer.site, layer.following.activation, current, layer.harmless


# A stack of blocks may be deep, but parameters that nobody will read need not be recorded.
_MOST_NAMES = 20_000

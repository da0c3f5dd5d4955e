"""Reads files: every class of modules is made, followed and recorded; what fails is named."""

from __future__ import annotations

import ast
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.submodules import children
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import Slot, Value
from initlint.reading.attempts import RAISES, Attempts
from initlint.reading.budget import TooMuchError, TooMuchSignalError
from initlint.reading.evaluate.interpreter import interpreter
from initlint.reading.evaluate.names import top_level
from initlint.reading.fills.asked import known_elsewhere
from initlint.reading.fills.options import unread
from initlint.reading.fills.resets import forgotten
from initlint.reading.known import frameworks
from initlint.reading.models.doubts import Doubts
from initlint.reading.models.generated import templates
from initlint.reading.models.layers import Followed
from initlint.reading.models.life import Birth, slots_of, told
from initlint.reading.models.mentions import given_away
from initlint.reading.models.parameters import merged
from initlint.reading.models.places import Place, has_weights, site_of, weights_held, weights_of
from initlint.reading.models.recording import UNSEEN, About, Found, Model, Recorder, Wanted
from initlint.reading.models.scripts import Scripts
from initlint.reading.objects.classes import (
    heirs_of,
    is_filled,
    order_of,
    outside_of,
    stranger_of,
    torch_base,
)
from initlint.reading.objects.construct import claim, construct
from initlint.reading.objects.hollow import unseen_part
from initlint.reading.sources.files import sources
from initlint.reading.sources.resolve import Module, Program
from initlint.records import Call, Initializer, Layer, Parameter, Site, Test, Unanalysed


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
    data: bool = True,
) -> Read:
    """The layers of all module classes in `paths`; nothing is imported or executed.

    `texts` replace the text on the disk. Files are read together: one file may instantiate, derive
    from or call a class of another.
    With `jobs`, as many processes follow the data of models; the answer is the same. `parameters`
    are recorded on request only. Of the files in `imported`, what the others import is read, and
    nothing is recorded for its own sake. `starts` has the folders in which absolute imports begin
    that lead neither beside the importing file nor above it, by that file and the first name.
    Without `data`, no model is called with data: of its layers, it is not known what follows.
    """
    files, broken = sources([*paths, *imported], texts or {}, frozenset(imported))
    engine = _Engine(Program(files, starts or {}), Wanted(parameters, graphs, data))
    engine.run(jobs)
    return Read(
        tuple(engine.layers),
        tuple(engine.parameters),
        tuple(engine.calls),
        tuple(known_elsewhere(engine.tests)),
        tuple(engine.attempts.gaps.values()),
        tuple(broken),
        engine.reader.budget.spent,
        tuple(engine.graphs),
    )


_TEMPLATE = "a file beside it is generated from it, and judged in its place"
# Layers whose initialisation no rule judges.
_UNJUDGED = ("Embedding", "EmbeddingBag")


class _Engine:
    """Reads all classes of a program, models first, then classes that are only submodules."""

    def __init__(self, program: Program, wanted: Wanted) -> None:
        self.program = program
        self._wanted = wanted
        self.graphs: list[Followed] = []
        self.parameters: list[Parameter] = []
        self.calls: list[Call] = []
        self.tests: list[Test] = []
        self.reader = interpreter(program)
        self.attempts = Attempts(self.reader)
        # There is one once it is known which classes are parts.
        self._recorder: Recorder
        self._doubts = Doubts(self.reader, self.attempts)
        self.layers: list[Layer] = []
        self._sites: set[Site | None] = set()
        self._recorded: set[Instance] = set()
        self._kinds: set[object] = set()
        self._apart: set[Value] = set()
        self._ahead: dict[Model, Found | None] = {}
        # Parameters that code has filled after the birth of their model.
        self._late: set[Slot] = set()

    def run(self, jobs: int = 1) -> None:
        """Read every class, and what functions and top levels make of them."""
        modules = self._running()
        scripts = Scripts(self.reader, self.program, self.attempts.run)
        scripts.follow(modules)
        self.reader.budget.begin_classes()
        classes = [cls for module in modules for cls in self._classes(module)]
        born = [(birth, self._named(birth, scripts)) for birth in told(self.reader.life)]
        made = {cls: self._made(cls) for cls in classes if not cls.made}
        self._apart = self._parts(classes, [birth for birth, _ in born])
        # A class that nothing makes is a part if those that inherit from it are.
        of_parts = {base for c in classes if c.used for base in order_of(self.reader, c)[1:]}
        self._apart |= of_parts & made.keys()
        homes = {(cls.name, cls.module.path) for cls in classes}
        homes |= {(model.name, model.path) for _, model in born if model.name}
        ambiguous = {name for name, many in Counter(n for n, _ in homes).items() if many > 1}
        born = [(birth, model) for birth, model in born if model.name and self._is_whole(birth)]
        born = [pair for pair in born if not self._is_made_as_part(pair[0], scripts)]
        trained = {b.model.cls for b, _ in born if b.trained and not (b.lost or b.given)}
        self._late = {slot for birth, _ in born for slot in birth.filled()}
        about = About(self._apart, ambiguous, trained)
        self._recorder = Recorder(self.reader, self.attempts, about, self._wanted)
        done: set[Value] = set()
        self._follow_ahead([model for _, model in born], jobs)
        for birth, model in born:
            doubt = self._doubts.of_birth(birth, scripts)
            self._record(model, model.instance.cls in done, doubt, birth.given)
            done.add(model.instance.cls)
        done.discard(None)
        self._doubts.note(classes, scripts.stopped)
        inherited = {base for cls in done for base in order_of(self.reader, cls)[1:]}
        for cls in sorted(classes, key=lambda cls: cls in self._apart):
            # A class may be made by a function that gives something else back.
            instance = made[cls] if cls in made else self._unrecorded(cls)
            if cls in inherited and instance is not None and self._is_recorded(instance):
                # Its heirs are made, and it is not: they have told how its layers begin.
                continue
            if instance is not None and cls not in done:
                model = Model(cls.name, cls.module.path, instance)
                doubt = self._doubts.of_class(cls, cls in self._apart)
                of_rest = "" if doubt else self._doubts.of_rest(cls)
                self._record(model, False, doubt, of_rest=of_rest)
        known = {call.site for call in self.calls}
        loose = [call for call in self.reader.loose if call.site not in known]
        self.calls += merged("", loose, {}, self.reader.acting)
        self.tests += self.reader.options
        for cls in classes:
            self.tests += unread(cls.name, cls.node, cls.module)
            for instance in [*cls.made, made.get(cls)][:1]:
                self.tests += forgotten(cls, instance) if instance is not None else ()

    def _running(self) -> list[Module]:
        """The files whose code runs: those from which others are generated are listed as gaps."""
        modules, sources = self.program.followed(), {*templates(self.program.modules)}
        for module in modules:
            if module.path in sources:
                self.attempts.give_up(module.path, "its models", _TEMPLATE, unseen=True)
        return [module for module in modules if module.path not in sources]

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

        A Sequential that no variable holds, nothing trains, and no code gets that is not read, may
        be a part: it has no name.
        """
        instance = birth.model if birth.is_treated() or birth.origin is None else birth.origin
        if birth.origin is None and instance.cls is None:
            claim(instance)
        # What code has asked of the model counts, too, where it has filled nothing.
        if birth.model is not instance:
            instance.questions.update(birth.model.questions)
        doors = tuple(birth.doors)
        if birth.model in scripts.results:
            path, name, _ = scripts.results[birth.model]
            return Model(name, path, instance, doors)
        if instance.cls is not None:
            return Model(instance.cls.name, instance.cls.module.path, instance, doors)
        is_used = birth.trained or birth.doors or birth.given
        name = birth.name or ("model" if is_used else "")
        return Model(name, birth.path, instance, doors)

    def _classes(self, module: Module) -> Iterator[UserClass]:
        for name, entry in self.program.names(module).items():
            if isinstance(entry, ast.ClassDef):
                cls = top_level(self.reader, module, name)
                if isinstance(cls, UserClass):
                    kind = self.attempts.run(module, name, torch_base, self.reader, cls)
                    if kind:
                        yield cls
                    elif "forward" in cls.members:
                        self._say_stranger(module, cls)

    def _say_stranger(self, module: Module, cls: UserClass) -> None:
        """Say of a class that may be a model why it is not judged as one."""
        base = self.attempts.run(module, cls.name, stranger_of, self.reader, cls)
        if base:
            reason = f"its base class {base} is not read, so that it is not known as a model"
            self.attempts.give_up(module.path, cls.name, reason, unseen=True)

    def _made(self, cls: UserClass) -> Instance | None:
        """An instance of a class, with symbolic values for arguments without a default."""
        found = self.attempts.run(
            cls.module,
            cls.name,
            construct,
            self.reader,
            cls,
            [],
            {},
            cls.node,
            raises=lambda: f"its constructor {RAISES}",
        )
        return found if isinstance(found, Instance) else None

    def _record(
        self, model: Model, again: bool, doubt: str, given: str = "", of_rest: str = ""
    ) -> None:
        """Record a model's layers; for a submodule or a known class, only the new ones.

        The weights of a submodule, and of a model with a `doubt`, may be filled by unseen code;
        `given` says which function may have filled those that are unknown, `of_rest` why those of
        PyTorch's default may be filled.
        """
        instance = model.instance
        apart = instance.cls in self._apart
        if apart and has_weights(instance) and self._is_recorded(instance):
            return
        try:
            held = self._held_news(instance) if apart else self._held(model)
        except TooMuchError as error:
            self.attempts.give_up(model.path, model.name, str(error))
            return
        every = self._found(model, held, again)
        found, parameters = every.layers, every.parameters
        if apart:
            found = [layer for layer in found if layer.site not in self._sites]
            parameters = [p for p in parameters if p.site not in self._sites]
        elif again:
            found = [layer for layer in found if _kind_of(layer) not in self._kinds]
            parameters = parameters if found else []
        judged = [layer.current for layer in found if layer.type not in _UNJUDGED]
        if judged and doubt:
            self.attempts.give_up(model.path, model.name, doubt)
        elif given and any(current and current.name == "unknown" for current in judged):
            self.attempts.give_up(model.path, model.name, given)
        if of_rest and any(current and current.default for current in judged):
            self.attempts.give_up(model.path, model.name, of_rest)
            found = [_in_doubt(x) if x.current and x.current.default else x for x in found]
            parameters = [_unseen(p) if _is_default(p) else p for p in parameters]
        if apart or doubt:
            found, parameters = [*map(_in_doubt, found)], [*map(_unseen, parameters)]
        late = {place.parameter for place, slot, _ in held if slot in self._late}
        if late:
            found = [replace(x, late=x.parameter in late) for x in found]
        try:
            self.reader.budget.records(len(found))
        except TooMuchError as error:
            self.attempts.give_up(model.path, model.name, str(error))
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

    def _held_news(self, part: Instance) -> list[tuple[Place, Slot, str]]:
        """What is new of the weights of a part: all the rest was recorded of what holds it."""
        budget = self.reader.budget
        held = list(islice(weights_held(part), budget.passable() + 1))
        budget.gone_through(len(held))
        return [each for each in held if site_of(each[1]) not in self._sites]

    def _held(self, model: Model) -> list[tuple[Place, Slot, str]]:
        """The weights of a model; a gap if it may have none for want of a part."""
        held = self._recorder.held(model.instance)
        has_some = held or any(slots_of(model.instance))
        part = "" if has_some else unseen_part(self.reader, model.instance)
        if part:
            reason = f"the modules in {part} are only known when the code runs"
            self.attempts.give_up(model.path, model.name, reason, unseen=True)
        return held

    def _found(self, model: Model, held: Sequence[tuple[Place, Slot, str]], again: bool) -> Found:
        """What is recorded of a model; nothing, and a gap, if that is too much."""
        try:
            return self._told(model, held, again)
        except TooMuchError as error:
            self.attempts.give_up(model.path, model.name, str(error))
            return Found([], [], [], [])

    def _told(self, model: Model, held: Sequence[tuple[Place, Slot, str]], again: bool) -> Found:
        """What is recorded of a model, here or by another process."""
        ahead, are_news = self._ahead.pop(model, None), self._are_news if again else bool
        try:
            if ahead is None:
                return self._recorder.found(model, held, are_news)
            if are_news(ahead.layers):
                self.reader.budget.predicted(ahead.predicted)
            return ahead
        except TooMuchSignalError as error:
            self.attempts.give_up(model.path, model.name, str(error))
            return self._recorder.found(model, held, are_news, predicts=False)

    def _are_news(self, layers: Sequence[Layer]) -> bool:
        """Whether some layers are of a kind that is not recorded yet."""
        return any(_kind_of(layer) not in self._kinds for layer in layers)

    def _follow_ahead(self, models: Sequence[Model], jobs: int) -> None:
        """Follow the data of models in several processes."""
        if jobs < 2 or len(models) < 2 * jobs or not hasattr(os, "fork"):
            return

        from initlint.reading.forks import forked

        attempts = self.attempts

        def found(model: Model) -> Found | None:
            try:
                return self._recorder.found(model, self._recorder.held(model.instance))
            except TooMuchError:
                # Of all processes together, the first models have the budget.
                return None

        def share(turn: int) -> tuple[list[Found | None], dict[str, Unanalysed]]:
            return [found(model) for model in models[turn::jobs]], attempts.gaps

        for turn, (every, gaps) in enumerate(forked(share, jobs, ([], {}))):
            attempts.gaps = {**gaps, **attempts.gaps}
            self._ahead.update(zip(models[turn::jobs], every, strict=False))


def _in_doubt(layer: Layer) -> Layer:
    return replace(layer, current=Initializer("unknown"))


def _unseen(parameter: Parameter) -> Parameter:
    """A parameter that code which is not seen may have filled once more."""
    return replace(parameter, history=(*parameter.history, UNSEEN))


def _is_default(parameter: Parameter) -> bool:
    return all(draw.by == "torch" for draw in parameter.history)


def _holds_others(module: Instance) -> bool:
    return module.owner is None


def _is_used(instance: Instance) -> bool:
    return instance.cls is not None and instance.cls.used


def _kind_of(layer: Layer) -> object:
    """A key of equivalent layers of one line, which need to be judged only once."""
    current = layer.current.name if layer.current is not None else ""
    return layer.site, layer.following.activation, current, layer.harmless

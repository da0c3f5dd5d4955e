"""Reads files: every class of modules is made, followed and recorded; what fails is named."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from initlint.records import Layer, Site, Unanalysed
from initlint.source.classes import UserClass
from initlint.source.factories import factories, given_away
from initlint.source.files import sources
from initlint.source.graph import Graph, Node
from initlint.source.layers import (
    Drawn,
    Place,
    followed,
    places_of,
    records,
    site_of,
    unknown,
    weights_held,
)
from initlint.source.patterns import name_patterns
from initlint.source.reader import Reader
from initlint.source.resolve import Module, Program
from initlint.source.state import Frame, ImpossibleError, TooMuchError, flat_tensors
from initlint.source.values import PLAIN, Function, Instance, Slot, Value, options_of


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: layers, classes of which nothing can be said, files that are broken."""

    layers: tuple[Layer, ...] = ()
    unanalysed: tuple[Unanalysed, ...] = ()
    broken: tuple[Unanalysed, ...] = ()


def read(paths: Sequence[str], texts: Mapping[str, str | bytes] | None = None) -> Read:
    """The layers of all classes of modules in `paths`, of which nothing is imported or executed.

    `texts` are the contents of those files that are not what the disk holds. Files are read
    together, so that a class may be made, derived from or called in another file than its own.
    """
    files, broken = sources(paths, texts or {})
    engine = _Engine(Program(files))
    engine.run()
    return Read(tuple(engine.layers), tuple(engine.unanalysed), tuple(broken))


# What may end the reading of one class; the others go on.
_ENDS = (TooMuchError, ImpossibleError, RecursionError)


@dataclass(frozen=True, slots=True)
class Model:
    """A module under the name of the class, or of the function, that makes it."""

    name: str
    instance: Instance


class _Engine:
    """All classes of a program, from the outermost to those that are only parts."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.reader = Reader(program)
        self.layers: list[Layer] = []
        self.unanalysed: list[Unanalysed] = []
        self._sites: set[Site | None] = set()
        self._kinds: set[object] = set()
        self._apart: set[UserClass] = set()
        self._drawn: dict[Instance, Drawn | None] = {}

    def run(self) -> None:
        """Read every class."""
        classes = self._classes()
        made = {cls: self._made(cls) for cls in classes}
        built = [model for module in self.program.modules for model in self._built(module)]
        given = given_away(self.program, {cls.name for cls in classes})
        given -= {model.instance.cls.name for model in built if not model.instance.cls.used}
        self._apart = {cls for cls in classes if cls.used or cls.name in given}
        self._record_built(built)
        done = {model.instance.cls for model in built}
        for cls in sorted(classes, key=lambda cls: cls in self._apart):
            instance = made[cls]
            if instance is not None:
                self._record(Model(cls.name, instance), again=cls in done)

    def _record_built(self, built: list[Model]) -> None:
        """The models of functions: of each class the first one whole, of others what is new."""
        done: set[UserClass] = set()
        for model in built:
            cls = model.instance.cls
            if cls not in self._apart:
                self._record(model, again=cls in done)
                done.add(cls)

    def _built(self, module: Module) -> list[Model]:
        """The models that a file's functions build when they are called without arguments."""
        found = []
        if module.source.hinted:
            for entry in factories(self.program, module):
                try:
                    with self._alone(module):
                        value = self.reader.call(Function(entry, module), [], {})
                except _ENDS:
                    continue
                found += [
                    Model(entry.name, option)
                    for option in options_of(value)
                    if isinstance(option, Instance) and option.cls is not None and option.torch
                ]
        return found

    def _classes(self) -> list[UserClass]:
        found = []
        for module in self.program.modules:
            if not module.source.hinted:
                continue
            for name, entry in self.program.names(module).items():
                if isinstance(entry, ast.ClassDef):
                    cls = self.reader.top_level(module, name)
                    if isinstance(cls, UserClass) and self._is_module(cls):
                        found.append(cls)
        return found

    def _is_module(self, cls: UserClass) -> bool:
        try:
            return bool(self.reader.torch_base(cls))
        except _ENDS:
            return False

    def _made(self, cls: UserClass) -> Instance | None:
        """A module of a class, with names for the arguments that have no default."""
        try:
            with self._alone(cls.module):
                found = self.reader.construct(cls, [], {}, cls.node)
        except _ENDS:
            return None
        return found if isinstance(found, Instance) else None

    def _alone(self, module: Module) -> _Alone:
        return _Alone(self.reader, module)

    def _record(self, model: Model, again: bool = False) -> None:
        """Record a model's layers; of a part, or of a class met before, only those that are new."""
        instance = model.instance
        apart = instance.cls in self._apart
        held = list(weights_held(instance))
        if apart and held and all(site_of(slot) in self._sites for _, slot, _ in held):
            return
        drawn = self._followed(instance, whole=not apart)
        found = [] if drawn is None else records(model.name, drawn, places_of(instance))
        reached = {id(use.slot) for use, _ in drawn.met} if drawn is not None else set()
        for place, slot, kind in held:
            if id(slot) not in reached:
                reached.add(id(slot))
                found += self._elsewhere(model.name, place, slot, kind)
        if apart:
            found = [layer for layer in found if layer.site not in self._sites]
        elif again:
            found = [layer for layer in found if _kind_of(layer) not in self._kinds]
        self.layers += found
        self._sites |= {layer.site for layer in found}
        self._kinds |= {_kind_of(layer) for layer in found}

    def _elsewhere(self, model: str, place: Place, slot: Slot, kind: str) -> list[Layer]:
        """The record of a weight that a model's graph does not reach: as its own class sees it."""
        owner = slot.holder.owner[0] if slot.holder.owner else None
        drawn = self._followed(owner, whole=False) if owner is not None else None
        if drawn is not None:
            met = tuple(pair for pair in drawn.met if pair[0].slot is slot)
            if met:
                one = Drawn(met, drawn.bare)
                return records(model, one, {id(slot): [place]})
        return [unknown(model, place, slot, kind)]

    def _followed(self, instance: Instance, whole: bool) -> Drawn | None:
        if instance not in self._drawn:
            self._drawn[instance] = None
            try:
                graph = self._graph(instance, whole)
                self._drawn[instance] = followed(graph, whole) if graph is not None else None
            except _ENDS:
                pass
        return self._drawn[instance]

    def _graph(self, instance: Instance, whole: bool) -> Graph | None:
        """The graph of a module called with data, its result marked."""
        reader = self.reader
        found = reader.member(instance.cls, "forward")
        if found is None and instance.torch == "Module":
            return None
        node = found[1] if found is not None else None
        with self._alone(instance.cls.module):
            reader.graph = Graph()
            args = _inputs(node, reader) if node is not None else [reader.node("input")]
            result = reader.call_instance(instance, args, {})
            end = Node("output" if whole else "unknown", tuple(_distinct(result)), final=True)
            reader.graph.add(end)
            name_patterns(reader.graph)
            return reader.graph


class _Alone:
    """A reader that begins anew, at the top level of a file."""

    def __init__(self, reader: Reader, module: Module) -> None:
        self._reader, self._module = reader, module

    def __enter__(self) -> None:
        reader = self._reader
        reader.frames[:] = [Frame(self._module)]
        reader.active.clear()
        reader.constructing, reader.arms, reader.steps = None, (), 0

    def __exit__(self, *_: object) -> None:
        self._reader.frames.clear()
        self._reader.constructing = None


def _kind_of(layer: Layer) -> object:
    """What two layers of one line have in common that need to be judged only once."""
    current = layer.current.name if layer.current is not None else ""
    return layer.site, layer.following.activation, current, layer.harmless


def _distinct(value: Value) -> list[Node]:
    return list(dict.fromkeys(flat_tensors(value)))


# Annotations of arguments that carry no data.
_SETTINGS = ("int", "bool", "float", "str", "dtype", "device")


def _inputs(node: ast.AST, reader: Reader) -> list[Value]:
    """Data for every argument of a forward that must be given."""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [reader.node("input")]
    places = [*node.args.posonlyargs, *node.args.args][1:]
    needed = len(places) - len(node.args.defaults)
    return [_input(place, reader) for place in places[: max(0, needed)]]


def _input(place: ast.arg, reader: Reader) -> Value:
    note = place.annotation
    name = note.id if isinstance(note, ast.Name) else getattr(note, "attr", "")
    return PLAIN if name in _SETTINGS else reader.node("input")

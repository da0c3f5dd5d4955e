"""Follows code that makes and fills models: files from top to bottom, functions, plain classes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from typing import Any

from initlint.graph.ops import Graph
from initlint.reading.abstract.frames import Frame, ImpossibleError
from initlint.reading.abstract.holders import Bound, Function, Instance, Listing, Table
from initlint.reading.abstract.parts import options_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import (
    BARE,
    External,
    Fresh,
    Named,
    Plain,
    Sym,
    Tensor,
    Unknown,
    Value,
)
from initlint.reading.budget import TooMuchError
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.compiled import block_of, evaluate
from initlint.reading.evaluate.names import top_level
from initlint.reading.models.factories import factories
from initlint.reading.models.reach import Reach
from initlint.reading.models.strangers import fills_what_it_makes
from initlint.reading.objects.classes import function_in, torch_base
from initlint.reading.objects.construct import construct
from initlint.reading.objects.looking import only_looks
from initlint.reading.reader import Reader
from initlint.reading.sources.files import words_of
from initlint.reading.sources.resolve import Import, Module, Program

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
# Runs work on a file under a name, and lists what was given up: None where it was.
Tried = Callable[..., Any]


class Scripts:
    """Follows the code around models; what it makes is in the reader's `life` afterwards."""

    def __init__(self, reader: Reader, program: Program, tried: Tried) -> None:
        self._reader, self._program, self._tried = reader, program, tried
        self._run: set[int] = set()
        self._reach = Reach(program)
        # Files in which code that may make and fill models was not followed to its end.
        self.stopped: list[Module] = []
        # The file and the name of the function that gives a model back, and its definition.
        self.results: dict[Instance, tuple[str, str, object]] = {}

    def follow(self, modules: Collection[Module]) -> None:
        """Run every file, then call what nothing in the files has called."""
        for module in modules:
            self._run_with_imports(module)
        for module in modules:
            self._call_rest(module)

    def _run_with_imports(self, module: Module) -> None:
        """Run a file after the files that it imports."""
        waiting = [(module, iter(self._imports(module)))]
        self._run.add(id(module))
        while waiting:
            current, imports = waiting[-1]
            found = next(imports, None)
            if found is None:
                waiting.pop()
                self._living(current, _WHOLE, self._top, current)
            elif id(found) not in self._run:
                self._run.add(id(found))
                waiting.append((found, iter(self._imports(found))))

    def _imports(self, module: Module) -> Iterator[Module]:
        for entry in self._program.names(module).values():
            if isinstance(entry, Import):
                found = self._program.imported(module, entry)
                if isinstance(found, Module):
                    yield found

    def _living(self, module: Module, name: str, work: Callable[..., Any], *args: Any) -> Value:
        reader = self._reader
        reader.graph = Graph(reader.budget)
        reader.living = True
        reader.life.begin()
        start, ended = len(reader.life.births), []

        def all_of_it(*args: Any) -> Value:
            value = work(*args)
            ended.append(True)
            return value

        try:
            return self._tried(module, name, all_of_it, *args)
        finally:
            reader.living = False
            if not ended:
                # What comes after the place where reading has stopped may fill them.
                for birth in reader.life.births[start:]:
                    birth.lost = not reader.life.is_frozen(birth)
                self.stopped.append(module)

    def _top(self, module: Module) -> None:
        """Read the statements of a file in their order, as if the file were the program."""
        body = module.source.tree.body
        if not any(self._does_something(module, s) and self._reach.makes(module, s) for s in body):
            # Its names are bound when somebody asks for them.
            return
        frame = Frame(module, names=module.values)
        frame.names["__name__"] = "__main__"
        self._reader.frames[:] = [frame]
        block_of(self._reader, body)(frame)

    def _does_something(self, module: Module, statement: ast.stmt) -> bool:
        """Whether a statement at the top level does more than to define or import something."""
        if isinstance(statement, ast.ClassDef):
            # A decorator may enter the class in a table.
            frame = Frame(module)
            decorators = statement.decorator_list
            return not all(only_looks(self._reader, each, frame) for each in decorators)
        if isinstance(statement, (*_FUNCTIONS, ast.Import, ast.ImportFrom)):
            return False
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        return not is_text

    def _call_rest(self, module: Module) -> None:
        """Call functions and make objects of plain classes that nothing has called or made."""
        reader = self._reader
        names = dict(self._program.names(module))
        for name, chosen in factories(self._program, module):
            if self._is_left(chosen):
                self._call(module, name)
            elif isinstance(chosen, ast.Assign) and name not in module.values:
                self._living(module, name, top_level, reader, module, name)
        for name, entry in names.items():
            if isinstance(entry, ast.ClassDef):
                self._make(module, name, entry)
            elif self._is_left(entry) and self._tried(module, name, self._tells, module, entry):
                self._call(module, name)

    def _is_left(self, entry: object) -> bool:
        """Whether this is a function that was not followed yet."""
        return isinstance(entry, _FUNCTIONS) and entry not in self._reader.followed

    def _call(self, module: Module, name: str) -> None:
        def work() -> Value:
            return call(self._reader, top_level(self._reader, module, name), [], {})

        value = self._living(module, name, work)
        for option in options_of(value):
            if isinstance(option, Instance):
                node = self._program.names(module).get(name)
                self.results.setdefault(option, (module.path, name, node))

    def _make(self, module: Module, name: str, entry: ast.ClassDef) -> None:
        """An object of a plain class whose methods make models, and a call of each such method."""
        reader = self._reader

        def work() -> None:
            cls = top_level(reader, module, name)
            if not isinstance(cls, UserClass) or torch_base(reader, cls):
                return
            methods = [node for node in entry.body if isinstance(node, _FUNCTIONS)]
            making = [node for node in methods if self._tells(module, node)]
            if all(node in reader.followed for node in making):
                return
            made = construct(reader, cls, [], {}, entry)
            # Whether anybody calls these is not known: what they load is no fresh start.
            reader.trying += 1
            try:
                for node in making:
                    if node not in reader.followed and isinstance(made, Instance):
                        call(reader, Bound(function_in(cls, node), made), [], {})
            finally:
                reader.trying -= 1

        self._living(module, name, work)

    def _tells(self, module: Module, node: Any) -> bool:
        """Whether a function may show how a class of modules is made or filled.

        It names such a class, or a table of such classes, of which no model is known yet; or it
        names any, and fills something; or it fills what it has got by a call.
        """
        names = self._program.names(module)
        text = module.source.lines(node.lineno, node.end_lineno or node.lineno)
        words = words_of(text)
        if not _FILLING_WORDS.isdisjoint(words) and fills_what_it_makes(node):
            return True
        if not self._may_tell(module, names, words):
            return False
        parts = [part for statement in node.body for part in ast.walk(statement)]
        tested = {
            id(part)
            for asked in parts
            if isinstance(asked, ast.Call) and getattr(asked.func, "id", "") in _TESTS
            for part in ast.walk(asked)
        }
        fills = any(isinstance(part, ast.Attribute) and part.attr in _FILLING for part in parts)
        return any(
            isinstance(part, (ast.Name, ast.Attribute))
            and id(part) not in tested
            and _first_name(part) in names
            and self._is_new(module, part, fills)
            for part in parts
        )

    def _may_tell(self, module: Module, names: Collection[str], words: Collection[bytes]) -> bool:
        """Whether one of the words of a function may name a class: it is cheaper to ask this first.

        Attributes of classes that are no modules, and of other files, may be classes, too.
        """
        is_filling = not _FILLING_WORDS.isdisjoint(words)
        for word in words:
            name = word.decode()
            if name not in names:
                continue
            try:
                value = top_level(self._reader, module, name)
                if isinstance(value, External):
                    found = b"Sequential" in words or _is_sequential(value)
                elif isinstance(value, UserClass) and torch_base(self._reader, value):
                    found = is_filling or not (value.made or value.used)
                else:
                    found = not (type(value) in BARE or isinstance(value, _NO_CLASSES))
            except (ImpossibleError, TooMuchError):
                continue
            if found:
                return True
        return False

    def _is_new(self, module: Module, node: ast.expr, fills: bool) -> bool:
        """Whether a name means a class of modules, or a table of them, not all known as models."""
        reader = self._reader
        try:
            value = evaluate(reader, node, Frame(module))
            values = value.parts() if isinstance(value, (Table, Listing)) else [value]
            classes = [v for v in values if isinstance(v, UserClass) and torch_base(reader, v)]
        except (ImpossibleError, TooMuchError):
            return False
        if _is_sequential(value):
            return True
        return any(fills or not (cls.made or cls.used) for cls in classes)


# Kinds of values that are no class, and have none as an attribute.
_NO_CLASSES = (Function, Tensor, Fresh, Sym, Named, Plain, Unknown)
# Functions that only ask of which class something is.
_TESTS = ("isinstance", "issubclass", "super")
# Methods that fill a model.
_FILLING = ("apply", "load_state_dict", "state_dict", "init_weights")
_FILLING_WORDS = {name.encode() for name in _FILLING}


def _first_name(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_sequential(value: Value) -> bool:
    return isinstance(value, External) and value.name == "torch.nn.Sequential"


_WHOLE = "its top level"

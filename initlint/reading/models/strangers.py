"""Classes whose models code may fill without a word of the class."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from initlint.reading.abstract.user_class import UserClass
from initlint.reading.fills.filling import fills, may_fill
from initlint.reading.objects.classes import order_of
from initlint.reading.reader import Reader
from initlint.reading.sources.resolve import Import, Module, Program
from initlint.records import Site

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Methods by which code reaches all that is in a model.
_GOING_THROUGH = ("apply", "modules", "named_modules", "parameters", "named_parameters")


class Strangers:
    """What code does to models of which nobody knows the class, for the classes it may be.

    A repository may hold many programs: a class may be meant by code in its own part of the files
    read, and by code that imports from there.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._parts: dict[str, frozenset[str]] = {}

    @cached_property
    def _root(self) -> str:
        """The innermost folder of all files read."""
        places = (Path(module.path).absolute() for module in self._reader.program.modules)
        return os.path.commonpath([place.parent for place in places])

    def doubt(self, cls: UserClass) -> str:
        """Why code may fill models of a class that it names nowhere; empty if it may not."""
        return self._said(cls, map(self._reader.strangers.get, self._filling(cls)))

    def doubt_of_part(self, cls: UserClass) -> str:
        """Why code may fill such models as parts of others; empty if it may not.

        One that fills parts of an unknown class itself is what they lie in.
        """
        hosts = self._reader.hosts
        return self._said(cls, hosts.values()) if cls not in hosts else ""

    def _said(self, cls: UserClass, places: Iterable[Site | None]) -> str:
        for site in places:
            if site is not None and self._reaches(site.path, cls.module.path):
                return (
                    f"the code at {site.path}:{site.line} fills a model whose class is only known"
                    " when it runs, perhaps this one"
                )
        return ""

    def _filling(self, cls: UserClass) -> Iterator[str]:
        """By what strangers are filled that may be of this class: its own methods, or any code."""
        yield ""
        for each in order_of(self._reader, cls):
            for name, method in each.members.items() if isinstance(each, UserClass) else ():
                if name in self._called and isinstance(method, _FUNCTIONS) and may_fill(method):
                    yield name

    @cached_property
    def _called(self) -> frozenset[str]:
        return frozenset(self._reader.strangers)

    def _reaches(self, path: str, home: str) -> bool:
        """Whether code of one file may look up what another one defines."""
        if path not in self._parts:
            self._parts[path] = frozenset(map(self._part, _program(self._reader.program, path)))
        return bool(self._parts[path] & {"", self._part(home)})

    def _part(self, path: str) -> str:
        """The first folder, below that of all files read, in which a file lies."""
        inner = Path(path).absolute().relative_to(self._root).parts
        return inner[0] if len(inner) > 1 else ""


def _program(program: Program, path: str) -> Iterator[str]:
    """A file, and those that it imports, directly or not."""
    modules = {module.path: module for module in program.modules}
    waiting, seen = [path], {path}
    while waiting:
        current = waiting.pop()
        yield current
        module = modules.get(current)
        if module is None:
            continue
        for entry in program.names(module).values():
            found = program.imported(module, entry) if isinstance(entry, Import) else None
            if isinstance(found, Module) and found.path not in seen:
                seen.add(found.path)
                waiting.append(found.path)


def fills_what_it_makes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function calls a filling method of what another call gives: `make().apply(f)`."""
    made = {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            holder = node.func.value
            is_made = isinstance(holder, ast.Call) or getattr(holder, "id", "") in made
            if is_made and (node.func.attr in _GOING_THROUGH or fills([ast.Expr(node)])):
                return True
    return False

"""What a name means: the top level of every file, and what it imports from the others."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import NamedTuple

from initlint.reading.abstract.values import External
from initlint.reading.sources.files import Source
from initlint.reading.sources.outside import LOOKING, TRAINING, TRUSTED


class Import(NamedTuple):
    """A name that comes from elsewhere: of `module` (dotted) the member `name`, or all of it.

    `level` is the number of leading dots.
    """

    module: str
    name: str | None
    level: int


@dataclass(slots=True, eq=False, repr=False)
class Module:
    """The top level of a file: what every name was last bound to, and the star imports."""

    source: Source
    parts: tuple[str, ...]
    names: dict[str, ast.AST | Import] = field(default_factory=dict)
    stars: list[Import] = field(default_factory=list)
    values: dict[str, object] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The file's path as it was given."""
        return self.source.path


class Program:
    """All files read: modules by the last parts of their dotted names."""

    def __init__(
        self, files: Sequence[Source], starts: Mapping[tuple[str, str], str] | None = None
    ) -> None:
        # The folder in which an import begins, by the importing file and the first name.
        self.starts = starts or {}
        self._above = _packages_above()
        # In characters, of each file that may use torch.
        self.sizes = [len(source.data) for source in files if source.hinted]
        self.modules: list[Module] = []
        self._by_stem: dict[str, list[Module]] = {}
        self._by_parts: dict[tuple[str, ...], Module] = {}
        # The folders in which files lie, and those that have stood for a package without a file.
        self._folders: set[tuple[str, ...]] = set()
        self._bare: dict[tuple[str, ...], Module] = {}
        for source in files:
            module = Module(source, self._dotted(source.path))
            self.modules.append(module)
            self._by_parts[module.parts] = module
            self._by_stem.setdefault(module.parts[-1] if module.parts else "", []).append(module)
            self._folders.update(module.parts[:depth] for depth in range(1, len(module.parts)))
            if source.hinted:
                bind(module, source.tree.body)

    def followed(self) -> list[Module]:
        """The files that may use torch, and those that may import from one of these."""
        of_torch = [module for module in self.modules if module.source.uses_torch]
        stems = {os.fsencode(part) for module in of_torch for part in module.parts[-1:]}
        return [
            module
            for module in self.modules
            if module.source.hinted
            or (module.source.asked and not stems.isdisjoint(module.source.words))
        ]

    def names(self, module: Module) -> dict[str, ast.AST | Import]:
        """The top level of a module, which is parsed now if it was not yet."""
        if not module.names and not module.stars:
            bind(module, module.source.tree.body)
        return module.names

    def imported(self, module: Module, entry: Import) -> Module | External | None:
        """The module that an import statement of `module` names; None if that is not certain.

        A relative import of a file that is not read leads outside: its name begins with the dots.
        """
        dotted = tuple(entry.module.split(".")) if entry.module else ()
        if entry.level:
            package = module.parts if _is_package(module) else module.parts[:-1]
            cut = len(package) - (entry.level - 1)
            found = self._at(package[:cut] + dotted) if cut >= 0 else None
            return found or (External("." * entry.level + entry.module) if dotted else None)
        found = self._absolute(module, dotted) or self._started(module, dotted)
        return found or External(entry.module)

    def import_of(self, path: str, name: str) -> str:
        """The place, as file:line, where a file imports a package of this name."""
        module = next((each for each in self.modules if each.path == path), None)
        for node in ast.walk(module.source.tree) if module is not None else ():
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            if isinstance(node, ast.stmt) and any(n.split(".")[0] == name for n in names):
                return f"{path}:{node.lineno}"
        return path

    def member(self, module: Module, name: str) -> Module | None:
        """The module called `name` in the package `module`."""
        return self._at((*module.parts, name)) if _is_package(module) else None

    def _absolute(self, module: Module, dotted: tuple[str, ...]) -> Module | None:
        """The one module whose path ends in `dotted`: beside the importer, or above it."""
        candidates = [
            other
            for other in self._by_stem.get(dotted[-1], [])
            if other.parts[-len(dotted) :] == dotted and other is not module
        ]
        fitting = [
            other
            for other in candidates
            if module.parts[: len(other.parts) - len(dotted)] == other.parts[: -len(dotted)]
        ]
        if dotted[0] == "torch":
            # A file or folder called torch is not the library, unless its own files import it and
            # it lies in no other package: rlkit/torch is rlkit.torch.
            fitting = [
                o
                for o in fitting
                if _top(o, dotted) == module.parts[: len(_top(o, dotted))]
                and not _is_inner(o, dotted)
            ]
        # Of two that could be meant, Python finds the one in the folder that is searched first;
        # which that is cannot be known, but the nearest is what its author sees.
        return max(fitting, key=lambda other: len(other.parts), default=None)

    def _started(self, module: Module, dotted: tuple[str, ...]) -> Module | None:
        """The module whose path from another folder is `dotted`, or the folder without a file."""
        if dotted[0] in _LIBRARIES:
            return None
        folder = self.starts.get((module.path, dotted[0]))
        if folder:
            return self._at((*self._placed(PurePath(folder)), *dotted))
        above = (module.parts[:cut] + dotted for cut in range(len(module.parts) - 1, -1, -1))
        return next((self._at(parts) for parts in above if parts in self._folders), None)

    def _dotted(self, path: str) -> tuple[str, ...]:
        parts = self._placed(PurePath(path).with_suffix(""))
        return parts[:-1] if parts and parts[-1] == "__init__" else parts

    def _placed(self, path: PurePath) -> tuple[str, ...]:
        """The parts of a path, below the packages in which the working directory lies."""
        is_below = not path.is_absolute() and path.parts[:1] != ("..",)
        return (*self._above, *path.parts) if is_below else path.parts

    def _at(self, parts: tuple[str, ...]) -> Module | None:
        """The module at a place; a folder without an `__init__.py` is an empty package."""
        if parts in self._folders and parts not in self._by_parts and parts not in self._bare:
            source = Source(str(PurePath(*parts, "__init__.py")), b"", asked=False)
            self._bare[parts] = Module(source, parts)
        return self._by_parts.get(parts) or self._bare.get(parts)


# Packages that are known by their names, even if some folder is called so.
_LIBRARIES = {*LOOKING, *TRAINING, *TRUSTED}


def _packages_above() -> tuple[str, ...]:
    """The packages in which the working directory lies: zoo and nets, for a run in zoo/nets."""
    names: list[str] = []
    try:
        folder = Path.cwd()
        while folder.name and (folder / "__init__.py").is_file():
            names.insert(0, folder.name)
            folder = folder.parent
    except OSError:
        return ()
    return tuple(names)


def _top(module: Module, dotted: tuple[str, ...]) -> tuple[str, ...]:
    """The place of the package that the first part of `dotted` names, if it names `module`."""
    return module.parts[: len(module.parts) - len(dotted) + 1]


def _is_inner(module: Module, dotted: tuple[str, ...]) -> bool:
    """Whether the package that the first part of `dotted` names lies in another package."""
    path = Path(module.path)
    place = path.parent if _is_package(module) else path.with_suffix("")
    try:
        return (place.parents[len(dotted) - 1] / "__init__.py").is_file()
    except (IndexError, OSError):
        return False


def _is_package(module: Module) -> bool:
    return PurePath(module.path).name == "__init__.py"


def bind(module: Module, body: Iterable[ast.stmt]) -> None:
    for statement in _flat(body):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            module.names[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                for name in _targets(target):
                    module.names[name] = statement
        elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
            if statement.value is not None and isinstance(statement.target, ast.Name):
                module.names[statement.target.id] = statement
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                whole = alias.name if alias.asname else alias.name.split(".")[0]
                module.names[alias.asname or whole] = Import(whole, None, 0)
        elif isinstance(statement, ast.ImportFrom):
            _bind_from(module, statement)


def _bind_from(module: Module, statement: ast.ImportFrom) -> None:
    for alias in statement.names:
        if alias.name == "*":
            module.stars.append(Import(statement.module or "", None, statement.level))
        else:
            entry = Import(statement.module or "", alias.name, statement.level)
            module.names[alias.asname or alias.name] = entry


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of the top level, those under `if` and `try` included; the first choice last.

    What is bound last counts, so that fallbacks come before what they stand in for.
    """
    waiting = [*body][::-1]
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, ast.Try):
            handled = [inner for handler in statement.handlers for inner in handler.body]
            inside = [*handled, *statement.body, *statement.orelse, *statement.finalbody]
        elif isinstance(statement, ast.If):
            inside = [*statement.orelse, *statement.body]
        elif isinstance(statement, ast.With):
            inside = statement.body
        else:
            yield statement
            continue
        waiting += reversed(inside)


def _targets(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _targets(element)

"""How a file spells torch.nn.init, and where the import belongs that it may need."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from initlint.fix.spot import Function, Position
from initlint.fix.text import RefusedError, Text
from initlint.recommend import calls
from initlint.records import Initializer

Guard = ast.Try | ast.If | ast.With
_BLOCKS = ("body", "handlers", "orelse", "finalbody")
IMPORT = "from torch import nn"
_END = (1 << 60, 0)


def is_import(statement: ast.AST, package: str = "") -> bool:
    """Whether a statement imports (something of `package`)."""
    match statement:
        case ast.Import(names=names):
            modules = [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            modules = [module]
        case ast.ImportFrom():
            modules = [""]
        case _:
            return False
    return not package or any(module.partition(".")[0] == package for module in modules)


def guard_of(tree: ast.Module) -> Guard | None:
    """The statement that the file's first import of torch stands in, if all are guarded.

    A statement that imports torch in any case, by one way or another, is no guard; nor is what
    only type checkers see.
    """
    guards = []
    for statement in tree.body:
        if is_import(statement, "torch") or _imports(_fallbacks(statement)):
            return None
        if isinstance(statement, Guard) and _imports(statement.body):
            guards.append(statement)
    real = (guard for guard in guards if not _is_for_types(guard))
    return next(real, None)


def bindings(tree: ast.Module, end: Position) -> Iterator[tuple[ast.stmt, Position]]:
    """The statements that may bind a module's names, and up to where that is certain to hold.

    What a `try` or a `with` runs holds up to `end`, as does what stands in the module itself; what
    an `if` runs, in that branch.
    """
    for statement in tree.body:
        if isinstance(statement, ast.Try | ast.With):
            yield from ((inner, end) for inner in statement.body)
        elif isinstance(statement, ast.If) and not _is_for_types(statement):
            last = statement.body[-1]
            branch = (last.end_lineno or last.lineno, last.end_col_offset or 0)
            yield from ((inner, branch) for inner in statement.body)
        else:
            yield statement, end


def _imports(statements: Sequence[ast.AST]) -> bool:
    """Whether any of the statements imports torch when the module is imported."""
    return any(
        is_import(statement, "torch")
        or _imports([inner for block in _BLOCKS for inner in getattr(statement, block, ())])
        for statement in statements
        if not isinstance(statement, Function | ast.ClassDef)
    )


def _fallbacks(statement: ast.stmt) -> Sequence[ast.AST]:
    """The code that runs if a guarded import does not."""
    match statement:
        case ast.Try(handlers=handlers):
            return handlers
        case ast.If(orelse=orelse):
            return orelse
    return ()


def _is_for_types(guard: ast.stmt) -> bool:
    return isinstance(guard, ast.If) and ast.unparse(guard.test).endswith("TYPE_CHECKING")


@dataclass(frozen=True)
class Spelling:
    """How torch.nn.init is written, or some of its functions by names of their own; and whether
    `from torch import nn` must be added for it."""

    module: str = ""
    functions: Mapping[str, str] = field(default_factory=dict)
    needs_import: bool = False

    def function(self, name: str) -> str:
        """The name of one of its functions."""
        return f"{self.module}.{name}" if self.module else self.functions[name]


@dataclass
class Speller:
    """The names that a module's imports bind torch.nn.init to."""

    tree: ast.Module
    text: Text
    # The spellings of the init module, best first, and init functions imported by name.
    _modules: list[str] = field(default_factory=list)
    _functions: dict[str, str] = field(default_factory=dict)
    _others: set[str] = field(default_factory=set)
    # From where to where in the file each of them is bound.
    _spans: dict[str, list[tuple[Position, Position]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    # Where an import that is to be added must be known.
    _needed: set[Position] = field(default_factory=set)

    def __post_init__(self) -> None:
        spelled: dict[str, list[str]] = defaultdict(list)
        for statement, end in bindings(self.tree, _END):
            for kind, name in self._imported(statement):
                spelled[kind].append(name)
                self._spans[name].append(((statement.lineno, statement.col_offset), end))
        self._others.update(spelled["other"])
        self._modules = [
            m for kind in ("nn", "init", "torch") for m in dict.fromkeys(spelled[kind])
        ]

    def _imported(self, statement: ast.stmt) -> list[tuple[str, str]]:
        """What a statement binds: spellings of the init module by kind, and other names."""
        match statement:
            case ast.Import(names=names):
                return [_by_import(alias) for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                if module == "torch.nn.init":
                    self._functions |= {alias.name: alias.asname or alias.name for alias in names}
                return [_by_from(module, alias) for alias in names]
        return [("other", name) for name in _bound(statement)]

    def knows(self, name: str) -> bool:
        """Whether `name` is a spelling of torch.nn.init."""
        return name in self._modules

    @cached_property
    def bound(self) -> frozenset[str]:
        """The names that the module's imports and assignments bind."""
        torch = {name.partition(".")[0] for name in self._modules}
        return frozenset(self._others | torch | set(self._functions.values()))

    def functions(self) -> frozenset[str]:
        """The file's names for initialisers that it imports by name."""
        return frozenset(self._functions.values())

    @cached_property
    def _by_use(self) -> list[str]:
        """The spellings, those that the file calls initialisers by most often first."""
        return sorted(self._modules, key=lambda name: -self._uses(name))

    def _uses(self, name: str) -> int:
        return len(re.findall(rf"(?<![\w.]){re.escape(name)}\.\w+_\(", self.text.content))

    @cached_property
    def _calls_bare(self) -> bool:
        """Whether the file calls initialisers by names imported from torch.nn.init only."""
        names = "|".join(map(re.escape, self._functions.values()))
        bare = names and re.search(rf"(?<![\w.])(?:{names})\(", self.text.content)
        return bool(bare) and not any(map(self._uses, self._modules))

    def _is_bound(self, name: str, at: Position) -> bool:
        return any(start < at <= end for start, end in self._spans[name])

    def spell(
        self, found: Initializer, hidden: frozenset[str], at: Position, preferred: str | None = None
    ) -> Spelling:
        """A spelling for the functions that `found` needs, whose name is not among `hidden`.

        It must be bound before `at`: what comes later may come after the first use. `preferred`,
        which the code there uses already, is taken if it is one. Raises RefusedError if there is
        none to be had.
        """
        hidden |= self._others
        needed = calls.functions(found)
        bare = preferred is None and self._calls_bare and needed <= self._functions.keys()
        names = {self._functions[name] for name in needed} if bare else set()
        if bare and not hidden & names and all(self._is_bound(name, at) for name in names):
            return Spelling(functions=self._functions)
        usable = [m for m in self._by_use if m.partition(".")[0] not in hidden]
        if preferred in usable:
            return Spelling(preferred)
        bound = next((m for m in usable if self._is_bound(m, at)), None)
        if bound is not None:
            return Spelling(bound)
        if "nn" in hidden:
            raise RefusedError(
                "the file has no name for torch.nn.init, and `nn` means something else"
            )
        self._needed.add(at)
        return Spelling("nn.init", needs_import=True)

    def module(self, hidden: frozenset[str], at: Position) -> str:
        """How the file spells torch.nn at `at`. Raises RefusedError if it has no name for it."""
        hidden |= self._others
        for name in self._by_use:
            usable = name.partition(".")[0] not in hidden and self._is_bound(name, at)
            if name.endswith(".init") and usable:
                return name.removesuffix(".init")
        raise RefusedError("the file has no name for torch.nn")

    def import_place(self) -> tuple[ast.stmt | None, str]:
        """The statement next to which `from torch import nn` belongs, and on which side.

        Where all imports of torch are guarded, the first of a guard's imports, else next to the
        file's imports of torch (before the first `from torch…`, after the last `import torch…`),
        else after its other imports, else at the top (no statement). Raises RefusedError.
        """
        guard = guard_of(self.tree)
        if guard is None or min(self._needed) < (guard.lineno, guard.col_offset):
            return self._free_place()
        first = next(filter(is_import, guard.body), None)
        inside = first is not None and all(
            (first.lineno, first.col_offset) < at < _end_of(guard.body[-1]) for at in self._needed
        )
        if first is None or not (inside or isinstance(guard, ast.Try | ast.With)):
            raise RefusedError(
                "the file imports torch only under a condition, and the import that it needs "
                "would be outside it"
            )
        return self._before(first)

    def _free_place(self) -> tuple[ast.stmt | None, str]:
        last_of_torch: ast.stmt | None = None
        last_import: ast.stmt | None = None
        top: ast.stmt | None = None
        for index, statement in enumerate(self.tree.body):
            if _end_of(statement) > min(self._needed):
                break
            match statement:
                case ast.ImportFrom(module=str(module)) if module.partition(".")[0] == "torch":
                    return self._before(statement)
                case ast.Import(names=names):
                    last_import = statement
                    if any(alias.name.partition(".")[0] == "torch" for alias in names):
                        last_of_torch = statement
                case ast.ImportFrom(module="__future__"):
                    top = statement
                case ast.ImportFrom():
                    last_import = statement
                case ast.Expr(value=ast.Constant(value=str())) if index == 0:
                    top = statement
                case ast.Try() | ast.If():
                    continue
                case _:
                    break
        return last_of_torch or last_import or top, "after"

    def _before(self, statement: ast.stmt) -> tuple[ast.stmt, str]:
        if self.text.before(statement).strip(" \t"):
            raise RefusedError("no import has a line of its own to put the new import next to")
        return statement, "before"

    def top_comments(self) -> int:
        """How many lines of `#!` and encoding comments open the file."""
        opening = enumerate(self.text.lines)
        return next((i for i, line in opening if not line.startswith("#")), 0)


def _end_of(statement: ast.stmt) -> Position:
    return (statement.end_lineno or statement.lineno, statement.end_col_offset or 0)


def _by_import(alias: ast.alias) -> tuple[str, str]:
    """What `import …` binds: a spelling of the init module by its kind, or another name."""
    match alias.name, alias.asname:
        case "torch.nn.init", str(name):
            return "init", name
        case "torch.nn", str(name):
            return "nn", f"{name}.init"
        case "torch", str(name):
            return "torch", f"{name}.nn.init"
        case dotted_name, None if dotted_name.partition(".")[0] == "torch":
            return "torch", "torch.nn.init"
    return "other", alias.asname or alias.name.partition(".")[0]


def _by_from(module: str, alias: ast.alias) -> tuple[str, str]:
    """The same for `from … import …`; initialisers are a kind of their own."""
    name = alias.asname or alias.name
    match module, alias.name:
        case "torch", "nn":
            return "nn", f"{name}.init"
        case "torch.nn", "init":
            return "init", name
        case "torch.nn.init", _:
            return "function", name
    return "other", name


def _bound(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.ImportFrom(names=names):
            return {alias.asname or alias.name for alias in names}
    return set()

"""How a file spells torch.nn.init, and the import it needs where it has no spelling."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from initlint.fix.text import RefusedError, Text

_FUNCTION = re.compile(r"\{init\}\.(\w+)")
IMPORT = "from torch import nn"


@dataclass(frozen=True)
class Spelling:
    """A call with its {init} replaced, and whether `from torch import nn` must be added for it."""

    call: str
    needs_import: bool = False


@dataclass
class Speller:
    """What a module's imports bind torch.nn.init to."""

    tree: ast.Module
    text: Text
    # The spellings of the init module, best first, and init functions imported by name.
    _modules: list[str] = field(default_factory=list)
    _functions: dict[str, str] = field(default_factory=dict)
    _others: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        spelled: dict[str, list[str]] = {"nn": [], "init": [], "torch": []}
        for statement in _top_level(self.tree):
            match statement:
                case ast.Import(names=names):
                    for alias in names:
                        self._note_import(alias, spelled)
                case ast.ImportFrom(module=str(module), names=names, level=0):
                    for alias in names:
                        self._note_from(module, alias, spelled)
                case _:
                    self._others |= _bound(statement)
        self._modules = [
            m for kind in ("nn", "init", "torch") for m in dict.fromkeys(spelled[kind])
        ]

    def _note_import(self, alias: ast.alias, spelled: dict[str, list[str]]) -> None:
        match alias.name, alias.asname:
            case "torch.nn.init", str(name):
                spelled["init"].append(name)
            case "torch.nn", str(name):
                spelled["nn"].append(f"{name}.init")
            case "torch", str(name):
                spelled["torch"].append(f"{name}.nn.init")
            case dotted_name, None if dotted_name.partition(".")[0] == "torch":
                spelled["torch"].append("torch.nn.init")
            case dotted_name, name:
                self._others.add(name or dotted_name.partition(".")[0])

    def _note_from(self, module: str, alias: ast.alias, spelled: dict[str, list[str]]) -> None:
        name = alias.asname or alias.name
        match module, alias.name:
            case "torch", "nn":
                spelled["nn"].append(f"{name}.init")
            case "torch.nn", "init":
                spelled["init"].append(name)
            case "torch.nn.init", function:
                self._functions[function] = name
            case _:
                self._others.add(name)

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

    def spell(
        self, template: str, hidden: frozenset[str], preferred: str | None = None
    ) -> Spelling:
        """`template` with {init} replaced by a spelling whose name is not among `hidden`.

        `preferred` is taken if it is one. Raises RefusedError if there is none to be had.
        """
        template = self._quoted(template)
        hidden |= self._others
        needed = set(_FUNCTION.findall(template))
        bare = preferred is None and self._calls_bare and needed <= self._functions.keys()
        if bare and not hidden & {self._functions[name] for name in needed}:
            return Spelling(_FUNCTION.sub(lambda m: self._functions[m[1]], template))
        usable = [m for m in self._by_use if m.partition(".")[0] not in hidden]
        if preferred in usable:
            return Spelling(template.replace("{init}", preferred))
        if usable:
            return Spelling(template.replace("{init}", usable[0]))
        if "nn" in hidden:
            raise RefusedError(
                "the file has no name for torch.nn.init, and `nn` means something else"
            )
        return Spelling(template.replace("{init}", "nn.init"), needs_import=True)

    def module(self, hidden: frozenset[str]) -> str:
        """How the file spells torch.nn. Raises RefusedError if it has no name for it."""
        hidden |= self._others
        for name in self._by_use:
            if name.endswith(".init") and name.partition(".")[0] not in hidden:
                return name.removesuffix(".init")
        raise RefusedError("the file has no name for torch.nn")

    def _quoted(self, template: str) -> str:
        if self.text.quote == "'" and "'" not in template:
            return template.replace('"', "'")
        return template

    def import_line(self) -> int:
        """The line after which `from torch import nn` belongs.

        Next to the file's imports of torch (before the first `from torch…`, after the last
        `import torch…`), else after its other imports, else at the top.
        """
        last_of_torch = last_import = top = 0
        for index, statement in enumerate(self.tree.body):
            end = statement.end_lineno or 0
            match statement:
                case ast.ImportFrom(module=str(module)) if module.partition(".")[0] == "torch":
                    return self._line_before(statement)
                case ast.Import(names=names):
                    last_import = end
                    if any(alias.name.partition(".")[0] == "torch" for alias in names):
                        last_of_torch = end
                case ast.ImportFrom(module="__future__"):
                    top = end
                case ast.ImportFrom():
                    last_import = end
                case ast.Expr(value=ast.Constant(value=str())) if index == 0:
                    top = end
                case ast.Try() | ast.If():
                    continue
                case _:
                    break
        return last_of_torch or last_import or top or self._top_comments()

    def _line_before(self, statement: ast.stmt) -> int:
        if self.text.before(statement):
            raise RefusedError("the import that it needs has no line of its own to stand next to")
        return statement.lineno - 1

    def _top_comments(self) -> int:
        """How many lines of `#!` and encoding comments open the file."""
        opening = enumerate(self.text.lines)
        return next((i for i, line in opening if not line.startswith("#")), 0)


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements of a module that certainly run, and those that a `try` runs."""
    for statement in tree.body:
        if isinstance(statement, ast.Try):
            yield from statement.body
        else:
            yield statement


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

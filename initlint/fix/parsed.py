"""One file, parsed once, with cached facts for the fixes of all its findings."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property

from initlint.fix.scope import Facts, bound_in, names_in
from initlint.fix.spelling import Speller
from initlint.fix.spot import Function, Scope, Spot, dotted, find, last_name
from initlint.fix.text import RefusedError, Text, decode
from initlint.records import Site

# A call as it would stand: the loops and tests around it, outermost first, then the call itself.
Entry = tuple[str, ...]


@dataclass
class Block:
    """The initialising calls among the statements of one block, and each statement's position."""

    positions: dict[int, int]
    entries: list[frozenset[Entry]]
    last: dict[Entry, int]

    @classmethod
    def of(cls, statements: Sequence[ast.stmt], functions: Collection[str]) -> Block:
        """`functions` are the names of initialisers that do not end in an underscore."""

        def initialises(name: str) -> bool:
            return name.endswith("_") or name in functions

        entries = [frozenset(_entries_of(statement, initialises)) for statement in statements]
        last = {entry: index for index, found in enumerate(entries) for entry in found}
        return cls({id(s): index for index, s in enumerate(statements)}, entries, last)

    @cached_property
    def loops(self) -> dict[Entry, list[Entry]]:
        """The calls in loops, by all but the outermost loop."""
        found: dict[Entry, list[Entry]] = {}
        for entry in self.last:
            if entry[0].startswith("for "):
                found.setdefault(entry[1:], []).append(entry)
        return found

    def stands(self, entry: Entry, statement: ast.stmt, anywhere: bool) -> bool:
        """Whether `entry` stands after a statement, directly or (`anywhere`) at any distance."""
        index = self.positions[id(statement)] + 1
        if anywhere:
            return self.last.get(entry, -1) >= index
        while index < len(self.entries) and self.entries[index]:
            if entry in self.entries[index]:
                return True
            index += 1
        return False


@dataclass(eq=False)
class Parsed:
    """A file's text and tree, and caches of what is known of its scopes and blocks."""

    text: Text
    tree: ast.Module
    # The lines that have no room for calls behind a semicolon.
    full: set[int] = field(default_factory=set)
    # The identities of conditional expressions of which both arms get the same call.
    alike: set[int] = field(default_factory=set)
    _facts: dict[tuple[int, str | None], Facts] = field(default_factory=dict)
    _names: dict[int, frozenset[str]] = field(default_factory=dict)
    _bound: dict[int, frozenset[str]] = field(default_factory=dict)
    _blocks: dict[int, Block] = field(default_factory=dict)
    _kept: list[Spot] = field(default_factory=list)

    @cached_property
    def speller(self) -> Speller:
        return Speller(self.tree, self.text)

    @cached_property
    def own_classes(self) -> frozenset[str]:
        """The names of the classes that the file itself defines."""
        return frozenset(node.name for node in self.tree.body if isinstance(node, ast.ClassDef))

    @cached_property
    def classes(self) -> tuple[ast.ClassDef, ...]:
        """All classes of the file, those inside functions and other classes among them."""
        return tuple(node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))

    @cached_property
    def all_names(self) -> frozenset[str]:
        """The names that the file uses or defines anywhere."""
        defined = {getattr(statement, "name", "") for statement in self.tree.body}
        return self.names(self.tree) | self.speller.bound | defined

    @cached_property
    def indent_unit(self) -> str:
        """One level of indentation: that of the first block."""
        for statement in self.tree.body:
            body = getattr(statement, "body", None)
            if body and body[0].lineno > statement.lineno:
                return self.text.before(body[0])
        return "    "

    def spot(self, site: Site, *others: type[ast.expr]) -> Spot:
        """The call (or one of `others`) at `site`. Raises RefusedError if there is none."""
        return find(self.tree, self.text, site, (ast.Call, *others))

    def kept(self, spot: Spot) -> Spot:
        """The same, its nodes kept alive: the caches go by their identities."""
        self._kept.append(spot)
        return spot

    def facts(self, scope: Scope, self_name: str | None) -> Facts:
        """The effects of the statements of a scope on the statements before them."""
        key = id(scope), self_name
        if key not in self._facts:
            self._facts[key] = Facts(scope.body, self_name)
        return self._facts[key]

    def names(self, scope: Scope) -> frozenset[str]:
        """The names that a new variable of a scope must not take."""
        if id(scope) not in self._names:
            self._names[id(scope)] = names_in(scope)
        return self._names[id(scope)]

    def hidden(self, spot: Spot) -> frozenset[str]:
        """The module's names that mean something else in the functions around a spot."""
        hidden: frozenset[str] = frozenset()
        for node in spot.chain:
            if isinstance(node, Function):
                if id(node) not in self._bound:
                    self._bound[id(node)] = bound_in(node)
                hidden |= self._bound[id(node)]
        return hidden

    def is_linear(self, spot: Spot) -> bool:
        """Whether the layer is torch's own nn.Linear, which has names for its fans."""
        module, _, name = (dotted(spot.call.func) or "").rpartition(".")
        shadowed = module.partition(".")[0] in self.hidden(spot)
        return name == "Linear" and self.speller.knows(f"{module}.init") and not shadowed

    def block(self, statements: list[ast.stmt]) -> Block:
        """The initialising calls among the statements of a block."""
        if id(statements) not in self._blocks:
            self._blocks[id(statements)] = Block.of(statements, self.speller.functions())
        return self._blocks[id(statements)]


# libcst keeps these one within another, and overflows the stack of the process at some thousands.
_MOST_CHAINED = 1_000


def refuse_chained(tree: ast.AST) -> None:
    """Raise RefusedError for chains that libcst cannot parse: `a and b and …`, `import a.b.…`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BoolOp):
            length = len(node.values)
        elif isinstance(node, ast.alias):
            length = node.name.count(".")
        elif isinstance(node, ast.ImportFrom):
            length = (node.module or "").count(".")
        else:
            continue
        if length > _MOST_CHAINED:
            line = getattr(node, "lineno", 1)
            raise RefusedError(f"line {line} has a chain of more than {_MOST_CHAINED:,} parts")


def parse(source: bytes) -> Parsed:
    """A file's bytes, parsed. Raises RefusedError if they are not Python."""
    text = decode(source)
    return Parsed(text, tree_of(text.content))


def tree_of(content: str) -> ast.Module:
    """The syntax tree of a source text. Raises RefusedError if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RefusedError(f"the file cannot be parsed: {error}") from None


def entry_of(lines: Sequence[str]) -> Entry:
    """Loops, tests and a call written by us, as `Block` knows them."""
    source = "\n".join(" " * depth + line for depth, line in enumerate(lines))
    found = [_entries(statement, lambda _: True) for statement in ast.parse(source).body]
    return found[0][0] if found[0] else ()


def _entries_of(statement: ast.stmt, accepts: Callable[[str], bool]) -> list[Entry]:
    """The calls of a statement that makes only accepted calls; none for any other."""
    try:
        return _entries(statement, accepts) or []
    except RecursionError:
        # Nobody initialises layers in hundreds of arms or operations within one another.
        return []


def _entries(statement: ast.stmt, accepts: Callable[[str], bool]) -> list[Entry] | None:
    """The calls of a statement that makes only accepted calls; None for any other."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        return [(ast.unparse(call),)] if accepts(last_name(call.func)) else None
    if isinstance(statement, ast.For) and isinstance(statement.iter, ast.Tuple | ast.List):
        return _unrolled(statement, accepts)
    if isinstance(statement, ast.For) and not statement.orelse:
        header = f"for {ast.unparse(statement.target)} in {ast.unparse(statement.iter)}"
    elif isinstance(statement, ast.If):
        header = f"if {ast.unparse(statement.test)}"
    else:
        return None
    inner = _all_entries(statement.body, accepts)
    others = _alternatives(statement, accepts)
    if inner is None or others is None:
        return None
    return [*((header, *entry) for entry in inner), *others]


def _alternatives(
    statement: ast.For | ast.If, accepts: Callable[[str], bool]
) -> list[Entry] | None:
    """What an `elif` guards, which is looked for under an `if` of its own; None for an `else`."""
    match statement.orelse:
        case []:
            return []
        case [ast.If()]:
            return _all_entries(statement.orelse, accepts)
    return None


def _all_entries(body: list[ast.stmt], accepts: Callable[[str], bool]) -> list[Entry] | None:
    """The calls of several statements; None if one of them does something else."""
    found = [_entries(each, accepts) for each in body]
    return [entry for entries in found for entry in entries or ()] if all(found) else None


def _unrolled(loop: ast.For, accepts: Callable[[str], bool]) -> list[Entry] | None:
    """The calls of a loop over members that are written out, once for each member."""
    assert isinstance(loop.iter, ast.Tuple | ast.List)
    if loop.orelse or not isinstance(loop.target, ast.Name):
        return None
    found: list[Entry] = []
    for member in loop.iter.elts:
        put = _Put(loop.target.id, member)
        body = [put.visit(deepcopy(statement)) for statement in loop.body]
        entries = _all_entries(body, accepts)
        if entries is None:
            return None
        found += entries
    return found


class _Put(ast.NodeTransformer):
    """A member in place of a loop's variable."""

    def __init__(self, name: str, member: ast.expr) -> None:
        self._name = name
        self._member = member

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._member if node.id == self._name else node

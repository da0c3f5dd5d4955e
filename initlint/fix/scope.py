"""Finds statements that matter to an inserted call: loading weights, early exits, reassignments."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from initlint.fix.spot import Scope, dotted, last_name

# Calls that replace weights: an initialisation after them would undo them.
_LOADS = re.compile(r"load|pretrained")
# Calls that read or wrap the weights of what they are given.
_READS = re.compile(
    r"copy|clone|(^|_)ema(_|$)|^EMA|Ema$|weight_norm|spectral_norm|parametri[sz]|quant|prune|tie_"
)
# By their whole names: optimisers, which may keep what they make of weights, and torch's pruning.
_USERS = re.compile(r"(^|\.)(optim|prune)\.|^(Adam\w*|SGD|RMSprop|Adagrad|NAdam|RAdam)$")
_CHANGES = {
    "add_module",
    "append",
    "clear",
    "extend",
    "insert",
    "pop",
    "register_module",
    "register_parameter",
    "update",
}
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass
class Facts:
    """The statements of a scope's body, by index, that matter to earlier ones."""

    body: list[ast.stmt]
    self_name: str | None
    _readers: list[int] = field(default_factory=list)
    _leavers: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _calls: list[int] = field(default_factory=list)
    # Last statement that changes exactly this path, and last one that changes something under it.
    _changed: dict[str, int] = field(default_factory=dict)
    _changed_under: dict[str, int] = field(default_factory=dict)
    _positions: dict[int, int] = field(default_factory=dict)
    _frozen: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for index, statement in enumerate(self.body):
            self._positions[id(statement)] = index
            if isinstance(statement, ast.Return | ast.Raise):
                self._ends.append(index)
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                self._calls.append(index)
            nodes = list(_own_nodes(statement))
            for node in nodes:
                self._note(node, index)
            if self._reads_weights(nodes):
                self._readers.append(index)

    def _note(self, node: ast.AST, index: int) -> None:
        if isinstance(node, ast.Return):
            self._leavers.append(index)
        if isinstance(node, ast.Call | ast.For | ast.Assign):
            self._frozen |= dict.fromkeys(_frozen(node), index)
        path = _changed_path(node)
        if path is not None:
            self._changed[path] = index
            parts = path.split(".")
            for length in range(1, len(parts) + 1):
                self._changed_under[".".join(parts[:length])] = index

    def _reads_weights(self, nodes: list[ast.AST]) -> bool:
        called = [last_name(node.func) for node in nodes if isinstance(node, ast.Call)]
        if any(map(_LOADS.search, called)):
            return True
        # The instance only as the owner of what is assigned: self.config = deepcopy(config).
        assigned = {id(n.value) for n in nodes if isinstance(n, ast.Attribute) and _stores(n)}
        reads = any(map(_READS.search, called)) or any(
            _USERS.search(dotted(node.func) or "") for node in nodes if isinstance(node, ast.Call)
        )
        return reads and any(
            isinstance(node, ast.Name) and node.id == self.self_name and id(node) not in assigned
            for node in nodes
        )

    def freezes(self, path: str, index: int) -> bool:
        """Whether a statement after `index` keeps what `path` names from being trained."""
        parts = path.split(".")
        around = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
        return any(self._frozen.get(name, -1) > index for name in around)

    def index(self, statement: ast.stmt) -> int:
        """The index of a statement in the body."""
        return self._positions[id(statement)]

    def bound(self, index: int) -> int:
        """The statement before which something made by statement `index` has to be filled."""
        bounds = [_next(self._readers, index), _next(self._ends, index), len(self.body)]
        return min(bound for bound in bounds if bound is not None)

    def calls_after(self, index: int) -> Iterator[ast.Call]:
        """The calls that are statements of their own, from statement `index` to its bound."""
        first, last = bisect_right(self._calls, index), bisect_left(self._calls, self.bound(index))
        for place in self._calls[first:last]:
            statement = self.body[place]
            assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
            yield statement.value

    def may_leave(self, index: int, bound: int) -> bool:
        """Whether the function can return between the two statements."""
        leaver = _next(self._leavers, index)
        return leaver is not None and leaver < bound

    def changes(self, path: str, index: int) -> bool:
        """Whether a statement after `index` changes what `path` names, or a part of it."""
        parts = path.split(".")
        # self.add_module(...) changes an attribute of self, not each of them.
        above = [".".join(parts[:length]) for length in range(2, len(parts))]
        last = [self._changed.get(prefix, -1) for prefix in above]
        return max([*last, self._changed_under.get(path, -1)]) > index


def _next(indices: list[int], index: int) -> int | None:
    following = bisect_right(indices, index)
    return indices[following] if following < len(indices) else None


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement without the insides of functions and classes defined in it."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if not isinstance(node, _INNER):
            yield node
            pending += ast.iter_child_nodes(node)


def _changed_path(node: ast.AST) -> str | None:
    """What an assignment target, a deletion or a changing method call changes."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        name = node.func.attr
        return dotted(node.func.value) if name in _CHANGES or name.endswith("_") else None
    if isinstance(node, ast.Subscript) and _stores(node):
        return dotted(node.value)
    if isinstance(node, ast.Attribute | ast.Name) and _stores(node):
        return dotted(node)
    return None


def _frozen(node: ast.Call | ast.For | ast.Assign) -> set[str]:
    """What a statement or call keeps from training, as it is named."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=owner, attr="requires_grad_"),
            args=[ast.Constant(value=False)],
        ):
            return {_layer(owner)}
        case ast.Assign(
            targets=[ast.Attribute(value=owner, attr="requires_grad")],
            value=ast.Constant(value=False),
        ):
            return {_layer(owner)}
        case ast.For(iter=ast.Call(func=ast.Attribute(value=owner, attr="parameters"))):
            texts = map(ast.unparse, node.body)
            if any("requires_grad" in text and "False" in text for text in texts):
                return {_layer(owner)}
    return set()


def _layer(owner: ast.expr) -> str:
    """The layer whose weight is named, or what is named."""
    return (dotted(owner) or "").removesuffix(".weight")


def _stores(node: ast.Attribute | ast.Name | ast.Subscript) -> bool:
    """Whether the expression is assigned to or deleted."""
    return not isinstance(node.ctx, ast.Load)


def names_in(scope: Scope) -> frozenset[str]:
    """The names that a scope's code uses, which a new variable must not take.

    Loops that do nothing but call are passed over: their variable is free again afterwards, and
    those that we wrote ourselves must be found again under the same name.
    """
    names: set[str] = set()
    pending: list[ast.AST] = [scope]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.For) and _only_calls(node.body):
            pending.append(node.iter)
            continue
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        pending += ast.iter_child_nodes(node)
    return frozenset(names)


def bound_in(scope: Scope) -> frozenset[str]:
    """The names that a function binds itself, and that mean something else outside it."""
    if isinstance(scope, ast.Module):
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and _stores(node):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
    return frozenset(names)


def _only_calls(body: list[ast.stmt]) -> bool:
    return all(
        (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call))
        or (isinstance(statement, ast.For | ast.If) and _only_calls(statement.body))
        for statement in body
    )

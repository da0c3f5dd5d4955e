"""Functions of the files read that nothing has called: what they may write to, nobody knows."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from initlint.reading.fills.filling import fills
from initlint.reading.sources.resolve import Program

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Methods of modules by which a function may reach parameters that it does not name.
_REACHING = ("parameters", "named_parameters", "modules", "named_modules", "children", "apply")


class Unreached:
    """The functions that may fill parameters and that were never followed."""

    def __init__(self, program: Program, followed: Collection[ast.AST]) -> None:
        self._modules = {module.path: module for module in program.modules}
        self._followed = followed
        # For each file, the attributes that these functions mention, each with the class whose
        # `self` has it; with no class where it is an attribute of anything else.
        self._mentioned: dict[str, frozenset[tuple[str, str]]] = {}

    def may_write(self, path: str, name: str, classes: Collection[str]) -> bool:
        """Whether a function of this file may write to an attribute of this name.

        `classes` are those of the module that holds it, and of the model. A function that goes
        through all parameters or modules may write to any.
        """
        if path not in self._mentioned:
            self._mentioned[path] = frozenset(self._mentions(path))
        mentioned = self._mentioned[path]
        names = (name, *_REACHING)
        return any((owner, each) in mentioned for owner in ("", *classes) for each in names)

    def _mentions(self, path: str) -> Iterator[tuple[str, str]]:
        module = self._modules.get(path)
        waiting = [("", node) for node in module.source.tree.body] if module is not None else []
        while waiting:
            owner, node = waiting.pop()
            if isinstance(node, ast.ClassDef):
                waiting += [(node.name, inner) for inner in node.body]
            elif isinstance(node, _FUNCTIONS):
                if node not in self._followed and fills(node.body):
                    yield from _attributes(node, owner)
                # A function within one may be what is never called.
                waiting += [("", inner) for inner in node.body]
            elif isinstance(node, (ast.If, ast.Try, ast.With, ast.For)):
                waiting += [(owner, inner) for inner in node.body]


def _attributes(function: _Function, owner: str) -> Iterator[tuple[str, str]]:
    """The attributes and texts in a function, with the class if they are those of `self`."""
    places = [*function.args.posonlyargs, *function.args.args]
    receiver = places[0].arg if owner and places else ""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id == receiver
            yield (owner if is_own else "", node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield "", node.value

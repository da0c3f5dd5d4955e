"""Chooses functions of a file to call as model factories, so that they cover all its classes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from initlint.reading.sources.files import WORDS
from initlint.reading.sources.resolve import Module, Program
from initlint.torchlib import catalog

# Call at most 4 factories of a file if each mentions a new class, 2 if it only calls others.
_MOST, _FEW = 4, 2
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def factories(program: Program, module: Module) -> Iterator[tuple[str, ast.AST]]:
    """The assignments and functions at a file's top level that may build models, by name.

    A function counts only if it can be called without arguments, and if it mentions classes,
    activations or functions that the functions before it do not.
    """
    names = program.names(module)
    functions = {name: e for name, e in names.items() if isinstance(e, _Function)}
    classes = {name for name, entry in names.items() if isinstance(entry, ast.ClassDef)}
    for name, entry in names.items():
        if isinstance(entry, ast.Assign) and _holds(module, entry):
            yield name, entry
    words = _Words(module, functions)
    known, helpers = classes | _activations(), functions.keys()
    seen: set[str] = set()
    chosen = 0
    for name, entry in functions.items():
        if chosen >= _MOST:
            break
        if not _is_callable(entry):
            continue
        said = _mentioned(name, words)
        new, other = said & known - seen, said & helpers - {name} - seen
        builds = said & (classes | {"Sequential"})
        if builds and chosen < (_MOST if new or not chosen else _FEW if other else 0):
            seen |= new | other
            chosen += 1
            yield name, entry


def _holds(module: Module, entry: ast.Assign) -> bool:
    """Whether an assignment may make a model out of torch's own modules."""
    text = module.source.lines(entry.lineno, entry.end_lineno or entry.lineno)
    return isinstance(entry.value, ast.Call) and b"Sequential" in text


class _Words:
    """Every word of the text of each function, those in its strings included, when asked for."""

    def __init__(self, module: Module, functions: Mapping[str, _Function]) -> None:
        self._module, self._functions = module, functions
        self._known: dict[str, set[str]] = {}

    def of(self, name: str) -> set[str]:
        """The words of the function of this name."""
        if name not in self._known:
            entry = self._functions[name]
            text = self._module.source.lines(entry.lineno, entry.end_lineno or entry.lineno)
            found = WORDS.findall(text)
            self._known[name] = {word.decode("utf-8", "replace") for word in found}
        return self._known[name]

    def functions(self, words: set[str]) -> set[str]:
        """Those of these words that name a function."""
        return words & self._functions.keys()


def _mentioned(name: str, words: _Words) -> set[str]:
    """The words of a function and of the functions of the same file that it calls."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        function = waiting.pop()
        fresh = words.of(function) - found
        found |= fresh
        waiting += words.functions(fresh) - {function}
    return found


def _is_callable(entry: _Function) -> bool:
    spec = entry.args
    places = len(spec.posonlyargs) + len(spec.args)
    return places <= len(spec.defaults) and all(spec.kw_defaults)


def _activations() -> set[str]:
    rows = catalog.activations().values()
    return {name for row in rows for name in (*row.modules, *row.functions)}

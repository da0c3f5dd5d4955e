"""Whether code can make a model at all, by what its names mean; nothing is evaluated."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initlint.reading.resolve import Import, Module, Program
from initlint.reading.values import External


class Reach:
    """Answers for statements, remembered for the functions and classes that they name."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._answers: dict[ast.AST, bool] = {}

    def makes(self, module: Module, node: ast.AST) -> bool:
        """Whether the text names, directly or through others, anything that may make modules."""
        if node in self._answers:
            return self._answers[node]
        # What calls itself makes no model by that.
        self._answers[node] = False
        self._answers[node] = any(self._leads(module, name) for name in _names(node))
        return self._answers[node]

    def _leads(self, module: Module, dotted: tuple[str, ...]) -> bool:
        entry = self._program.names(module).get(dotted[0])
        if isinstance(entry, Import):
            return self._imported(module, entry, dotted[1:])
        return entry is not None and self.makes(module, entry)

    def _imported(self, module: Module, entry: Import, rest: tuple[str, ...]) -> bool:
        found = self._program.imported(module, entry)
        if isinstance(found, External):
            name = ".".join((found.name, *([entry.name] if entry.name else []), *rest))
            return _is_of_modules(name)
        if not isinstance(found, Module):
            return True
        names = (*([entry.name] if entry.name else []), *rest)
        while names:
            inner = self._program.member(found, names[0])
            if inner is None:
                return self._leads(found, names)
            found, names = inner, names[1:]
        # The file itself, in which any name may be looked up.
        return found.source.hinted


def _names(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """The dotted names in a text, from their first parts on; those of annotations are none."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        dotted: list[str] = []
        while isinstance(part, ast.Attribute):
            dotted.append(part.attr)
            part = part.value
        if isinstance(part, ast.Name):
            yield (part.id, *reversed(dotted))
            continue
        for name, value in ast.iter_fields(part):
            if name not in ("annotation", "returns"):
                values = value if isinstance(value, list) else [value]
                waiting += [inner for inner in values if isinstance(inner, ast.AST)]


def _is_of_modules(name: str) -> bool:
    """Whether a name outside the files may be a class of modules, or give a model."""
    package, _, rest = name.partition(".")
    if package == "torch":
        is_function = rest.startswith(("nn.functional", "nn.init", "nn.Parameter", "nn.Module"))
        return not is_function and (rest == "" or rest.startswith(("nn", "hub", "load", "jit")))
    return package not in _OTHERS and not name.rpartition(".")[2].isupper()


# Libraries that make no model.
_OTHERS = {
    *("collections", "copy", "dataclasses", "functools", "itertools", "json", "logging", "math"),
    *("numpy", "os", "pathlib", "re", "sys", "typing", "warnings", "abc", "enum", "random"),
    *("argparse", "time", "operator", "contextlib", "types", "inspect", "importlib", "string"),
}

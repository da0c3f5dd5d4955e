"""Whether code can make a model at all, by what its names mean; nothing is evaluated."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initlint.reading.abstract.values import External
from initlint.reading.sources.outside import brought, is_known
from initlint.reading.sources.resolve import Import, Module, Program


class Reach:
    """Answers for statements, remembered for the functions and classes that they name."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._answers: dict[ast.AST, bool] = {}

    def makes(self, module: Module, node: ast.AST) -> bool:
        """Whether the text names, directly or through others, anything that may make modules."""
        waiting, seen = [(module, node)], {node}
        found = False
        while waiting and not found:
            here, text = waiting.pop()
            for name in _names(text):
                place, entry = self._meant(here, name)
                if isinstance(entry, bool):
                    found = found or entry
                elif entry not in seen:
                    found = found or self._answers.get(entry, False)
                    seen.add(entry)
                    if entry not in self._answers:
                        waiting.append((place, entry))
        # If nothing was found, nothing that was gone through makes a model either.
        self._answers.update(dict.fromkeys([node] if found else seen, found))
        return found

    def _meant(self, module: Module, dotted: tuple[str, ...]) -> tuple[Module, ast.AST | bool]:
        """The statement that defines a name, in its file; or whether the name leads to modules."""
        for _ in range(_MOST_IMPORTS):
            entry = self._program.names(module).get(dotted[0])
            if entry is None:
                starred = self._starred(module, dotted[0])
                if isinstance(starred, bool):
                    return module, starred or dotted[0] in _LOOKING_UP
                module = starred
                continue
            if not isinstance(entry, Import):
                return module, entry
            rest = (*([entry.name] if entry.name else []), *dotted[1:])
            found = self._program.imported(module, entry)
            if isinstance(found, External):
                return module, _is_of_modules(".".join((found.name, *rest)))
            while found is not None and rest:
                inner = self._program.member(found, rest[0])
                if inner is None:
                    break
                found, rest = inner, rest[1:]
            if found is None or not rest:
                # Unknown, or the file itself, in which any name may be looked up.
                return module, found is None or found.source.hinted
            module, dotted = found, rest
        return module, True

    def _starred(self, module: Module, name: str) -> Module | bool:
        """The file from which star imports bring a name; or whether it leads to modules."""
        waiting, seen = [module], {module.path}
        while waiting:
            if len(seen) > _MOST_IMPORTS:
                return True
            here = waiting.pop()
            for star in here.stars:
                found = self._program.imported(here, star)
                if isinstance(found, External):
                    other, whole = brought(found.name, name), f"{found.name}.{name}"
                    if (other or is_known(whole)) and _is_of_modules(other or whole):
                        return True
                elif found is not None and found.path not in seen:
                    if name in self._program.names(found):
                        return found
                    seen.add(found.path)
                    waiting.append(found)
        return False


# Files that import a name from each other in a circle lead nowhere; of more, nothing is known.
_MOST_IMPORTS = 50


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


# Names by which code looks up a class whose name is only known when it runs.
_LOOKING_UP = ("globals", "eval", "vars", "__dict__", "__import__")
# Libraries that make no model.
_OTHERS = {
    *("collections", "copy", "dataclasses", "functools", "itertools", "json", "logging", "math"),
    *("numpy", "os", "pathlib", "re", "sys", "typing", "warnings", "abc", "enum", "random"),
    *("argparse", "time", "operator", "contextlib", "types", "inspect", "string"),
}

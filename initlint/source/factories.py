"""Functions that build models: those of a file that together mention all of its classes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from initlint import catalog
from initlint.source.resolve import Import, Module, Program

# More functions of one file tell too little more.
_MOST = 4
_WORDS = re.compile(rb"[A-Za-z_]\w*")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def factories(program: Program, module: Module) -> Iterator[tuple[str, ast.AST]]:
    """What may build models at a file's top level: assignments, and functions, by name.

    Of functions only those that can be called without arguments; and of many alike, those that
    mention classes, functions or activations that the ones before do not.
    """
    names = program.names(module)
    functions = {name: e for name, e in names.items() if isinstance(e, _Function)}
    classes = {name for name, entry in names.items() if isinstance(entry, ast.ClassDef)}
    for name, entry in names.items():
        if isinstance(entry, ast.Assign) and _holds(module, entry):
            yield name, entry
    words = {name: _words(module, entry) for name, entry in functions.items()}
    known = classes | functions.keys() | _activations()
    seen: set[str] = set()
    chosen = 0
    for name, entry in functions.items():
        said = _mentioned(name, words)
        new = said & known - {name} - seen
        builds = said & (classes | {"Sequential"}) and _is_callable(entry)
        if chosen < _MOST and builds and (new or not chosen):
            seen |= new
            chosen += 1
            yield name, entry


def _holds(module: Module, entry: ast.Assign) -> bool:
    """Whether an assignment may make a model out of torch's own modules."""
    text = module.source.lines(entry.lineno, entry.end_lineno or entry.lineno)
    return isinstance(entry.value, ast.Call) and b"Sequential" in text


def _words(module: Module, entry: _Function) -> set[str]:
    """Every word of a function's text, those in its strings included."""
    text = module.source.lines(entry.lineno, entry.end_lineno or entry.lineno)
    return {word.decode("utf-8", "replace") for word in _WORDS.findall(text)}


def _mentioned(name: str, words: dict[str, set[str]]) -> set[str]:
    """The words of a function and of the functions of the same file that it calls."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        function = waiting.pop()
        fresh = words[function] - found
        found |= fresh
        waiting.extend(word for word in fresh if word in words and word != function)
    return found


def _is_callable(entry: _Function) -> bool:
    spec = entry.args
    places = len(spec.posonlyargs) + len(spec.args)
    return places <= len(spec.defaults) and all(spec.kw_defaults)


def _activations() -> set[str]:
    rows = catalog.activations().values()
    return {name for row in rows for name in (*row.modules, *row.functions)}


# A class that is given to a function, or kept in a table, as a value; and one that is called.
_GIVEN = re.compile(rb"(?<=[(\[{,=:\s])([A-Za-z_]\w*)(?=\s*(?:[,)\]}\n]|if\b|else\b))")
_CALLED = re.compile(rb"(?<![\w.])([A-Za-z_]\w*)(?=\()")
_ASKED = re.compile(rb"isinstance|issubclass|super\(|__all__|^\s*(?:from|import|class|def|#)\b")


def given_away(program: Program, names: set[str]) -> set[str]:
    """Those of `names` of classes of which it is not certain who makes them.

    Some file hands them on as values, or another class makes them in code that may not be
    understood, or looks them up by a name that is not written there.
    """
    kept = {name.encode() for name in names}
    homes: set[str] = set()
    for module in program.modules:
        if module.source.hinted:
            here = kept & module.source.words
            here -= _matching(module.source.data, _GIVEN, here)
            for entry in program.names(module).values():
                if isinstance(entry, ast.ClassDef):
                    text = module.source.lines(entry.lineno, entry.end_lineno or entry.lineno)
                    here -= _matching(text, _CALLED, here - {entry.name.encode()})
                    homes |= set(_searched(program, module, text))
            kept -= module.source.words - here
    found = names - {name.decode() for name in kept}
    for module in program.modules:
        if module.parts and module.parts[-1] in homes:
            found |= names & program.names(module).keys()
    return found


# A look-up in a module, of a name that is worked out; torch's own modules hold none of these parts.
_TORCH = re.compile(r"torch(?=\.|$)")
LOOKED_UP = re.compile(rb"\bgetattr\(\s*([A-Za-z_][\w.]*)\s*,\s*(?![\s\"'])")


def _searched(program: Program, module: Module, text: bytes) -> Iterator[str]:
    """The last names of the modules in which a text looks up what it names only when it runs."""
    for match in LOOKED_UP.finditer(text):
        first, _, rest = match[1].decode().partition(".")
        entry = program.names(module).get(first)
        if isinstance(entry, Import) and (entry.level or not _TORCH.match(entry.module)):
            whole = rest or entry.name or entry.module
            yield whole.rpartition(".")[2]


# Code outside classes that fills weights, or has them filled.
_FILLS = re.compile(
    rb"\.apply\(|\binit\.\w+_\(|(?:init_?weight|weights?_init|init_net|init_param|init_model)"
    rb"\w*\(|\.(?:normal_|uniform_|load_state_dict)\("
)


def initialised_outside(modules: Sequence[Module], program: Program, names: set[str]) -> set[str]:
    """Those of `names` of classes and functions that are called by code which then fills weights.

    What such code does to the models is not followed.
    """
    kept = {name.encode() for name in names}
    for module in modules:
        lines = list(module.source.split())
        for entry in program.names(module).values():
            if isinstance(entry, ast.ClassDef):
                lines[entry.lineno - 1 : entry.end_lineno] = [b""] * _length(entry)
        text = b"\n".join(lines)
        if _FILLS.search(text):
            kept -= _matching(text, _CALLED, kept & module.source.words)
    return names - {name.decode() for name in kept}


def _length(entry: ast.ClassDef) -> int:
    return (entry.end_lineno or entry.lineno) - entry.lineno + 1


def _matching(data: bytes, pattern: re.Pattern[bytes], names: set[bytes]) -> set[bytes]:
    """Those of `names` that stand as the pattern says in a line that does not only ask for them."""
    return {name for name in names if any(_places(data, pattern, name))}


def _places(data: bytes, pattern: re.Pattern[bytes], name: bytes) -> Iterator[bool]:
    place = data.find(name)
    while place >= 0:
        match = pattern.match(data, place)
        yield match is not None and match[1] == name and not _ASKED.search(_line(data, match))
        place = data.find(name, place + len(name))


def _line(data: bytes, match: re.Match[bytes]) -> bytes:
    end = data.find(b"\n", match.end())
    return data[data.rfind(b"\n", 0, match.start()) + 1 : end if end >= 0 else len(data)]

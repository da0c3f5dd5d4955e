"""Names: those of the running function, of the functions around it, of files and their imports."""

from __future__ import annotations

import ast
import builtins

from initlint.reading.abstract.frames import Code, Frame
from initlint.reading.abstract.holders import Function, Listing, Table
from initlint.reading.abstract.values import UNKNOWN, External, Unknown, Value, external
from initlint.reading.evaluate.compiled import evaluate
from initlint.reading.evaluate.targets import target_of
from initlint.reading.objects.altered import decorated
from initlint.reading.objects.classes import class_of
from initlint.reading.reader import Reader
from initlint.reading.sources.outside import brought, is_known
from initlint.reading.sources.resolve import Import, Module

_BUILTINS = frozenset(dir(builtins))


def name_code(reader: Reader, node: ast.Name) -> Code:
    """What looks a name up: one function for all places that use it."""
    name = node.id
    found = reader.names.get(name)
    if found is None:
        found = reader.names[name] = _looked_up(reader, name)
    return found


def _looked_up(reader: Reader, name: str) -> Code:
    def code(frame: Frame) -> Value:
        names = frame.names
        if name in names:
            return names[name]
        values = frame.module.values
        return (
            values[name]
            if frame.closure is None and name in values
            else _around(reader, name, frame)
        )

    return code


def _around(reader: Reader, name: str, frame: Frame) -> Value:
    """The value of a name that the running function does not bind itself."""
    scope = frame.closure
    while scope is not None:
        if name in scope.names:
            return scope.names[name]
        scope = scope.closure
    values = frame.module.values
    return values[name] if name in values else top_level(reader, frame.module, name)


def top_level(reader: Reader, module: Module, name: str) -> Value:
    """The value of a name at the top level of a file."""
    if name in module.values:
        return module.values[name]
    module.values[name] = UNKNOWN
    module.values[name] = value = _bound(reader, module, name)
    return value


def _bound(reader: Reader, module: Module, name: str) -> Value:
    entry = reader.program.names(module).get(name)
    if entry is None:
        return _starred(reader, module, name)
    if isinstance(entry, Import):
        return _imported(reader, module, entry)
    if isinstance(entry, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if is_dispatched(entry):
            return UNKNOWN
        return decorated(reader, Function(entry, module), entry, Frame(module))
    if isinstance(entry, ast.ClassDef):
        return class_of(reader, entry, module)
    if isinstance(entry, (ast.Assign, ast.AnnAssign)) and entry.value is not None:
        return _assigned(reader, entry, name, Frame(module))
    return UNKNOWN


def is_dispatched(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the class of the first argument decides which function is called in place of it."""
    names = (getattr(each, "attr", getattr(each, "id", "")) for each in function.decorator_list)
    return any(name.startswith("singledispatch") for name in names)


def _assigned(reader: Reader, entry: ast.Assign | ast.AnnAssign, name: str, frame: Frame) -> Value:
    assert entry.value is not None
    value = evaluate(reader, entry.value, frame)
    if isinstance(value, (Listing, Table)) and not value.items:
        # It is there to be filled, by statements that are not followed.
        value.open = True
    for target in entry.targets if isinstance(entry, ast.Assign) else [entry.target]:
        if isinstance(target, (ast.Name, ast.Tuple, ast.List)):
            target_of(reader, target)(value, frame)
    return frame.names.get(name, UNKNOWN)


def _imported(reader: Reader, module: Module, entry: Import) -> Value:
    found = reader.program.imported(module, entry)
    if found is None or entry.name is None:
        return UNKNOWN if found is None else found
    return member_of(reader, found, entry.name)


def member_of(reader: Reader, found: Module | External, name: str) -> Value:
    """A module's attribute of this name."""
    if isinstance(found, External):
        return external(f"{found.name}.{name}")
    if name in reader.program.names(found):
        return top_level(reader, found, name)
    return reader.program.member(found, name) or top_level(reader, found, name)


def _starred(reader: Reader, module: Module, name: str) -> Value:
    """A name that only a star import can have brought, or that is Python's own."""
    for star in module.stars:
        found = reader.program.imported(module, star)
        if isinstance(found, Module):
            value = top_level(reader, found, name)
            if not isinstance(value, Unknown):
                return value
        elif name in _BUILTINS:
            # What a package outside exports under such a name does the same.
            continue
        elif isinstance(found, External):
            other, whole = brought(found.name, name), f"{found.name}.{name}"
            # What no other statement brings must come from the only star import.
            if other or len(module.stars) == 1 or is_known(whole):
                return external(other or whole)
    return external(f"builtins.{name}") if name in _BUILTINS else UNKNOWN

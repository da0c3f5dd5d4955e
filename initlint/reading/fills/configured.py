"""Initialising functions that draw with a std of their own, where the configuration has one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initlint.reading.abstract.user_class import UserClass
from initlint.reading.evaluate.names import top_level
from initlint.reading.reader import Reader
from initlint.reading.sources.resolve import Import, Module
from initlint.records import Test

# The functions that fill a model with the values of its configuration.
_FUNCTIONS = ("_init_weights", "init_weights", "_init_module", "initialize_weights")
# The names by which configurations have a std.
_STDS = ("initializer_range", "init_std", "initializer_std", "init_range")
_CONFIGURATION = ("Config", "Configuration", "Args", "Arguments")
# Initialisers with a std, and its place after the tensor.
_PLACES = {"normal_": 1, "trunc_normal_": 1, "normal": 1}


def literal_stds(reader: Reader, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Note each std that such a function has as a number, if the configuration has one as well."""
    if node.name not in _FUNCTIONS or not reader.frames:
        return
    names = {getattr(n, "attr", "") or getattr(n, "id", "") for n in ast.walk(node)}
    # A function that looks at some std of the configuration has seen that there is one, and its
    # base's function may read it for all other weights.
    if "super" in names or any(
        "std" in name or "range" in name or "factor" in name for name in names
    ):
        return
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call) and _std(n) is not None]
    module = reader.frames[-1].module
    name = next(_names_of_stds(reader, module), "") if calls else ""
    for call in calls if name else ():
        text, site = f"std={_std(call)}", module.source.site(call)
        test = Test("", text, "config", "option", site, (name,), within=node.name)
        reader.options.append(test)


def _std(call: ast.Call) -> float | None:
    """The std of an initialiser's call, if it is written as a number below one."""
    function = call.func
    bare = getattr(function, "attr", "") or getattr(function, "id", "")
    if bare not in _PLACES:
        return None
    # The tensor comes first, unless the call is a method of its own.
    is_method = isinstance(function, ast.Attribute) and getattr(function.value, "attr", "") in (
        *("data", "weight", "bias"),
    )
    place = _PLACES[bare] + (0 if is_method else 1)
    given = [keyword.value for keyword in call.keywords if keyword.arg == "std"]
    given += call.args[place : place + 1]
    value = given[0].value if given and isinstance(given[0], ast.Constant) else None
    return value if isinstance(value, float) and 0 < value < 1 else None


def _names_of_stds(reader: Reader, module: Module) -> Iterator[str]:
    """The stds that the configurations which a file defines or imports have."""
    for name, entry in list(reader.program.names(module).items()):
        if name.endswith(_CONFIGURATION) and isinstance(entry, (ast.ClassDef, Import)):
            value = top_level(reader, module, name)
            if isinstance(value, UserClass):
                yield from _fields(value.node)


def _fields(node: ast.ClassDef) -> Iterator[str]:
    """The stds among the fields of a class, and the arguments of its constructor."""
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found = [statement.target.id]
        elif isinstance(statement, ast.Assign):
            found = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            found = [a.arg for a in (*statement.args.args, *statement.args.kwonlyargs)]
        else:
            continue
        yield from (name for name in found if name in _STDS)

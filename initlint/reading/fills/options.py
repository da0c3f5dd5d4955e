"""Options about initialisation: arguments that nothing asks, branches that call another scheme."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from initlint.reading.reader import Reader
from initlint.reading.sources.resolve import Module
from initlint.records import Test
from initlint.torchlib.draws import ARGUMENTS, DEPRECATED

# Names of arguments that say how weights begin, and nothing else.
_ABOUT_WEIGHTS = re.compile(
    r"zero_init_\w+|initializer(_range)?|initialization"
    r"|(weights?|kernel|bias|params?|layer|conv|linear|head|embed(ding)?)_init(ializer|ialization)?"
    r"|(ortho(gonal)?|xavier|kaiming|lecun|zero|small|fixup|log_std|layer_?scale)_init(_values?)?"
    r"|(\w+_)?init_(type|method|mode|std|scale|gain|weights?|bias|values?|range|scheme|strategy)"
    r"|init_(fn|func|ortho(gonal)?|zeros?|log_std)|prior_prob(ability)?"
)
# What a text that names a scheme has in it.
_NAMED = re.compile(r"xavier|glorot|kaiming|msra|ortho|uniform|normal|gaussian", re.IGNORECASE)
# Functions that read all arguments at once.
_ALL_AT_ONCE = ("locals", "vars", "save_hyperparameters")


def in_branch(reader: Reader, node: ast.If) -> None:
    """Note an `if` that compares with the name of a scheme, and what it calls then.

    So is every `elif` of it, which is not read where an earlier test is satisfied.
    """
    _compared(reader, node)
    while len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        node = node.orelse[0]
        _compared(reader, node)


def _compared(reader: Reader, node: ast.If) -> None:
    test = node.test
    if (
        not isinstance(test, ast.Compare)
        or len(test.ops) != 1
        or not isinstance(test.ops[0], ast.Eq)
    ):
        return
    for side in (test.left, test.comparators[0]):
        if isinstance(side, ast.Constant) and isinstance(side.value, str):
            _note(reader, side.value, ast.unparse(test), test, node.body)


def in_function(reader: Reader, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Note a function that is named after a scheme, and what it calls."""
    if "init" in node.name.lower():
        _note(reader, node.name, f"{node.name}()", node, node.body)


def in_table(reader: Reader, node: ast.Dict) -> None:
    """Note the entries of a dict that are called after a scheme, and what each would call."""
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            _note(reader, key.value, ast.unparse(key), key, [value])


def _note(
    reader: Reader,
    name: str,
    text: str,
    node: ast.expr | ast.stmt,
    body: Sequence[ast.AST],
) -> None:
    calls = _called(body) if _NAMED.search(name) and reader.frames else ()
    if calls:
        module = reader.frames[-1].module
        site = module.source.site(node)
        within = reader.within()
        test = Test("", text, "option", "option", site, (name,), within=within, calls=calls)
        if test not in reader.options:
            reader.options.append(test)


def _called(body: Sequence[ast.AST]) -> tuple[str, ...]:
    """The initialisers that statements, or an expression, name, each once."""
    names: dict[str, None] = {}
    for node in (node for statement in body for node in ast.walk(statement)):
        name = getattr(node, "attr", "") or getattr(node, "id", "")
        if name in ARGUMENTS:
            names[name] = None
        elif name in DEPRECATED and _ends_in_init(node):
            names[f"{name}_"] = None
    return tuple(names)


def _ends_in_init(node: ast.AST) -> bool:
    """Whether a name is that of a member of a module called init."""
    owner = getattr(node, "value", None)
    return (getattr(owner, "attr", "") or getattr(owner, "id", "")) == "init"


def unread(name: str, node: ast.ClassDef, module: Module) -> Iterator[Test]:
    """The arguments of a class's constructor that are about weights, and that nothing reads.

    Not where another class of the file reads an argument of this name: then one of the two is made
    in the other's place, with the same arguments.
    """
    function = _constructor(node)
    if function is None or function.decorator_list or node.decorator_list:
        return
    about = [argument for argument in _given(function) if _ABOUT_WEIGHTS.fullmatch(argument.arg)]
    used = _used(function) if about else None
    for argument in about if used is not None else ():
        is_lost = argument.arg not in (used or ()) or _is_set_anew(argument.arg, function)
        is_lost = is_lost or _is_only_handed_on(argument.arg, function, node)
        if is_lost and not _is_read_beside(argument.arg, node, module):
            site = module.source.site(argument)
            yield Test(name, argument.arg, "argument", "option", site, within="__init__")


def _constructor(node: ast.ClassDef) -> ast.FunctionDef | None:
    found = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    return found[-1] if found else None


def _is_set_anew(name: str, function: ast.FunctionDef) -> bool:
    """Whether a function gives its argument another value before it reads it."""
    for statement in function.body:
        uses = [n for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id == name]
        if uses:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            return len(uses) == 1 and uses[0] in targets
    return False


def _is_only_handed_on(name: str, function: ast.FunctionDef, node: ast.ClassDef) -> bool:
    """Whether a constructor only hands its argument to a method of its class that never reads it.

    Not in a class that derives from another one: then the method may be there for its heirs.
    """
    methods = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
    bases = {getattr(base, "attr", "") or getattr(base, "id", "") for base in node.bases}
    uses = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
    handed = [
        (use, methods[call.func.attr], place)
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and getattr(call.func.value, "id", "") == "self"
        and call.func.attr in methods
        for place, use in enumerate(call.args, 1)
        if use in uses
    ]
    return (
        bases == {"Module"}
        and bool(uses)
        and len(handed) == len(uses)
        and all(_is_unread(method, place) for _, method, place in handed)
    )


def _is_unread(method: ast.FunctionDef, place: int) -> bool:
    """Whether a method does something, and never reads the argument at this place."""
    given, used = _given(method), _read(method)
    is_plain = not method.decorator_list and place < len(given)
    calls = any(isinstance(node, ast.Call) for node in ast.walk(method))
    return is_plain and calls and used is not None and given[place].arg not in used


def _given(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _is_read_beside(name: str, node: ast.ClassDef, module: Module) -> bool:
    """Whether the constructor of another class at the top level of the file reads the argument."""
    for other in module.source.tree.body:
        function = _constructor(other) if isinstance(other, ast.ClassDef) else None
        if other is node or function is None or name not in [a.arg for a in _given(function)]:
            continue
        used = _used(function)
        if used is None or (name in used and not _is_set_anew(name, function)):
            return True
    return False


def _used(function: ast.FunctionDef) -> set[str] | None:
    """The names that a function reads or deletes; None if it may read them all, or does nothing."""
    is_set = any(isinstance(node, (ast.Assign, ast.AnnAssign)) for node in ast.walk(function))
    return _read(function) if is_set else None


def _read(function: ast.FunctionDef) -> set[str] | None:
    """The names that a function reads or deletes; None if it may read them all."""
    used: set[str] = set()
    for node in (node for statement in function.body for node in ast.walk(statement)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            used.add(node.id)
        called = node.func if isinstance(node, ast.Call) else None
        if (getattr(called, "attr", "") or getattr(called, "id", "")) in _ALL_AT_ONCE:
            return None
    return used

"""Functions that initialise, in a constructor or beside a model, and that nothing calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache

from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.fills.uncalled import calls_init
from initlint.reading.models.life import slots_of
from initlint.reading.objects.classes import order_of
from initlint.reading.reader import Reader
from initlint.reading.sources.resolve import Module
from initlint.records import Call, Site

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def unused_functions(
    reader: Reader, model: str, modules: Sequence[Instance], is_whole: bool
) -> Iterator[Call]:
    """The records of such functions: those within the constructors of a model's modules, and,
    if all that code does with the model was followed (`is_whole`), those of its file.
    """
    seen: set[object] = set()
    for module in modules:
        if not isinstance(module.cls, UserClass) or module.cls in seen:
            continue
        seen.add(module.cls)
        for cls in order_of(reader, module.cls):
            start = cls.members.get("__init__") if isinstance(cls, UserClass) else None
            if isinstance(cls, UserClass) and isinstance(start, _FUNCTIONS) and start not in seen:
                seen.add(start)
                for node in _unused_within(start):
                    if node not in reader.reached and _is_default(module):
                        yield _record(model, node, cls.module.source.site(node), cls.name)
    root = modules[0]
    if is_whole and isinstance(root.cls, UserClass) and _is_default(root):
        source = root.cls.module.source
        functions = [each for each in source.tree.body if isinstance(each, _FUNCTIONS)]
        for each in functions:
            is_left = each not in reader.reached and each.args.args and _may_fill(each)
            if is_left and not _is_named(reader, each, root.cls.module):
                yield _record(model, each, source.site(each), "")


def _record(model: str, node: _Function, site: Site, within: str) -> Call:
    reason = "all layers keep PyTorch's default"
    return Call(model, node.name, node.name, site, within, (), "uncalled", reason)


def _may_fill(node: _Function) -> bool:
    """Whether it names an initialiser of torch.nn.init, and no decorator keeps it."""
    return not node.decorator_list and calls_init(node)


@lru_cache(maxsize=1024)
def _unused_within(start: _Function) -> tuple[_Function, ...]:
    """Functions in the body of a constructor that it does not name."""
    nodes = list(ast.walk(start))
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    methods = {id(part) for n in nodes if isinstance(n, ast.ClassDef) for part in n.body}
    functions = [node for node in nodes[1:] if isinstance(node, _FUNCTIONS)]
    if "locals" in named:
        return ()
    left = [each for each in functions if each.name not in named and id(each) not in methods]
    return tuple(filter(_may_fill, left))


def _is_named(reader: Reader, node: _Function, own: Module) -> bool:
    """Whether a file uses a name, or a text, that is a function's and not one of its own."""
    word = node.name.encode()
    return any(
        (isinstance(each, ast.Name) and each.id == node.name)
        or (isinstance(each, ast.Attribute) and each.attr == node.name)
        or (isinstance(each, ast.Constant) and each.value == node.name)
        for module in reader.program.modules
        if word in module.source.words
        if module is own or not _defines(module, node.name)
        for each in ast.walk(module.source.tree)
    )


def _defines(module: Module, name: str) -> bool:
    body = module.source.tree.body
    return any(isinstance(each, _FUNCTIONS) and each.name == name for each in body)


def _is_default(module: Instance) -> bool:
    slots = [slot for _, slot in slots_of(module)]
    return bool(slots) and all(slot.draw.default for slot in slots)

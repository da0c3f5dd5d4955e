"""Python's questions about objects: their classes and attributes, and the names in reach."""

from __future__ import annotations

import ast

from initlint.reading.abstract.holders import (
    CONTAINERS,
    Bound,
    Function,
    Instance,
    Partial,
    Table,
)
from initlint.reading.abstract.parts import choice, options_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    External,
    Held,
    Slot,
    Value,
    is_of_library,
)
from initlint.reading.evaluate.attributes import attribute
from initlint.reading.evaluate.builtins import belongs
from initlint.reading.evaluate.handlers import Args, Kwargs, handles
from initlint.reading.evaluate.names import top_level
from initlint.reading.evaluate.subscripts import item_of
from initlint.reading.fills.effects import ARGUMENTS_OF_LAYERS, lacks
from initlint.reading.fills.mistakes import check_classes
from initlint.reading.objects.classes import (
    argument_at,
    hold,
    lookup,
    name_of,
    surely_lacks,
    torch_base,
)
from initlint.reading.objects.torch_modules import reset_of
from initlint.reading.reader import Reader
from initlint.reading.sources.outside import is_callable, trusted_kind
from initlint.torchlib import catalog
from initlint.torchlib.members import OF_EVERY


@handles("builtins.issubclass")
def _issubclass(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if len(args) < 2:
        return PLAIN
    # As of an object of that class.
    objects = [_object_of(reader, option) for option in options_of(args[0])]
    return _isinstance(reader, [choice(objects), *args[1:]], kwargs, node)


def _object_of(reader: Reader, cls: Value) -> Value:
    if isinstance(cls, UserClass):
        return Instance(cls, torch_base(reader, cls))
    kind = trusted_kind(cls.name) if isinstance(cls, External) else ""
    return Instance(None, kind) if kind else UNKNOWN


@handles("builtins.isinstance")
def _isinstance(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if len(args) < 2:
        return PLAIN
    answers = {belongs(reader, option, args[1]) for option in options_of(args[0])}
    if True not in answers and isinstance(args[0], (Instance, Slot, Held)):
        check_classes(reader, node, args[1])
    answer = answers.pop()
    return PLAIN if answers or answer is None else answer


# How the names of attributes begin that layers have, and tensors never.
_OF_LAYERS = ("weight", "bias", "reset_parameters", "init_", "in_", "out_")


@handles("builtins.hasattr")
def _hasattr(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if len(args) < 2 or not isinstance(args[1], str):
        return PLAIN
    if isinstance(args[0], (Slot, Held)) and args[1].startswith(_OF_LAYERS):
        return False
    if not isinstance(args[0], Instance):
        return PLAIN
    owner, name = args[0], args[1]
    if name in owner.attrs or (owner.cls is not None and lookup(reader, owner.cls, name)):
        return True
    if name in ("weight", "bias") and owner.torch and owner.cls is None:
        return False
    if owner.cls is None and name in owner.args and name in ARGUMENTS_OF_LAYERS:
        return True
    if owner.torch and name and (name in OF_EVERY or name == reset_of(owner.torch)):
        return True
    if owner.torch and (lacks(owner, name) or surely_lacks(reader, owner, name)):
        return False
    no_weights = owner.torch in CONTAINERS or catalog.activation_of_module(owner.torch) is not None
    return False if name == "reset_parameters" and owner.cls is None and no_weights else PLAIN


@handles("builtins.getattr")
def _getattr(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if len(args) < 2 or not isinstance(args[1], str):
        if args and is_of_library(args[0]):
            return item_of(reader, args[0], UNKNOWN)
        return _any_part(args[0] if args else UNKNOWN)
    if len(args) > 2 and isinstance(args[0], Instance) and args[1] not in args[0].attrs:
        found = _hasattr(reader, args, kwargs, node)
        if found is False:
            return args[2]
        return attribute(reader, args[0], args[1]) if found is True else UNKNOWN
    return attribute(reader, args[0], args[1])


def _any_part(value: Value) -> Value:
    """A value that may be any submodule, for an attribute of unknown name."""
    parts = (
        [v for v in value.attrs.values() if isinstance(v, Instance)]
        if isinstance(value, Instance)
        else []
    )
    return choice(parts) if parts else UNKNOWN


@handles("builtins.setattr")
def _setattr(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if len(args) == 3 and isinstance(args[0], Instance):
        # A part under a name that is not known is a part all the same.
        hold(reader, args[0], name_of(args[0], args[1], argument_at(node, 1)), args[2])
    elif len(args) == 3 and _is_of_torch(args[0]) and isinstance(args[1], str):
        reader.replace(f"{args[0].name}.{args[1]}", args[2])
    return None


def _is_of_torch(value: Value) -> bool:
    """Whether a value is torch.nn, or lies in it."""
    return isinstance(value, External) and value.name.startswith("torch.nn")


@handles("builtins.vars")
def _vars(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if not args:
        return _locals(reader, args, kwargs, node)
    return attribute(reader, args[0], "__dict__") if isinstance(args[0], Instance) else UNKNOWN


@handles("builtins.locals")
def _locals(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return Table(dict(reader.frames[-1].names), True) if reader.frames else UNKNOWN


@handles("builtins.globals")
def _globals(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if not reader.frames:
        return UNKNOWN
    module = reader.frames[-1].module
    # What an assignment makes is there once it was followed.
    kinds = (ast.ClassDef, ast.FunctionDef)
    known = [n for n, entry in reader.program.names(module).items() if isinstance(entry, kinds)]
    return Table({**module.values, **{n: top_level(reader, module, n) for n in known}}, True)


@handles("builtins.type")
def _type(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    value = args[0] if len(args) == 1 else UNKNOWN
    if value is None:
        return External("builtins.NoneType")
    if type(value) in (tuple, str):
        return External(f"builtins.{type(value).__name__}")
    if isinstance(value, Instance) and value.cls is not None:
        return value.cls
    if isinstance(value, Instance) and value.torch:
        return External(f"torch.nn.{value.kind()}")
    return UNKNOWN


@handles("builtins.callable")
def _callable(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    kinds = (Function, UserClass, Partial, Bound, Instance)
    if args and isinstance(args[0], External):
        return is_callable(args[0].name) or PLAIN
    if args and isinstance(args[0], kinds):
        return True
    return False if args and isinstance(args[0], (str, int, type(None))) else PLAIN

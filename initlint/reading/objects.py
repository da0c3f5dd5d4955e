"""Results of built-in functions for objects and classes, and of torch's helpers for modules."""

from __future__ import annotations

import ast

from initlint.reading.attributes import attribute
from initlint.reading.builtins import belongs
from initlint.reading.calling import call
from initlint.reading.classes import hold, lookup, surely_lacks
from initlint.reading.copies import copied, shallow
from initlint.reading.effects import lacks
from initlint.reading.handlers import Args, Kwargs, handles
from initlint.reading.holders import CONTAINERS, Bound, Function, Instance, Partial, Table, elements
from initlint.reading.initial import parameter_of
from initlint.reading.life import slots_of, twin
from initlint.reading.modules import buffer_of
from initlint.reading.names import top_level
from initlint.reading.outside import is_callable
from initlint.reading.parts import choice, options_of, parts_of, reached
from initlint.reading.reader import Reader
from initlint.reading.torch_modules import reset_of
from initlint.reading.user_class import UserClass
from initlint.reading.values import PLAIN, UNKNOWN, External, Held, Slot, Value
from initlint.torchlib import catalog
from initlint.torchlib.draws import UNWRITTEN
from initlint.torchlib.members import OF_EVERY

_PROCESSES = ("multiprocessing.Process", "torch.multiprocessing.Process")


@handles("builtins.isinstance", "builtins.issubclass")
def _isinstance(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if len(args) < 2:
        return PLAIN
    answers = {belongs(reader, option, args[1]) for option in options_of(args[0])}
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
    if owner.torch and name and (name in OF_EVERY or name == reset_of(owner.torch)):
        return True
    if owner.torch and (lacks(owner, name) or surely_lacks(reader, owner, name)):
        return False
    no_weights = owner.torch in CONTAINERS or catalog.activation_of_module(owner.torch) is not None
    return False if name == "reset_parameters" and owner.cls is None and no_weights else PLAIN


@handles("builtins.getattr")
def _getattr(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if len(args) < 2 or not isinstance(args[1], str):
        return _any_part(args[0] if args else UNKNOWN)
    if len(args) > 2 and isinstance(args[0], Instance) and args[1] not in args[0].attrs:
        found = _hasattr(reader, args, kwargs, node)
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
    if len(args) == 3 and isinstance(args[0], Instance) and isinstance(args[1], str):
        hold(reader, args[0], args[1], args[2])
    elif len(args) == 3 and isinstance(args[0], Instance):
        # A part under a name that is not known is a part all the same.
        hold(reader, args[0], f"{{{len(args[0].attrs)}}}", args[2])
    return None


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
    kinds = (ast.ClassDef, ast.FunctionDef, ast.Assign, ast.AnnAssign)
    known = [n for n, entry in reader.program.names(module).items() if isinstance(entry, kinds)]
    return Table({name: top_level(reader, module, name) for name in known}, True)


@handles("types.SimpleNamespace", "argparse.Namespace")
def _namespace(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return Instance(None, "", attrs=dict(kwargs))


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
        return External(f"torch.nn.{value.torch}")
    return UNKNOWN


@handles("builtins.callable")
def _callable(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    kinds = (Function, UserClass, Partial, Bound, Instance)
    if args and isinstance(args[0], External):
        return is_callable(args[0].name) or PLAIN
    if args and isinstance(args[0], kinds):
        return True
    return False if args and isinstance(args[0], (str, int, type(None))) else PLAIN


@handles("functools.partial", "functools.partialmethod")
def _partial(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return Partial(args[0], tuple(args[1:]), dict(kwargs)) if args else UNKNOWN


@handles("copy.copy")
def _shallow(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    value = args[0] if args else kwargs.get("x", UNKNOWN)
    reader.budget.elements(len(parts_of(value)))
    return shallow(value)


@handles("copy.deepcopy")
def _copy(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    value = args[0] if args else kwargs.get("x", UNKNOWN)
    for part in reached([value]):
        reader.budget.nodes(isinstance(part, Instance))
        reader.budget.elements(1)
    source = reader.life.of.get(value) if reader.outside and isinstance(value, Instance) else None
    if source is not None and source.model is value:
        made = twin(value, {}, is_copy=True)
        path = reader.frames[-1].module.path
        reader.life.born(made, None, node, path, copy_of=source)
        return made
    if reader.constructing is not None:
        reader.life.copied(value)
    return copied(value, reader.site(node), reader.constructing)


@handles("threading.Thread", *_PROCESSES)
def _worker(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    """A thread or a process runs its target; an object of which nothing more is known."""
    given = dict(zip(("group", "target", "name", "args"), args, strict=False)) | dict(kwargs)
    places = elements(given.get("args", ()))
    if "target" in given and places is not None:
        call(reader, given["target"], places, {}, node)
    return External("threading.Thread()")


@handles("typing.cast", "torch.jit.annotate")
def _cast(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return args[1] if len(args) > 1 else UNKNOWN


@handles("torch.nn.Parameter", "torch.nn.parameter.Parameter")
def _parameter(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    trainable = args[1] if len(args) > 1 else kwargs.get("requires_grad", True)
    tensor = args[0] if args else kwargs.get("data", UNKNOWN)
    return parameter_of(reader, tensor, node, trainable)


@handles("torch.nn.utils.skip_init")
def _uninitialised(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    given = {name: value for name, value in kwargs.items() if name != "device"}
    made = call(reader, args[0], args[1:], given, node) if args else UNKNOWN
    if isinstance(made, Instance):
        for _, slot in slots_of(made):
            slot.draw = UNWRITTEN
    return made


@handles("torch.nn.Buffer", "torch.nn.parameter.Buffer")
def _buffer(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return buffer_of(reader, reader.constructing, "", args[0] if args else kwargs.get("data"), node)


@handles("torch.utils.checkpoint.checkpoint")
def _checkpoint(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    options = ("use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug")
    given = {name: value for name, value in kwargs.items() if name not in options}
    return call(reader, args[0], args[1:], given, node) if args else UNKNOWN


@handles("torch.utils.checkpoint.checkpoint_sequential")
def _sequentially(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    value = args[2] if len(args) > 2 else UNKNOWN
    for part in (elements(args[0]) if args else None) or [UNKNOWN]:
        value = call(reader, part, [value], {}, node)
    return value


@handles("torch.nn.utils.parametrize.register_parametrization")
def _parametrised(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if args and isinstance(args[0], Instance):
        args[0].reparametrised = True
        if args[1:2] == ["weight"] and args[0].arms == reader.arms:
            args[0].recomputed = "a parametrization"
        if reader.outside:
            reader.life.rebuild(args[0])
    return args[0] if args else UNKNOWN

"""Calls of functions that the files do not define, by their dotted name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial

from initlint.reading.abstract.holders import Instance, Optimiser, elements
from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    External,
    Foreign,
    Fresh,
    Held,
    Slot,
    Value,
    is_stranger,
)
from initlint.reading.evaluate.builtins import (
    ANSWERS,
    IDENTITY,
    NUMBERS,
    handled,
    is_operation,
    numeric,
    pure,
)
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.handlers import HANDLERS
from initlint.reading.evaluate.tensors import operate
from initlint.reading.fills.filling import may_fill
from initlint.reading.fills.handed import filled_by_handlers
from initlint.reading.fills.in_place import write_in_place
from initlint.reading.fills.initial import initialise, lost, release
from initlint.reading.objects.module_methods import ask_module
from initlint.reading.objects.modules import make_module
from initlint.reading.objects.samples import may_be_trained, trained
from initlint.reading.objects.torch_modules import is_layer
from initlint.reading.reader import Reader
from initlint.reading.sources.outside import (
    FILLING,
    LOOKING,
    OWN_MODELS,
    TRAINING,
    TRUSTED,
    trusted_kind,
)
from initlint.torchlib.draws import ARGUMENTS

_Callee = Callable[[Reader, Sequence[Value], Mapping[str, Value], "ast.AST | None"], Value]


# Methods of trainers that make what they are given ready, wrapped, and hand it back.
_PREPARING = ("prepare", "prepare_model", "setup", "setup_module", "auto_model")
# Functions of torch's that run the module they are given: what they give are data.
_RUNNING = ("func.", "autograd.", "nn.utils.stateless.")
# Helpers of torch's that write to the parameters they are given, and those beside that do not.
_WRITING = ("utils", "nn.utils.vector_to", "nn.utils.prune", "nn.utils.skip_init")
_SHOWING = ("utils.tensorboard", "utils.data", "utils.flop_counter", "utils.benchmark")


def call_external(
    reader: Reader,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """The result of a function that the files read do not define."""
    if name in reader.replaced:
        return _instead(reader, name, args, kwargs, node)
    return _callee(name)(reader, args, kwargs, node)


def _instead(
    reader: Reader,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """The result of what code has put in the place of a function, which may call that one."""
    function = reader.replaced.pop(name)
    try:
        return call(reader, function, args, kwargs, node)
    finally:
        reader.replaced[name] = function


@lru_cache(maxsize=4096)
def _callee(name: str) -> _Callee:
    """What a call of this dotted name outside the files does; the name decides nearly all of it."""
    package, bare = name.partition(".")[0], name.rpartition(".")[2]
    handler, kind = HANDLERS.get(name), trusted_kind(name)
    if handler is not None:
        return lambda reader, args, kwargs, node: handled(reader, handler, args, kwargs, node)
    if name in ANSWERS:
        return lambda reader, args, kwargs, node: ANSWERS[name]
    if name in IDENTITY:
        return lambda reader, args, kwargs, node: args[0] if args else UNKNOWN
    if name in NUMBERS:
        return lambda reader, args, kwargs, node: numeric(reader, name, args)
    if name.startswith("builtins."):
        return lambda reader, args, kwargs, node: pure(reader, name[9:], args, kwargs)
    if name.startswith("torch.nn.init.") or (package in TRUSTED and bare in ARGUMENTS):
        return lambda reader, args, kwargs, node: initialise(reader, bare, args, kwargs, node)
    if kind and not (_is_of_a_class(name) or kind.endswith("DataParallel")):
        return lambda reader, args, kwargs, node: make_module(reader, kind, args, kwargs, node)
    if _is_of_a_class(name) or _wraps(name) or kind:
        return partial(_of_module, name=name, kind=kind)
    if may_be_trained(name):
        return lambda reader, args, kwargs, node: trained_or_lost(reader, name, args, kwargs, node)
    return lambda reader, args, kwargs, node: torch_or_lost(reader, name, args, kwargs, node)


def _of_module(
    reader: Reader,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
    name: str,
    kind: str,
) -> Value:
    """The result of a method of a class, such as nn.Module.apply(self, f), or of a wrapper."""
    first = args[0] if args else None
    if kind.endswith("DataParallel") and reader.outside and args:
        return first
    if _is_of_a_class(name) and isinstance(first, Instance) and first.torch:
        return ask_module(reader, first, name.rpartition(".")[2], args[1:], kwargs, node)
    if kind:
        return make_module(reader, kind, args, kwargs, node)
    if _wraps(name) and isinstance(first, Instance):
        first.reparametrised = is_layer(first)
        reader.altered += 1
        # The old spectral_norm leaves `weight` in the memory of the parameter until the forward.
        is_lost = name != "torch.nn.utils.spectral_norm" and first.arms == reader.arms
        named = args[1] if len(args) > 1 else kwargs.get("name", "weight")
        if is_layer(first) and is_lost and named == "weight":
            first.recomputed = name.rpartition(".")[2]
        if reader.outside:
            reader.life.rebuild(first)
        return first
    return torch_or_lost(reader, name, args, kwargs, node)


def _is_of_a_class(name: str) -> bool:
    """Whether a dotted name names a method of a class, such as torch.nn.Module.apply."""
    owner, _, method = name.rpartition(".")
    return method == "__init__" or (
        owner.startswith("torch.nn.") and owner.rpartition(".")[2][:1].isupper()
    )


def _wraps(name: str) -> bool:
    """Whether a function of torch's makes a parameter of a module one that is computed."""
    last = name.rpartition(".")[2]
    is_parametrised = ".parametriz" in name and last in ("orthogonal", "register_parametrization")
    return "torch" in name and (is_parametrised or last in ("weight_norm", "spectral_norm"))


# Functions of torch's that compute gradients; `autograd.Variable` only hands on what it gets.
_GRADIENTS = ("autograd.grad", "autograd.backward")


def _written(
    reader: Reader,
    rest: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """The tensors that a function of torch's writes to: its first argument, or `out`; else None.

    `rest` is its name within torch. Others that end so (`nn.utils.clip_grad_norm_`) do not write.
    """
    out, bare = kwargs.get("out"), rest.removeprefix("nn.functional.")
    if isinstance(out, _TENSORS):
        release(reader, [out], name=bare)
        return out
    if not args or "." in bare or not bare.endswith("_") or bare.endswith("__"):
        return None
    several = bare.startswith("_foreach_")
    method = bare.removeprefix("_foreach_")
    for tensor in (elements(args[0]) or ()) if several else args[:1]:
        if isinstance(tensor, _TENSORS):
            write_in_place(reader, tensor, method, args[1:], kwargs, node)
    return args[0] if several or isinstance(args[0], _TENSORS) else None


_TENSORS = (Slot, Held, Fresh)


def _trained_by(reader: Reader, name: str, values: Sequence[Value], node: ast.AST | None) -> Value:
    """What a framework does to models that it trains: nothing before, but for loads and callbacks.

    accelerate's `load_state` loads all that it has prepared, as does the engine of DeepSpeed.
    """
    site = reader.site(node)
    if name.rpartition(".")[2].startswith("load"):
        found = [value for value in values if _is_module(value)]
        models = found or [
            birth.model for birth in reader.life.births if site is None or birth.path == site.path
        ]
        reader.life.give(models, name, site)
        release(reader, models, name=name)
        return External(f"{name}()")
    reader.life.callbacks += _fillers(reader, values)
    if reader.life.callbacks:
        reader.life.give(values, reader.life.callbacks[0], site)
        release(reader, filter(_is_module, values), name=reader.life.callbacks[0])
    if name == "deepspeed.initialize":
        # An engine, which may load a checkpoint before its first step.
        reader.life.optimise(values)
    else:
        reader.life.train(values)
    models = [*filled_by_handlers(reader, values)]
    reader.life.give(models, name, site, early=True)
    release(reader, models, name=name)
    return External(f"{name}()")


def _fillers(reader: Reader, values: Sequence[Value]) -> Iterator[str]:
    """The methods of callbacks that may fill the model that a framework hands them."""
    parts = [part for value in values for part in elements(value) or [value]]
    reader.budget.elements(len(parts))
    objects = (part for part in parts if isinstance(part, Instance) and not part.torch)
    for cls in dict.fromkeys(part.cls for part in objects if part.cls is not None):
        reader.budget.steps(len(cls.members))
        for name, method in cls.members.items():
            is_method = isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef))
            is_handed = is_method and name != "__init__" and len(method.args.args) > 1
            if is_handed and may_fill(method):
                yield f"{cls.name}.{name}"


def torch_or_lost(
    reader: Reader,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """The result of a function of torch's, or of one of which nothing is known."""
    package, _, rest = name.partition(".")
    bare = name.rpartition(".")[2]
    if rest in _GRADIENTS and reader.outside:
        reader.life.train_used()
    if package == "torch" and (not rest.startswith(_WRITING) or rest.startswith(_SHOWING)):
        if rest.startswith("optim"):
            return _optimised(reader, args, kwargs)
        is_wrapped = bool(args) and _is_module(args[0]) and not rest.startswith(_RUNNING)
        if is_wrapped and not reader.nodes_in(args):
            # Compiled, sharded, quantised, traced: the module, or what holds it.
            return args[0]
        return _written(reader, rest, args, kwargs, node) or operate(reader, bare, args, kwargs)
    if package in TRUSTED and is_operation(bare) and reader.nodes_in(args):
        return operate(reader, bare, args, kwargs)
    if package in ("math", "operator"):
        return operate(reader, bare, args, kwargs) if reader.nodes_in(args) else PLAIN
    if package in TRAINING and bare in _PREPARING and args:
        return args[0] if len(args) == 1 else tuple(args)
    if name == "apex.amp.initialize" and args:
        # The models, and the optimisers if there are any: what comes after is how they are cast.
        return tuple(args[:2]) if len(args) > 1 else args[0]
    if package in TRAINING and reader.outside:
        return _trained_by(reader, name, [*args, *kwargs.values()], node)
    if package in LOOKING and not name.startswith(FILLING):
        return External(f"{name}()")
    caller = reader.frames[-1].module.path if reader.frames else ""
    if reader.program.starts.get((caller, package)) == "":
        reader.astray[caller, name] = None
    given = [*args, *kwargs.values()]
    if reader.outside:
        if is_trained(reader, given):
            return UNKNOWN
        given += filled_by_handlers(reader, given)
        reader.life.give(given, name, reader.site(node))
    found = lost(reader, given, {}, name.lstrip("."))
    if found is not UNKNOWN or package not in OWN_MODELS:
        return found
    if reader.outside:
        return External(f"{name}()")
    # A wrapper of what may be of any class may hand that on.
    return found if any(map(is_stranger, given)) else Foreign()


def is_trained(reader: Reader, values: Sequence[Value]) -> bool:
    """Whether a function trains a model: it gets the model and an optimiser for it."""
    has_both = any(type(v) is Optimiser for v in values) and any(map(_is_module, values))
    if has_both:
        reader.life.train(values)
    return has_both


def _is_module(value: Value) -> bool:
    """Whether a value is a module."""
    return isinstance(value, Instance) and bool(value.torch)


def _optimised(reader: Reader, args: Sequence[Value], kwargs: Mapping[str, Value]) -> Value:
    """An optimiser, which trains what it is given from its first step on."""
    given = (*args, *kwargs.values())
    reader.life.optimise(given)
    return Optimiser(given)


def trained_or_lost(
    reader: Reader,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """A model of another package's with trained weights, or what is not known."""
    made = trained(name, args, kwargs, reader.site(node), reader.constructing)
    if made is UNKNOWN:
        return torch_or_lost(reader, name, args, kwargs, node)
    reader.has_samples = True
    return made

"""Calls of functions of the files: arguments bound to parameters, results kept."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from initlint.graph.ops import Op
from initlint.reading.abstract.frames import Code, Frame
from initlint.reading.abstract.holders import (
    Bound,
    Choice,
    Function,
    Instance,
    Method,
    Partial,
    Table,
    around,
)
from initlint.reading.abstract.joins import joined
from initlint.reading.abstract.parts import is_small, key_of, leaves
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import (
    BARE,
    UNKNOWN,
    External,
    Kept,
    Named,
    Plain,
    Sym,
    Tensor,
    Unknown,
    Value,
    is_stranger,
)
from initlint.reading.evaluate.calling import Door, call
from initlint.reading.evaluate.compiled import body_of, code_of, evaluate
from initlint.reading.evaluate.external import call_external, is_trained
from initlint.reading.evaluate.methods import MEASURING, call_method
from initlint.reading.evaluate.signatures import Signature, signature_of
from initlint.reading.evaluate.tensors import operate
from initlint.reading.fills import strangers
from initlint.reading.fills.configured import literal_stds
from initlint.reading.fills.effects import Missing, fail, is_sure, note
from initlint.reading.fills.filling import fills_by
from initlint.reading.fills.initial import initialise, lost
from initlint.reading.fills.options import in_function
from initlint.reading.objects.construct import construct
from initlint.reading.objects.instances import call_instance, is_too_deep
from initlint.reading.reader import Caller, Reader
from initlint.torchlib.creators import CREATORS
from initlint.torchlib.draws import ARGUMENTS

# How often a function may call itself (those that visit a tree of modules do).
_RECURSION = 8
# Methods of modules that leave the weights as they are.
_LOOKING = {
    *("parameters", "named_parameters", "modules", "named_modules", "children", "named_children"),
    *("buffers", "named_buffers", "state_dict", "zero_grad", "requires_grad_", "share_memory"),
    *("train", "eval", "to", "cuda", "cpu", "half", "float", "double", "bfloat16"),
}
# Methods of tensors that tell of their sizes or place, and write to none.
_TELLING = {
    *MEASURING,
    *("stride", "element_size", "data_ptr", "get_device", "is_contiguous", "is_floating_point"),
    *("item", "tolist"),
}
# Methods of tensors that make a new one.
_RENEWING = [name for name in CREATORS if name.startswith("new_")]
# transformers' functions of torch.nn.init's names: they only pass over what was loaded.
_INITIALISERS = ("transformers", "initialization")


def call_other(
    reader: Reader,
    function: Value,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """The result of calling a value that may be anything."""
    if isinstance(function, Missing):
        name = _spelled(node)
        # Outside of a model, its wrapper may have other attributes.
        is_inside = reader.constructing is not None or bool(reader.visits)
        if (name.endswith("_") or (is_inside and fills_by(name))) and is_sure(reader):
            note(reader, node, name, [], "raises", function.reason())
        elif is_inside:
            fail(reader)
        return UNKNOWN
    if type(function) is Unknown and function.options and _spelled(node) in _LOOKING:
        # It gives the module, or what is in it.
        return function
    if type(function) is Unknown and function.options and _spelled(node) in _TELLING:
        return UNKNOWN
    if type(function) is Unknown and _spelled(node) in _RENEWING:
        # A tensor of its own, whatever it was asked of: what fills it fills no model.
        return operate(reader, _spelled(node), [function, *args], kwargs)
    # A method of what may be any of some models reaches these models.
    given = [function, *args] if type(function) is Unknown else args
    if reader.outside:
        reached = [*given, *kwargs.values()]
        if is_trained(reader, reached):
            return UNKNOWN
        reader.life.give(reached, _spelled(node) or "a function", reader.site(node))
    if is_stranger(function):
        strangers.asked(reader, _spelled(node), args, node, call)
    return lost(reader, given, kwargs, _spelled(node))


def _spelled(node: ast.AST | None) -> str:
    """The name of the function that is called; empty for one without a name."""
    function = getattr(node, "func", None)
    return getattr(function, "attr", "") or getattr(function, "id", "")


def _call_any(
    reader: Reader,
    function: Choice,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    options = [option for option in function.options if option is not None]
    results = []
    outer = reader.arms
    # Each of several models is there where its method is called.
    receivers = {id(receiver_of(option)) for option in options}
    apart = len(receivers) == len(options) and all(map(receiver_of, options))
    for option in options:
        reader.arms = outer if len(options) == 1 or (reader.outside and apart) else reader.new_arm()
        results.append(call(reader, option, args, kwargs, node))
        reader.arms = outer
    result = results[0] if results else UNKNOWN
    for other in results[1:]:
        result = joined(reader, result, other)
    return result


def receiver_of(function: Value) -> Instance | None:
    """The module whose method this is, or that is called itself."""
    if isinstance(function, (Bound, Method)):
        function = function.receiver
    return function if isinstance(function, Instance) else None


def follow(
    reader: Reader,
    function: Function,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None = None,
) -> Value:
    """The result of a function of the files read.

    Equal calls with plain values, and tensors of one graph, are followed once, and the result
    kept, if it is plain or a tensor.
    """
    if function.module.parts[-2:] == _INITIALISERS:
        name = getattr(function.node, "name", "")
        if name in ARGUMENTS:
            return initialise(reader, name, args, kwargs, node)
    # Calls are nested deeply: as few functions as possible lie between one and the next.
    key, results = _kept(reader, function, args, kwargs)
    if key is not None and key in results:
        return _again(results[key])
    most = _RECURSION if Instance in map(type, args) else 1
    if is_too_deep(reader) or reader.active.count(function.node) > most:
        return lost(reader, args, kwargs, getattr(function.node, "name", ""))
    receiver = args[0] if args and function.owner is not None else None
    frame = Frame(function.module, function.closure, receiver, function.owner)
    reader.reached.add(function.node)
    if reader.living:
        reader.followed.add(function.node)
    if reader.constructing is not None:
        reader.makers.add(function.node)
    reader.frames.append(frame)
    reader.active.append(function.node)
    arms = reader.arms
    try:
        _bind(reader, function, frame, args, kwargs)
        result = _body(reader, function.node)(frame)
    finally:
        reader.arms = arms
        reader.active.pop()
        reader.frames.pop()
    has_data = results is not reader.results
    if key is not None and (type(result) is Tensor if has_data else _is_kept(result)):
        results[key] = result
    return result


def _body(reader: Reader, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Code:
    """What gives the value that a function returns in a frame whose parameters are bound."""
    found = reader.bodies.get(node)
    if found is None:
        if isinstance(node, ast.Lambda):
            found = code_of(reader, node.body)
        else:
            found = body_of(reader, node.body)
            in_function(reader, node)
            literal_stds(reader, node)
        reader.bodies[node] = found
    return found


def _kept(
    reader: Reader, function: Function, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> tuple[object, dict[object, Value]]:
    """The key of a call whose result may be kept, and where; None for any other call."""
    closure = function.closure
    if function.owner is not None:
        return None, reader.results
    if closure is not None and not _is_settled(reader, closure):
        if around(function.node, closure):
            return None, reader.results
        # It uses nothing of the functions around it.
        closure = None
    given = _given(args, kwargs)
    if given is None:
        return None, reader.results
    has_data = any(type(part) is Op for part in given)
    key = (function.node, closure, *kwargs, *given)
    return key, reader.graph.results if has_data else reader.results


def _is_settled(reader: Reader, closure: Frame | None) -> bool:
    """Whether the functions around one have ended, and hold nothing that could change."""
    while closure is not None:
        held = [v for v in closure.names.values() if type(v) is not Function]
        if closure in reader.frames or not _are_plain(held):
            return False
        closure = closure.closure
    return True


def _bind(
    reader: Reader,
    function: Function,
    frame: Frame,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
) -> None:
    if function.signature is None:
        function.signature = signature_of(function)
    spec: Signature = function.signature
    open_ended = "*" in kwargs
    names = frame.names
    if not open_ended:
        names.update(spec.constants)
    names.update(zip(spec.places, args, strict=False))
    rest: dict[str, Value] = {}
    for name, value in kwargs.items():
        (names if name in spec.names else rest)[name] = value
    for name in spec.names if open_ended else spec.others:
        if name not in names:
            names[name] = UNKNOWN if open_ended else _default(reader, function, spec, name)
    if spec.rest:
        names[spec.rest] = tuple(args[len(spec.places) :])
    if spec.keywords:
        rest.pop("*", None)
        is_open = rest.pop("**", None) is not None or "**" in kwargs
        names[spec.keywords] = Table(rest, is_open)


def _default(reader: Reader, function: Function, spec: Signature, name: str) -> Value:
    """The value of a parameter without an argument."""
    default = spec.defaults.get(name)
    if default is not None:
        home = Frame(function.module, function.closure, None, function.owner)
        return evaluate(reader, default, home)
    return Named(f"{spec.label}.{name}")


_PLAIN = {int, bool, float, str, type(None), Named, Sym, External, UserClass, Plain, Kept}


def _is_plain(value: Value) -> bool:
    """Whether a value is comparable and immutable."""
    kind = type(value)
    if kind is tuple or kind is Choice:
        return is_small(value) and all(kind in _PLAIN for kind in map(type, leaves(value, _BOTH)))
    return kind in _PLAIN


_BOTH = (tuple, Choice)


def _are_plain(values: Iterable[Value]) -> bool:
    return all(map(_is_plain, values))


def _given(args: Sequence[Value], kwargs: Mapping[str, Value]) -> list[Any] | None:
    """Keys of arguments that are plain or tensors, which stand for their operations; else None.

    With tensors, no other argument may be unknown.
    """
    given: list[Any] = []
    has_data = has_unknown = False
    for value in (*args, *kwargs.values()):
        kind = type(value)
        if kind in BARE:
            given.append((kind, value))
        elif kind is Tensor:
            given.append(value.node)
            has_data = True
        elif value is UNKNOWN:
            given.append(value)
            has_unknown = True
        elif _is_plain(value):
            given.append(key_of(value))
        else:
            return None
    return None if has_data and has_unknown else given


def _is_kept(result: Value) -> bool:
    """Whether a result is the same for everybody who is given it."""
    is_partial = type(result) is Partial and _are_plain(result.parts())
    return result is UNKNOWN or is_partial or _is_plain(result)


def _again(result: Value) -> Value:
    """A result that was kept; what the code that is read can change is copied.

    Whoever writes to one tensor in place does not write to the other.
    """
    if type(result) is Tensor:
        return Tensor(result.node)
    return result.rebuilt(result.parts()) if type(result) is Partial else result


class _Callers(dict[type, Caller]):
    """What calls each kind of value; any other may be anything."""

    def __missing__(self, kind: type) -> Caller:
        return call_other


CALLERS = _Callers(
    {
        Function: follow,
        Instance: call_instance,
        UserClass: construct,
        External: lambda reader, function, args, kwargs, node: call_external(
            reader, function.name, args, kwargs, node
        ),
        Method: lambda reader, function, args, kwargs, node: call_method(
            reader, function.receiver, function.name, args, kwargs, node
        ),
        Choice: _call_any,
        Door: lambda reader, door, args, kwargs, node: reader.unclear(
            reader.nodes_in([*args, *kwargs.values()])
        ),
    }
)

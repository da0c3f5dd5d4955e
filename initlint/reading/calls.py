"""Calls: arguments bound to parameters, functions of the files, modules, what torch provides."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from initlint.graph.ops import Graph, Op
from initlint.graph.patterns import name_patterns
from initlint.reading.builtins import ANSWERS, IDENTITY, NUMBERS, Builtins
from initlint.reading.classes import UserClass, is_layer
from initlint.reading.effects import Missing, is_sure, note
from initlint.reading.handlers import HANDLERS
from initlint.reading.holders import (
    Bound,
    Choice,
    Function,
    Instance,
    Method,
    Optimiser,
    Partial,
    Table,
    around,
)
from initlint.reading.outside import LOOKING, TRAINING, TRUSTED, trusted_kind
from initlint.reading.parts import is_small, key_of, leaves
from initlint.reading.plain import asked, costs
from initlint.reading.resolve import Program
from initlint.reading.samples import may_be_trained, trained
from initlint.reading.signatures import Signature, signature_of
from initlint.reading.state import Frame
from initlint.reading.templates import moved, pattern_of, placed, tensors_in
from initlint.reading.values import (
    BARE,
    PLAIN,
    UNKNOWN,
    Compared,
    External,
    Fresh,
    Held,
    Kept,
    Named,
    Plain,
    Slot,
    Sym,
    Tensor,
    Unknown,
    Value,
)
from initlint.torchlib.draws import ARGUMENTS

_DEEPEST = 60
# How often a function may call itself (those that visit a tree of modules do).
_RECURSION = 8


# What calls a kind of value: the value, the arguments, and where the call stands.
_Caller = Callable[[Any, Sequence[Value], Mapping[str, Value], "ast.AST | None"], Value]
# The compiled body of a function.
Code = Callable[[Frame], Value]


class _Door:
    """Stands for a method of a model that code hands data to, which is not followed."""


_DOOR = _Door()


class Calls(Builtins):
    """Reads calls."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.callers: dict[type, _Caller] = {
            Function: self.follow,
            Instance: self.call_instance,
            UserClass: self.construct,
            External: lambda function, args, kwargs, node: self.call_external(
                function.name, args, kwargs, node
            ),
            Method: lambda function, args, kwargs, node: self.call_method(
                function.receiver, function.name, args, kwargs, node
            ),
            Choice: self._call_any,
            _Door: lambda door, args, kwargs, node: self.unclear(
                self.nodes_in([*args, *kwargs.values()])
            ),
        }

    def body(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Code:
        """What gives the value that a function returns in a frame whose parameters are bound."""
        raise NotImplementedError

    def call(
        self,
        function: Value,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None = None,
    ) -> Value:
        """The result of a call."""
        if type(function) is Bound or type(function) is Partial:
            function, args, kwargs = self.unwrapped(function, args, kwargs)
        return self.callers.get(type(function), self.call_other)(function, args, kwargs, node)

    def unwrapped(
        self, function: Value, args: Sequence[Value], kwargs: Mapping[str, Value]
    ) -> tuple[Value, Sequence[Value], Mapping[str, Value]]:
        """The function that a bound method or a partial function calls, and with what."""
        while True:
            if type(function) is Bound:
                if self.outside and self._is_door(function, args, kwargs):
                    return _DOOR, args, kwargs
                args, function = [function.receiver, *args], function.function
            elif type(function) is Partial:
                args, kwargs = [*function.args, *args], {**function.kwargs, **kwargs}
                function = function.function
            else:
                return function, args, kwargs

    def call_other(
        self,
        function: Value,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None,
    ) -> Value:
        """The result of calling a value that may be anything."""
        if isinstance(function, Missing):
            name = _spelled(node)
            if name.endswith("_") and is_sure(self):
                note(self, node, name, [], "raises", function.reason())
            return UNKNOWN
        if self.outside:
            if self._is_trained([*args, *kwargs.values()]):
                return UNKNOWN
            self.life.give([*args, *kwargs.values()], _spelled(node), self.site(node))
        return self.lost([function, *args] if type(function) is Unknown else args, kwargs)

    def _is_door(self, function: Bound, args: Sequence[Value], kwargs: Mapping[str, Value]) -> bool:
        """Whether the code hands data to a method of a model, which is noted."""
        is_model = isinstance(function.receiver, Instance) and function.receiver in self.life.of
        if not is_model or not isinstance(function.function, Function):
            return False
        values = [*args, *kwargs.values()]
        if not self.nodes_in(values) and not any(type(value) is Fresh for value in values):
            return False
        self.life.opened(function.receiver, getattr(function.function.node, "name", "forward"))
        return True

    def _call_any(
        self,
        function: Choice,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None,
    ) -> Value:
        options = [option for option in function.options if option is not None]
        results = []
        outer = self.arms
        # Each of several models is there where its method is called.
        receivers = {id(receiver_of(option)) for option in options}
        apart = len(receivers) == len(options) and all(map(receiver_of, options))
        for option in options:
            self.arms = outer if len(options) == 1 or (self.outside and apart) else self.new_arm()
            results.append(self.call(option, args, kwargs, node))
            self.arms = outer
        result = results[0] if results else UNKNOWN
        for other in results[1:]:
            result = self.joined(result, other)
        return result

    def follow(
        self,
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
                return self.initialise(name, args, kwargs, node)
        # Calls are nested deeply: as few functions as possible lie between one and the next.
        key, results = self._kept(function, args, kwargs)
        if key is not None and key in results:
            return _again(results[key])
        most = _RECURSION if Instance in map(type, args) else 1
        if self._is_too_deep() or self.active.count(function.node) > most:
            return self.lost(args, kwargs)
        receiver = args[0] if args and function.owner is not None else None
        frame = Frame(function.module, function.closure, receiver, function.owner)
        self.reached.add(function.node)
        if self.living:
            self.followed.add(function.node)
        if self.constructing is not None:
            self.makers.add(function.node)
        self.frames.append(frame)
        self.active.append(function.node)
        arms = self.arms
        try:
            self._bind(function, frame, args, kwargs)
            result = self.body(function.node)(frame)
        finally:
            self.arms = arms
            self.active.pop()
            self.frames.pop()
        has_data = results is not self.results
        if key is not None and (type(result) is Tensor if has_data else _is_kept(result)):
            results[key] = result
        return result

    def _kept(
        self, function: Function, args: Sequence[Value], kwargs: Mapping[str, Value]
    ) -> tuple[object, dict[object, Value]]:
        """The key of a call whose result may be kept, and where; None for any other call."""
        closure = function.closure
        if function.owner is not None:
            return None, self.results
        if closure is not None and not self._is_settled(closure):
            if around(function.node, closure):
                return None, self.results
            # It uses nothing of the functions around it.
            closure = None
        given = _given(args, kwargs)
        if given is None:
            return None, self.results
        has_data = any(type(part) is Op for part in given)
        key = (function.node, closure, *kwargs, *given)
        return key, self.graph.results if has_data else self.results

    def _is_settled(self, closure: Frame | None) -> bool:
        """Whether the functions around one have ended, and hold nothing that could change."""
        while closure is not None:
            held = [v for v in closure.names.values() if type(v) is not Function]
            if closure in self.frames or not _are_plain(held):
                return False
            closure = closure.closure
        return True

    def _is_too_deep(self) -> bool:
        """Whether one call more would be nested too deeply, which is noted as a gap."""
        if len(self.frames) <= _DEEPEST:
            return False
        self.unfollowed = f"calls nested more than {_DEEPEST} deep were not followed"
        return True

    def _bind(
        self, function: Function, frame: Frame, args: Sequence[Value], kwargs: Mapping[str, Value]
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
                names[name] = UNKNOWN if open_ended else self._default(function, spec, name)
        if spec.rest:
            names[spec.rest] = tuple(args[len(spec.places) :])
        if spec.keywords:
            rest.pop("*", None)
            is_open = rest.pop("**", None) is not None or "**" in kwargs
            names[spec.keywords] = Table(rest, is_open)

    def _default(self, function: Function, spec: Signature, name: str) -> Value:
        """The value of a parameter without an argument."""
        default = spec.defaults.get(name)
        if default is not None:
            home = Frame(function.module, function.closure, None, function.owner)
            return self.evaluate(default, home)
        return Named(f"{spec.label}.{name}")

    def call_instance(
        self,
        instance: Instance,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None = None,
    ) -> Value:
        """The result of calling a module: its own graph, copied into the present one."""
        self.budget.steps()
        if self.outside and instance in self.life.of:
            self.life.opened(instance, "forward")
            return self.unclear(self.nodes_in([*args, *kwargs.values()]))
        if not instance.torch:
            found = self.member(instance.cls, "__call__") if instance.cls is not None else None
            return self.call(self.method(*found), [instance, *args], kwargs) if found else UNKNOWN
        forward = self.forward_of(instance)
        if forward is None:
            return self.run_torch(instance, args, kwargs)
        if self.active.count(instance) > 1 or self._is_too_deep():
            return self.lost(args, kwargs)
        given = (*args, *kwargs.values())
        self.weigh(given)
        key = (tuple(kwargs), *map(pattern_of, given))
        if key not in instance.templates:
            instance.templates[key] = self._template(instance, forward, args, kwargs)
        graph, inputs, result = instance.templates[key]
        self.weigh([result])
        tensors = zip(inputs, tensors_in(given), strict=True)
        nodes = {old: value.node for old, value in tensors}
        owner = self.constructing or instance
        copies = self.graph.splice(graph, nodes, lambda use: self.redrawn(use, owner))
        return moved(result, copies)

    def forward_of(self, instance: Instance) -> Value | None:
        """A module's forward: the method of its class, or the function that replaced it."""
        own = instance.attrs.get("forward")
        if own is not None or instance.cls is None:
            return own
        found = self.member(instance.cls, "forward")
        return None if found is None else Bound(self.method(*found), instance)

    def _template(
        self,
        instance: Instance,
        forward: Value,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
    ) -> tuple[Graph, list[Op], Value]:
        """A module's forward as a graph of its own, drawn once for all calls of the same kind."""
        outer, self.graph = self.graph, Graph(self.budget)
        constructing, self.constructing = self.constructing, instance
        arms, self.arms = self.arms, instance.arms
        self.active.append(instance)
        inputs: list[Op] = []
        self.drawing += 1
        try:
            own: Sequence[Value] = [placed(value, self.graph, inputs) for value in args]
            named: Mapping[str, Value] = {
                name: placed(v, self.graph, inputs) for name, v in kwargs.items()
            }
            function, own, named = self.unwrapped(forward, own, named)
            caller = self.callers.get(type(function), self.call_other)
            result = caller(function, own, named, None)
            name_patterns(self.graph)
            return self.graph, inputs, result
        finally:
            self.drawing -= 1
            self.active.pop()
            self.graph, self.constructing, self.arms = outer, constructing, arms

    def call_external(
        self,
        name: str,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None,
    ) -> Value:
        """The result of a function that the files read do not define."""
        return _callee(name)(self, args, kwargs, node)

    def torch_or_lost(
        self, name: str, args: Sequence[Value], kwargs: Mapping[str, Value], node: ast.AST | None
    ) -> Value:
        """The result of a function of torch's, or of one of which nothing is known."""
        package, _, rest = name.partition(".")
        bare = name.rpartition(".")[2]
        if rest.startswith("autograd.") and self.outside:
            self.life.train_used()
        if package == "torch" and not rest.startswith(_WRITING):
            if rest.startswith("optim"):
                return self._optimised(args, kwargs)
            return self.operate(bare, args, kwargs)
        if package in TRUSTED and self.is_operation(bare) and self.nodes_in(args):
            return self.operate(bare, args, kwargs)
        if package in ("math", "operator"):
            return self.operate(bare, args, kwargs) if self.nodes_in(args) else PLAIN
        if package in TRAINING and self.outside:
            self.life.train([*args, *kwargs.values()])
            return External(f"{name}()")
        if package in LOOKING:
            return External(f"{name}()")
        caller = self.frames[-1].module.path if self.frames else ""
        if self.program.starts.get((caller, package)) == "":
            self.astray[caller, name] = None
        if self.outside:
            if self._is_trained([*args, *kwargs.values()]):
                return UNKNOWN
            self.life.give([*args, *kwargs.values()], name, self.site(node))
        return self.lost(args, kwargs)

    def _is_trained(self, values: Sequence[Value]) -> bool:
        """Whether a function trains a model: it gets the model and an optimiser for it."""
        has_both = any(type(v) is Optimiser for v in values) and any(map(_is_module, values))
        if has_both:
            self.life.train(values)
        return has_both

    def _optimised(self, args: Sequence[Value], kwargs: Mapping[str, Value]) -> Value:
        """An optimiser, which trains what it is given from its first step on."""
        given = (*args, *kwargs.values())
        self.life.optimise(given)
        return Optimiser(given)

    def trained_or_lost(
        self, name: str, args: Sequence[Value], kwargs: Mapping[str, Value], node: ast.AST | None
    ) -> Value:
        """A model of another package's with trained weights, or what is not known."""
        made = trained(name, args, kwargs, self.site(node), self.constructing)
        if made is UNKNOWN:
            return self.torch_or_lost(name, args, kwargs, node)
        self.has_samples = True
        return made

    def call_method(
        self,
        receiver: Value,
        name: str,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None,
    ) -> Value:
        """A method that the language or torch provides."""
        if type(receiver) is Tensor:
            return self.operate(name, [receiver, *args], kwargs)
        if isinstance(receiver, Fresh):
            if name.endswith("_") and not name.endswith("__"):
                return self.write_in_place(receiver, name, args, kwargs, node)
            return self.operate(name, [receiver, *args], kwargs)
        if isinstance(receiver, (Slot, Held)):
            return self._ask_parameter(receiver, name, args, kwargs, node)
        if isinstance(receiver, Instance):
            return self.ask_module(receiver, name, args, kwargs, node)
        if isinstance(receiver, Kept) and name.endswith("_") and not name.endswith("__"):
            self.write_in_place(receiver.slot, name, args, kwargs, node)
            return receiver
        if isinstance(receiver, Optimiser):
            if name == "step" and self.outside:
                self.life.train_used()
            return PLAIN
        self.budget.elements(costs(receiver, name, args) // 4)
        result = asked(receiver, name, args, kwargs)
        if result is NotImplemented:
            if isinstance(receiver, Compared):
                return receiver
            if receiver is PLAIN or self.nodes_in([*args, *kwargs.values()]):
                return self.operate(name, [receiver, *args], kwargs)
            return self.lost(args, kwargs)
        return result

    def _ask_parameter(
        self,
        receiver: Slot | Held,
        name: str,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None,
    ) -> Value:
        if name.endswith("_") and not name.endswith("__"):
            return self.write_in_place(receiver, name, args, kwargs, node)
        shape = receiver.shape
        if name in ("size", "dim", "numel", "ndimension", "nelement") and shape is not None:
            if name == "size":
                return self.item(shape, args[0]) if args else shape
            return len(shape) if name.startswith(("dim", "ndim")) else PLAIN
        if name == "detach":
            # It has the same memory: what is written to it is written to the parameter.
            return receiver if isinstance(receiver, Held) else Held(receiver, shape)
        return self.operate(name, [receiver, *args], kwargs)

    def item(self, value: Value, index: Value) -> Value:
        """The value of a subscript."""
        raise NotImplementedError


def _is_module(value: Value) -> bool:
    """Whether a value is a module."""
    return isinstance(value, Instance) and bool(value.torch)


def _spelled(node: ast.AST | None) -> str:
    """The function that is called, as the code writes it."""
    function = getattr(node, "func", None)
    name = getattr(function, "attr", "") or getattr(function, "id", "")
    return name or "a function"


def receiver_of(function: Value) -> Instance | None:
    """The module whose method this is, or that is called itself."""
    if isinstance(function, (Bound, Method)):
        function = function.receiver
    return function if isinstance(function, Instance) else None


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


def _is_of_a_class(name: str) -> bool:
    """Whether a dotted name names a method of a class, such as torch.nn.Module.apply."""
    owner, _, method = name.rpartition(".")
    return method == "__init__" or (
        owner.startswith("torch.nn.") and owner.rpartition(".")[2][:1].isupper()
    )


# Helpers of torch's that write to the parameters they are given.
_WRITING = ("utils", "nn.utils.vector_to", "nn.utils.prune", "nn.utils.skip_init")


# transformers' functions of torch.nn.init's names: they only pass over what was loaded.
_INITIALISERS = ("transformers", "initialization")


_Callee = Callable[[Calls, Sequence[Value], Mapping[str, Value], "ast.AST | None"], Value]


@lru_cache(maxsize=4096)
def _callee(name: str) -> _Callee:
    """What a call of this dotted name outside the files does; the name decides nearly all of it."""
    package, bare = name.partition(".")[0], name.rpartition(".")[2]
    handler, kind = HANDLERS.get(name), trusted_kind(name)
    if handler is not None:
        return lambda calls, args, kwargs, node: calls.handled(handler, args, kwargs, node)
    if name in ANSWERS:
        return lambda calls, args, kwargs, node: ANSWERS[name]
    if name in IDENTITY:
        return lambda calls, args, kwargs, node: args[0] if args else UNKNOWN
    if name in NUMBERS:
        return lambda calls, args, kwargs, node: calls.numeric(name, args)
    if name.startswith("builtins."):
        return lambda calls, args, kwargs, node: calls.pure(name[9:], args, kwargs)
    if name.startswith("torch.nn.init.") or (package in TRUSTED and bare in ARGUMENTS):
        return lambda calls, args, kwargs, node: calls.initialise(bare, args, kwargs, node)
    if kind and not (_is_of_a_class(name) or kind.endswith("DataParallel")):
        return lambda calls, args, kwargs, node: calls.make(kind, args, kwargs, node)
    if _is_of_a_class(name) or _wraps(name) or kind:
        return partial(_of_module, name=name, kind=kind)
    if may_be_trained(name):
        return lambda calls, args, kwargs, node: calls.trained_or_lost(name, args, kwargs, node)
    return lambda calls, args, kwargs, node: calls.torch_or_lost(name, args, kwargs, node)


def _of_module(
    calls: Calls,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
    name: str,
    kind: str,
) -> Value:
    """The result of a method of a class, such as nn.Module.apply(self, f), or of a wrapper."""
    first = args[0] if args else None
    if kind.endswith("DataParallel") and calls.outside and args:
        return first
    if _is_of_a_class(name) and isinstance(first, Instance) and first.torch:
        return calls.ask_module(first, name.rpartition(".")[2], args[1:], kwargs, node)
    if kind:
        return calls.make(kind, args, kwargs, node)
    if _wraps(name) and isinstance(first, Instance):
        first.reparametrised = is_layer(first)
        # The old spectral_norm leaves `weight` in the memory of the parameter until the forward.
        is_lost = name != "torch.nn.utils.spectral_norm" and first.arms == calls.arms
        named = args[1] if len(args) > 1 else kwargs.get("name", "weight")
        if is_layer(first) and is_lost and named == "weight":
            first.recomputed = name.rpartition(".")[2]
        if calls.outside:
            calls.life.rebuild(first)
        return first
    return calls.torch_or_lost(name, args, kwargs, node)


def _wraps(name: str) -> bool:
    return name.rpartition(".")[2] in ("weight_norm", "spectral_norm") and "torch" in name

"""From an fx graph to the operations of the house's own language."""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import fx, nn

from initlint.graph.facts import of_call
from initlint.graph.meaning import meaning, of_module
from initlint.graph.ops import FIXED, KEPT, Graph, Op, Operand, leaves_of, ops_in
from initlint.torchlib import catalog
from initlint.tracing.weights import shape_of, weights_of_call, weights_of_module

# Functions of these modules are what their names say; any other function is unknown.
_TRUSTED = ("torch", "_operator", "math", "builtins")
# The types of tensor methods in a recorded run: C functions and operators.
_METHODS = (types.MethodDescriptorType, types.WrapperDescriptorType)


def operations(graph: fx.Graph, model: nn.Module, whole: bool = True) -> Graph:
    """All operations of a captured graph, in the order of the data.

    If the graph is not that of a `whole` model, the operations before and after it are unknown.
    """
    return _Translation(model, whole).of(graph)


def operations_of_nodes(graph: fx.Graph, model: nn.Module) -> tuple[Graph, dict[fx.Node, Op]]:
    """All operations of a captured graph, and the one that each node became."""
    translation = _Translation(model, whole=True)
    found = translation.of(graph)
    return found, {n: v for n, v in translation.values.items() if type(v) is Op}


class _Translation:
    """By every node of an fx graph its value: an operation, a parameter, or neither."""

    def __init__(self, model: nn.Module, whole: bool) -> None:
        self._graph = Graph(whole=whole)
        self._modules = dict(model.named_modules(remove_duplicate=False))
        self._tensors = dict(model.named_parameters(remove_duplicate=False))
        self.values: dict[fx.Node, Any] = {}
        self._readers: dict[str, Callable[[fx.Node], Any]] = {
            "placeholder": lambda node: Op("input", name=str(node.target)),
            "output": self._result,
            "get_attr": self._attribute,
            "call_module": self._module,
            "call_function": self._function,
            "call_method": self._function,
        }

    def of(self, graph: fx.Graph) -> Graph:
        for node in graph.nodes:
            value = self._readers[node.op](node)
            self.values[node] = value
            if type(value) is Op and value.role != "query":
                self._graph.add(value)
        return self._graph

    def _given(self, argument: Any) -> Any:
        """An argument with its nodes replaced by their values."""
        if isinstance(argument, fx.Node):
            return self.values[argument]
        if isinstance(argument, (tuple, list)):
            return tuple(map(self._given, argument))
        if isinstance(argument, dict):
            return {key: self._given(value) for key, value in argument.items()}
        if isinstance(argument, slice):
            return slice(*map(self._given, (argument.start, argument.stop, argument.step)))
        # Numbers of numpy's, made in forward; such an array compares element by element.
        return FIXED if type(argument).__name__ == "ndarray" else argument

    def _result(self, node: fx.Node) -> Op:
        inputs = ops_in(*self._given(node.args))
        return Op("output" if self._graph.whole else "unknown", inputs, final=True)

    def _attribute(self, node: fx.Node) -> Any:
        target = str(node.target)
        self._graph.touched.add(target)
        if node.meta.get("written"):
            self._graph.written.add(target)
        self._graph.touched.update(node.meta.get("viewed", ()))
        if target in self._tensors:
            shape = shape_of(self._tensors[target])
            return Operand(target, shape, shape)
        constant = node.meta.get("constant")
        if isinstance(constant, torch.Tensor) and constant.numel() == 1 and not constant.is_meta:
            return float(constant)
        return KEPT

    def _module(self, node: fx.Node) -> Any:
        name = str(node.target)
        module = self._modules[name]
        held = itertools.chain(
            module.named_parameters(remove_duplicate=False),
            module.named_buffers(remove_duplicate=False),
        )
        self._graph.touched.update(f"{name}.{key}" for key, _ in held)
        args, keywords = self._given(node.args), self._given(node.kwargs)
        kind = type(module).__name__
        operation = catalog.operation_of_module(kind)
        is_weighted = operation is not None and operation.role == "weighted"
        weights = weights_of_module(name, module) if is_weighted else ()
        settings = dict(vars(module))
        if operation is not None and operation.role == "norm":
            settings |= {"gain": self._own(name, "weight"), "shift": self._own(name, "bias")}
        return of_module(kind, args, keywords, settings, weights)

    def _own(self, module: str, name: str) -> Operand | None:
        """A module's own parameter."""
        full = f"{module}.{name}" if module else name
        tensor = self._tensors.get(full)
        return None if tensor is None else Operand(full, shape_of(tensor), shape_of(tensor))

    def _function(self, node: fx.Node) -> Any:
        name = function_name(node)
        if name in _SETTING or (name.endswith("_") and not name.endswith("__")):
            self._graph.written.update(_memory_of(node))
        args, keywords = self._given(node.args), self._given(node.kwargs)
        if isinstance(node.target, type):
            # A container made for several results: they leave it as they came.
            inputs = ops_in(args, keywords)
            return Op("scale", inputs, "") if inputs else FIXED
        operation = catalog.operation_of_function(name)
        operands = [part for part in leaves_of((args, keywords)) if type(part) is Operand]
        if operation is not None and operation.role in ("weighted", "matmul") and operands:
            return self._weighted(name, args, keywords)
        return meaning(name, args, keywords)

    def _weighted(self, name: str, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        inputs = ops_in(args, keywords)
        weights = weights_of_call(name, args, keywords)
        if weights:
            known = of_call("weighted", name, args, keywords)
            return Op("weighted", inputs, name, args, keywords, args=known, weights=weights)
        return Op("scale", inputs, name, args, keywords) if inputs else FIXED


def _memory_of(node: fx.Node) -> Iterator[str]:
    """The parameter or buffer in whose memory the first argument of an operation may lie."""
    for _ in range(_MOST_VIEWS):
        first = node.args[0] if node.args else None
        if not isinstance(first, fx.Node):
            return
        if first.op == "get_attr":
            yield str(first.target)
        node = first


_CHANGING = "add sub mul div truediv floordiv mod pow and or xor lshift rshift matmul"
# Operators that write to their first operand: `b[0] = x`, `b += x`.
_SETTING = {
    *("setitem", "__setitem__"),
    *(name for word in _CHANGING.split() for name in (f"i{word}", f"__i{word}__")),
}
# A view of a view of a view …
_MOST_VIEWS = 6


def is_known_call(node: fx.Node) -> bool:
    """Whether a function belongs to torch, or is in the catalogue."""
    if node.op != "call_function" or isinstance(node.target, type):
        return True
    name = function_name(node)
    known = catalog.operation_of_function(name) or catalog.activation_of_function(name)
    return known is not None or "." not in name


# Products with a sparse matrix are those with a dense one.
_SPARSE = {"spmm": "mm", "_sparse_mm": "mm", "smm": "mm", "_sparse_addmm": "addmm"}


def function_name(node: fx.Node) -> str:
    """The bare name of a trusted function, operator or method; the dotted one of any other."""
    if node.op == "call_method":
        return str(node.target)
    target: Any = node.target
    if target is getattr:
        return str(node.args[1])
    if getattr(target, "__name__", "") == "__get__":
        return str(target.__self__.__name__)
    name = str(getattr(target, "__name__", target))
    home = getattr(target, "__module__", None) or ""
    if home.split(".")[0] in _TRUSTED or isinstance(target, _METHODS):
        # torch.special.softmax is called special_softmax.
        return _SPARSE.get(name, name).removeprefix("special_").removeprefix("linalg_")
    return f"{home}.{name}"

"""What every node of a graph does, in the catalogue's words: the vocabulary of the follower."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import fx, nn

from initlint import catalog
from initlint.dataflow.graph import Weight
from initlint.trace.weights import Operand, weights_of_call, weights_of_module

# Functions of these modules are what their names say; any other function is unknown.
_TRUSTED = ("torch", "_operator", "math", "builtins")
# Methods of tensors as a recorded run sees them: those of C, and operators.
_METHODS = (types.MethodDescriptorType, types.WrapperDescriptorType)
# What a value is made of: computed from data, one of the model's tensors, or neither.
DATA, TENSOR, PLAIN = "data", "tensor", "plain"


@dataclass(slots=True)
class Step:
    """One node: its role, the values it takes in, and what it makes.

    `role` is an operation's role of the catalogue (shape, norm, pool, merge_add, …) or one of
    input, output, activation, weighted, tensor, gate, attention, unknown. `inputs` are the nodes
    of computed data that it takes, in order.
    """

    node: fx.Node
    role: str
    kind: str
    inputs: tuple[fx.Node, ...] = ()
    activation: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[Weight, ...] = ()
    operand: Operand | None = None

    @property
    def name(self) -> str:
        """The last part of the name of the function or method that is called."""
        return bare_name(self.node)

    @property
    def final(self) -> bool:
        """Whether this is the graph's result."""
        return self.node.op == "output"


class Steps(dict[fx.Node, Step]):
    """All steps of a graph, in the order of the data.

    Of a graph that is not that of a `whole` model, nobody knows what comes before or after.
    """

    def __init__(self, graph: fx.Graph, model: nn.Module, whole: bool = True) -> None:
        super().__init__()
        self.whole = whole
        result = "output" if whole else "unknown"
        self.modules = dict(model.named_modules(remove_duplicate=False))
        self.tensors = {**dict(model.named_parameters(remove_duplicate=False))}
        self._readers: dict[str, Callable[[fx.Node], Step]] = {
            "placeholder": lambda node: Step(node, "input", DATA),
            "output": lambda node: Step(node, result, DATA, self.data(node.all_input_nodes)),
            "get_attr": self._attribute,
            "call_module": self._module,
            "call_function": self._function,
            "call_method": self._function,
        }
        for node in graph.nodes:
            self[node] = self._readers[node.op](node)

    def data(self, nodes: Iterable[fx.Node]) -> tuple[fx.Node, ...]:
        """Those of `nodes` that carry computed data."""
        return tuple(node for node in nodes if self[node].kind == DATA)

    def _attribute(self, node: fx.Node) -> Step:
        target = str(node.target)
        if target not in self.tensors:
            return Step(node, "tensor", PLAIN)
        shape = tuple(self.tensors[target].shape)
        return Step(node, "tensor", TENSOR, operand=Operand(target, shape))

    def _module(self, node: fx.Node) -> Step:
        name = str(node.target)
        module = self.modules[name]
        inputs = self.data(node.all_input_nodes)
        kind = type(module).__name__
        activation = catalog.activation_of_module(kind)
        if activation is not None:
            values = {a: getattr(module, a) for a in activation.arguments if hasattr(module, a)}
            return Step(node, "activation", DATA, inputs, activation.name, values)
        operation = catalog.operation_of_module(kind)
        if operation is None:
            return Step(node, "unknown", DATA, inputs)
        if operation.role == "weighted":
            weights = weights_of_module(name, module)
            # A table of numbers sent through a layer is data from there on (Swin's cpb_mlp).
            return Step(
                node, "weighted", DATA, inputs or tuple(node.all_input_nodes), weights=weights
            )
        return Step(node, operation.role, DATA if inputs else PLAIN, inputs)

    def _function(self, node: fx.Node) -> Step:
        name = function_name(node)
        inputs = self.data(node.all_input_nodes)
        operands = self._operands(node)
        operation = catalog.operation_of_function(name)
        role = operation.role if operation else "unknown"
        if isinstance(node.target, type):
            # A container made for several results: they leave it as they came.
            role = "scale"
        if role == "query":
            return Step(node, role, PLAIN)
        if role in ("weighted", "matmul") and operands:
            return self._weighted(node, name, inputs, operands)
        if not inputs:
            return _of_tensors(node, name, role, list(operands.values()))
        activation = catalog.activation_of_function(name)
        if activation is not None:
            values = _arguments_of(node, list(activation.arguments))
            return Step(node, "activation", DATA, inputs[:1], activation.name, values)
        if role == "shape" and isinstance(node.args[0] if node.args else None, fx.Node):
            # What comes after the moved value says where to: indices, another tensor's shape.
            inputs = self.data(node.args[:1])  # type: ignore[arg-type]
            return Step(node, role, DATA if inputs else PLAIN, inputs)
        return Step(node, _joined(node, name, role, inputs), DATA, inputs)

    def _operands(self, node: fx.Node) -> dict[fx.Node, Operand]:
        steps = [self[n] for n in node.all_input_nodes]
        return {s.node: s.operand for s in steps if s.operand is not None}

    def _weighted(
        self,
        node: fx.Node,
        name: str,
        inputs: tuple[fx.Node, ...],
        operands: Mapping[fx.Node, Operand],
    ) -> Step:
        weights = weights_of_call(name, node, operands, self.tensors)
        if not weights:
            return Step(node, "scale" if inputs else "tensor", DATA if inputs else PLAIN, inputs)
        plain = tuple(n for n in node.all_input_nodes if self[n].kind == PLAIN)
        return Step(node, "weighted", DATA, inputs or plain, weights=weights)


# Operations on a matrix that exchange its two axes; other shape operations hide them.
_TURNS = {"t", "T", "mT", "transpose", "swapaxes", "swapdims", "adjoint"}
_SAME = {"to", "clone", "contiguous", "type_as", "float", "half", "bfloat16", "requires_grad_"}


def _of_tensors(node: fx.Node, name: str, role: str, operands: list[Operand]) -> Step:
    """A value made of the model's own tensors: still that weight, or one computed from it."""
    if not operands:
        return Step(node, role, PLAIN)
    first = operands[0]
    if len(operands) == 1 and (role in ("shape", "dropout") or name in _SAME):
        shape = first.shape if name in _SAME else ()
        if name in _TURNS and len(first.shape) == 2:
            shape = first.shape[::-1]
        operand = replace(first, shape=shape)
    else:
        operand = replace(first, reparametrised=True)
    return Step(node, "tensor", TENSOR, operand=operand)


def _joined(node: fx.Node, name: str, role: str, inputs: tuple[fx.Node, ...]) -> str:
    """The role of an operation that may take one computed tensor, or join two of them."""
    if role == "matmul":
        # A product with a buffer only mixes, as pooling does; one with itself does not.
        fixed = len(inputs) == 1 and list(node.args).count(inputs[0]) == 1
        return "pool" if fixed else "attention"
    if name.startswith("addcmul"):
        factors = [part for part in node.args[1:3] if part in inputs]
        return "gate" if len(factors) == 2 else role
    if role not in ("product", "merge_add"):
        return role
    if len(inputs) > 1:
        return "gate" if role == "product" else role
    squared = role == "product" and list(node.args).count(inputs[0]) > 1
    inverted = "div" in name and node.args[0] is not inputs[0]
    return "unknown" if squared or inverted else "scale"


def is_known_call(node: fx.Node) -> bool:
    """Whether a function is one of torch's, or the catalogue knows what it does."""
    if node.op != "call_function" or isinstance(node.target, type):
        return True
    name = function_name(node)
    known = catalog.operation_of_function(name) or catalog.activation_of_function(name)
    return known is not None or "." not in name


def bare_name(node: fx.Node) -> str:
    """The last part of a function's or method's name; empty for anything else."""
    return (
        function_name(node).rpartition(".")[2]
        if node.op.startswith("call_f") or (node.op == "call_method")
        else ""
    )


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
        return _SPARSE.get(name, name)
    return f"{home}.{name}"


def _arguments_of(node: fx.Node, names: list[str]) -> dict[str, Any]:
    """An activation's own arguments as given in a call, by the names of the functional form."""
    given = dict(zip(names, node.args[1:], strict=False))
    given.update({key: value for key, value in node.kwargs.items() if key in names})
    return {key: value for key, value in given.items() if not isinstance(value, fx.Node)}

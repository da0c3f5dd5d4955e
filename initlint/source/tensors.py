"""Operations on tensors: every function, method and operator becomes a node with its role."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from initlint import catalog
from initlint.dataflow.draws import UNCLEAR, UNWRITTEN, Draw, drawn_by, scaled
from initlint.source.graph import Node, Use
from initlint.source.sizes import product
from initlint.source.state import State, flat_tensors
from initlint.source.torchlib import convolution_fans, known
from initlint.source.values import (
    PLAIN,
    UNKNOWN,
    Choice,
    Compared,
    Fresh,
    Held,
    Instance,
    Listing,
    Named,
    Slot,
    Table,
    Tensor,
    Unknown,
    Value,
    known_number,
    leaves,
)

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.MatMult: "matmul",
    ast.Pow: "pow",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.BitXor: "xor",
    ast.USub: "neg",
    ast.UAdd: "pos",
    ast.Invert: "invert",
}
_TURNS = {"t", "T", "mT", "transpose", "swapaxes", "swapdims", "adjoint"}
# Views of a parameter that hold all of it.
_WHOLE = {
    *("view", "reshape", "flatten", "ravel", "squeeze", "unsqueeze", "permute", "movedim"),
    *("data", "detach", "view_as", "reshape_as", "unflatten", "H", "mH", "real", "grad"),
    *_TURNS,
}
_SAME = {"to", "clone", "contiguous", "type_as", "float", "half", "bfloat16", "requires_grad_"}
# Functions that make a tensor of random or fixed numbers, and the draw that each leaves.
_CREATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "randn": ("normal_", {"mean": 0.0, "std": 1.0}),
    "rand": ("uniform_", {"a": 0.0, "b": 1.0}),
    "zeros": ("zeros_", {}),
    "ones": ("ones_", {}),
}
# No tensor of torch's has more.
_DIMENSIONS = 64
_EMPTY = ("empty", "Tensor", "FloatTensor")
_MAKERS = (*_CREATORS, *_EMPTY)


class Tensors(State):
    """Reads what is done with tensors."""

    def operate(
        self, name: str, args: Sequence[Value], kwargs: Mapping[str, Value] | None = None
    ) -> Value:
        """The result of one of torch's functions, methods or operators, by its bare name."""
        keywords = kwargs or {}
        values = [*args, *keywords.values()]
        inputs = self.nodes_in(values)
        operands = [held for value in values for held in _held(value)]
        operation = catalog.operation_of_function(name)
        role = operation.role if operation else "unknown"
        if role == "query" and (inputs or operands or name not in _MAKERS):
            return Compared(inputs[0]) if inputs and name.strip("_") in _COMPARISONS else PLAIN
        if role in ("weighted", "matmul") and operands:
            return self._multiplied(name, args, keywords, inputs)
        if not inputs:
            return self._without_data(name, role, args, keywords, operands)
        result = self._computed(name, role, args, keywords, inputs)
        if args and type(args[0]) is Tensor and _is_in_place(name, args, keywords):
            self.overwritten(args[0], result)
        return result

    def overwritten(self, old: Tensor, new: Value) -> None:
        """Under every name that the running function has for it, a tensor is another one now."""
        names = self.frames[-1].names if self.frames else {}
        self.budget.elements(len(names) // 8)
        names.update({name: new for name, value in names.items() if value is old})

    def _computed(
        self,
        name: str,
        role: str,
        args: Sequence[Value],
        keywords: Mapping[str, Value],
        inputs: list[Node],
    ) -> Value:
        activation = catalog.activation_of_function(name)
        node = Node(role, tuple(inputs), name, tuple(args), keywords)
        if activation is not None:
            node.role, node.activation = "activation", activation.name
            node.inputs = tuple(inputs[:1])
            node.args = _arguments(list(activation.arguments), args, keywords)
        elif role == "shape" and args:
            first = flat_tensors(args[0])
            if not first:
                return PLAIN
            node.inputs = tuple(first)
        else:
            node.role = _joined(name, role, args, inputs)
        if any(type(value) is Compared and value.node in inputs for value in args):
            # Its own sign decides what passes: an activation that is written out, if anything.
            node.role, node.inputs = "unknown", tuple(inputs)
        return Tensor(self.graph.add(node))

    def _without_data(
        self,
        name: str,
        role: str,
        args: Sequence[Value],
        keywords: Mapping[str, Value],
        operands: list[Held],
    ) -> Value:
        """A value made of the model's own tensors, a new tensor, or something unknown."""
        if operands:
            return _of_parameters(name, role, args, operands)
        fresh = next((value for value in args if type(value) is Fresh), None)
        if fresh is not None:
            return self._made_here(_changed(fresh, name, args))
        if name in _MAKERS:
            return self._made_here(_created(name, args, keywords))
        uncertain = any(isinstance(value, (Unknown, Choice)) for value in args)
        return UNKNOWN if uncertain and role != "query" else PLAIN

    def _made_here(self, fresh: Fresh) -> Fresh:
        fresh.arms = self.arms
        return fresh

    def _multiplied(
        self,
        name: str,
        args: Sequence[Value],
        keywords: Mapping[str, Value],
        inputs: list[Node],
    ) -> Value:
        """A functional form (F.linear, @, einsum, …) one of whose operands is a parameter."""
        uses = [use for use in _weights_of_call(name, args, keywords) if _is_matrix(use)]
        uses = [self.current(use) for use in uses]
        if not uses:
            return self.node("scale", inputs, name) if inputs else PLAIN
        node = Node("weighted", tuple(inputs), name, weights=tuple(uses))
        return Tensor(self.graph.add(node))

    def current(self, use: Use) -> Use:
        """A weight with what it holds now."""
        draw = self.drawn(use.slot)
        return use if draw is use.draw else replace(use, draw=draw)

    def assigned(self, target: Value, value: Value) -> Value:
        """A tensor of which a part was set to a value."""
        return self.operate("setitem", [target, value])


def _held(value: Value) -> list[Held]:
    if type(value) is Slot:
        return [Held(value, value.shape)]
    if type(value) is Held:
        return [value]
    if type(value) in (tuple, Listing):
        return [held for part in leaves(value, (tuple, Listing)) for held in _held(part)]
    return []


def _arguments(
    names: list[str], args: Sequence[Value], keywords: Mapping[str, Value]
) -> dict[str, Any]:
    """An activation's own arguments as given in a call, where they are known."""
    given = dict(zip(names, args[1:], strict=False))
    given.update({key: value for key, value in keywords.items() if key in names})
    return {key: v for key, v in given.items() if known_number(v) or isinstance(v, str)}


def _is_in_place(name: str, args: Sequence[Value], keywords: Mapping[str, Value]) -> bool:
    """Whether an operation writes its result into its first argument."""
    if name.endswith("_") and not name.endswith("__"):
        return True
    activation = catalog.activation_of_function(name)
    # The functional forms have `inplace` after the activation's own arguments.
    place = 1 + len(activation.arguments) if activation is not None else len(args)
    return keywords.get("inplace", args[place] if place < len(args) else False) is True


def _joined(name: str, role: str, args: Sequence[Value], inputs: list[Node]) -> str:
    """The role of an operation that may take one computed tensor, or join two of them."""
    if role == "matmul":
        return "attention"
    if name.strip("_") in _EXTREMES and len(inputs) > 1:
        return "unknown"
    if name.startswith("addcmul"):
        factors = [value for value in args[1:3] if type(value) is Tensor]
        return "gate" if len(factors) == 2 else role
    if role not in ("product", "merge_add"):
        return role
    if len(inputs) > 1:
        return "gate" if role == "product" else role
    if role == "product" and any(isinstance(value, (Unknown, Choice)) for value in args):
        return "unknown"
    nodes = [value.node for value in args if type(value) is Tensor]
    squared = role == "product" and nodes.count(inputs[0]) > 1
    inverted = "div" in name and not (args and type(args[0]) is Tensor)
    return "unknown" if squared or inverted else "scale"


def _of_parameters(name: str, role: str, args: Sequence[Value], operands: list[Held]) -> Value:
    first = operands[0]
    if len(operands) == 1 and (role in ("shape", "dropout") or name in _SAME):
        shape = first.shape if name in _SAME else None
        if name in _TURNS and first.shape is not None and len(first.shape) == 2:
            shape = first.shape[::-1]
        return replace(first, shape=shape, part=first.part or name not in _WHOLE | _SAME)
    if any(isinstance(value, Unknown) for value in args):
        return UNKNOWN
    return replace(first, reparametrised=True)


def _created(name: str, args: Sequence[Value], keywords: Mapping[str, Value]) -> Fresh:
    sizes = keywords.get("size", args[0] if len(args) == 1 else tuple(args))
    if isinstance(sizes, Listing):
        sizes = tuple(sizes.items)
    shape = _shape_of(sizes if isinstance(sizes, tuple) else (sizes,))
    if name in _EMPTY:
        return Fresh(shape, UNWRITTEN)
    initializer, arguments = _CREATORS[name]
    return Fresh(shape, drawn_by(initializer, arguments, None))


def _shape_of(sizes: tuple[Value, ...]) -> tuple[Value, ...] | None:
    is_nested = any(isinstance(size, (tuple, Listing, Table)) for size in sizes)
    return None if is_nested or len(sizes) > _DIMENSIONS else sizes


def _changed(fresh: Fresh, name: str, args: Sequence[Value]) -> Fresh:
    """A new tensor multiplied with a number, or changed in a way of which nothing is known."""
    number = next((value for value in args if known_number(value)), None)
    if name in ("mul", "mul_", "truediv", "div") and number:
        factor = number if name.startswith("mul") else 1 / number
        return Fresh(fresh.shape, scaled(fresh.draw, float(factor), None))
    if name in _SAME:
        return Fresh(fresh.shape, fresh.draw, None if name == "clone" else fresh)
    return Fresh(None, UNCLEAR, fresh)


def _is_matrix(use: Use) -> bool:
    shape = use.slot.shape
    return shape is None or len(shape) > 1


_COMPARISONS = {
    *("gt", "ge", "lt", "le", "eq", "ne", "greater", "greater_equal", "less", "less_equal"),
    *("isnan", "isinf", "isfinite", "signbit"),
}
# Of one value the largest along a dimension, of two the larger of each pair.
_EXTREMES = {"max", "min", "maximum", "minimum", "fmax", "fmin"}
# Where the two factors begin among the arguments of a matrix product.
_PRODUCTS = {
    **dict.fromkeys(("matmul", "rmatmul", "mm", "bmm", "grouped_mm"), 0),
    "addmm": 1,
    "baddbmm": 1,
}


def _weights_of_call(name: str, args: Sequence[Value], keywords: Mapping[str, Value]) -> list[Use]:
    """Those of a call's parameters that are matrices of weights, with their fans."""
    bare = name.strip("_")
    if bare == "einsum":
        return _einsum(args)
    if bare in _PRODUCTS:
        found = []
        for place, value in enumerate(args[_PRODUCTS[bare] :][:2]):
            for held in _held(value):
                found.append(_use(held, _product_fans(held.shape, first=place == 0)))
        return found
    position = 2 if bare == "bilinear" else 1
    given = keywords.get("weight", args[position] if len(args) > position else None)
    bias = keywords.get("bias", args[position + 1] if len(args) > position + 1 else None)
    uses = [_use(held, _functional_fans(bare, held, args, keywords)) for held in _held(given)]
    return [replace(use, biased=bias is not None) for use in uses]


def _use(held: Held, fans: tuple[Any, Any]) -> Use:
    slot, draw = held.slot, held.slot.draw
    kind = "Parameter"
    if isinstance(slot.holder, Instance) and slot.holder.torch not in ("Module", ""):
        kind = slot.holder.cls.name if slot.holder.cls is not None else slot.holder.torch
    return Use(slot, kind, fans, draw, reparametrised=held.reparametrised)


def _product_fans(shape: tuple[Value, ...] | None, *, first: bool) -> tuple[Any, Any]:
    if shape is None or len(shape) < 2:
        return None, None
    return known(shape[-1], shape[-2]) if first else known(shape[-2], shape[-1])


def _functional_fans(
    name: str, held: Held, args: Sequence[Value], keywords: Mapping[str, Value]
) -> tuple[Any, Any]:
    shape = held.shape
    if shape is None or len(shape) < 2 or name.startswith("embedding"):
        return None, None
    if not name.startswith("conv"):
        return known(product(shape[1:]), shape[0])
    groups = keywords.get("groups", args[6] if len(args) > 6 else 1)
    if not isinstance(groups, (int, Named)):
        return None, None
    return known(*convolution_fans(shape, groups, name.startswith("conv_transpose")))


def _einsum(args: Sequence[Value]) -> list[Use]:
    """Fans from the equation: indices that vanish are summed over, those kept for the result that
    no other operand has are the outputs."""
    equation, values = args[0], list(args[1:])
    if len(values) == 1 and isinstance(values[0], (tuple, Listing)):
        values = list(values[0] if isinstance(values[0], tuple) else values[0].items)
    if not isinstance(equation, str) or "->" not in equation:
        return [_use(held, (None, None)) for value in values for held in _held(value)]
    # An ellipsis stands for any number of indices, which only the data can have.
    left, result = equation.replace(" ", "").replace("...", ".").split("->")
    terms = left.split(",")
    found = []
    for index, (value, term) in enumerate(zip(values, terms, strict=False)):
        for held in _held(value):
            others = set("".join(terms[:index] + terms[index + 1 :]))
            found.append(_use(held, _term_fans(term, result, others, held.shape)))
    return found


def _term_fans(
    term: str, result: str, others: set[str], shape: tuple[Value, ...] | None
) -> tuple[Any, Any]:
    if shape is None or len(term) != len(shape) or "." in term:
        return None, None
    sizes = list(zip(term, shape, strict=True))
    summed = product(tuple(size for index, size in sizes if index not in result))
    new = product(tuple(size for i, size in sizes if i in result and i not in others))
    return known(summed, new)


def explicit(draw: Draw, factor: Value, site: Any) -> Draw:
    """A draw after multiplication in place with a number that may not be known."""
    if not known_number(factor):
        return replace(UNCLEAR, site=site)
    return scaled(draw, float(factor), site)

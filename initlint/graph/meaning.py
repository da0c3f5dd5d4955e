"""Translates calls of torch's functions, methods, operators and modules into operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from initlint.graph import facts
from initlint.graph.ops import FIXED, UNSURE, Given, Op, Operand, leaves_of, ops_in, signals_of
from initlint.graph.views import shape_after
from initlint.torchlib import catalog

# Operations that exchange axes.
_TURNS = {"t", "T", "mT", "transpose", "swapaxes", "swapdims", "adjoint"}
_SAME = {"to", "clone", "contiguous", "type_as", "float", "half", "bfloat16", "requires_grad_"}
# Views of a whole parameter.
WHOLE_VIEWS = {
    *("view", "reshape", "flatten", "ravel", "squeeze", "unsqueeze", "permute", "movedim"),
    *("data", "detach", "view_as", "reshape_as", "unflatten", "H", "mH", "real", "grad"),
    *_TURNS,
    *_SAME,
}
# Functions whose result is zero just where the parameter is zero; of products, where a factor is.
_ZERO_AT_ZERO = {
    *("tanh", "neg", "negative", "abs", "sin", "sinh", "tan", "asin", "atan", "asinh", "erf"),
    *("expm1", "square", "sign", "softsign", "hardtanh", "clone", "contiguous", "detach", "diag"),
    *("relu", "div", "truediv"),
}
_PRODUCTS = {"mul", "imul", "rmul", "multiply", "matmul", "einsum", "outer"}
# Functions whose result is never zero.
_POSITIVE = {"sigmoid", "exp", "exp2", "softplus", "cosh", "softmax"}
# What is added to a parameter by these, and where the sum is zero: -c, or c for differences.
_SUMS = {"add": -1.0, "iadd": -1.0, "radd": -1.0, "sub": 1.0, "isub": 1.0, "rsub": 1.0}
# Operations of whose arguments the predicted signal needs some.
_WITH_FACTS = frozenset({"scale", "merge_add", "merge_cat", "pool", "dropout", "shape", "norm"})
# Of one value the largest along a dimension, of two the larger of each pair.
_EXTREMES = {"max", "min", "maximum", "minimum", "fmax", "fmin"}
_QUOTIENTS = ("div", "truediv", "true_divide", "divide")


def meaning(name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """The result of a call, without the weights that it multiplies with.

    - an `Op`, if an argument is data;
    - an `Operand`, if only one of the model's parameters is an argument;
    - an `Op` with the role query, if it was computed from data but carries no signal;
    - else `FIXED`, or `UNSURE` if one of the arguments is.
    """
    operation = catalog.operation_of_function(name)
    role = operation.role if operation else "unknown"
    leaves = leaves_of((args, keywords) if keywords else args)
    inputs = signals_of(leaves)
    if role == "query" or not inputs:
        return _without_signal(name, role, args, leaves, keywords)
    op = Op(role, inputs, name, tuple(args), keywords)
    activation = catalog.activation_of_function(name)
    if activation is not None:
        op.role, op.activation, op.inputs = "activation", activation.name, inputs[:1]
        op.args = _own_arguments(activation.arguments, args, keywords)
    elif role == "shape" and args:
        # The other arguments are indices, or another tensor's shape.
        op.inputs = ops_in(args[0])
        if not op.inputs:
            # A parameter in the shape of data is that parameter.
            own = [part for part in leaves_of(args[0]) if type(part) is Operand]
            return _of_parameters(name, role, own, False, args, keywords) if own else FIXED
    else:
        op.role = _role(name, role, args, inputs)
    if _is_masked_by(leaves, inputs):
        # Its own sign decides what passes: an activation that is written out, if anything.
        op.role, op.inputs, op.activation, op.args = "unknown", inputs, "", {}
    elif op.role in _WITH_FACTS:
        op.args = facts.of_call(op.role, name, args, keywords)
    return op


def of_module(
    kind: str,
    args: Sequence[Any],
    keywords: Mapping[str, Any],
    settings: Mapping[str, Any],
    weights: tuple[Any, ...] = (),
) -> Any:
    """The result of calling a module of torch's class `kind`; may be `FIXED` or `UNSURE`.

    `settings` has the known values of its attributes.
    """
    inputs = ops_in(args, keywords)
    activation = catalog.activation_of_module(kind)
    if activation is not None and inputs:
        known = {name: settings[name] for name in activation.arguments if name in settings}
        return Op("activation", inputs, kind, tuple(args), keywords, activation.name, known)
    operation = catalog.operation_of_module(kind)
    if operation is not None and operation.role == "weighted":
        # A table of numbers sent through a layer is data from there on (Swin's cpb_mlp).
        known = facts.of_module(kind, settings)
        return Op("weighted", inputs, kind, tuple(args), keywords, args=known, weights=weights)
    if not inputs:
        is_known = operation is not None or activation is not None
        return FIXED if is_known and UNSURE not in leaves_of((args, keywords)) else UNSURE
    role = operation.role if operation else "unknown"
    return Op(role, inputs, kind, tuple(args), keywords, args=facts.of_module(kind, settings))


def _without_signal(
    name: str, role: str, args: Sequence[Any], parts: Sequence[Any], keywords: Mapping[str, Any]
) -> Any:
    """The result of a call without data arguments, or without a signal in its result.

    `parts` are all that lies in its arguments.
    """
    operands = [part for part in parts if type(part) is Operand]
    # Keywords of such calls say what kind of tensor is wanted: a dtype, a device.
    is_unsure = role != "query" and UNSURE in leaves_of(tuple(args))
    if operands and role != "query":
        return _of_parameters(name, role, operands, is_unsure, args, keywords)
    if any(type(part) is Op for part in parts):
        return Op("query", (), name, tuple(args), keywords)
    return UNSURE if is_unsure else FIXED


def _of_parameters(
    name: str,
    role: str,
    operands: Sequence[Operand],
    is_unsure: bool,
    args: Sequence[Any],
    keywords: Mapping[str, Any],
) -> Operand | Given:
    """The operand for a value computed from the model's own tensors."""
    first = operands[0]
    is_view = role in ("shape", "dropout") or name in _SAME
    if is_view and args and isinstance(args[0], Given):
        # Only its shape or type is that of a parameter: `loaded.view_as(weight)`.
        return args[0]
    if len(operands) > 1 or not is_view:
        if is_unsure:
            return UNSURE
        return _computed(name.strip("_"), operands, args)
    shape = first.shape
    if name not in _SAME and shape is not None:
        shape = shape_after(name, shape, args, keywords)
    is_whole = name in WHOLE_VIEWS or (name == "getitem" and _is_all(args[1:]))
    return replace(first, shape=shape, part=first.part or not is_whole)


def _computed(bare: str, operands: Sequence[Operand], args: Sequence[Any]) -> Operand:
    """The operand for the result of a function of the model's tensors, and where it is zero."""
    first = operands[0]
    vanishing = any(one.vanishing for one in operands)
    is_one = len(operands) == 1
    if is_one and bare in (*_ZERO_AT_ZERO, *_PRODUCTS):
        return replace(first, reparametrised=True)
    if bare in _PRODUCTS:
        zeros = [one for one in operands if one.zero_at is not None]
        at_zero = [one for one in zeros if one.zero_at == 0]
        first = next(iter(at_zero), first)
        others = [name for one in at_zero for name in (one.parameter, *one.others)]
        vanishing = vanishing or len(zeros) > len(at_zero)
        zero = 0.0 if at_zero else None
        return replace(
            first, reparametrised=True, zero_at=zero, others=tuple(others[1:]), vanishing=vanishing
        )
    zero = None
    if is_one and bare in _SUMS and not first.reparametrised:
        # A number is added to the parameter itself: `1 + gate`.
        numbers = [part for part in leaves_of(tuple(args)) if type(part) in (int, float)]
        zero = _SUMS[bare] * numbers[0] if len(numbers) == 1 else None
    vanishing = vanishing or (zero is None and not (is_one and bare in _POSITIVE))
    return replace(first, reparametrised=True, zero_at=zero, others=(), vanishing=vanishing)


def _is_all(index: Sequence[Any]) -> bool:
    """Whether a subscript takes all elements: `w[:]`, `w[...]`, or `w[None]` with one axis more."""
    parts = leaves_of(tuple(index))
    return all(part is None or part is ... or part == slice(None) for part in parts)


def _role(name: str, role: str, args: Sequence[Any], inputs: Sequence[Op]) -> str:
    """The role of an operation that may take one computed value, or join two of them."""
    bare = name.strip("_")
    if role == "matmul":
        return _product_of_matrices(args, inputs)
    if bare in _EXTREMES and not all(part is inputs[0] or _tells_dims(part) for part in args):
        return "unknown"
    if bare == "addcmul":
        return "gate" if all(type(part) is Op for part in args[1:3]) else role
    if role not in ("product", "merge_add"):
        return role
    if len(inputs) > 1:
        return "gate" if role == "product" else role
    if role == "product" and UNSURE in leaves_of(args):
        return "unknown"
    squared = role == "product" and sum(part is inputs[0] for part in args) > 1
    return "unknown" if squared or _is_inverted(bare, args) else "scale"


def _tells_dims(value: Any) -> bool:
    """Whether an argument names dimensions; a number with a fraction stands for a tensor."""
    return value is None or isinstance(value, (int, tuple))


def _product_of_matrices(args: Sequence[Any], inputs: Sequence[Op]) -> str:
    """A product with a buffer only mixes, as pooling does; one with other data, or itself, not."""
    parts = list(leaves_of(args))
    if len(inputs) > 1 or sum(part is inputs[0] for part in parts) > 1:
        return "attention"
    return "unknown" if UNSURE in parts else "pool"


def _is_inverted(bare: str, args: Sequence[Any]) -> bool:
    """Whether the divisor is data."""
    if bare.removeprefix("r").removeprefix("i") not in _QUOTIENTS:
        return False
    return (type(args[0]) is Op) == bare.startswith("r")


def _is_masked_by(leaves: Sequence[Any], inputs: Sequence[Op]) -> bool:
    """Whether a comparison of the very data that goes in is among all that the arguments hold."""
    masks = [part for part in leaves if type(part) is Op and part.role == "query"]
    return any(
        mask.bare_name in COMPARISONS and any(op in inputs for op in ops_in(mask.operands))
        for mask in masks
    )


COMPARISONS = {
    *("gt", "ge", "lt", "le", "eq", "ne", "greater", "greater_equal", "less", "less_equal"),
    *("isnan", "isinf", "isfinite", "signbit"),
}


def _own_arguments(
    defaults: Mapping[str, Any], args: Sequence[Any], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """An activation's own arguments in a call, where they are known."""
    given = {**defaults, **dict(zip(defaults, args[1:], strict=False))}
    given.update({key: value for key, value in keywords.items() if key in defaults})
    return {key: value for key, value in given.items() if isinstance(value, (int, float, str))}


def writes_in_place(name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> bool:
    """Whether an operation writes its result into its first argument."""
    if name.endswith("_") and not name.endswith("__"):
        return True
    activation = catalog.activation_of_function(name)
    # The functional forms have `inplace` after the activation's own arguments.
    place = 1 + len(activation.arguments) if activation is not None else len(args)
    return keywords.get("inplace", args[place] if place < len(args) else False) is True

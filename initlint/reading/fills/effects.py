"""Calls that fill nothing: those that raise an error, and those whose result is lost."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from initlint.reading.abstract.frames import ImpossibleError
from initlint.reading.abstract.holders import CONTAINERS, Bound, Function, Instance, Method
from initlint.reading.abstract.values import Fresh, Held, Slot, Unknown, Value
from initlint.reading.reader import Reader
from initlint.records import Site
from initlint.torchlib import catalog
from initlint.torchlib.members import OF_EVERY


@dataclass(frozen=True, slots=True, eq=False)
class Noted:
    """A call of an initialiser as it was read: `tensor` is what it was given.

    `effect` and `reason` are those of `records.Call` where they are known at once. `denied` says
    that what is called asked what it is handed, and did nothing: this time, in a loop.
    """

    spelled: str
    resolved: str
    site: Site | None
    within: str
    tensor: Value
    targets: list[Slot | Fresh]
    effect: str = ""
    reason: str = ""
    denied: bool = False


@dataclass(eq=False, repr=False)
class Missing(Unknown):
    """An attribute that a module certainly does not have: its class, and the name."""

    owner: str
    name: str

    def __post_init__(self) -> None:
        super().__init__()

    def reason(self) -> str:
        """Why its use raises an error."""
        return f"{self.owner} has no attribute {self.name}"


def is_sure(reader: Reader) -> bool:
    """Whether the present code runs whenever the model is made, and an error in it ends that."""
    base = reader.constructing.arms if reader.constructing is not None else ()
    is_open = reader.drawing or reader.trying or reader.still or reader.doubtful
    return not is_open and reader.arms == base


def fail(reader: Reader) -> None:
    """An error is raised here: within a `try`, what comes next in its body is not reached."""
    if reader.guarded and not reader.drawing:
        raise ImpossibleError


def note(
    reader: Reader,
    node: ast.AST | None,
    spelled: str,
    targets: Sequence[Slot],
    effect: str,
    reason: str,
    denied: bool = False,
) -> None:
    """Keep a call that fills nothing with the module in whose constructor it stands."""
    holders = [slot.holder for slot in targets if isinstance(slot.holder, Instance)]
    site, within = reader.site(node), reader.within()
    noted = Noted(spelled, spelled, site, within, None, [*targets], effect, reason, denied)
    owners = [reader.constructing] if reader.constructing is not None else holders
    for owner in owners:
        owner.calls.append(noted)
        reader.life.mean(owner)
    if not owners:
        reader.loose.append(noted)


# Modules of torch's without parameters of their own; others may have some.
_BARE_ROLES = ("dropout", "pool", "shape", "identity")


def is_module(instance: Instance) -> bool:
    """Whether an object is certainly a module: of a class of the files, or one of torch's known."""
    if instance.cls is not None or instance.torch in CONTAINERS:
        return bool(instance.torch)
    kind = instance.torch
    return bool(catalog.operation_of_module(kind) or catalog.activation_of_module(kind))


# Arguments of layers that are attributes of theirs, and no modules or parameters.
ARGUMENTS_OF_LAYERS = {
    *("in_features", "out_features", "in1_features", "in2_features", "in_channels"),
    *("out_channels", "kernel_size", "stride", "padding", "dilation", "transposed", "groups"),
    *("output_padding", "padding_mode", "num_embeddings", "embedding_dim", "padding_idx"),
    *("max_norm", "norm_type", "scale_grad_by_freq", "sparse", "normalized_shape", "eps"),
    *("elementwise_affine", "num_groups", "num_channels", "num_features", "momentum", "affine"),
    "track_running_stats",
}
# What layers with parameters have: names that no user gives.
_OF_LAYERS = ARGUMENTS_OF_LAYERS | {
    *("running_mean", "running_var", "num_batches_tracked", "weight"),
    *("bias", "parametrizations", "reset_parameters", "reset_running_stats", "from_pretrained"),
}
_LAYERS = {
    *("Linear", "Bilinear", "Embedding", "LayerNorm", "GroupNorm", "RMSNorm"),
    *(f"{kind}{n}d" for kind in ("Conv", "ConvTranspose", "BatchNorm") for n in (1, 2, 3)),
}


def lacks(instance: Instance, name: str) -> bool:
    """Whether a module of torch's certainly has no attribute of this name."""
    if instance.cls is not None or name in instance.attrs or instance.reparametrised:
        return False
    if instance.torch in _LAYERS:
        return name not in _OF_LAYERS and name not in OF_EVERY and not name.startswith("_")
    if name not in ("weight", "bias"):
        return False
    if instance.torch in CONTAINERS:
        return True
    operation = catalog.operation_of_module(instance.torch)
    is_bare = operation is not None and operation.role in _BARE_ROLES
    activation = catalog.activation_of_module(instance.torch)
    return is_bare or (activation is not None and instance.torch != "PReLU")


# Methods and functions of tensors that give a new tensor, for whoever wants to change the old one.
_CHANGING = {
    *("add", "sub", "mul", "div", "true_divide", "clamp", "clip", "neg", "abs", "round"),
    *("masked_fill", "index_fill", "index_copy", "scatter", "clone", "multiply", "divide"),
    *("subtract", "pow", "sqrt", "log", "exp", "expm1", "logit", "sigmoid", "tanh"),
}
# Functions that make a new tensor with known values.
_MAKING = {"zeros", "ones", "full", "eye", "zeros_like", "ones_like", "full_like", "randn_like"}
# Words in the name of a function of the user's that is called to fill something.
_MEANT = ("init", "weight", "reset", "normal", "uniform", "xavier", "kaiming", "orthogonal")


def lost_call(reader: Reader, node: ast.Call, value: Value, given: Sequence[Value]) -> str:
    """Why a call that stands alone as a statement changes nothing; empty if it may.

    `value` is its result, `given` are its receiver and its arguments.
    """
    name = _bare(node)
    has_parameter = any(isinstance(v, (Slot, Held)) for v in given)
    if name in _CHANGING and has_parameter and not isinstance(value, Slot):
        return "it gives a new tensor, which nothing keeps; the parameter stays as it is"
    is_own = isinstance(node.func, ast.Name) and any(word in name.lower() for word in _MEANT)
    if (name in _MAKING or is_own) and isinstance(value, Fresh) and not value.slots:
        return "it gives a new tensor, which nothing keeps"
    return ""


def _bare(node: ast.Call) -> str:
    return getattr(node.func, "attr", "") or getattr(node.func, "id", "")


# Methods of tensors whose result has the memory of the tensor itself.
_VIEWING = ("t", "view", "squeeze", "unsqueeze", "transpose", "permute", "detach", "view_as")


def is_copy(node: ast.expr | None) -> bool:
    """Whether an expression makes a copy, so that what is written to it is lost with it."""
    if isinstance(node, ast.Attribute):
        return is_copy(node.value)
    if isinstance(node, ast.Call):
        name = _bare(node)
        if name in _VIEWING and isinstance(node.func, ast.Attribute):
            return is_copy(node.func.value)
        return name in ("clone", "deepcopy", "empty", "empty_like", "new_empty", *_MAKING)
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, (ast.List, ast.Compare)) or is_copy(node.value)
    return False


def is_uncalled(value: Value) -> bool:
    """Whether a value is a method, or a function, that somebody has forgotten to call."""
    return isinstance(value, (Bound, Method)) or type(value) is Function


def is_recomputed(
    reader: Reader, slots: Sequence[Slot], node: ast.AST | None, name: str, written: ast.AST | None
) -> bool:
    """Whether forward computes these weights anew from others, so that a write is lost."""
    if reader.drawing or reader.still or written is None:
        return False
    for slot in slots:
        by = slot.holder.recomputed if isinstance(slot.holder, Instance) else ""
        # parameters() gives what the weight is computed from.
        if by and slot.name == "weight" and _names_weight(written):
            why = f"{by} computes weight anew at every forward, from other parameters"
            note(reader, node, name, [slot], "recomputed", why)
            return True
    return False


def _names_weight(node: ast.AST) -> bool:
    """Whether an expression names an attribute `weight`."""
    return any(getattr(part, "attr", "") == "weight" for part in ast.walk(node))

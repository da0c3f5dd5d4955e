"""Functions of torch's that make parameters, or call what they are given."""

from __future__ import annotations

import ast
from dataclasses import replace

from initlint.reading.abstract.holders import Instance, elements
from initlint.reading.abstract.values import UNKNOWN, Fresh, Held, Kept, Slot, Sym, Value
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.handlers import Args, Handler, Kwargs, handles
from initlint.reading.fills.in_place import copy_into, set_trainable
from initlint.reading.fills.initial import parameter_of, release
from initlint.reading.fills.mistakes import check_numbers
from initlint.reading.fills.writes import write
from initlint.reading.models.life import slots_of
from initlint.reading.objects.modules import buffer_of, make_module
from initlint.reading.reader import Reader
from initlint.torchlib.draws import UNCLEAR, UNWRITTEN


@handles("torch.nn.Parameter", "torch.nn.parameter.Parameter")
def _parameter(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    trainable = args[1] if len(args) > 1 else kwargs.get("requires_grad", True)
    tensor = args[0] if args else kwargs.get("data", UNKNOWN)
    check_numbers(reader, node, trainable)
    return parameter_of(reader, tensor, node, trainable)


@handles("torch.nn.utils.skip_init")
def _uninitialised(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    given = {name: value for name, value in kwargs.items() if name != "device"}
    made = call(reader, args[0], args[1:], given, node) if args else UNKNOWN
    if isinstance(made, Instance):
        for _, slot in slots_of(made):
            slot.draw = UNWRITTEN
    return made


@handles("torch.nn.Embedding.from_pretrained", "torch.nn.EmbeddingBag.from_pretrained")
def _given_table(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    """An embedding whose table is a tensor that is given, as a rule one that was loaded."""
    tensor = args[0] if args else kwargs.get("embeddings", UNKNOWN)
    shape = tensor.shape if isinstance(tensor, (Slot, Held, Fresh)) else None
    sizes = shape if shape is not None and len(shape) == _MATRIX else (UNKNOWN, UNKNOWN)
    row = args[2] if len(args) > 2 else kwargs.get("padding_idx")
    made = make_module(reader, "Embedding", sizes, {"padding_idx": row}, node)
    slot = made.attrs.get("weight")
    if isinstance(slot, Slot):
        site = reader.site(node)
        if isinstance(tensor, (Slot, Held, Fresh)):
            copy_into(reader, slot, tensor, site, "from_pretrained")
        else:
            write(reader, slot, replace(UNCLEAR, by="load", site=site, spelled="from_pretrained"))
        is_frozen = args[1] if len(args) > 1 else kwargs.get("freeze", True)
        set_trainable(reader, slot, not is_frozen if isinstance(is_frozen, bool) else None)
    return made


_MATRIX = 2


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
    value = kwargs.get("input", args[2] if len(args) > 2 else UNKNOWN)
    functions = kwargs.get("functions", args[0] if args else UNKNOWN)
    for part in elements(functions) or [UNKNOWN]:
        value = call(reader, part, [value], {}, node)
    return value


@handles("torch.nn.utils.parametrize.register_parametrization")
def _parametrised(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if args and isinstance(args[0], Instance):
        args[0].reparametrised = True
        reader.altered += 1
        if args[1:2] == ["weight"] and args[0].arms == reader.arms:
            args[0].recomputed = "a parametrization"
        if reader.outside:
            reader.life.rebuild(args[0])
    return args[0] if args else UNKNOWN


# What processes tell each other: a tensor gets the values of another process.
@handles(*(f"torch.distributed.{name}" for name in ("broadcast", "all_reduce", "recv", "scatter")))
def _told(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    tensor = args[0] if args else kwargs.get("tensor", UNKNOWN)
    slot = tensor.slot if isinstance(tensor, (Held, Kept)) else tensor
    if isinstance(slot, Slot) and slot.draw is UNWRITTEN:
        write(reader, slot, UNCLEAR)
    return UNKNOWN


@handles(
    *("torch.distributed.checkpoint.load", "torch.distributed.checkpoint.load_state_dict"),
    *(
        f"torch.distributed.checkpoint.state_dict.set_{kind}"
        for kind in ("model_state_dict", "state_dict")
    ),
)
def _loaded(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    release(reader, [*args, *kwargs.values()], replace(UNCLEAR, by="load", site=reader.site(node)))
    return UNKNOWN


# torch's functions that repeat a number for the sizes of a kernel: `_pair(3)` is (3, 3).
_TIMES = {"_single": 1, "_pair": 2, "_triple": 3, "_quadruple": 4}


def _repeating(count: int) -> Handler:
    def repeat(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
        value = args[0] if args else UNKNOWN
        return (value,) * count if isinstance(value, (int, float, Sym)) else value

    return repeat


for _name, _count in _TIMES.items():
    handles(f"torch.nn.modules.utils.{_name}")(_repeating(_count))

"""Whether statements fill tensors, as far as the names of what they call tell."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from functools import lru_cache

from initlint.torchlib.creators import CREATORS

# Functions in place that leave the values of weights as they are.
_KEEPING = {
    *("requires_grad_", "detach_", "share_memory_", "retain_grad_"),
    *("clip_grad_norm_", "clip_grad_value_"),
}
_INITIALISING = ("init", "reset", "fill", "normal", "uniform", "kaiming", "xavier", "orthogonal")


def fills(body: Sequence[ast.stmt]) -> bool:
    """Whether statements call what fills tensors, by its name, or assign to memory."""
    for node in (node for statement in body for node in ast.walk(statement)):
        if _writes_memory(node) or (isinstance(node, ast.Call) and _is_filling(node)):
            return True
    return False


@lru_cache(maxsize=256)
def may_fill(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function calls what fills, by its name, or `apply`, or assigns to memory.

    What it is given it may call by any name: `init(self)` is the constructor that it wraps. This
    only decides that something is not known, never that it is filled.
    """
    parts = list(ast.walk(function))
    own = {part.arg for part in parts if isinstance(part, ast.arg)}
    own |= {p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}
    calls = [part for part in parts if isinstance(part, ast.Call)]
    if not any(_called(call) == "Parameter" for call in calls):
        inner = {p.name for p in parts if isinstance(p, ast.FunctionDef) and p is not function}
        calls = [
            call
            for call in calls
            if not any((_fills_new(call), _applies(call, inner), is_beside(call)))
        ]
    names = set(map(_called, calls)) - own
    is_called = any(name == "apply" or fills_by(name) for name in names if name[:2] != "__")
    return is_called or any(map(_writes_memory, parts))


def _writes_memory(node: ast.AST) -> bool:
    """Whether a statement assigns to the memory of a tensor: `weight.data = values`."""
    targets = node.targets if isinstance(node, ast.Assign) else ()
    targets = [node.target] if isinstance(node, ast.AugAssign) else targets
    return any(isinstance(t, ast.Attribute) and t.attr == "data" for t in targets)


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", "") or getattr(node.func, "id", "")


def _fills_new(node: ast.Call) -> bool:
    """Whether a call fills a tensor that the same expression makes: `x.new_zeros(3).fill_(1)`."""
    holder = node.func.value if isinstance(node.func, ast.Attribute) else None
    while isinstance(holder, ast.Call):
        if _called(holder) in CREATORS:
            return writes_in_place(_called(node))
        holder = holder.func.value if isinstance(holder.func, ast.Attribute) else None
    return False


def _applies(node: ast.Call, inner: Collection[str]) -> bool:
    """Whether a call is `apply` of a function that stands within, and is looked at by itself."""
    first = node.args[0] if node.args else None
    return _called(node) == "apply" and (
        isinstance(first, ast.Lambda) or getattr(first, "id", "") in inner
    )


def _is_filling(node: ast.Call) -> bool:
    return fills_by(_called(node)) and not is_beside(node)


def is_beside(node: ast.AST | None) -> bool:
    """Whether what a call fills is no weight: a gradient, a count, what a norm has measured."""
    if not isinstance(node, ast.Call):
        return False
    holder = getattr(node.func, "value", None)
    is_function = holder is None or "init" in (
        getattr(holder, "attr", ""),
        getattr(holder, "id", ""),
    )
    filled = node.args[:1] if is_function else [node.func]
    return any(getattr(n, "attr", "") in _BESIDE for part in filled for n in ast.walk(part))


# What lies beside the weights, by torch's own names.
_BESIDE = ("grad", "n_averaged", "num_batches_tracked", "running_mean", "running_var")


def fills_by(name: str) -> bool:
    """Whether the name of a function says that it fills tensors."""
    # A class in capitals makes something: transforms.Normalize.
    is_class = name[:1].isupper()
    is_said = not is_class and any(word in name.lower() for word in _INITIALISING)
    return writes_in_place(name) or is_said


def writes_in_place(name: str) -> bool:
    """Whether the name of a function says that it writes to a tensor: `normal_`."""
    return name.endswith("_") and not name.endswith("__") and name not in _KEEPING


@lru_cache(maxsize=64)
def given_to_fill(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """The names in the arguments of the calls by which a function fills tensors."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    given = [word for call in calls if _is_filling(call) for word in (*call.args, *call.keywords)]
    names = (node for word in given for node in ast.walk(word) if isinstance(node, ast.Name))
    return frozenset(name.id for name in names)


def skips(body: Sequence[ast.stmt]) -> bool:
    """Whether statements only end this round: what is negated then guards all that follows."""
    return len(body) == 1 and isinstance(body[0], (ast.Continue, ast.Return, ast.Pass))

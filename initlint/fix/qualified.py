"""Qualified parameter names against the source: what follows the named member in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from initlint.fix.locate import last_name
from initlint.fix.member import Handed
from initlint.fix.text import RefusedError

Pattern = Sequence[str | None]

PARAMETER = {"Parameter", "UninitializedParameter"}
# Modules of torch that are made of modules: their weights lie deeper than their own attributes.
_COMPOSITE = re.compile(r"^(MultiheadAttention|Transformer\w*)$")
_SINGLE = re.compile(
    r"^(Linear|Bilinear|Conv[123]d|ConvTranspose[123]d|Embedding|EmbeddingBag"
    r"|RNN|LSTM|GRU|RNNCell|LSTMCell|GRUCell|PReLU|\w+Norm\w*)$"
)
_REPARAMETRISED = {"parametrizations", "weight_g", "weight_v", "weight_orig"}


@dataclass(frozen=True)
class Tail:
    """What to append to the member's expression, and to the base before a step into `Handed`.

    `sure` is False where the names do not confirm the path, so that only the place right after
    the statement is known to be right. `derived` is True where the path rests on the names.
    """

    attributes: tuple[str, ...]
    inside: tuple[str, ...] = ()
    sure: bool = True
    derived: bool = False


def tails(
    call: ast.Call, parameters: Sequence[str], pattern: Sequence[str | Handed | None]
) -> list[Tail]:
    """For each distinct parameter that `call` makes, what follows the pattern in its name.

    Raises RefusedError where the names contradict the source, or fit it in two ways.
    """
    kind = last_name(call.func)
    if kind.startswith("Lazy"):
        raise RefusedError("a lazy layer may have no weight yet where the constructor ends")
    names = [parameter.split(".") for parameter in parameters]
    if any(_REPARAMETRISED.intersection(name) for name in names):
        raise RefusedError("its weight is reparametrised: other tensors make it up")
    found = [_tail(kind, name, pattern) for name in names]
    if len({tail.inside for tail in found}) > 1:
        raise RefusedError("what it is handed to keeps it in several places")
    return list(dict.fromkeys(found))


def _tail(kind: str, name: list[str], pattern: Sequence[str | Handed | None]) -> Tail:
    handed = [part for part in pattern if isinstance(part, Handed)]
    own = 0 if kind in PARAMETER else 1
    if handed:
        return _inside(handed, name, pattern, own)
    known = [part for part in pattern if not isinstance(part, Handed)]
    if _COMPOSITE.match(kind) and (not known or None in known):
        raise RefusedError(f"which of the weights of `{kind}` is meant is not known here")
    if _ends_with(name[: len(name) - own], known):
        return Tail(tuple(name[len(name) - own :]))
    if not _SINGLE.match(kind) and own:
        return _deeper(kind, name, known)
    return Tail(tuple(name[len(name) - own :]), sure=False)


def _deeper(kind: str, name: list[str], pattern: Pattern) -> Tail:
    """A weight of a module that the constructor itself made inside."""
    rests = [
        name[end:] for end in range(len(pattern), len(name)) if _ends_with(name[:end], pattern)
    ]
    if len(rests) != 1:
        qualified = ".".join(name)
        raise RefusedError(f"the model's name `{qualified}` does not say where in it the weight is")
    return Tail(tuple(rests[0]), derived=True)


def _inside(
    handed: list[Handed], name: list[str], pattern: Sequence[str | Handed | None], own: int
) -> Tail:
    """A layer that was given to a call: the qualified name says where that put it."""
    cut = pattern.index(handed[0])
    before = [part for part in pattern[:cut] if not isinstance(part, Handed)]
    after = [part for part in pattern[cut + 1 :] if not isinstance(part, Handed)]
    callee = handed[0].callee
    if len(handed) > 1 or not before or None in after:
        raise RefusedError(f"it is handed to `{callee}`, and where that puts it is not known")
    end = len(name) - own - len(after)
    inner = name[:end]
    gaps = [
        inner[start:] for start in range(len(before), end + 1) if _ends_with(inner[:start], before)
    ]
    if not _ends_with(name[: len(name) - own], after) or len(gaps) != 1:
        raise RefusedError(f"it is handed to `{callee}`, and where that puts it is not known")
    return Tail(tuple(name[len(name) - own :]), tuple(gaps[0]), derived=True)


def _ends_with(name: list[str], pattern: Pattern) -> bool:
    if len(pattern) > len(name):
        return False
    end = name[len(name) - len(pattern) :]
    return all(part is None or part == found for part, found in zip(pattern, end, strict=True))

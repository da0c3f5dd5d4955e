"""Checks the arguments of apply_ and materialize: model, builder, seed, device."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from initlint.fill.forgetting import forget_bias_of
from initlint.fill.overrides import Overrides, overrides_of
from initlint.fill.together import Together
from initlint.records import POLICIES, SCOPES, InitlintError
from initlint.safe.strings import strings
from initlint.tracing.needs import refuse_disguised

# The most bits of a seed; a longer one is surely a mistake.
_BITS = 4096


def model_of(given: Any) -> nn.Module:
    """`given`, which must be a model: no class or function that makes one, and not scripted."""
    refuse_disguised(given)
    if isinstance(given, torch.jit.ScriptModule):
        raise InitlintError(
            "apply_ cannot follow a scripted model; fill it before torch.jit.script"
        )
    if isinstance(given, nn.Module):
        return given
    if isinstance(getattr(given, "submod", None), nn.Module):
        raise InitlintError(
            "apply_ fills a torch.nn.Module: write apply_(stage.submod, whole=...), where whole is "
            "the model that the stage is a part of"
        )
    if callable(given):
        name = getattr(given, "__name__", type(given).__name__)
        raise InitlintError(
            f"apply_ fills a model, and {name} only builds one; write materialize({name})"
        )
    raise InitlintError(f"apply_ fills a torch.nn.Module, not {type(given).__name__}")


def builder_of(given: Any) -> nn.Module | Callable[..., nn.Module]:
    """`given`, which must be a model, or something that can be called for one."""
    refuse_disguised(given)
    if callable(given):
        return given  # type: ignore[no-any-return]
    kind = type(given).__name__
    raise InitlintError(f"materialize takes a class, a function or a model, not {kind}")


def values_wanted(device: str) -> AbstractContextManager[object]:
    """A context in which new tensors have values, also within the user's `torch.device("meta")`."""
    is_meta = torch.get_default_device().type == "meta"
    return torch.device(device) if is_meta else nullcontext()


def function_of(option: str, given: Any) -> Any:
    """`given`, which must be a function of the model, or None."""
    if given is not None and not callable(given):
        raise InitlintError(f"{option}={given!r:.60}: write a function that takes the model")
    return given


def choice_of(option: str, given: str, known: Sequence[str]) -> str:
    """`given`, which must be one of the `known` values of an option."""
    if given not in known:
        raise InitlintError(
            f"{option}={given!r}: no such {option}; choose one of {', '.join(known)}"
        )
    return given


def seed_of(given: Any) -> int:
    """The seed, which must be a whole number, of either sign; True and 1.0 are none."""
    if isinstance(given, bool) or not isinstance(given, numbers.Integral):
        raise InitlintError(f"seed={given!r:.60}: write an integer")
    seed = int(given)
    if seed.bit_length() > _BITS:
        raise InitlintError(f"seed: write an integer of at most {_BITS} bits")
    return seed


def device_of(given: Any) -> str:
    """The device by name. Raises InitlintError for one that torch does not know or cannot use."""
    try:
        device = torch.device(given)
    except (RuntimeError, TypeError):
        what = "torch knows no such device; write cpu, cuda or cuda:0"
        raise InitlintError(f"device {given}: {what}") from None
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        # Torch says it in the first line, and asserts where it was built without a device's kind.
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InitlintError(f"device {given}: cannot be used here: {why}") from error
    return str(device)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The checked arguments of apply_ and materialize: which weights to fill, and how."""

    seed: int
    only: Sequence[str] | None
    skip: Sequence[str] | None
    policy: str
    scope: str
    overrides: Overrides = ()
    whole: Any = None
    forget_bias: float | None = None


def wanted_of(
    ranks: Together,
    seed: object,
    only: object,
    skip: object,
    policy: str,
    scope: str,
    overrides: object = None,
    whole: object = None,
    forget_bias: object = None,
) -> Wanted:
    """The arguments, checked; without a seed, the ranks first agree on one."""
    number = ranks.seed() if seed is None else seed_of(seed)
    patterns = strings("only", only), strings("skip", skip)
    chosen = choice_of("policy", policy, POLICIES), choice_of("scope", scope, SCOPES)
    others, forget = overrides_of(overrides), forget_bias_of(forget_bias)
    if whole is not None and policy == "calibrated":
        raise InitlintError("calibrated runs the whole model: fill it before it is cut into stages")
    return Wanted(number, *patterns, *chosen, others, whole, forget)


@dataclass(frozen=True, slots=True)
class Ways:
    """How materialize makes a model: where, with which arguments, and what is called on it.

    `unwritten` are the parameters and buffers that nothing wrote when it was built once before.
    """

    device: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    init: Callable[[nn.Module], object] | None = None
    shard: Callable[[nn.Module], object] | None = None
    unwritten: frozenset[str] = frozenset()

    def sharded(self, model: nn.Module) -> nn.Module:
        """The model, sharded if that is asked for; what the user's function returns, if a model."""
        found = self.shard(model) if self.shard is not None else model
        return found if isinstance(found, nn.Module) else model

"""forget_bias: LSTMs whose forget gates begin open, as Jozefowicz et al. 2015 recommend."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING

from torch import nn

from initlint.fill.apply import Choice, is_wanted
from initlint.fill.blocks import GATES, Source
from initlint.fill.overrides import KEPT
from initlint.fill.scope import Scope
from initlint.fill.shards import bare_name, plain_name, tensors_of
from initlint.records import Initializer, InitlintError, Unanalysed

if TYPE_CHECKING:
    from initlint.fill.given import Wanted

_REASON = "forget_bias (Jozefowicz 2015)"


def forget_bias_of(given: object) -> float | None:
    """The bias of forget gates, checked; None if none is asked for."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, Real) or not math.isfinite(float(given)):
        raise InitlintError(f"forget_bias={given!r:.60}: write a number")
    return float(given)


def with_forget_bias(model: nn.Module, choice: Choice, wanted: Wanted, scope: Scope) -> Choice:
    """The choice, in which the biases of LSTMs are `value` for the forget gates, and else zero.

    torch adds two biases: that of the input gets it, that of the state becomes zero. Biases that
    somebody set stay, and those that overrides name.
    """
    value = wanted.forget_bias
    if value is None:
        return choice
    # A stage may have none of the LSTMs, or its classes may be torch's of an exported graph.
    every = list(_biases(model if wanted.whole is None else wanted.whole.model))
    if not every:
        raise InitlintError("forget_bias: the model has no LSTM with biases")
    here = tensors_of(model)
    sources, given, kept = dict(choice.sources), dict(choice.given), list[Unanalysed]()
    named = {*given, *(gap.target for gap in choice.skipped if gap.reason == KEPT)}
    for name, is_first in every:
        if name not in here or name in named or not is_wanted([name], wanted.only, wanted.skip):
            continue
        reason = scope.keeps_bias(name)
        if reason:
            kept.append(Unanalysed(name, reason))
            continue
        found = value if is_first else 0.0
        if not found and scope.present[name].kind == "zeros":
            continue
        std = abs(found) * math.sqrt(GATES - 1) / GATES
        scheme = f"{found:.4g} for forget gates and else 0" if found else "zeros_"
        given[name] = Initializer(scheme, {}, std, mean=found / GATES, reason=_REASON)
        sources[name] = Source(wanted.seed, bare_name(name), "forget", std, found)
    biases = tuple(name for name in choice.biases if name not in given)
    return replace(
        choice, biases=biases, sources=sources, given=given, skipped=(*choice.skipped, *kept)
    )


def _biases(model: nn.Module) -> Iterator[tuple[str, bool]]:
    """The biases of LSTMs by name, and whether each is that of the input."""
    for prefix, module in model.named_modules():
        if isinstance(module, (nn.LSTM, nn.LSTMCell)):
            for key in module._parameters:
                if key.startswith("bias_"):
                    name = plain_name(f"{prefix}.{key}" if prefix else key)
                    yield name, key.startswith("bias_ih")

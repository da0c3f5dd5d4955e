"""The fans of a layer by the names that the layer itself has for them, where it is an nn.Linear."""

from __future__ import annotations

from initlint import calls
from initlint.fix.locate import Spot, dotted
from initlint.fix.parsed import Parsed


def named_fans(parsed: Parsed, spot: Spot, tensor: str) -> dict[str, str]:
    """`self.fc.in_features` in place of `self.fc.weight[0].numel()`, for an nn.Linear.

    Of a convolution no attribute says how many values an output is made of.
    """
    owner, _, parameter = tensor.rpartition(".")
    named = parameter == "weight" and _is_linear(parsed, spot)
    return calls.features(owner) if named else calls.counted(tensor)


def _is_linear(parsed: Parsed, spot: Spot) -> bool:
    """Whether the layer is torch's own, not another one of that name."""
    module, _, name = (dotted(spot.call.func) or "").rpartition(".")
    shadowed = module.partition(".")[0] in parsed.hidden(spot)
    return name == "Linear" and parsed.speller.knows(f"{module}.init") and not shadowed

"""Whether a layer is torch's own nn.Linear, which has names for its fans."""

from __future__ import annotations

from initlint.fix.locate import Spot, dotted
from initlint.fix.parsed import Parsed


def is_linear(parsed: Parsed, spot: Spot) -> bool:
    """Whether the layer is torch's own, not another one of that name."""
    module, _, name = (dotted(spot.call.func) or "").rpartition(".")
    shadowed = module.partition(".")[0] in parsed.hidden(spot)
    return name == "Linear" and parsed.speller.knows(f"{module}.init") and not shadowed

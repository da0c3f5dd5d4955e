"""The fans in a call for a plain nn.Linear, by the names that the layer itself has for them."""

from __future__ import annotations

import re

from initlint.fix.locate import Spot, dotted
from initlint.fix.parsed import Parsed

# Of a convolution no attribute says how many values an output is made of.
_NAMES = {"{weight}[0].numel()": "in_features", "{weight}[:, 0].numel()": "out_features"}

# black and ruff write no blanks around the power of what is but names with dots.
_POWER = re.compile(r"(?<![\w.\])])((?:\w+\.)+(?:in|out)_features) \*\* (?=-?\d)")


def filled(parsed: Parsed, spot: Spot, template: str, tensor: str) -> str:
    """The call for `tensor`, `self.fc.in_features` in place of `self.fc.weight[0].numel()`."""
    owner, _, parameter = tensor.rpartition(".")
    put = {"{weight}": tensor}
    if parameter == "weight" and _is_linear(parsed, spot):
        put |= {counted: f"{owner}.{name}" for counted, name in _NAMES.items()}
    # At once: the tensor's own name may have braces in it.
    longest = sorted(put, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest)), lambda found: put[found[0]], template)


def formatted(call: str) -> str:
    """A finished call with its powers as formatters write them."""
    return _POWER.sub(r"\1**", call)


def _is_linear(parsed: Parsed, spot: Spot) -> bool:
    """Whether the layer is torch's own, not another one of that name."""
    module, _, name = (dotted(spot.call.func) or "").rpartition(".")
    shadowed = module.partition(".")[0] in parsed.hidden(spot)
    return name == "Linear" and parsed.speller.knows(f"{module}.init") and not shadowed

"""The predicted signal: E[x²] of every value of a graph, and of the gradient on the way back.

Mean-field theory (Poole 2016, Schoenholz 2017): in a wide network with independent random weights,
the result of a layer is Gaussian, so a few moments describe it. `samples.Value` has these moments,
`signal_weighted`, `signal_pointwise`, `signal_joins`, `signal_pools` and `signal_norms` have a rule
for each kind of operation. An operation that no rule knows ends the prediction, with a reason; what
follows is relative to its result, which counts as 1. Linear in the size of the graph.
"""

from __future__ import annotations

from collections.abc import Sequence

from initlint.graph.ops import Op
from initlint.graph.signal_backward import add_gradients
from initlint.graph.signal_forward import Forward
from initlint.graph.signal_terms import Given, Prediction


def predicted(ops: Sequence[Op], given: Given) -> Prediction:
    """The signal in a graph whose operations come in the order of the data."""
    forward = Forward(given)
    for op in ops:
        forward.follow(op)
    found = forward.found
    add_gradients(ops, found, given, forward.backs, forward.past, forward.shared)
    return found

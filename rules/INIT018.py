"""Writes to a weight that is computed anew from other parameters."""

from initlint.judge import Call, Problems


def reparametrised_write(call: Call) -> Problems:
    """A write to `.weight` after weight_norm or a parametrization, which the forward undoes."""
    if call.effect == "recomputed":
        yield (
            call,
            f"{call.spelled} has no effect: {call.reason}; fill the weight before it is wrapped",
        )

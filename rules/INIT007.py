"""Initialising calls that raise an error when they run."""

from initlint.judge import Call, Problems


def init_raises(call: Call) -> Problems:
    """A call that ends the construction of the model with an error."""
    if call.effect == "raises":
        yield call, f"{_shown(call.spelled)} raises an error when it runs: {call.reason}"


def _shown(name: str) -> str:
    return "an assignment to a part" if name == "index_put_" else name

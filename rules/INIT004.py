"""Methods and functions that would initialise a module, and that nothing calls."""

from initlint.judge import Call, Problems


def init_never_called(call: Call) -> Problems:
    """A method such as _init_weights, or a function like it, that is defined and never runs."""
    if call.effect == "uncalled":
        where = "at the end of the constructor" if call.within else "on the model, or take it out"
        name = ".".join(filter(None, (call.within, call.spelled)))
        yield call, f"{name} is never called: {call.reason}; call it {where}"

"""Methods that would initialise a module, and that nothing calls."""

from initlint.judge import Call, Problems


def init_never_called(call: Call) -> Problems:
    """A reset_parameters, init_weights or _init_weights that is defined and never runs."""
    if call.effect == "uncalled":
        yield (
            call,
            f"{call.within}.{call.spelled} is never called: {call.reason}; call it at the end of "
            "the constructor",
        )
